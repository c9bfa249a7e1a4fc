"""A session's functions on the device: how they are deployed in its namespace, and called.

Procedures only (pure generators); the Device runs each as one call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from klemheist.actors.errors import DeviceMemoryError
from klemheist.actors.sources import Source
from klemheist.transports.repl.agent import Entry
from klemheist.transports.repl.ahead import ahead, goes_ahead
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.frames import Frame
from klemheist.transports.repl.install import arrive, drop_bursts
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.procedures import called, evaluated, executed, one_line
from klemheist.transports.repl.values import is_plain

from .answers import Place, value_of
from .names import TAKEN
from .namespace import BareNamespace, encoded

_NOBODY: Final = frozenset[str]()
LIGHT: Final = 200
"""Bytes of a function that is deployed before the agent's second half: it leaves room enough."""

Passed = Callable[[Board], Procedure[str]]
"""Says the arguments of a call as source, on the device's turn."""


class Namespace(BareNamespace):
    """One session's namespace on the device, as the host knows it."""

    __slots__ = ()

    def outdate(self, name: str) -> None:
        """Send a function again before its next call: a task that it uses is another one now."""
        known = self.entries.get(name)
        if known is not None:
            self.entries[name] = ("", known[1])

    def deploy(
        self, board: Board, source: Source, users: frozenset[str] = _NOBODY
    ) -> Procedure[bool]:
        """See that a function is there, and before it the tasks that it uses (SES-057 to 060).

        Args:
            board: what is known of the device.
            source: the function.
            users: for whom it is sent: they may use each other.

        Returns:
            Whether it had to be sent.
        """
        yield from self.ready(board, heavy=len(source.text) > LIGHT)
        known = self.entries.get(source.name)
        if known is not None and known[0] == source.hash:
            return False
        tasks = self.owner.tasks if self.owner is not None else {}
        users |= {source.name}
        for name in sorted(source.names & tasks.keys() - users):
            yield from self.deploy(board, tasks[name], users)
        self.tracer.add(source)
        place = Place(source.filename, source.line_map, source.rows)
        entry = self._numbers.entry() if known is None else known[1]
        self.entries[source.name] = ("", entry)  # held by now, whatever comes
        try:
            yield from self._define(board, source, place, entry)
        except DeviceMemoryError:  # once more: that error came after a collection (DESIGN 7)
            yield from drop_bursts(board)
            yield from self._define(board, source, place, entry)
        self.entries[source.name] = (source.hash, entry)
        if self.owner is not None:
            self.owner.deployed(source)
        return True

    def deployed(self, board: Board, source: Source) -> Procedure[int]:
        """See that a function is there, and return its entry."""
        yield from self.deploy(board, source)
        return self.entries[source.name][1]

    def _define(self, board: Board, source: Source, place: Place, entry: int) -> Procedure[None]:
        """Define a function and give it its entry: one call, but for the longest names."""
        binding = (entry, source.name)
        if one_line(board, Entry.EXEC, (0, self.number, *binding)):
            yield from self._execute(board, source.text, place, *binding)
            return
        yield from self._execute(board, source.text, place)
        answer = yield from executed(board, f"G[{entry}]=S[{self.number}][{source.name!r}]")
        yield from value_of(board, answer, self.tracer)

    def call(
        self, board: Board, source: Source, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Procedure[object]:
        """Call a deployed function, deploying it first where that is needed."""
        known = self.entries.get(source.name)
        if known is None or known[0] != source.hash or self.boot != board.boot:
            if board.unsent and (answer := (yield from self._ahead(board, source, args, kwargs))):
                return (yield from value_of(board, answer, self.tracer))
            yield from arrive(board)
            yield from self.deploy(board, source)
            known = self.entries[source.name]
        return (yield from self.apply(board, known[1], args, kwargs))

    def _ahead(
        self, board: Board, source: Source, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Procedure[tuple[Frame, bytes] | None]:
        """Call a function before the agent is there; None where it cannot be, and was not."""
        tasks = self.owner.tasks if self.owner is not None else {}
        alone = not self.setups and not source.names & (tasks.keys() - {source.name})
        light = source.keeps_nothing and len(source.text) <= LIGHT
        if not (alone and light and not kwargs and is_plain(args) and goes_ahead(board, args)):
            return None
        self.tracer.add(source)
        return (yield from ahead(board, source.text, source.name, args))

    def call_with(self, board: Board, source: Source, passed: Passed) -> Procedure[object]:
        """Call a deployed function, some of whose arguments are objects that live here."""
        entry = yield from self.deployed(board, source)
        text = yield from passed(board)
        answer = yield from evaluated(board, f"G[{entry}]({text})")
        return (yield from value_of(board, answer, self.tracer))

    def apply(
        self, board: Board, entry: int, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Procedure[object]:
        """Call what has this entry of the function table."""
        if not kwargs and is_plain(args):
            answer = yield from called(board, entry, args)
        else:
            passed = yield from encoded(board, args, {})
            named = yield from encoded(board, (), kwargs)
            text = f"({passed}{',' * bool(passed)}),{f'dict({named})' if named else '{}'}"
            answer = yield from called(board, entry, (), text)
        return (yield from value_of(board, answer, self.tracer))

    def entry_now(self, board: Board, source: Source) -> int | None:
        """Return the entry of a function that is deployed in this very boot."""
        known = self.entries.get(source.name)
        if known is None or known[0] != source.hash or self.boot != board.boot:
            return None
        return known[1]

    def take(self, board: Board, expression: str, entry: int) -> Procedure[None]:
        """Give the value of an expression of the namespace an entry of the function table."""
        yield from self.ready(board, heavy=True)
        place = Place("<code>", (), (expression,))
        yield from self._execute(board, f"{TAKEN}={expression}", place, entry, TAKEN)
        yield from evaluated(board, f"S[{self.number}].pop({TAKEN!r})is 0")
