"""Samples, and how they are taken: in turn, so that a noisy machine is noisy for everybody."""

from __future__ import annotations

import gc
import math
import statistics
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

WARM_UP = 5
"""Rounds that are not counted: first calls deploy, fill caches and start threads."""

IN_A_ROW = 20
LEAD = 10
"""Calls in a row are what the fast path is for: its bursts begin with the ninth, and a bare call
amid them would end them. So everybody makes some calls that do not count, then many that do."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How long one thing took, in seconds."""

    seconds: tuple[float, ...]

    @property
    def n(self) -> int:
        """How often it was measured."""
        return len(self.seconds)

    @property
    def median(self) -> float:
        """What the page shows: half were faster."""
        return statistics.median(self.seconds)

    @property
    def p90(self) -> float:
        """Nine in ten were at least as fast."""
        return sorted(self.seconds)[math.ceil(0.9 * self.n) - 1]

    def __add__(self, other: Sample) -> Sample:
        return Sample(self.seconds + other.seconds)


def timed(act: Callable[[], object]) -> float:
    """Return the seconds that `act` takes."""
    began = perf_counter()
    act()
    return perf_counter() - began


@contextmanager
def quiet_gc() -> Iterator[None]:
    """Collect now and not within: a collection in one sample would be that sample's luck."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def in_turn(
    rounds: int,
    acts: Mapping[str, Callable[[], float]],
    *,
    warm_up: int = WARM_UP,
    turning: bool = False,
    run: int = 1,
    lead: int = 0,
) -> dict[str, Sample]:
    """Run all acts, one after the other, `rounds` times.

    Args:
        rounds: how often each is counted.
        acts: each measures itself and returns its seconds, so that what prepares it costs nothing.
        warm_up: rounds before the first that counts.
        turning: reverse the order from round to round, where what came before matters.
        run: how often each is done in a row when its turn has come; all of them count.
        lead: how often before them it is done in the same row without being counted.
    """
    for _ in range(warm_up):
        for act in acts.values():
            act()
    taken: dict[str, list[float]] = {name: [] for name in acts}
    order = list(acts.items())
    with quiet_gc():
        for _ in range(max(1, rounds // run)):
            for name, act in order:
                for _ in range(lead):
                    act()
                for _ in range(run):
                    taken[name].append(act())
            if turning:
                order.reverse()
    return {name: Sample(tuple(seconds)) for name, seconds in taken.items()}
