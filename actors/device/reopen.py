"""How often and how soon a lost link is opened again (DESIGN 2): for ever, by default."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

_STEEP: Final = 64
"""From here on every delay is the longest; a greater power would overflow after 1,024 failures."""


@dataclass(slots=True)
class Reopening:
    """Exponential backoff with jitter; `worked` starts over.

    Args:
        first: seconds before the first attempt.
        longest: seconds between attempts at most, jitter not counted.
        factor: what each delay is multiplied by.
        jitter: the share of a delay that is added at random, so that devices do not come in step.
        attempts: attempts without success before the device counts as failed; None for no limit.
    """

    first: float = 0.05
    longest: float = 5.0
    factor: float = 2.0
    jitter: float = 0.2
    attempts: int | None = None
    failed: int = 0

    def next_delay(self) -> float | None:
        """Return the seconds to wait before the next attempt; None to give up."""
        if self.attempts is not None and self.failed >= self.attempts:
            return None
        delay = min(self.longest, self.first * self.factor ** min(self.failed, _STEEP))
        self.failed += 1
        return delay * (1 + random.random() * self.jitter)  # noqa: S311 -- not a secret

    def worked(self) -> None:
        """Forget the failures."""
        self.failed = 0
