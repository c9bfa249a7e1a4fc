"""The device's clock against the host's: an offset with its uncertainty, and ticks made times.

Each sample says: the device read its ticks between these two moments of ours. All samples together
bound the offset more closely than the best of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.procedures import evaluated, executed

from .answers import Tracer, value_of

TICK: Final = 0.001
"""Seconds between two readings of `ticks_ms` that differ."""
CIRCUITPYTHON_PERIOD: Final = 1 << 29

_CLOCK: Final = f"""\
try:
 from supervisor import ticks_ms as PM
 PW={CIRCUITPYTHON_PERIOD}
except ImportError:
 try:import utime as PW
 except ImportError:import time as PW
 PM=PW.ticks_ms
 PW=PW.ticks_add(0,-1)+1"""
"""PM reads the clock; PW is after how many milliseconds it begins anew."""


@dataclass(frozen=True, slots=True)
class TimeSync:
    """How a device's clock stands to the host's."""

    offset: float
    """Seconds to add to `ticks_ms() / 1000` for the host's time since the epoch."""
    uncertainty: float
    """Seconds by which `offset` may be wrong, either way."""
    period: int
    """Milliseconds after which `ticks_ms` begins anew."""
    generation: int
    """The boot that it holds for."""

    def host_time(self, ticks_ms: int, *, near: float | None = None) -> float:
        """Turn a reading of `ticks_ms` into seconds since the epoch.

        Args:
            ticks_ms: what the device read.
            near: when that was, within half a period (days), seconds since the epoch; None for now.
        """
        around = SYSTEM_CLOCK.time() if near is None else near
        first = ticks_ms / 1000 + self.offset
        period = self.period / 1000
        return first + round((around - first) / period) * period

    def ticks(self, host_time: float) -> int:
        """Turn seconds since the epoch into what the device's `ticks_ms` says then."""
        return round((host_time - self.offset) * 1000) % self.period


def compare_clocks(board: Board, samples: int, generation: int) -> Procedure[TimeSync]:
    """Ask the device for its ticks, several times."""
    if board.facts.get("clock") != board.boot:
        answer = yield from executed(board, _CLOCK)
        yield from value_of(board, answer, Tracer())
        board.facts["clock"] = board.boot
    period = yield from value_of(board, (yield from evaluated(board, "PW")), Tracer())
    assert isinstance(period, int)
    bounds = []
    for _ in range(samples):
        before = SYSTEM_CLOCK.time()
        answer = yield from evaluated(board, "PM()")
        after = SYSTEM_CLOCK.time()
        ticks = yield from value_of(board, answer, Tracer())
        assert isinstance(ticks, int)
        bounds.append((before - ticks * TICK - TICK, after - ticks * TICK))
    offset, uncertainty = within(bounds, period * TICK)
    return TimeSync(offset, uncertainty, period, generation)


def within(bounds: Iterable[tuple[float, float]], period: float) -> tuple[float, float]:
    """Return the middle of what all bounds have in common, and how far it reaches.

    Bounds a period apart are the same: the ticks began anew between them. Where they have nothing
    in common, a clock was set meanwhile, and the last one counts.
    """
    low, high = float("-inf"), float("inf")
    for each_low, each_high in bounds:
        turns = 0 if low == float("-inf") else round((low - each_low) / period)
        next_low, next_high = each_low + turns * period, each_high + turns * period
        low, high = max(low, next_low), min(high, next_high)
        if low > high:
            low, high = next_low, next_high
    return (low + high) / 2, (high - low) / 2
