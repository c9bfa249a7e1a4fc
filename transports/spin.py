"""Waiting without sleeping, for a board that answers at once.

To sleep and be woken costs a thread 20 to 30 µs, a large part of a call to a quick board. So who
waits for an answer looks again and again for a short while first. That is worth a processor's time
only where answers do come within it, and only while there is another processor for the board: one
thread of the process does so at a time, and a link on which it was in vain rests from it.
"""

from __future__ import annotations

import os
import select
from _thread import allocate_lock
from time import monotonic
from typing import Final

LONGEST: Final = 0.0003
"""Seconds."""
GLANCE: Final = 0.0001
"""Seconds on the thread of an event loop, which cannot do anything else meanwhile: what its own
turns for one answer take at most."""
MOST_REST: Final = 1024
"""Answers that a link waits for asleep, at most, before it tries again."""

_alone = allocate_lock()
_possible = (os.cpu_count() or 1) > 1


class Spin:
    """One link's way to wait for the first bytes of an answer.

    Args:
        longest: seconds for which it looks.
    """

    __slots__ = ("_longest", "_penalty", "_rest")

    def __init__(self, longest: float = LONGEST) -> None:
        self._longest = longest
        self._penalty = 1
        self._rest = 0

    def is_resting(self) -> bool:
        """Whether it is better to sleep just now."""
        if self._rest:
            self._rest -= 1
            return True
        return not _possible

    def wait(self, poll: select.poll) -> bool:
        """Look until there is something to read; False where it is better to sleep.

        Args:
            poll: watches the link's descriptor alone.
        """
        if self.is_resting() or not _alone.acquire(blocking=False):
            return False
        try:
            until = monotonic() + self._longest
            while not poll.poll(0):
                if monotonic() > until:
                    self._penalty = min(self._penalty * 2, MOST_REST)
                    self._rest = self._penalty
                    return False
        finally:
            _alone.release()
        self._penalty = max(self._penalty // 2, 1)
        return True
