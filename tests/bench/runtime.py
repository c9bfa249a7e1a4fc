"""Actors and trees on the page: what `actors.py` and `tree.py` find."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from klemheist.actors.runtime import rest
from tests.bench import actors, tree
from tests.bench.limits import Line, data, table, verdict
from tests.bench.page import seconds

IDLE_LIMIT = 1536
"""Bytes of one idle actor."""
START_LIMIT = 5.0
"""Seconds for the start of all of them."""

HOW = """\
Our actors are ordinary ones on the shared pool, none inline: a handler never runs on its caller's
thread. Both sides take turns in one process, but for the asks beside busy actors and the memory,
which have processes of their own. A tree's restart is timed from the exception to the new
incarnation's `on_start`. An `ask` is mostly the waking of two threads. On one core that is two
changes of thread, and what is left are the libraries. Left to the scheduler it may mean to wake a
core that sleeps, twice, which here takes longer than all else together: the rows of a bare thread
that sends back what it is sent, through two `SimpleQueue`s, say what the machine allows. The goals
stand for both. (With the interpreter's lock only one of the two runs at a time anyhow. Tried on
sleeping cores, side by side: one worker instead of two, workers woken by a lock or each by a pipe
of its own, answers that come by a pipe. All took 57 to 59 µs, the bare thread 49, Pykka's 66.) What
one child costs among many and among few is compared in processor time. The random crashes are a
tenth of `make soak`'s 100,000, and may not make the process grow by more than those: from their
first tenth to their end, after each actor has crashed once.
"""


THESPIAN = """\
Thespian's `simpleSystemBase` has no threads: it runs an actor's code on its caller's, so that its
ask wakes nobody, and none of its actors works beside another. Both sides take turns, in a process
of their own. Of ours a start lasts until `on_start` has run; stopped are all together.
"""


class Beside(NamedTuple):
    """One thing of ours and of Thespian's, for one message or one actor."""

    what: str
    ours: float
    theirs: float
    unit: str
    """Of both: `s` or `bytes`."""


@dataclass(slots=True)
class Runtime:
    """What was measured."""

    rows: list[actors.Row] = field(default_factory=list)
    thespian: list[Beside] = field(default_factory=list)
    idle_bytes: float = 0.0
    idle_start: float = 0.0
    lines: list[Line] = field(default_factory=list)


def measure(*, quick: bool) -> Runtime:
    """Measure everything, quickly or well."""
    logging.disable(logging.CRITICAL)  # Pykka's own lines, one for each crash
    try:
        found = Runtime(rows=list(actors.rows(quick=quick)))
        rest()
        found.thespian = list(beside_thespian(2 if quick else 5))
        found.idle_bytes, found.idle_start = actors.idle(5_000 if quick else actors.IDLE)
        found.lines = list(tree.lines(0.1 if quick else 1.0))
        rest()
    finally:
        logging.disable(logging.NOTSET)
    return found


def beside_thespian(rounds: int) -> Iterator[Beside]:
    """Measure in a process of its own: Thespian takes over the logging of its process."""
    command = [sys.executable, "-m", "tests.bench.thespians", str(rounds)]
    text = subprocess.check_output(command, text=True, timeout=300, stderr=subprocess.DEVNULL)
    for line in text.splitlines():
        yield Beside(*json.loads(line))


def render(found: Runtime) -> list[str]:
    """Return the page's sections."""
    return [
        "## Actors",
        "",
        "| | klemheist | pykka.ThreadingActor | times as fast | at least | |",
        "|---|--:|--:|--:|--:|---|",
        *(_row(row) for row in found.rows),
        "",
        *_idle(found),
        "",
        *_thespian(found.thespian),
        "",
        "## Trees",
        "",
        *table(found.lines),
        "",
        HOW,
    ]


def as_data(found: Runtime) -> dict[str, Any]:
    """Return all figures, for `--json`."""
    return {
        "actors": [
            {
                "what": row.what,
                "klemheist": actors.at(row.ours, row.percentile),
                "pykka": actors.at(row.theirs, row.percentile),
                "goal": row.goal,
                "found": row.ratio,
            }
            for row in found.rows
        ],
        "idle bytes": found.idle_bytes,
        "idle start": found.idle_start,
        "thespian": [
            {"what": row.what, "klemheist": row.ours, "thespian": row.theirs, "unit": row.unit}
            for row in found.thespian
        ],
        "trees": data(found.lines),
    }


def _row(row: actors.Row) -> str:
    ours, theirs = (_time(actors.at(each, row.percentile)) for each in (row.ours, row.theirs))
    goal, met = ("", "") if row.goal is None else (f"{row.goal:g}", verdict(row.met))
    return f"| {row.what} | {ours} | {theirs} | {row.ratio:.3g} | {goal} | {met} |"


def _time(value: float) -> str:
    return f"{value * 1e6:.2g} µs" if value < 1e-5 else seconds(value)


def _idle(found: Runtime) -> list[str]:
    size = verdict(found.idle_bytes <= IDLE_LIMIT)
    start = verdict(found.idle_start <= START_LIMIT)
    return [
        f"- An idle actor takes {found.idle_bytes:.0f} bytes (at most {IDLE_LIMIT}: {size}).",
        f"- All of them start in {found.idle_start:.2f} s (at most {START_LIMIT:g}: {start}).",
    ]


def _thespian(found: list[Beside]) -> list[str]:
    return [
        "| | klemheist | Thespian's simpleSystemBase | times as good |",
        "|---|--:|--:|--:|",
        *(
            f"| {row.what} | {_value(row.ours, row.unit)} | {_value(row.theirs, row.unit)} "
            f"| {row.theirs / row.ours:.3g} |"
            for row in found
        ),
        "",
        THESPIAN,
    ]


def _value(value: float, unit: str) -> str:
    return _time(value) if unit == "s" else f"{value:.0f} {unit}"
