"""How many restarts are too many: a sliding window (supervision.md 2.4). Pure."""

from __future__ import annotations

import math
from collections import deque

from klemheist.actors.runtime.check import shown

from .errors import InvalidFlags

_MOST = 2**31
"""What a deque can count on any machine."""


class RestartWindow:
    """The moments of the last restarts; more than `max_restarts` in `period` seconds are too many.

    `max_restarts=3` allows three and gives up at the fourth; 0 gives up at the first.
    """

    __slots__ = ("max_restarts", "moments", "period")

    def __init__(self, max_restarts: int, period: float) -> None:
        check_window(max_restarts, period)
        self.max_restarts = max_restarts
        self.period = period
        self.moments: deque[float] | tuple[()] = ()
        """More than `max_restarts + 1` decide nothing. Most supervisors never need one: it is made
        at the first restart, for it takes 760 bytes."""

    def add(self, now: float) -> bool:
        """Count a restart at `now` (monotonic seconds). True while that is within the limit."""
        moments = self._counted()
        while moments and moments[0] < now - self.period:
            moments.popleft()
        moments.append(now)
        return len(moments) <= self.max_restarts

    def count(self, now: float) -> int:
        """How many restarts the window holds at `now`."""
        return sum(moment >= now - self.period for moment in self.moments)

    def _counted(self) -> deque[float]:
        if isinstance(self.moments, tuple):
            self.moments = deque(maxlen=min(self.max_restarts + 1, _MOST))
        return self.moments

    def resized(self, max_restarts: int, period: float) -> RestartWindow:
        """A window of other limits that remembers what this one does."""
        window = RestartWindow(max_restarts, period)
        if self.moments:
            window._counted().extend(self.moments)
        return window


def check_window(max_restarts: object, period: object) -> None:
    """Refuse impossible limits.

    Raises:
        InvalidFlags: `code` says which.
    """
    count = max_restarts
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise InvalidFlags(
            "invalid_intensity", count, f"max_restarts={shown(count)}: use a whole number from 0"
        )
    if (
        not isinstance(period, (int, float))
        or isinstance(period, bool)
        or not 0 < period < math.inf
    ):
        message = f"period={shown(period)}: use seconds above 0"
        raise InvalidFlags("invalid_period", period, message)
