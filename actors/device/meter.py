"""How long a device's calls take, and how many there are: the last few hundred of them.

On the way of every call: a reading of the clock at each end and two appends, no lock. A device
does one thing at a time, so one beginning is all there is to remember.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from time import monotonic
from typing import Final

KEPT: Final = 256
"""Calls that are kept: enough for a 99th percentile, some 16 KB for a device in use."""
WINDOW: Final = 10.0
"""Seconds that the figures look back, at most."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a device's latest calls took."""

    rate: float
    """Calls in a second."""
    median: float | None
    """Seconds from the sending to the answer, without waiting in the queue; None without calls. Of
    calls that went out together, each one's share."""
    p99: float | None
    """99 of 100 took no longer."""


class CallMeter:
    """Takes the time of one device's calls."""

    __slots__ = ("_began", "_ended", "_took")

    def __init__(self) -> None:
        self._began = 0.0
        self._ended: deque[float] = deque(maxlen=KEPT)
        self._took: deque[float] = deque(maxlen=KEPT)

    def begin(self) -> float:
        """A call is sent; return when, in monotonic seconds."""
        self._began = now = monotonic()
        return now

    def end(self, count: int = 1) -> None:
        """The call was answered; or `count` of them, which went out as one and share its time."""
        now = monotonic()
        if count == 1:
            self._ended.append(now)
            self._took.append(now - self._began)
        elif count:
            self._ended.extend([now] * count)
            self._took.extend([(now - self._began) / count] * count)

    def figures(self) -> Figures:
        """Return what the latest calls took."""
        return figures_of(tuple(self._ended), tuple(self._took), monotonic())


def figures_of(ended: Sequence[float], took: Sequence[float], now: float) -> Figures:
    """Return the figures of the calls of the last `WINDOW` seconds.

    Args:
        ended: when calls were answered, oldest first; `KEPT` of them at most.
        took: the seconds of each.
        now: the present, on the same clock.
    """
    recent = [
        (end, seconds)
        for end, seconds in zip(ended, took, strict=False)  # another call may just have ended
        if end > now - WINDOW
    ]
    if not recent:
        return Figures(0.0, None, None)
    # Where the oldest are forgotten already, the others stand for the time since the first of them.
    span = now - recent[0][0] if len(recent) >= KEPT else WINDOW
    seconds = sorted(each for _, each in recent)
    return Figures(
        rate=len(recent) / max(span, 1e-6),
        median=seconds[(len(seconds) - 1) // 2],
        p99=seconds[ceil(0.99 * len(seconds)) - 1],
    )
