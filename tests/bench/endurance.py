"""Many connections, many calls, and bytes in flight: a short form of `make soak`'s, on the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from klemheist.transports.repl.board import DEFAULT_CREDIT
from tests.bench import credit
from tests.bench.limits import Line, data, table
from tests.faults.endurance import LOST, endure

BOARDS = ("sim:", "microbit:")
CONNECTIONS, CALLS = 20, 2_000
"""A tenth of `make soak`'s, on each board."""

HOW = f"""\
A connection is a board that has just booted, a manager, a session and a call. The calls are made in
turn one by one and eight at once, and each answer is checked. What the device has lost of its
memory is counted from a tenth of the calls to all of them. These are {CONNECTIONS} connections and
{CALLS:,} calls on each board; `make soak` has ten times as many, and fails where this table would.
"""


@dataclass(slots=True)
class Endurance:
    """What was measured."""

    lines: list[Line] = field(default_factory=list)
    windows: list[credit.Window] = field(default_factory=list)


def measure(scale: float = 1.0) -> Endurance:
    """Measure everything; `scale` makes it smaller and quicker."""
    found = Endurance()
    for board in BOARDS:
        found.lines += _calls(board, max(int(CONNECTIONS * scale), 2), int(CALLS * scale))
    found.windows = list(credit.measure(max(int(credit.ROUNDS * scale), 5)))
    lost = sum(each.lost for each in found.windows if each.size <= DEFAULT_CREDIT)
    what = f"`microbit:`: lost of what was written, up to {DEFAULT_CREDIT} bytes in flight"
    found.lines.append(Line(what, lost, "bytes", 0))
    return found


def _calls(board: str, connections: int, calls: int) -> Iterator[Line]:
    found = endure(board, connections, calls)
    what = f"`{board}`: {found.connections} fresh connections and {found.calls:,} calls"
    yield Line(f"{what}, failed", len(found.failed), "", 0)
    yield Line(f"{what}, wrong", found.wrong, "", 0)
    yield Line(f"{what}, memory lost on the device", found.lost_bytes, "bytes", LOST)


def render(found: Endurance) -> list[str]:
    """Return the page's sections."""
    return [
        "## Endurance",
        "",
        *table(found.lines),
        "",
        HOW,
        *credit.render(found.windows),
    ]


def as_data(found: Endurance) -> dict[str, Any]:
    """Return all figures, for `--json`."""
    return {
        "endurance": data(found.lines),
        "bytes in flight": [
            {"window": each.size, "line": each.each, "sent": each.sent, "lost": each.lost}
            for each in found.windows
        ],
    }
