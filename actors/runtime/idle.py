"""`receive_timeout`: an actor is told that nothing has come for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .bridge import Envelope
from .check import is_seconds, refused
from .signals import NotInfluenceReceiveTimeout, ReceiveTimeout

if TYPE_CHECKING:
    from .actor import Actor


class Idleness:
    """Looks at one actor's clock when its time may be up. One timer, however many messages."""

    __slots__ = ("_actor", "_last", "_live", "_timer", "seconds")

    def __init__(self, actor: Actor, seconds: float) -> None:
        if not is_seconds(seconds) or not seconds:
            raise refused("receive_timeout", seconds, "use positive seconds, or None")
        self.seconds = seconds
        self._actor = actor
        self._live = True
        self._last = self._now()
        self._timer = actor.timers.call_later(seconds, actor.post, self._check)

    def saw(self, item: Any) -> None:
        """A message has been handled; the actor's own calls do not count."""
        message = item.message if type(item) is Envelope else item
        if type(item) is not tuple and not isinstance(message, NotInfluenceReceiveTimeout):
            self._last = self._now()

    def cancel(self) -> None:
        """Tell it nothing any more."""
        self._live = False
        self._timer.cancel()

    def _now(self) -> float:
        return self._actor.timers.clock.monotonic()

    def _check(self) -> None:
        if not self._live:
            return
        actor, due = self._actor, self._last + self.seconds
        if self._now() >= due:
            self._last = self._now()
            due = self._last + self.seconds
            self._timer = actor.timers.call_at(due, actor.post, self._check)
            actor.on_receive(ReceiveTimeout())
        else:
            self._timer = actor.timers.call_at(due, actor.post, self._check)
