"""A session's namespace on the device: what it is called there, and the statements run in it.

Procedures only (pure generators); the Device runs each as one call. Whatever the interpreter lost
by booting anew is put back by `ready`, as the first thing of the next procedure. What is deployed
in a namespace and called there is in `remote.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

from klemheist.actors.errors import CapabilityError, DeviceMemoryError
from klemheist.actors.sources import Source
from klemheist.transports.repl.agent import FIRST_TASK, Entry, next_task
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.install import complete
from klemheist.transports.repl.keeping import drop_namespace
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.procedures import applied, evaluated, free_memory
from klemheist.transports.repl.values import encode_arguments, needs_decoder

from .answers import Place, Tracer, value_of

LATELY: Final = 4
"""Entries given back last that are freed on the device once more at a session's end."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One top-level statement to execute in a namespace, and where it stands on the host."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Setup:
    """BareNamespace that make a namespace what it was: they run again in each generation."""

    pieces: tuple[Piece, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    """The parameters, which become names before the statements run."""


@dataclass(slots=True, eq=False)
class Numbers:
    """A device's numbers: namespaces, and entries in its function table."""

    next_entry: int = FIRST_TASK
    free_entries: list[int] = field(default_factory=list)
    _namespaces: Iterator[int] = field(default_factory=partial(itertools.count, 1))

    def namespace(self) -> int:
        """Return a number that no other session of this device has had; from any thread."""
        return next(self._namespaces)

    def entry(self) -> int:
        """Return a free entry of the function table."""
        if self.free_entries:
            return self.free_entries.pop()
        entry, self.next_entry = self.next_entry, next_task(self.next_entry)
        return entry


class Owner(Protocol):
    """Whose namespace it is."""

    tasks: dict[str, Source]
    """Functions that may be deployed here, by name."""

    def deployed(self, source: Source, /) -> None:
        """A function was deployed."""

    def undeployed(self, name: str = "", /) -> None:
        """A function is deployed no more; without a name none is, as after a new boot."""


class BareNamespace:
    """A namespace in which statements run; `remote.Namespace` has functions too."""

    __slots__ = (
        "_numbers",
        "boot",
        "copied",
        "entries",
        "number",
        "opened",
        "owner",
        "setups",
        "tracer",
    )

    def __init__(self, numbers: Numbers, owner: Owner | None = None) -> None:
        self._numbers = numbers
        self.number = numbers.namespace()
        self.boot = ""
        """The boot in which all this is true; another one voids it."""
        self.opened = ""
        """The boot in which it may exist, ready or not."""
        self.copied = ""
        """The boot in which a copy may lie beside it: see `MemoryMeter`."""
        self.entries: dict[str, tuple[str, int]] = {}
        """Name -> the hash of what is deployed under it, and its entry."""
        self.setups: list[Setup] = []
        self.tracer = Tracer()
        self.owner = owner
        """Told, on the device's turn, of what is deployed here and what is not any more."""

    @property
    def numbers(self) -> Numbers:
        """The device's numbers."""
        return self._numbers

    def ready(self, board: Board, *, heavy: bool = False) -> Procedure[None]:
        """See that all setups are done in this boot; the namespace begins with the first name.

        Args:
            board: what is known of the device.
            heavy: what comes next may take much room. To a small heap the agent's second half,
                which might not fit beside it, is sent first.
        """
        known = self.boot == board.boot
        lacks = board.lacking is not None or board.unsent
        if lacks and (heavy or (self.setups and not known)):
            yield from complete(board)
        if known:
            return
        if self.opened:
            self._void()
            self._tell_void()
        if self.opened == board.boot:  # the setups have failed half way
            yield from drop_namespace(board, self.number, ())
        self.opened = board.boot
        for setup in tuple(self.setups):
            yield from self._set_up(board, setup)
        self.boot = board.boot

    def restore(self, board: Board) -> Procedure[None]:
        """Put back what a new boot has lost; what was never needed here is not made for that."""
        if self.opened:
            yield from self.ready(board)
        else:
            self._tell_void()

    def _tell_void(self) -> None:
        if self.owner is not None:
            self.owner.undeployed()

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever needed here."""
        return not self.opened

    def _void(self) -> None:
        self._numbers.free_entries.extend(entry for _, entry in self.entries.values())
        self.entries.clear()
        self.boot = ""

    def set_up(self, board: Board, setup: Setup) -> Procedure[None]:
        """Run a setup, and remember it for the generations to come once it has worked."""
        yield from self.ready(board, heavy=True)
        yield from self._set_up(board, setup)
        self.setups.append(setup)

    def _set_up(self, board: Board, setup: Setup) -> Procedure[None]:
        if setup.values:
            yield from self._bind(board, setup.values)
        yield from self._run(board, setup.pieces)

    def run(self, board: Board, pieces: tuple[Piece, ...]) -> Procedure[None]:
        """Execute statements at the namespace's top level."""
        yield from self.ready(board, heavy=True)
        yield from self._run(board, pieces)

    def _run(self, board: Board, pieces: tuple[Piece, ...]) -> Procedure[None]:
        for piece in pieces:
            self.tracer.learn(piece.text, piece.place)
            yield from self._execute(board, piece.text, piece.place)

    def _execute(self, board: Board, text: str, place: Place, *binding: object) -> Procedure[None]:
        source = text.encode("utf-8", "surrogatepass")
        if len(source) > board.longest:
            raise CapabilityError(
                f"{place.filename}, line {place.line(1)}: the statement has {len(source)} bytes, "
                f"this device takes {board.longest} at once; make it several statements"
            )
        answer = yield from applied(board, Entry.EXEC, source, self.number, *binding)
        yield from value_of(board, answer, self.tracer, place)

    def evaluate(self, board: Board, code: str, place: Place) -> Procedure[object]:
        """Evaluate an expression in the namespace."""
        yield from self.ready(board, heavy=True)
        source = code.strip().encode("utf-8", "surrogatepass")
        answer = yield from applied(board, Entry.EVAL, source, self.number)
        return (yield from value_of(board, answer, self.tracer, place))

    def _bind(self, board: Board, values: Mapping[str, Any]) -> Procedure[None]:
        """Make values names in the namespace: the parameters of a setup."""
        names = yield from encoded(board, (), values)
        answer = yield from evaluated(board, f"S.setdefault({self.number},{{}}).update({names})")
        yield from value_of(board, answer, self.tracer)

    def close(self, board: Board) -> Procedure[int]:
        """Drop the namespace and its functions, and collect; return the free memory.

        Raises:
            DeviceError: the device could not do it; what it still holds is gone with its next boot.
        """
        if self.opened != board.boot:
            return -1
        if self.copied == board.boot:  # of a call that was given up
            yield from evaluated(board, f"S.pop(-{self.number},0)and 0")
        own = (entry for _, entry in self.entries.values())
        # an upload cut short may have bound the entry that it gave back just now
        entries = (*own, *self._numbers.free_entries[-LATELY:])
        answer = yield from drop_namespace(board, self.number, entries)
        free = yield from value_of(board, answer, self.tracer)
        self._void()
        return free if isinstance(free, int) else -1


def encoded(board: Board, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Procedure[str]:
    """Return arguments as source, the agent being whole where they need its decoder."""
    text = encode_arguments(args, kwargs, single=board.single)
    if needs_decoder(text) and not (yield from complete(board)):
        raise DeviceMemoryError(free=(yield from free_memory(board)))
    return text
