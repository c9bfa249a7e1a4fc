"""`Driver`: the actor around a supervisor's core. It takes events in and carries effects out.

It is inline: it has no thread, and no turn of it waits for anything, at any depth of the tree.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from klemheist.actors.runtime import (
    LATER,
    POOL,
    ActorDead,
    ExitReason,
    Future,
    register,
    zombies,
)
from klemheist.supervisors.core import effects as do
from klemheist.supervisors.core import inputs as got

from .at_exit import forget_root, note_root
from .launch import Maker, adopt, introduce, launch, will_not_restart
from .leftovers import Leftovers, kill_all
from .ref import SupervisorRef
from .teller import Teller

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from klemheist.actors.runtime import ActorRef, Timer
    from klemheist.supervisors.core.child import ChildSpec


_CLAIMS: Final = allocate_lock()


class Watch:
    """Tells a supervisor of the start and the end of one of its children."""

    __slots__ = ("_driver", "_key", "_starting")

    def __init__(self, driver: Driver, key: Hashable) -> None:
        self._driver = driver
        self._key = key
        self._starting = True

    def claim_start(self) -> bool:
        """Whether nobody has reported the start yet: true for one caller."""
        with _CLAIMS:
            starting, self._starting = self._starting, False
        return starting

    def has_started(self, ref: ActorRef[Any]) -> None:
        """`on_start` has run, well or not."""
        if self.claim_start():
            self._driver.child_started(self._key, ref)

    def has_ended(self, ref: ActorRef[Any]) -> None:
        """It has ended; of one that never started, the failed start is told."""
        if ref.has_started and ref.start_error is None:
            self._driver.child_ended(self._key, ref)


class Driver(Teller):
    """Feeds the core, and does what it orders. Subclasses say what the core is."""

    inline = True
    starts_later = True
    ask_failure = "crash"
    ref_class = SupervisorRef

    # Of these most supervisors need none: they stand here once, and in one that differs.
    _events: deque[got.Event] | None = None
    """Those that wait for the one being fed; None while none is."""
    _child_timers: dict[Hashable, Timer] | None = None
    _replies: set[Future[Any]] | None = None
    """Of requests that are not answered yet."""
    _makers: dict[Hashable, Maker] | None = None
    _leftovers: Leftovers | None = None
    _is_root = False
    _leaving = False
    _untold = True

    # -- hooks

    def before_shutdown(self, done: Callable[[], None]) -> None:
        """Do what must be done while the children still run; then call `done`, from any thread.

        Called once, on the supervisor's turn, at each orderly end; it must not block. The parent's
        deadline counts from before it. Children that crash meanwhile are restarted.
        """
        done()

    def _equip(self, child: Any) -> None:
        """Give a new child what it needs and its spec does not say, before it starts.

        Args:
            child: The actor, or one of Pykka's as it is wrapped; its constructor has run.
        """

    # -- the life of an actor

    def on_start(self) -> None:
        """Start the children; `ref.started` says when they are up."""
        if not self._actor_supervised:  # a root keeps the pool's threads while it lives
            POOL.enter()
            note_root(self._actor_self)
            self._is_root = True
        if self.name is not None:
            register(self.name, self._actor_self)
        clock = self.timers.clock
        self._core.path = self.path
        self._core.wall_offset = clock.time() - clock.monotonic()
        self.post(self._feed, got.Begin())  # not here: a deep tree would be a deep stack

    def on_receive(self, message: Any) -> Any:
        """Requests are answered when they are carried out."""
        reply = getattr(message, "reply", None)
        if reply is None:
            return super().on_receive(message)
        with self._reading:
            if self._released:  # killed meanwhile, from another thread
                raise ActorDead(f"{self} ended before it answered")
            if self._replies is None:
                self._replies = set()
            self._replies.add(reply)
        self._feed(message)
        return LATER

    def _actor_leave(self, reason: ExitReason) -> None:
        if self._leaving or not self._actor_self.started.done():
            self._feed(got.Shutdown(reason))  # nothing to prepare, or it is prepared no longer
            return
        self._leaving = True
        if self._actor_hook(self.before_shutdown, partial(self._prepared, reason)) is not None:
            self._feed(got.Shutdown(reason))

    def _prepared(self, reason: ExitReason) -> None:
        self.post(self._feed, got.Shutdown(reason))

    def _actor_finish(self, reason: ExitReason, start_error: BaseException | None = None) -> None:
        super()._actor_finish(reason, start_error)
        with self._reading:
            untold, self._untold = self._untold, False
        if untold and self._actor_self.reason is not None:
            self._tell_end(self._actor_self.reason)

    def _actor_released(self) -> None:
        with self._reading:
            self._released = True
            left = [(key, e.ref) for key, e in self._core.children.items() if e.alive]
            waiting = [*(self._replies or ()), *(self._awaited or {}).values()]
        for timer in list((self._child_timers or {}).values()):
            timer.cancel()
        for _, ref in left:
            will_not_restart(ref)
        kill_all([ref for _, ref in left])  # killed, or crashed: nobody else will
        for key, ref in left:
            self._keep(key, ref)
        for maker in list((self._makers or {}).values()):
            maker.abandon()
        if self._leftovers is not None:
            self._leftovers.discard_all()
        if self._is_root:
            POOL.leave()
            forget_root(self._actor_self)
        for future in waiting:
            future.set_exception(ActorDead(f"{self} ended before it answered"))

    # -- events in, effects out

    def _feed(self, event: got.Event) -> None:
        """Take in `event` and what follows from it. Only on a turn."""
        if self._events is not None:
            self._events.append(event)  # the loop below is running, further up this stack
            return
        events = self._events = deque((event,))
        try:
            while events:
                with self._reading:
                    effects = self._core.step(events.popleft(), self.timers.clock.monotonic())
                for effect in effects:
                    self._carry_out(effect)
        finally:  # also after a bug of ours: else each event would wait for this loop
            self._events = None

    def _then(self, event: got.Event) -> None:
        """Take in `event` after what is being carried out."""
        assert self._events is not None
        self._events.append(event)

    def _carry_out(self, effect: do.Effect) -> None:  # noqa: C901, PLR0912  a table, one line a row
        match effect:
            case do.Note(event):
                self._tell(event)
            case do.Start():
                self._spawn(effect)
            case do.Stop(key, ref):
                will_not_restart(ref)
                ref.exit(ExitReason.SHUTDOWN)
                self._look_again(key, ref)
            case do.Kill(key, ref):
                will_not_restart(ref)
                ref.kill()
                self._look_again(key, ref)
            case do.Discard(key):
                if self._leftovers is not None:
                    self._leftovers.discard(key)
            case do.Arm():
                self._arm(effect)
            case do.Disarm(key):
                timer = None if self._child_timers is None else self._child_timers.pop(key, None)
                if timer is not None:
                    timer.cancel()
            case do.Reply(to, value):
                self._answered(to)
                to.set(value)
            case do.Refuse(to, error):
                self._answered(to)
                to.set_exception(error)
            case do.Up():
                self._actor_started()
            case do.GiveUp(reason):
                self._actor_leave(reason)
            case do.Down():
                self._down(effect)

    def _answered(self, reply: Future[Any]) -> None:
        if self._replies is not None:
            self._replies.discard(reply)

    def _spawn(self, start: do.Start) -> None:
        key = start.spec.id
        left = [] if self._leftovers is None else self._leftovers.of(key)
        watch = Watch(self, key)
        try:
            ref = launch(start, partial(self._prepare, start.spec, watch), left)
        except BaseException as error:  # noqa: BLE001  a constructor's fault is the child's
            self._then(got.StartFailed(key, None, error))
            return
        if left and self._leftovers is not None:
            self._leftovers.passed_on(key)
        with self._reading:
            self._core.step(got.Spawned(key, ref), self.timers.clock.monotonic())
            released = self._released
        if released:  # killed meanwhile, from another thread
            ref.kill()
        if ref.has_started and watch.claim_start():
            self._then(self._start_of(key, ref))

    def _prepare(self, spec: ChildSpec, watch: Watch, actor: Any) -> None:
        """Tell a new child whose it is, before it starts."""
        introduce(actor, spec, self._actor_self)
        self._equip(actor)
        actor.actor_ref.watcher = watch
        if isinstance(actor, Maker):
            if self._makers is None:
                self._makers = {}
            self._makers[spec.id] = actor
        elif isinstance(actor, Driver):
            actor._adopted(self, spec.id)  # noqa: SLF001  one class

    def _adopted(self, parent: Driver, key: Hashable) -> None:
        self.path = f"{parent.path}/{key}"
        if parent.timers is not self.timers:
            self.timers = parent.timers
        self._above = parent

    # -- what children tell, on any thread

    def child_started(self, key: Hashable, ref: ActorRef[Any]) -> None:
        """The start of a child is over."""
        self.post(self._feed_start, key, ref)

    def child_ended(self, key: Hashable, ref: ActorRef[Any]) -> None:
        """A child has ended that had started."""
        if not self.post(self._feed_end, key, ref):  # too late: who waits for the child is told
            leftovers = Leftovers()
            leftovers.take_from(key, ref)
            leftovers.discard_all()

    def _feed_start(self, key: Hashable, ref: ActorRef[Any]) -> None:
        self._feed(self._start_of(key, ref))

    def _start_of(self, key: Hashable, ref: ActorRef[Any]) -> got.Event:
        maker = None if self._makers is None else self._makers.pop(key, None)
        error = ref.start_error
        if error is not None:
            self._keep(key, ref)
            return got.StartFailed(key, ref, error)
        if maker is None or maker.made is None:
            return got.Started(key, ref)
        ref.exit(ExitReason.NORMAL)
        adopt(maker.made, self._actor_self)
        made = maker.made
        made.ended.add_done_callback(lambda _: self.child_ended(key, made))
        return got.Started(key, ref, maker.made, maker.info)

    def _feed_end(self, key: Hashable, ref: ActorRef[Any]) -> None:
        self._keep(key, ref)
        self._feed(_exit_of(key, ref))

    def _keep(self, key: Hashable, ref: ActorRef[Any]) -> None:
        entry = self._core.children.get(key)
        if entry is not None and entry.spec.keeps_messages and entry.ref is ref:
            if self._leftovers is None:
                self._leftovers = Leftovers()
            self._leftovers.take_from(key, ref)

    def _look_again(self, key: Hashable, ref: ActorRef[Any]) -> None:
        """A child that had ended is not waited for, even where the notice of it got lost."""
        if ref.reason is not None and ref.has_started and ref.start_error is None:
            self._keep(key, ref)
            self._then(_exit_of(key, ref))

    def _arm(self, arm: do.Arm) -> None:
        if arm.delay <= 0:
            self.post(self._feed, arm.event)
        else:
            timer = self.timers.call_later(arm.delay, self.post, self._feed, arm.event)
            if self._child_timers is None:
                self._child_timers = {}
            self._child_timers[arm.id] = timer

    def _down(self, down: do.Down) -> None:
        if down.error is None:
            self._actor_end(down.reason)
        else:
            self._actor_finish(ExitReason.error(down.error), down.error)


def _exit_of(key: Hashable, ref: ActorRef[Any]) -> got.Exited:
    reason = ref.reason
    assert reason is not None
    return got.Exited(key, ref, reason, reason is ExitReason.KILLED and ref in zombies())
