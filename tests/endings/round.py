"""The round of endings: sessions ended at random moments, in every way there is, then judged.

    python -m tests.endings.round --endings 1000 --seed 1

A lap is one board and one manager. After each ending the host's side is judged: each resource was
cleaned up once, or is reported; after each lap a bare raw REPL looks at the board, and the process
at itself: threads, descriptors, children.
"""

from __future__ import annotations

import faulthandler
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from klemheist import LinkLost, ResourceCleanupError
from tests.faults.round import command, nothing_left
from tests.transports.conformance import Holdings

from .stage import Stage
from .ways import WAYS, board_killed, board_rebooted

if TYPE_CHECKING:
    from collections.abc import Callable

LAP = 12
"""Endings on one board."""
BOARDS = ("sim", "sim", "host")
HUNG = 120.0
"""Seconds for one lap until its threads are shown and the round is given up."""
LAST = (board_killed, board_rebooted)
"""They void what the board knows: at the end of a lap, so that it tells of all the others."""


@dataclass
class Report:
    """What was ended."""

    seed: int = 0
    """With it the same endings come again, in the same order."""
    ways: Counter[str] = field(default_factory=Counter)
    resources: int = 0
    undone: int = 0
    """Resources whose own cleanup failed, for the device was away: reported, and owed."""

    @property
    def endings(self) -> int:
        return self.ways.total()

    def lines(self) -> list[str]:
        """Return the counts."""
        counts = [f"{count:6}  {way.replace('_', ' ')}" for way, count in sorted(self.ways.items())]
        return [
            *counts,
            f"{self.endings} endings, seed {self.seed}",
            f"{self.resources} resources, {self.undone} of them reported as owed or failed",
        ]


def plan(endings: int, seed: int) -> list[list[str]]:
    """Return the laps: every way comes up in turn, shuffled."""
    dice = random.Random(seed)
    due = [WAYS[number % len(WAYS)] for number in range(endings)]
    dice.shuffle(due)
    laps = [due[at : at + LAP] for at in range(0, len(due), LAP)]
    return [[way.__name__ for way in sorted(lap, key=lambda way: way in LAST)] for lap in laps]


def run(endings: int, seed: int, *, tell: bool = False) -> Report:
    """Run a round; what must hold is asserted, with a note that tells the seed."""
    report = Report(seed)
    try:
        _run(endings, seed, report, tell=tell)
    except BaseException as error:
        error.add_note(f"after {report.endings} endings of {endings}, seed {seed}")
        raise
    return report


def _run(endings: int, seed: int, report: Report, *, tell: bool) -> None:
    before = Holdings.now()
    by_name = {way.__name__: way for way in WAYS}
    for number, lap in enumerate(plan(endings, seed)):
        dice = random.Random(f"{seed} {number}")
        kind = dice.choice(BOARDS)
        if tell:
            print(f"lap {number + 1} on {kind}: {', '.join(lap)}", flush=True)
            faulthandler.dump_traceback_later(HUNG, exit=True)
        with Stage(kind, dice) as stage:
            for name in lap:
                end(stage, by_name[name])
                for guest in stage.guests:
                    guest.judged()
                stage.tree_is_empty()
                report.ways[name] += 1
        report.resources += sum(len(guest.registered) for guest in stage.guests)
        report.undone += sum(
            len(guest.registered) - len(guest.done)
            for guest in stage.guests
            if hasattr(guest, "done")
        )
        nothing_left(before)
    faulthandler.cancel_dump_traceback_later()


def end(stage: Stage, way: Callable[[Stage], None]) -> None:
    """End sessions in one way; again, where the last way's loss of the link came only now."""
    while True:
        guests = len(stage.guests)
        try:
            way(stage)
        except ResourceCleanupError:
            return  # it is judged later
        except LinkLost:
            if len(stage.guests) > guests:
                raise
            stage.nothing_owed()
        else:
            return


if __name__ == "__main__":
    command("endings", __doc__, run, 1000)
