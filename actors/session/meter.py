"""What a session takes of its device's memory: measured around its calls, and kept within bounds.

Procedures only. A call after which more is held than the budget allows, and more than before it, is
undone: the names of the namespace are bound as they were, functions that it deployed are gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from klemheist.actors.errors import BudgetExceeded, CapabilityError, DeviceError
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.install import complete
from klemheist.transports.repl.keeping import unbind
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.procedures import evaluated, free_memory
from klemheist.transports.repl.values import ResultTypeError

if TYPE_CHECKING:
    from klemheist.actors.sources import Source

    from .remote import Namespace

R = TypeVar("R")


class MemoryMeter:
    """The memory of one session.

    Args:
        namespace: the session's.
        limit: the bytes that it may hold (`Budget.memory`).
        on_undone: called with the name of each function whose deployment was undone.
    """

    def __init__(
        self, namespace: Namespace, limit: int, on_undone: Callable[[str], object]
    ) -> None:
        self.limit = limit
        self.used = 0
        """Bytes that the session holds in this boot, its namespace included."""
        self._namespace = namespace
        self._boot = ""
        self._on_undone = on_undone

    def metered(
        self, procedure: Callable[[Board], Procedure[R]]
    ) -> Callable[[Board], Procedure[R]]:
        """Return the procedure with a measurement before and after it."""
        return lambda board: self._run(board, procedure)

    def call(
        self, source: Source, procedure: Callable[[Board], Procedure[R]]
    ) -> Callable[[Board], Procedure[R]]:
        """Return the call of a task: it runs only if there is room for its function."""

        def run(board: Board) -> Procedure[R]:
            if self._namespace.entry_now(board, source) is None:
                yield from self._run(board, lambda board: self._namespace.deploy(board, source))
            return (yield from self._run(board, procedure))

        return run

    def _run(self, board: Board, procedure: Callable[[Board], Procedure[R]]) -> Procedure[R]:
        """Run it between two measurements.

        Raises:
            BudgetExceeded: it took too much, and was undone.
        """
        namespace = self._namespace
        yield from self._ready(board)
        number, deployed, setups = namespace.number, dict(namespace.entries), len(namespace.setups)
        namespace.copied = board.boot
        yield from evaluated(board, f"S.update({{-{number}:dict(S.setdefault({number},{{}}))}})")
        before = yield from _free(board)
        failed: Exception | None = None
        try:
            value = yield from procedure(board)
        except (DeviceError, ResultTypeError, CapabilityError) as error:  # what it has bound stays
            failed = error
        taken = before - (yield from _free(board))
        wanted = self.used + taken
        if taken > 0 and wanted > self.limit:
            yield from self._undo(board, deployed, setups)
            raise BudgetExceeded("memory", wanted=wanted, limit=self.limit) from failed
        yield from evaluated(board, f"S.pop(-{number})and 0")
        namespace.copied = ""
        self.used = max(0, wanted)
        if failed is not None:
            raise failed
        return value

    def _ready(self, board: Board) -> Procedure[None]:
        """See that the namespace exists; in a new boot the account begins with it."""
        if self._boot != board.boot or self._namespace.boot != board.boot:
            yield from complete(board)  # the agent's second half is nobody's
            before = yield from _free(board)
            yield from self._namespace.ready(board)
            self.used = max(0, before - (yield from _free(board)))
            self._boot = board.boot

    def _undo(
        self, board: Board, deployed: dict[str, tuple[str, int]], setups: int
    ) -> Procedure[None]:
        namespace, number = self._namespace, self._namespace.number
        here = f"S[{number}]"
        yield from evaluated(board, f"[{here}.clear(),{here}.update(S.pop(-{number}))]and 0")
        namespace.copied = ""
        for name, bound in tuple(namespace.entries.items()):
            if bound != deployed.get(name):
                yield from unbind(board, bound[1])
                namespace.entries[name] = ("", bound[1])  # sent again when it is next called
                self._on_undone(name)
        del namespace.setups[setups:]
        yield from _free(board)


def _free(board: Board) -> Procedure[int]:
    """Return the free bytes. Asked twice: the embedded board collects only between commands."""
    yield from free_memory(board)
    return (yield from free_memory(board))
