"""Where the time comes from: the system's clock, or one that a test moves by hand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock(Protocol):
    """Two readings, both in float seconds."""

    def monotonic(self) -> float:
        """Seconds that never run backwards, from an unknown start: for delays and deadlines."""
        ...

    def time(self) -> float:
        """Seconds since the epoch: for people."""
        ...


class SystemClock:
    """The computer's own clocks."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)


SYSTEM_CLOCK: Final[Clock] = SystemClock()


class Alarm(Protocol):
    """What a `ManualClock` fires: `Timers` is one."""

    def next_due(self) -> float | None:
        """When the earliest live timer is due, if there is one."""
        ...

    def fire_due(self) -> None:
        """Run what is due now, on this thread."""
        ...


class ManualClock:
    """A clock that stands still until `advance` moves it, firing timers on the way.

    Tests of periods, delays and deadlines need no sleeps with it.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._alarms: list[Alarm] = []

    def monotonic(self) -> float:
        """The moment that `advance` has reached."""
        return self._now

    def time(self) -> float:
        """The same as `monotonic`."""
        return self._now

    def attach(self, alarm: Alarm) -> None:
        """Let `advance` fire the timers of `alarm`."""
        self._alarms.append(alarm)

    def advance(self, seconds: float, *, between: Callable[[], object] | None = None) -> None:
        """Move on by `seconds`; timers due on the way run here, in order, each at its own time.

        Args:
            seconds: How far.
            between: Called before the first and after each moment at which timers ran: it may wait
                until the actors that they woke are idle, so that what these schedule counts from
                that moment too.
        """
        until = self._now + seconds
        if between is not None:
            between()
        while (due := self._earliest(until)) is not None:
            when, alarm = due
            self._now = max(self._now, when)
            alarm.fire_due()
            if between is not None:
                between()
        self._now = until

    def _earliest(self, until: float) -> tuple[float, Alarm] | None:
        waiting = ((alarm.next_due(), alarm) for alarm in self._alarms)
        due = [(when, alarm) for when, alarm in waiting if when is not None and when <= until]
        return min(due, key=lambda pair: pair[0], default=None)
