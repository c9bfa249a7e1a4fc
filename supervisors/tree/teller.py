"""`Teller`: the part of a supervisor that tells what happens, to all who listen."""

from __future__ import annotations

from _thread import allocate_lock
from typing import TYPE_CHECKING, Any

from klemheist.actors.runtime import Actor, ActorDead, Future
from klemheist.actors.streams import Publisher
from klemheist.supervisors.core import events as told
from klemheist.supervisors.core.errors import ChildNotFound

from .listening import listen
from .report import report
from .system import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from klemheist.actors.runtime import ActorRef, ExitReason
    from klemheist.actors.streams import Subscription
    from klemheist.supervisors.core.core import Core


class Teller(Actor):
    """Gives each event to the log, to who waits for a child, and up the tree to who watches."""

    # Most supervisors need none of these: they stand here once, and in one that differs.
    name: str | None = None
    """What it is registered as, while it lives."""
    _released = False
    _on_event: Callable[[told.TreeEvent], object] | None = None
    _awaited: dict[Hashable, Future[ActorRef[Any]]] | None = None
    """Who waits for a child to run."""
    _told: Publisher[told.TreeEvent] | None = None
    _above: Teller | None = None

    def __init__(
        self, core: Core, *, name: str | None, on_event: Callable[[told.TreeEvent], object] | None
    ) -> None:
        super().__init__()
        if name is not None:
            self.name = name
        self.path = name or "root"
        self._core = core
        self._reading = allocate_lock()  # the core is stepped on turns and read by anybody
        if on_event is not None:
            self._on_event = on_event

    def subscribe(self, *types: type, buffer: int, overflow: str) -> Subscription[told.TreeEvent]:
        """A stream of what this supervisor and those under it tell from now on."""
        with self._reading:
            if self._released:
                raise ActorDead(f"{self} not found: it has ended")
            if self._told is None:
                self._told = Publisher()
            return listen(self._told, types, buffer, overflow)

    def _tell_end(self, reason: ExitReason) -> None:
        clock = self.timers.clock
        self._tell(
            told.SupervisorStopped(
                self.path,
                None,
                reason,
                ref=self._actor_self,
                seq=self._core.totals.next_event(),
                monotonic=clock.monotonic(),
                time=clock.time(),
            )
        )
        if self._told is not None:
            self._told.close()

    def _tell(self, event: told.TreeEvent) -> None:
        report(event)
        if self._awaited:
            self._answer_waiters(self._awaited, event)
        if SYSTEM:
            SYSTEM.publish(event)
        teller: Teller | None = self
        while teller is not None:
            if teller._told is not None:  # noqa: SLF001  one class
                teller._told.publish(event)  # noqa: SLF001  one class
            if teller._on_event is not None:  # noqa: SLF001  one class
                self._actor_hook(teller._on_event, event)  # noqa: SLF001  one class
            teller = teller._above  # noqa: SLF001  one class

    def _answer_waiters(
        self, awaited: dict[Hashable, Future[ActorRef[Any]]], event: told.TreeEvent
    ) -> None:
        if event.id not in awaited:
            return
        if isinstance(event, (told.ChildStarted, told.ChildRestarted)):
            awaited.pop(event.id).set(event.ref)
        elif isinstance(event, told.ChildFailed) or event.id not in self._core.children:
            awaited.pop(event.id).set_exception(gone(event.id))


def gone(key: Hashable) -> ChildNotFound:
    """The error that says that a child does not run and will not by itself."""
    return ChildNotFound(f"child {key!r} has failed for good or is not there: see children()")
