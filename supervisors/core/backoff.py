"""`Backoff`: how long a child waits before it is started again, and how often at most. Pure."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import InvalidChildSpec
from .keys import known_only

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Backoff:
    """The delay before each restart: `min(max, min * factor**n) * (1 + random * jitter)` seconds.

    n is the number of failures in a row; `reset_after` seconds of running set it back to 0
    (default: half of min + max). A child with a backoff has this budget of its own: more than
    `max_restarts` in a row and it has failed for good, which does not count against its supervisor
    (DESIGN 2; supervision.md 2.10).

    Raises:
        InvalidChildSpec: A number makes no sense.
    """

    min: float = 0.2
    max: float = 30.0
    factor: float = 2.0
    jitter: float = 0.2
    reset_after: float | None = None
    max_restarts: int | None = None

    def __post_init__(self) -> None:
        given = (self.min, self.max, self.factor, self.jitter)
        whenever = (self.reset_after, self.max_restarts)
        if not all(map(_is_number, (*given, *(0 if each is None else each for each in whenever)))):
            raise _invalid(self, "needs numbers; reset_after and max_restarts may be None")
        if not 0 <= self.min <= self.max:
            raise _invalid(self, "needs 0 <= min <= max seconds")
        if self.factor < 1 or self.jitter < 0 or (self.reset_after or 0) < 0:
            raise _invalid(self, "needs factor >= 1, jitter >= 0, reset_after >= 0")
        count = self.max_restarts
        if count is not None and (not isinstance(count, int) or count < 0):
            raise _invalid(self, "needs a whole max_restarts >= 0, or None")

    def delay(self, failures: int, rand: Callable[[], float] = random.random) -> float:
        """Seconds to wait after `failures` earlier failures in a row (0 first)."""
        try:
            delay = self.min * self.factor**failures
        except OverflowError:
            delay = self.max
        return min(self.max, delay) * (1 + rand() * self.jitter)

    def steady_after(self) -> float:
        """Seconds without a failure after which the count begins anew."""
        return (self.min + self.max) / 2 if self.reset_after is None else self.reset_after


_checked = known_only(InvalidChildSpec, "invalid_backoff")
Backoff.__init__ = _checked(Backoff.__init__)  # type: ignore[method-assign]


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return not math.isnan(value)


def _invalid(backoff: Backoff, advice: str) -> InvalidChildSpec:
    return InvalidChildSpec("invalid_backoff", backoff, f"backoff={backoff!r}: {advice}")
