"""docs/benchmarks.md, and the same as data."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from klemheist.transports.sim import find_node
from klemheist.transports.sim.interpreter import VERSION
from tests.bench.goals import beyond_round_trips, goals
from tests.bench.limits import verdict
from tests.bench.plan import FILE_BYTES

if TYPE_CHECKING:
    from tests.bench.goals import Goal
    from tests.bench.ours import Results
    from tests.bench.timing import Sample

WHO = ("bare link", "klemheist", "Belay", "mpremote")

ROWS = {
    "call": "a task call, int in, int out",
    "the agent's line": "the line that it sends, by itself",
    "awaited call": "a task call, awaited in an event loop",
    "the agent's line, beside awaited calls": "the line that it sends, by itself",
    "100 single": "100 task calls, one by one",
    "100 together": "100 task calls, submitted at once",
    "100 mapped": "100 task calls, by `map`",
    "1 KB": "a result of 1 KB (a string)",
    "write file": "a file written",
    "read file": "a file read",
    "1 MB up": "1 MB to the device",
    "1 MB up, by stdin": "1 MB to running code, unchecked",
    "1 MB down": "1 MB from the device",
    "sync, new": "sync of 50 files of 1 KB, random bytes",
    "sync, new, text": "the same, text",
    "sync, unchanged": "the same, nothing changed",
    "cold session": "cold session, on an open link",
    "warm session": "warm session, the device up",
    "execute": "`session.execute`",
    "execute, reused": "`get_or_create_session().execute`",
    "recovery": "killed, until the first success",
    "backoff": "of which backoff",
    "board start": "the board's own start",
    "connect": "connect",
    "trivial exec": "the least exec (`1`)",
}

HOW = """\
Each figure is a median; behind it stands the 90th percentile and how often it was measured.
Absolute times are this machine's, on this day: read the ratios, which are all of one run.

- **bare link**: a raw REPL by `os.write` and `os.read`, without deadlines or checks, on the *same
  descriptors* of the same open link that Klemheist uses, to the same interpreter; bare call and
  ours go in turn, twenty calls in a row after ten that do not count (a burst begins with the
  ninth, and a bare call would end it), while our device is idle. The unit of all ratios is its
  exec of `print(f(1))`, or `print(block())` for the 1 KB.
- **Cores**: for all but the cold sessions and the recoveries, the boards' processes run on one
  core and all else on another, as a real board has a processor of its own. Where the system
  chooses, both may share a core that stays warm; on `sim:` a bare call then takes 35 µs instead of
  56, and ours 87 instead of 98.
- **Klemheist**: `f(1)`, a `session.task`, with all of it on: verified frame, deadline,
  supervision, tracking. *Submitted at once*: what waits is sent up to 128 calls at a time, in one
  line of at most the board's credit: 60 bytes on `microbit:`, which holds 20 calls of one digit.
- **Belay, mpremote**: as libraries (`device.task`; `SerialTransport.exec`), on a pseudo-terminal
  bridge to a fresh board of the same kind. The bridge's own cost is the row below; on `sim:` it
  also translates the refusal of raw paste into a form that both understand. Files go through
  `fs_put` and `fs_get`, `fs_writefile` and `fs_readfile`.
- **1 MB**: ours is a file, written, read back on the device, and renamed, or read and checked. The
  bare link's is no file: up, one command of that length that is a comment; down, one print of text
  from memory. Bytes that running code takes from its standard input in one go are faster than any
  command, and prove nothing: that is the row below.
- **Sync**: of Belay `device.sync` without minifying. Of mpremote the least that its `cp -r` does:
  one write for each file, and one hash for each where nothing has changed.
- **A cold session**: the board runs, its link is open, nothing is known of it: from
  `create_session` on a new manager to the session, probe, agent and the supervision tree
  included. **Warm**: one more session on a device that is up. *Round trips* are the writes of one
  such creation, each counted as the bare link's least exec, so that what is left overstates what
  is ours.
- **Recovery**: the board's process is killed, then a task is called until it succeeds. The
  board's own start is from its process to its first answer to a bare exec; starts and kills
  alternate. The backoff is as measured. Its goal, "1.5 times the board's own start time plus the
  backoff", can be read in two ways: both are given.
- **Our layers**: a call beside the line that it sends, by itself. Calls in quick succession are
  bursts (docs/topics/fast-path.md), so that is the second line of a burst which the bare link
  begins and ends. The bare link sleeps while it waits: hence less than nothing, sometimes. An
  awaited call is measured in pairs with its line, and this is the median of their differences.
"""


def render(boards: dict[str, Results], minutes: float, more: list[str]) -> str:
    """Return the page; `more` are further sections."""
    parts = [
        "# Benchmarks",
        "",
        f"Written by `make bench` ({minutes:.1f} minutes). {machine()}.",
        "",
        "## The goals",
        "",
        *_goal_table(goals(boards)),
        "",
    ]
    for board, results in boards.items():
        parts += _board(board, results)
    return "\n".join([*parts, "## How it is measured", "", HOW, *more])


def machine() -> str:
    """Return where and with what this was measured, in one line."""
    node = subprocess.run([find_node(), "--version"], capture_output=True, text=True, check=True)
    packages = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("klemheist", "belay", "mpremote", "pykka", "thespian")
    )
    return (
        f"{datetime.now(UTC):%d %B %Y}; {_processor()}, {os.cpu_count()} cores, "
        f"{platform.system()} {platform.release().partition('-')[0]}; "
        f"Python {platform.python_version()}, Node {node.stdout.strip().removeprefix('v')}, "
        f"MicroPython {VERSION} (`sim:`) and 1.9.2 (`microbit:`); {packages}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def as_data(boards: dict[str, Results]) -> dict[str, Any]:
    """Return all figures in seconds, for `--json`."""
    return {
        "machine": machine(),
        "goals": [
            {"board": g.board, "goal": g.text, "limit": g.limit, "unit": g.unit}
            | {"found": g.found, "met": g.is_met}
            for g in goals(boards)
        ],
        "boards": {
            board: {
                "samples": {
                    name: {"median": s.median, "p90": s.p90, "n": s.n}
                    for name, s in results.samples.items()
                },
                "counted": results.counted,
                "failed": results.failed,
            }
            for board, results in boards.items()
        },
    }


def _goal_table(found: list[Goal]) -> list[str]:
    lines = ["| board | goal | at most | found | |", "|---|---|--:|--:|---|"]
    for goal in found:
        value = "" if goal.found is None else f"{goal.found:.3g} {goal.unit}"
        met = "not measured" if goal.found is None else verdict(goal.is_met)
        lines.append(
            f"| `{goal.board}` | {goal.text} | {goal.limit:g} {goal.unit} | {value} | {met} |"
        )
    return lines


def _board(board: str, results: Results) -> list[str]:
    who = [name for name in WHO if any(key.startswith(f"{name}:") for key in results.samples)]
    size = FILE_BYTES[board] // 1024
    lines = [
        f"## `{board}`",
        "",
        "| | " + " | ".join(who) + " |",
        "|---|" + "--:|" * len(who),
    ]
    for row, text in ROWS.items():
        cells = [_cell(results, name, row) for name in who]
        if any(cells):
            text = f"{text} ({size} KB)" if "file" in row else text  # noqa: PLW2901 - its heading
            lines.append(f"| {text} | " + " | ".join(cells) + " |")
    return [*lines, "", *_notes(results), ""]


def _cell(results: Results, name: str, row: str) -> str:
    key = f"{name}: {row}"
    sample = results.samples.get(key)
    if sample is None:
        return "fails" if key in results.failed else ""
    bare = results.samples.get(f"bare link: {row}")
    ratio = f"**{sample.median / bare.median:.2f} x** " if bare and bare is not sample else ""
    return f"{ratio}{seconds(sample.median)} ({seconds(sample.p90)}, {sample.n})"


def _notes(results: Results) -> list[str]:
    notes = []
    bridge = results.samples.get("bridge: call")
    if bridge is not None:
        notes.append(f"- The bridge: a bare call through it takes {_described(bridge)}.")
    for kind in ("cold", "warm"):
        beyond = beyond_round_trips(results, kind)
        if beyond is not None:
            trips = results.counted[f"{kind} round trips"]
            notes.append(
                f"- A {kind} session makes {trips:.0f} round trips; beyond them it takes "
                f"{seconds(beyond)}."
            )
    for name in WHO:
        tried = results.counted.get(f"{name} connections")
        if tried:
            failed = results.counted.get(f"{name} failed connections", 0)
            notes.append(f"- {name}: {failed:.0f} of {tried:.0f} connections failed.")
    notes += [f"- Failed: {key}: {error}" for key, error in results.failed.items()]
    return notes


def _described(sample: Sample) -> str:
    return f"{seconds(sample.median)} (90th percentile {seconds(sample.p90)}, n {sample.n})"


def seconds(value: float) -> str:
    """Return a time with the unit that suits it, three digits."""
    for unit, scale in (("s", 1.0), ("ms", 1e3)):
        if abs(value) * scale >= 1:
            return f"{_three(value * scale)} {unit}"
    return f"{value * 1e6:.0f} µs"


def _three(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
