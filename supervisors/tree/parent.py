"""`Parent`: the part of a supervisor that starts children, and hears of their starts and ends."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from klemheist.actors.runtime import ExitReason, zombies
from klemheist.supervisors.core import effects as do
from klemheist.supervisors.core import inputs as got

from .launch import Maker, adopt, introduce, launch
from .leftovers import Leftovers
from .teller import Teller

if TYPE_CHECKING:
    from collections.abc import Hashable

    from klemheist.actors.runtime import ActorRef
    from klemheist.supervisors.core.child import ChildSpec


class Watch:
    """Tells a supervisor of the start and the end of one of its children."""

    __slots__ = ("_key", "_parent", "_starting")

    def __init__(self, parent: Parent, key: Hashable) -> None:
        self._parent = parent
        self._key = key
        self._starting = None

    def claim_start(self) -> bool:
        """Whether nobody has reported the start yet: true for one caller."""
        try:
            del self._starting  # only one can
        except AttributeError:
            return False
        return True

    def has_started(self, ref: ActorRef[Any]) -> None:
        """`on_start` has run, well or not."""
        if self.claim_start():
            self._parent.child_started(self._key, ref)

    def has_ended(self, ref: ActorRef[Any]) -> None:
        """It has ended; of one that never started, the failed start is told."""
        if ref.has_started and ref.start_error is None:
            self._parent.child_ended(self._key, ref)


class Parent(Teller):
    """Feeds the core with what it is told, one event after the other; a turn never nests."""

    # Of these most supervisors need none: they stand here once, and in one that differs.
    _events: deque[got.Event] | None = None
    """Those that wait for the one being fed; None while none is."""
    _makers: dict[Hashable, Maker] | None = None
    _leftovers: Leftovers | None = None

    def _equip(self, child: Any) -> None:
        """Give a new child what it needs and its spec does not say, before it starts.

        Args:
            child: The actor, or one of Pykka's as it is wrapped; its constructor has run.
        """

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

    def _carry_out(self, effect: do.Effect) -> None:
        """Do what the core orders."""
        raise NotImplementedError

    # -- starting a child

    def _spawn(self, start: do.Start) -> None:
        key = start.spec.id
        left = [] if self._leftovers is None else self._leftovers.of(key)
        watch = Watch(self, key)
        try:
            ref = launch(start, partial(self._prepare, start.spec, watch), left)
        except BaseException as error:  # noqa: BLE001  a constructor's fault is the child's
            self._then(got.StartFailed(key, None, error))
            self._actor_struck(error)
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
        elif isinstance(actor, Parent):
            actor._adopted(self, spec.id)  # noqa: SLF001  one class

    def _adopted(self, parent: Parent, key: Hashable) -> None:
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


def _exit_of(key: Hashable, ref: ActorRef[Any]) -> got.Exited:
    reason = ref.reason
    assert reason is not None
    return got.Exited(key, ref, reason, reason is ExitReason.KILLED and ref in zombies())
