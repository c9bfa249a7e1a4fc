"""What actors are told of each other's ends: `Terminated`, `ExitSignal`, and who asked for it."""

from __future__ import annotations

from _thread import allocate_lock
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from .actor import Actor
    from .exits import ExitReason
    from .future import Future
    from .ref import ActorRef


@dataclass(frozen=True, slots=True)
class Terminated:
    """An actor that was watched has ended."""

    ref: ActorRef[Any]
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class ExitSignal:
    """A linked actor has ended, or an actor wants this one to; only where exits are trapped."""

    ref: ActorRef[Any] | None
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class ReceiveTimeout:
    """Nothing came for as long as `receive_timeout` says."""


class NotInfluenceReceiveTimeout:
    """A message of a class under this one does not count as activity."""

    __slots__ = ()


_LINKS: Final = allocate_lock()


class Notice:
    """A message that can be taken back while it waits."""

    __slots__ = ("_message", "_watch")

    def __init__(self, watch: WatchRef, message: Any) -> None:
        self._watch = watch
        self._message = message

    @property
    def message(self) -> Any:
        """What it says, for who finds it undelivered."""
        return self._message

    def claim(self) -> bool:
        """Take it to be delivered; False if it was taken back."""
        return self._watch._claim()  # noqa: SLF001  one module


class WatchRef:
    """One watch of one actor by another: what `Actor.watch` returns and `unwatch` takes."""

    __slots__ = ("_live", "_undo", "_watcher", "message", "ref")

    def __init__(self, watcher: Actor, ref: ActorRef[Any], message: Any) -> None:
        self.ref = ref
        """Who is watched."""
        self.message = message
        """What comes instead of `Terminated`; None for that."""
        self._watcher = watcher
        self._live = True
        self._undo: Callable[[], None] = _nothing

    def begin(self) -> None:
        """Watch from now on; at once, where it has ended already."""
        undo = self.ref.ended.add_done_callback(lambda ended: self._notify(ended.get()))
        if self._live:
            self._undo = undo

    def cancel(self) -> bool:
        """Send nothing any more. True if something was still to come."""
        undo, self._undo = self._undo, _nothing  # it holds this, and this would hold the watcher
        undo()
        return self._claim()

    def _notify(self, reason: ExitReason) -> None:
        self._undo = _nothing
        message = Terminated(self.ref, reason) if self.message is None else self.message
        self._watcher.actor_inbox.put_notice(Notice(self, message))

    def _claim(self) -> bool:
        with _LINKS:
            live, self._live = self._live, False
        watches = self._watcher._actor_watches  # noqa: SLF001  it is a part of its actor
        if watches is not None:
            watches.discard(self)
        return live


class Link:
    """Two actors of which the end of one concerns the other."""

    __slots__ = ("_ends", "_undo")

    def __init__(self, one: ActorRef[Any], other: ActorRef[Any]) -> None:
        self._ends = (one, other)
        self._undo: tuple[Callable[[], None], ...] = ()

    def begin(self) -> None:
        """Watch both ends; where one is gone already, the other is told now."""
        self._undo = tuple(ref.ended.add_done_callback(self._ended(ref)) for ref in self._ends)
        one, other = self._ends
        if _links(one).get(other) is not self:
            self._stop()  # one was gone already: the other has been told before this was all there

    def cancel(self) -> bool:
        """No longer concern each other. True for the one caller who ends the link."""
        one, other = self._ends
        with _LINKS:
            if mine := _links(one).get(other) is self:
                del _links(one)[other], _links(other)[one]
        self._stop()
        return mine

    def _stop(self) -> None:
        for undo in self._undo:
            undo()

    def _ended(self, ref: ActorRef[Any]) -> Callable[[Future[ExitReason]], None]:
        return lambda ended: self._broken(ref, ended.get())

    def _broken(self, ref: ActorRef[Any], reason: ExitReason) -> None:
        if self.cancel():
            one, other = self._ends
            (other if ref is one else one).signal(ref, reason)


def link(one: ActorRef[Any], other: ActorRef[Any]) -> None:
    """Link two actors, once."""
    with _LINKS:
        ours, theirs = _links(one), _links(other)
        if one is other or other in ours:
            return
        ours[other] = theirs[one] = made = Link(one, other)
    made.begin()


def unlink(one: ActorRef[Any], other: ActorRef[Any]) -> bool:
    """Undo `link`. True if they were linked."""
    made = _links(one).get(other)
    return made is not None and made.cancel()


def _links(ref: ActorRef[Any]) -> dict[ActorRef[Any], Link]:
    if ref.links is None:
        ref.links = {}
    return ref.links


def _nothing() -> None:
    """The undoing of what was never begun."""
