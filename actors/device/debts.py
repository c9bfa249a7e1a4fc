"""Owed cleanup: what a device was away for, done when it is back (DESIGN 4).

A debt is self-contained code and data; it never needs the session that left it. One that concerns
only the memory of a boot is void in the next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from loguru import logger

from klemheist.transports.repl.board import Board
from klemheist.transports.repl.frames import FrameKind
from klemheist.transports.repl.lines import Gone, Procedure, Silent
from klemheist.transports.repl.procedures import evaluated

if TYPE_CHECKING:
    from loguru import Logger

MOST_TRIES: Final = 3
"""How often a device may fail under one debt."""


@dataclass(frozen=True, slots=True)
class Debt:
    """One cleanup that is still to be done."""

    label: str
    pay: Callable[[Board], Procedure[object]]
    boot: str | None
    """The boot whose memory it concerns; None where it concerns what outlives boots."""
    tries: int = 0
    """How often the device failed under it."""


class Debts:
    """What is owed to one device, oldest first; what is being done is owed until it is done.

    Args:
        log: takes what failed.
    """

    def __init__(self, log: Logger = logger) -> None:
        self._log = log
        self._debts: list[Debt] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._debts)

    def labels(self) -> tuple[str, ...]:
        """Return what is owed, for people."""
        return tuple(debt.label for debt in self._debts)

    def add(self, debt: Debt) -> None:
        """Owe one more cleanup."""
        with self._lock:
            self._debts.append(debt)

    def add_code(self, label: str, code: str, *, boot: str | None) -> None:
        """Owe the execution of code in a namespace of its own."""
        source = f"exec({code!r},{{}})"
        self.add(Debt(label, lambda board: self._run(board, source), boot))

    def add_agent_code(self, label: str, code: str, *, boot: str) -> None:
        """Owe the evaluation of an expression in the agent's own namespace."""
        self.add(Debt(label, lambda board: self._run(board, code), boot))

    def pay(self, board: Board) -> Procedure[int]:
        """Do all of it, in reverse order; return how many were done. Void ones are dropped.

        One under which the device fails `MOST_TRIES` times is given up: else it could never be up.
        """
        paid = 0
        while self._debts:
            debt = self._debts[-1]
            rest = None
            try:
                if debt.boot is None or debt.boot == board.boot:
                    yield from debt.pay(board)
                    paid += 1
            except (Gone, Silent, GeneratorExit):
                rest = self._once_more(debt)
                raise
            finally:
                self._replace(debt, rest)
        return paid

    def _once_more(self, debt: Debt) -> Debt | None:
        if debt.tries + 1 < MOST_TRIES:
            return replace(debt, tries=debt.tries + 1)
        self._log.error("owed cleanup {} failed {} times and is given up", debt.label, MOST_TRIES)
        return None

    def _replace(self, debt: Debt, rest: Debt | None) -> None:
        """Put what is left of a debt in its place; others may have come after it meanwhile."""
        with self._lock:
            if debt in self._debts:  # an actor that was killed may have been at it, too
                at = self._debts.index(debt)
                self._debts[at : at + 1] = [] if rest is None else [rest]

    def _run(self, board: Board, source: str) -> Procedure[object]:
        frame, error = yield from evaluated(board, source)
        if frame.kind is not FrameKind.VALUE:
            text = error.decode("utf-8", "replace")
            self._log.warning("owed cleanup failed: {} {}", frame.text, text)
        return None
