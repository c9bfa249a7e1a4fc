"""What a supervisor counts of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Totals:
    """Counts since the supervisor started, children that are forgotten included."""

    starts: int = 0
    restarts: int = 0
    start_failures: int = 0
    crashes: int = 0
    kills: int = 0
    events: int = 0
    serials: int = 0

    def next_event(self) -> int:
        """The number of the next event, from 1."""
        self.events += 1
        return self.events

    def next_serial(self) -> int:
        """The id of the next child of a template, from 1."""
        self.serials += 1
        return self.serials
