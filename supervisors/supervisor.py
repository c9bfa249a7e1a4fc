"""`Supervisor`: the actor that carries out what its core decides.

    with Supervisor.start([child(Sampler, "a"), child(Uploader)], max_restarts=3) as tree:
        print(tree.snapshot().render())

It is inline: it has no thread, and no turn of it waits for anything.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from klemheist.actors.runtime import (
    LATER,
    TIMERS,
    Actor,
    ActorDead,
    ExitReason,
    Future,
    Timers,
    spawn,
)

from . import effects as do
from . import events as told
from .child import ChildSpec, check_child_specs
from .core import Core
from .errors import ChildNotFound, InvalidFlags
from .info import ChildInfo, info_of
from .intensity import RestartWindow
from .ref import SupervisorRef
from .report import report
from .snapshot import Node, Tree
from .steps import Begin, ChildState, Event, Exited, Shutdown, Spawned, Started, StartFailed
from .strategy import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from klemheist.actors.runtime import ActorRef, Clock, Timer


class Supervisor(Actor):
    """Starts children in order, restarts what crashes, stops in reverse order.

    Args:
        children: Their specs, in start order.
        strategy: Whom a restart concerns.
        max_restarts: How many restarts in `period` seconds are allowed; one more, and the
            supervisor ends all children and exits with reason shutdown.
        period: See `max_restarts`.
        name: The root's name in paths and pictures.
        clock: Another clock than the system's, for tests.
        on_event: Called with each `TreeEvent` of this supervisor and those under it, on whichever
            thread brings it; must be quick.

    Raises:
        InvalidChildSpec: A child's spec is wrong.
        InvalidFlags: An argument is wrong.
    """

    inline = True
    starts_later = True
    ref_class = SupervisorRef
    is_supervisor: ClassVar[bool] = True
    dynamic: ClassVar[bool] = False

    def __init__(
        self,
        children: Sequence[ChildSpec] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        max_restarts: int = 3,
        period: float = 5.0,
        name: str = "root",
        clock: Clock | None = None,
        on_event: Callable[[told.TreeEvent], object] | None = None,
        max_children: int | None = None,
    ) -> None:
        super().__init__()
        self.path = name
        self.timers = TIMERS if clock is None else Timers(clock)
        self._on_event = on_event
        self._core = Core(
            check_child_specs(children),
            strategy=_checked(strategy),
            window=RestartWindow(max_restarts, period),
            dynamic=self.dynamic,
            max_children=max_children,
        )
        self._reading = allocate_lock()  # the core is stepped on turns and read by anybody
        self._events: deque[Event] = deque()
        self._child_timers: dict[Hashable, Timer] = {}
        self._replies: set[Future[Any]] = set()
        self._awaited: dict[Hashable, Future[ActorRef[Any]]] = {}
        self._leaving = False

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> SupervisorRef[Any]:
        """Start a tree of its own and wait until all its children are up.

        Raises:
            StartError: A child did not start; those before it have been stopped.
        """
        ref = cast("SupervisorRef[Any]", super().start(*args, **kwargs))
        try:
            ref.started.get()
        except KeyboardInterrupt:
            ref.kill()
            raise
        return ref

    # -- hooks

    def before_shutdown(self, done: Callable[[], None]) -> None:
        """Do what must be done while the children still run; then call `done`, from any thread.

        Called once, on the supervisor's turn, at each orderly end; it must not block. The parent's
        deadline counts from before it. Children that crash meanwhile are restarted.
        """
        done()

    # -- reading, on any thread

    def children(self) -> list[ChildInfo]:
        """The children in start order."""
        now = self.timers.clock.monotonic()
        with self._reading:
            return [info_of(entry, now) for entry in self._core.children.values()]

    def child(self, key: Hashable) -> ChildInfo:
        """One child."""
        with self._reading:
            entry = self._core.children.get(key)
            if entry is not None:
                return info_of(entry, self.timers.clock.monotonic())
        raise ChildNotFound(f"no child {key!r}: children() lists those there are")

    def ready(self, key: Hashable) -> Future[ActorRef[Any]]:
        """A future of the child's running incarnation.

        Raises:
            ChildNotFound: There is none, and none will come by itself.
        """
        with self._reading:
            entry = self._core.children.get(key)
            waiter: Future[ActorRef[Any]] = self._awaited.get(key) or Future()
            if entry is None or entry.state is ChildState.FAILED:
                raise _gone(key)
            if not (entry.alive and entry.state is ChildState.RUNNING):
                self._awaited[key] = waiter
                return waiter
        waiter.set(entry.ref)
        return waiter

    def snapshot(self) -> Tree:
        """The tree from here down."""
        window = self._core.window
        return Tree(
            path=self.path,
            ref=self._actor_self,
            strategy="dynamic" if self.dynamic else self._core.strategy,
            max_restarts=window.max_restarts,
            period=window.period,
            restarts_in_window=window.count(self.timers.clock.monotonic()),
            children=tuple(self._node(info) for info in self.children()),
        )

    def _node(self, info: ChildInfo) -> Node:
        under = None
        if isinstance(info.ref, SupervisorRef):
            supervisor = cast("Supervisor | None", info.ref.actor())
            under = None if supervisor is None else supervisor.snapshot()
        return Node(
            id=info.id,
            path=f"{self.path}/{info.id}",
            type=info.type,
            state=info.state,
            ref=info.ref,
            restarts=info.restarts,
            last_exit=info.last_exit,
            next_attempt_in=info.next_attempt_in,
            mailbox_len=0 if info.ref is None else len(info.ref.actor_inbox),
            tree=under,
        )

    # -- the life of an actor

    def on_start(self) -> None:
        """Start the children; `ref.started` says when they are up."""
        self._core.path = self.path
        self._feed(Begin())

    def on_receive(self, message: Any) -> Any:
        """Requests are answered when they are carried out."""
        reply = getattr(message, "reply", None)
        if reply is None:
            return super().on_receive(message)
        self._replies.add(reply)
        self._feed(message)
        return LATER

    def _actor_leave(self, reason: ExitReason) -> None:
        if self._leaving or not self._actor_self.started.done():
            self._feed(Shutdown(reason))  # nothing to prepare, or it is prepared no longer
            return
        self._leaving = True
        if self._actor_hook(self.before_shutdown, partial(self._prepared, reason)) is not None:
            self._feed(Shutdown(reason))

    def _prepared(self, reason: ExitReason) -> None:
        self.post(self._feed, Shutdown(reason))

    def _actor_released(self) -> None:
        with self._reading:
            left = [entry.ref for entry in self._core.children.values() if entry.alive]
            waiting = [*self._replies, *self._awaited.values()]
        for timer in list(self._child_timers.values()):
            timer.cancel()
        for ref in reversed(left):  # killed, or crashed: nobody else will
            ref.kill()
        for future in waiting:
            future.set_exception(ActorDead(f"{self} ended before it answered"))

    # -- events in, effects out

    def _feed(self, event: Event) -> None:
        """Take in `event` and what follows from it. Only on a turn."""
        self._events.append(event)
        if len(self._events) > 1:
            return  # the loop below is running, further up this stack
        while self._events:
            with self._reading:
                effects = self._core.step(self._events[0], self.timers.clock.monotonic())
            for effect in effects:
                self._carry_out(effect)
            self._events.popleft()

    def _carry_out(self, effect: do.Effect) -> None:  # noqa: C901  a table, one line a row
        match effect:
            case do.Start():
                self._spawn(effect)
            case do.Stop(ref):
                ref.exit(ExitReason.SHUTDOWN)
            case do.Kill(ref):
                ref.kill()
            case do.Arm():
                self._arm(effect)
            case do.Disarm(key):
                if (timer := self._child_timers.pop(key, None)) is not None:
                    timer.cancel()
            case do.Reply(to, value):
                self._replies.discard(to)
                to.set(value)
            case do.Refuse(to, error):
                self._replies.discard(to)
                to.set_exception(error)
            case do.Up():
                self._actor_started()
            case do.GiveUp(reason):
                self._actor_leave(reason)
            case do.Down():
                self._down(effect)
            case do.Note(event):
                self._tell(event)

    def _spawn(self, start: do.Start) -> None:
        spec = start.spec
        key = spec.id
        prepare = partial(self._adopt, key)
        try:
            ref = spawn(
                spec.start, spec.args, spec.kwargs, restarted=start.restarted, prepare=prepare
            )
        except BaseException as error:  # noqa: BLE001  a constructor's fault is the child's
            self._events.append(StartFailed(key, None, error))
            return
        if self._actor_self.ended.done():  # killed meanwhile, from another thread
            ref.kill()
        self._events.append(Spawned(key, ref))
        if ref.started.done():
            self._events.append(self._start_of(key, ref))
        else:
            ref.started.add_done_callback(
                lambda _: self.post(lambda: self._feed(self._start_of(key, ref)))
            )

    def _adopt(self, key: Hashable, actor: Actor) -> None:
        actor._actor_parent = self._actor_self  # noqa: SLF001  one class
        if isinstance(actor, Supervisor):
            actor.path = f"{self.path}/{key}"
            actor.timers = self.timers
            actor._on_event = actor._on_event or self._on_event  # noqa: SLF001  one class

    def _start_of(self, key: Hashable, ref: ActorRef[Any]) -> Event:
        error = ref.started.exception()
        if error is not None:
            return StartFailed(key, ref, error)
        ref.ended.add_done_callback(
            lambda ended: self.post(self._feed, Exited(key, ref, ended.get()))
        )
        return Started(key, ref)

    def _arm(self, arm: do.Arm) -> None:
        if arm.delay <= 0:
            self.post(self._feed, arm.event)
        else:
            timer = self.timers.call_later(arm.delay, self.post, self._feed, arm.event)
            self._child_timers[arm.id] = timer

    def _down(self, down: do.Down) -> None:
        if down.error is None:
            self._actor_end(down.reason)
            self._tell(told.SupervisorStopped(self.path, None, down.reason))
        else:
            self._actor_finish(ExitReason.error(down.error), down.error)

    def _tell(self, event: told.TreeEvent) -> None:
        report(event)
        if event.id in self._awaited:
            self._answer_waiters(event)
        if self._on_event is not None:
            self._actor_hook(self._on_event, event)

    def _answer_waiters(self, event: told.TreeEvent) -> None:
        if isinstance(event, (told.ChildStarted, told.ChildRestarted)):
            self._awaited.pop(event.id).set(event.ref)
        elif isinstance(event, told.ChildFailed) or event.id not in self._core.children:
            self._awaited.pop(event.id).set_exception(_gone(event.id))


def _gone(key: Hashable) -> ChildNotFound:
    return ChildNotFound(f"child {key!r} has failed for good or is not there: see children()")


def _checked(strategy: Strategy) -> Strategy:
    try:
        return Strategy(strategy)
    except ValueError:
        allowed = ", ".join(Strategy)
        message = f"strategy={strategy!r}: use one of {allowed}"
        raise InvalidFlags("invalid_strategy", strategy, message) from None
