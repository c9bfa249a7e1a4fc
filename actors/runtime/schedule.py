"""Messages that an actor sends itself later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .bridge import Envelope
from .deadletters import DEAD_LETTERS
from .errors import MailboxFull

if TYPE_CHECKING:
    from .actor import Actor


class Schedule:
    """One message to come, or one every so often. Cancelled with its actor."""

    __slots__ = ("_actor", "_every", "_live", "_message", "_timer")

    def __init__(self, actor: Actor, delay: float, message: Any, every: float | None) -> None:
        if every is not None and every <= 0:
            raise ValueError(f"every={every}: must be positive seconds, or None for once")
        self._actor = actor
        self._message = message
        self._every = every
        self._live = True
        self._timer = actor.timers.call_later(delay, self._fire)

    @property
    def active(self) -> bool:
        """Whether anything is still to come."""
        return self._live

    def cancel(self) -> bool:
        """Send nothing more. True if something was still to come."""
        was_live, self._live = self._live, False
        self._timer.cancel()
        schedules = self._actor._actor_schedules  # noqa: SLF001  it is a part of its actor
        if schedules is not None:
            schedules.discard(self)
        return was_live

    def _fire(self) -> None:
        actor, every = self._actor, self._every
        if not self._live:
            return
        if every is None:
            self.cancel()
        else:  # from the moment it was due, so that it does not drift
            self._timer = actor.timers.call_at(self._timer.when + every, self._fire)
        try:
            actor.actor_inbox.put(Envelope(self._message))
        except MailboxFull:
            DEAD_LETTERS.overflowed(self._message, actor._actor_self)  # noqa: SLF001  a part of it
