"""A loop that does not sleep for a moment, because the answer that it waits for is near.

To sleep and be woken costs 20 to 30 µs, a large part of a call to a quick board. So the loop turns
without sleeping, and whatever is ready in it runs as ever. That is worth a processor's time only
where answers do come within that moment, and only while there is another processor for the board:
one loop of the process does so at a time, and one where it was in vain rests from it.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

LONGEST: Final = 0.0003
"""Seconds."""
MOST_REST: Final = 1024
"""Answers that a loop waits for asleep, at most, before it tries again."""


class Wakeful:
    """Of one loop, on whose thread all of it happens.

    Args:
        clock: gives monotonic seconds.
        possible: whether there is a processor for it.
    """

    __slots__ = ("_clock", "_penalty", "_possible", "_rest", "_turning", "_until")

    taken_until: ClassVar[float] = 0.0
    """When the one that has its turn now ends at the latest."""

    def __init__(
        self, clock: Callable[[], float] = monotonic, *, possible: bool = (os.cpu_count() or 1) > 1
    ) -> None:
        self._clock = clock
        self._possible = possible
        self._until = 0.0
        self._turning = False
        self._penalty, self._rest = 1, 0

    def begin(self, loop: AbstractEventLoop) -> None:
        """Keep the loop awake until `came`, or for `LONGEST` seconds."""
        if self._rest or not self._possible:
            self._rest -= self._rest > 0
            return
        now = self._clock()
        if now < Wakeful.taken_until and not self._turning:
            return
        self._until = Wakeful.taken_until = now + LONGEST
        if not self._turning:
            self._turning = True
            loop.call_soon(self._turn, loop)

    def came(self) -> None:
        """What was awaited is there."""
        self._until = 0.0

    def _turn(self, loop: AbstractEventLoop) -> None:
        if self._clock() < self._until:
            loop.call_soon(self._turn, loop)
            return
        self._turning = False
        if self._until:
            self._penalty = min(self._penalty * 2, MOST_REST)
            self._rest = self._penalty
        else:
            Wakeful.taken_until = 0.0
            self._penalty = max(self._penalty // 2, 1)
