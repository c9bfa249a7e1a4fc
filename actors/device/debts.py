"""Owed cleanup: what a device was away for, done when it is back (DESIGN 4).

A debt is self-contained code and data; it never needs the session that left it. One that concerns
only the memory of a boot is void in the next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from loguru import logger

from klemheist.transports.repl.agent import AGENT_NAMESPACE, Entry
from klemheist.transports.repl.conversation import Board
from klemheist.transports.repl.frames import FrameKind
from klemheist.transports.repl.procedures import Procedure, applied


@dataclass(frozen=True, slots=True)
class Debt:
    """One cleanup that is still to be done."""

    label: str
    pay: Callable[[Board], Procedure[object]]
    boot: str | None
    """The boot whose memory it concerns; None where it concerns what outlives boots."""


class Debts:
    """What is owed to one device, oldest first."""

    def __init__(self) -> None:
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
        source = f"exec({code!r},{{}})".encode()
        self.add(Debt(label, lambda board: _run(board, source), boot))

    def add_agent_code(self, label: str, code: str, *, boot: str) -> None:
        """Owe the evaluation of an expression in the agent's own namespace."""
        self.add(Debt(label, lambda board: _run(board, code.encode()), boot))

    def pay(self, board: Board) -> Procedure[int]:
        """Do all of it, in reverse order; return how many were done. Void ones are dropped."""
        paid = 0
        while True:
            with self._lock:
                if not self._debts:
                    return paid
                debt = self._debts[-1]
            if debt.boot is None or debt.boot == board.boot:
                yield from debt.pay(board)
                paid += 1
            with self._lock:
                self._debts.remove(debt)


def _run(board: Board, source: bytes) -> Procedure[object]:
    frame, error = yield from applied(board, Entry.EVAL, AGENT_NAMESPACE, source)
    if frame.kind is not FrameKind.VALUE:
        logger.warning("owed cleanup failed: {} {}", frame.text, error.decode("utf-8", "replace"))
    return None
