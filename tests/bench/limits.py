"""Numbers that must not exceed a limit: as a table of the page, as data, and at a terminal."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One number and what it must not exceed."""

    what: str
    value: float
    unit: str
    goal: float

    @property
    def met(self) -> bool:
        """Whether it is within its goal."""
        return self.value <= self.goal

    def __str__(self) -> str:
        sign = "met" if self.met else "MISSED"
        return f"{self.what:52} {self.value:9.3f} {self.unit:3}  at most {self.goal:g}: {sign}"


def table(lines: Iterable[Line]) -> list[str]:
    """Return the lines of the page's table."""
    return ["| | found | at most | |", "|---|--:|--:|---|", *map(_row, lines)]


def data(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Return all figures, for `--json`."""
    return [
        {"what": line.what, "found": line.value, "unit": line.unit, "limit": line.goal}
        for line in lines
    ]


def verdict(met: object) -> str:
    """Return what the page says of a goal."""
    return "met" if met else "**missed**"


def main(about: str | None, measure: Callable[[float], Iterable[Line]]) -> int:
    """Print every number as soon as it is known; 1 if one misses its goal."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--scale", type=float, default=1.0, help="smaller and quicker")
    missed = 0
    for line in measure(parser.parse_args().scale):
        print(line, flush=True)
        missed += not line.met
    return int(missed > 0)


def _row(line: Line) -> str:
    value = f"{line.value:.0f}" if line.value >= 100 else f"{line.value:.3g}"
    return (
        f"| {line.what} | {value} {line.unit} | {line.goal:g} {line.unit} | {verdict(line.met)} |"
    )
