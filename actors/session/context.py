"""A `Done` seen as a context: cancellation, a deadline and values in one object (DONE-023).

    with session.context("attachment", timeout=5.0, user="ada") as context:
        manager.execute_in_session("sim:", work, cancel=context)

Its level is always named: whose end cancels it is never a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.runtime.timers import TIMERS, Timer
from klemheist.transports.repl.values import ArgumentError

from .resources import CancelToken

if TYPE_CHECKING:
    from klemheist.actors.done import Done


class Level(StrEnum):
    """Whose end cancels a context."""

    ATTACHMENT = "attachment"
    """This attachment's: a session that was started anew after a fault has another one."""
    SESSION = "session"
    DEVICE = "device"


class EndContext(CancelToken):
    """A `CancelToken` that is cancelled by an end, by its deadline, or by leaving its block.

    Before the block it is open and nobody knows it; after it nothing of it is left behind.
    """

    __slots__ = ("_end", "_timer", "_undo", "deadline", "level", "values")

    def __init__(
        self, level: Level, end: Done, timeout: float | None, values: Mapping[str, Any]
    ) -> None:
        super().__init__()
        self._end = end
        self._timer: Timer | None = None
        self._undo: Callable[[], None] | None = None
        self.level = level
        """Whose end cancels it."""
        self.deadline = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        """When it is cancelled by itself, as `time.monotonic` counts; None for never."""
        self.values: Mapping[str, Any] = MappingProxyType(dict(values))
        """What was given to it, by name."""

    def __repr__(self) -> str:
        state = f"cancelled: {self.reason}" if self.cancelled else "open"
        return f"<context of the {self.level}, {state}>"

    def remaining(self) -> float | None:
        """Return the seconds until its deadline, 0.0 after it; None where it has none."""
        return None if self.deadline is None else max(0.0, self.deadline - SYSTEM_CLOCK.monotonic())

    def __enter__(self) -> Self:
        if self.deadline is not None:
            self._timer = TIMERS.call_at(self.deadline, self.cancel, "its deadline has passed")
        self._undo = self._end.add_callback(self._ended)
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._undo is not None:
            self._undo()
        self.cancel("its block was left")

    def _ended(self, reason: object) -> None:
        self.cancel(f"the {self.level} has ended: {reason}")


def level_of(level: str) -> Level:
    """Return the level of a name.

    Raises:
        ArgumentError: there is none of it.
    """
    try:
        return Level(level)
    except ValueError:
        raise ArgumentError(f"level={level!r}: give one of {', '.join(Level)}") from None
