"""How much is measured: a full run takes minutes, a quick one shows that everything works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """Repetitions of one round."""

    rounds: int
    calls: int
    sessions: int
    boots: int
    files: int
    syncs: int
    rival_calls: int


FULL = Counts(rounds=3, calls=1_000, sessions=100, boots=7, files=3, syncs=15, rival_calls=30)
QUICK = Counts(rounds=1, calls=200, sessions=20, boots=2, files=1, syncs=3, rival_calls=10)

FILE_BYTES = {"sim:": 32 * 1024, "microbit:": 8 * 1024}
"""The boards, and what each is given to keep: `microbit:` has 15,100 bytes of file space."""
