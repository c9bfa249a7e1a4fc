"""How many restarts are too many: a sliding window (supervision.md 2.4). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import InvalidFlags


@dataclass(slots=True)
class RestartWindow:
    """The moments of the last restarts; more than `max_restarts` in `period` seconds are too many.

    `max_restarts=3` allows three and gives up at the fourth; 0 gives up at the first.
    """

    max_restarts: int
    period: float
    moments: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        count, period = self.max_restarts, self.period
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise InvalidFlags("invalid_intensity", count, f"max_restarts={count!r}: use 0 or more")
        if not isinstance(period, (int, float)) or not period > 0:
            raise InvalidFlags("invalid_period", period, f"period={period!r}: use seconds above 0")

    def add(self, now: float) -> bool:
        """Count a restart at `now` (monotonic seconds). True while that is within the limit.

        It keeps at most `max_restarts + 1` moments: more of them decide nothing.
        """
        recent = [moment for moment in self.moments if moment >= now - self.period]
        self.moments = [*recent, now][-(self.max_restarts + 1) :]
        return len(self.moments) <= self.max_restarts

    def count(self, now: float) -> int:
        """How many restarts the window holds at `now`."""
        return sum(moment >= now - self.period for moment in self.moments)
