"""The forced-fault round: fault after fault, and after each a call that works.

    python -m tests.faults.round --faults 200 --seed 1

A lap is one board, one manager and one session, faulted a few times; then session and manager end,
a judge looks at the board, and the process at itself: threads, descriptors, children.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from klemheist.actors.device.reopen import Reopening
from tests.transports.conformance import Holdings

from .kinds import KINDS, NEW_BOOT, NOISY_LINES, SAME_BOOT, SMALL, Fault
from .stage import Stage

LAP = 6
"""Faults that one session lives through."""
BACKOFF = Reopening().first
COMEBACK = 1.5
"""Times the board's own start that the first call after a kill may take, at the median."""
ENOUGH = 3
"""Kills that have a median worth the name."""
REST = 3.0
"""Seconds in which threads and children that are ending must have ended."""
BOARDS = ("sim", "tcp", "ws", "telnet", "host", *SMALL, *NOISY_LINES)


@dataclass
class Report:
    """What a round found."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Kind of fault -> seconds from the error to the first call that worked."""
    kill_ratios: list[float] = field(default_factory=list)
    """Recovery after a kill, less the backoff, as a multiple of the same board's own start."""
    late: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        return sum(map(len, self.took.values()))

    @property
    def counts(self) -> Counter[str]:
        """How often each kind was inflicted and recovered from."""
        return Counter({name: len(each) for name, each in self.took.items()})

    def lines(self) -> list[str]:
        """Return the counts of each kind, and the seconds to recover."""
        table = [
            f"{len(each):5}  {name:36} recovered in {statistics.median(each):6.3f} s, "
            f"at most {max(each):6.3f} s"
            for name, each in sorted(self.took.items())
        ]
        ratios = self.kill_ratios
        if ratios:
            median = statistics.median(ratios)
            table.append(
                f"after a kill: {median:.2f} x the board's own start, max {max(ratios):.2f}"
            )
        return [*table, f"{self.faults} faults, {len(self.late)} calls past their deadline"]


def plan(faults: int, seed: int) -> list[tuple[str, list[Fault]]]:
    """Return the laps: every kind comes up in turn, on boards where it exists, shuffled."""
    dice = random.Random(seed)
    due: dict[str, list[Fault]] = {board: [] for board in BOARDS}
    for number in range(faults):
        kind = KINDS[number % len(KINDS)]
        due[dice.choice(kind.boards)].append(kind)
    laps: list[tuple[str, list[Fault]]] = []
    for board, kinds in due.items():
        dice.shuffle(kinds)
        laps += [(board, kinds[at : at + LAP]) for at in range(0, len(kinds), LAP)]
    dice.shuffle(laps)
    return laps


def run(faults: int, seed: int, *, tell: bool = False) -> Report:
    """Run a round; what must hold is asserted."""
    report = Report()
    laps = plan(faults, seed)
    before = Holdings.now()
    for number, (board, kinds) in enumerate(laps):
        if tell:
            print(f"lap {number + 1} of {len(laps)} on {board}: {', '.join(k.name for k in kinds)}")
        with Stage(board, seed + number) as stage:
            for fault in kinds:
                endure(stage, fault, report)
        report.late += stage.late
        nothing_left(before)
    assert not report.late, report.late
    planned = Counter(kind.name for _, kinds in laps for kind in kinds)
    assert report.counts == planned, f"recovered from {report.counts}, inflicted {planned}"
    if len(ratios := report.kill_ratios) >= ENOUGH:
        assert statistics.median(ratios) <= COMEBACK, f"comebacks, to the boards' starts: {ratios}"
    return report


def endure(stage: Stage, fault: Fault, report: Report) -> None:
    """Inflict one fault, and show that the session goes on as DESIGN 3 and 7 say."""
    runs, generation = stage.runs(), stage.port.generation
    name = f"{fault.name} on {stage.kind}"
    error = fault.inflict(stage)
    if fault.told:
        assert isinstance(error, fault.told), f"{name}: the caller was told {error!r}"
    seconds = stage.works()
    reborn = stage.port.generation != generation
    assert not (fault.boot is SAME_BOOT and reborn), f"{name}: it booted anew"
    assert not (fault.boot is NEW_BOOT and not reborn), f"{name}: the same boot goes on"
    if not reborn:
        assert stage.runs() - runs <= 1, f"{name}: the call ran twice"
    report.took[fault.name].append(seconds)
    if fault.name.startswith("killed") and stage.board is None:
        report.kill_ratios.append((seconds - BACKOFF) / stage.start_seconds)


def nothing_left(before: Holdings) -> None:
    """Assert that this process holds no more than before; what is ending gets a moment."""
    deadline = time.monotonic() + REST
    while (left := surplus(before)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left, f"left behind: {left}"


def surplus(before: Holdings) -> list[str]:
    """Return the threads, descriptors and children that were not there before."""
    now = Holdings.now()
    return [
        *sorted(now.threads - before.threads),
        *sorted(now.fds - before.fds),
        *(f"process {pid}" for pid in now.children - before.children),
    ]


def command(what: str, doc: str, run: Callable[..., Any], default: int) -> None:
    """Run a round of so many from the command line, with a seed that is told."""
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    parser.add_argument(f"--{what}", dest="count", type=int, default=default)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one, printed")
    options = parser.parse_args()
    seed = random.randrange(10_000) if options.seed is None else options.seed
    print(f"{options.count} {what}, seed {seed}", flush=True)
    began = time.monotonic()
    report = run(options.count, seed, tell=True)
    print(*report.lines(), sep="\n")
    print(f"{time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    command("faults", __doc__, run, 200)
