"""What a tree costs: `python -m tests.bench.tree`.

How long a restart takes, from the exception to the new incarnation's `on_start`, alone and beside
ten thousand siblings; how long fifty thousand children take to start and to stop; and whether the
processor time of one depends on how many there are.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter, process_time
from typing import Any, NamedTuple

from klemheist.actors.runtime import Actor
from klemheist.supervisors import DynamicSupervisor, Supervisor, child
from tests.bench.limits import Line, main
from tests.bench.timing import Sample, quiet_gc
from tests.supervisors.crash_round import GROWTH

ROUNDS = 500
SIBLINGS = 10_000
FEW = 5_000
MANY = 50_000
WARM_UP = 50
REPEATS = 3
"""Of a tree of `MANY`; one of `FEW` is built as much oftener, so that both are measured as long."""
UNLIMITED = 10**9
CRASHES = 10_000
"""The issue's round has ten times as many: that is `make soak`'s."""

RESTART_GOAL = 200e-6
"""Seconds at the median, siblings or not."""
STOP_GOAL = 5.0
"""Seconds for the end of `MANY`; the same for their start."""
CONSTANT = 2.0
"""How much more processor time one child may cost among `MANY` than among `FEW`: what does not fit
the caches, and the garbage collector's share; not growth."""


class Idle(Actor):
    """A child that has nothing to do; both hooks are there, as in a real one."""

    def on_start(self) -> None:
        """Start."""

    def on_stop(self) -> None:
        """Stop."""


class Clocked:
    """When the fragile child's last incarnation crashed, and the next one started."""

    def __init__(self) -> None:
        self.crashed = self.began = 0.0
        self.up = threading.Semaphore(0)


class Fragile(Actor):
    """Crashes at every message."""

    def __init__(self, clocked: Clocked) -> None:
        super().__init__()
        self.clocked = clocked

    def on_start(self) -> None:
        """Take the time, then say so."""
        self.clocked.began = perf_counter()
        self.clocked.up.release()

    def on_receive(self, message: object) -> None:
        """Take the time, then crash."""
        self.clocked.crashed = perf_counter()
        raise RuntimeError("told to")


def restarts(siblings: int, rounds: int = ROUNDS) -> Sample:
    """The time of each restart, from the exception to `on_start`, beside so many siblings."""
    clocked = Clocked()
    specs = [child(Idle, id=n) for n in range(siblings)]
    specs.insert(siblings // 2, child(Fragile, clocked, id="fragile"))
    seconds = []
    with Supervisor.start(specs, max_restarts=UNLIMITED, period=1.0) as tree, quiet_gc():
        clocked.up.acquire()
        fragile = tree.handle("fragile")
        for _ in range(WARM_UP + rounds):
            fragile.wait_ready(5).tell("crash")
            assert clocked.up.acquire(timeout=5)
            seconds.append(clocked.began - clocked.crashed)
    return Sample(tuple(seconds[WARM_UP:]))


class Took(NamedTuple):
    """What starting, or stopping, all children of a tree took, in seconds."""

    wall: float
    cpu: float
    """Of all threads: where the system puts them on two cores, the wall's time comes and goes."""


def took(act: Callable[[], object]) -> Took:
    """Run `act` and time it."""
    gc.collect()
    wall, cpu = perf_counter(), process_time()
    act()
    return Took(perf_counter() - wall, process_time() - cpu)


def static(count: int) -> tuple[Took, Took]:
    """What a static tree of `count` children takes to start, and to stop one by one."""
    specs = [child(Idle, id=n) for n in range(count)]
    trees: list[Any] = []
    started = took(lambda: trees.append(Supervisor.start(specs)))
    return started, took(trees[0].shutdown)


def dynamic(count: int) -> tuple[Took, Took]:
    """What a dynamic tree takes to start `count` children, and to stop them together."""
    tree = DynamicSupervisor.start(template=child(Idle, id="idle"))

    def start_all() -> None:
        for future in [tree.start_child((), block=False) for _ in range(count)]:
            future.get(timeout=60)

    return took(start_all), took(tree.shutdown)


def lines(scale: float = 1.0) -> Iterator[Line]:
    """Every number, measured now; `scale` makes it smaller and quicker."""
    for siblings in (0, int(SIBLINGS * scale)):
        sample = restarts(siblings, max(int(ROUNDS * scale), 20))
        what = f"restart beside {siblings:,} siblings"
        yield Line(f"{what}, median", sample.median * 1e3, "ms", RESTART_GOAL * 1e3)
    trees: dict[str, Callable[[int], tuple[Took, Took]]] = {"static": static, "dynamic": dynamic}
    few, many = int(FEW * scale), int(MANY * scale)
    for name, tree in trees.items():
        tree(few)  # warm
        small, large = (
            list(zip(*(tree(count) for _ in range(REPEATS * many // count)), strict=True))
            for count in (few, many)
        )
        for verb, before, after in zip(("start", "stop"), small, large, strict=True):
            wall = median(each.wall for each in after)
            yield Line(f"{name}: {verb} {many:,} children", wall, "s", STOP_GOAL)
            ratio = median(each.cpu for each in after) / median(each.cpu for each in before)
            what = f"{name}: {verb}, cost of one: {many:,} to {few:,}"
            yield Line(what, ratio * few / many, "x", CONSTANT)
    yield from crashes(int(CRASHES * max(scale, 0.1)))


def crashes(count: int) -> Iterator[Line]:
    """The round of random crashes, in a process of its own: what it grows by, and what went wrong.

    The bound is that of the whole round, of 100,000.
    """
    command = [sys.executable, "-m", "tests.supervisors.crash_round", "--json"]
    text = subprocess.check_output([*command, "--crashes", str(count)], text=True, timeout=300)
    found = json.loads(text)
    what = f"{count:,} random crashes in a tree of 1,000"
    yield Line(f"{what}: not accounted for", len(found["faults"]), "", 0)
    yield Line(f"{what}: growth", found["growth"] / 1e6, "MB", GROWTH / 1e6)


if __name__ == "__main__":
    sys.exit(main(__doc__, lines))
