"""From a frame to a value or to the error that the user's code raised; pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NoReturn

from klemheist.actors.errors import DeviceError, DeviceMemoryError
from klemheist.actors.sources import Source
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.frames import Frame, FrameKind
from klemheist.transports.repl.install import drop_bursts
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.procedures import free_memory
from klemheist.transports.repl.syntax import parsed
from klemheist.transports.repl.values import ResultTypeError, decode

_LINE: Final = re.compile(r'^  File "(?P<file>[^"]*)", line (?P<line>\d+)(?:, in (?P<name>.*))?$')
_OURS: Final = frozenset(
    {"<module>", *"kEXJergw", "PG", "Pn", "PH", "PK", "PT", "BM", "BC", "BG", "BU", "BX", "BL"}
)
"""The agent's functions: their lines say nothing to the user."""

MOST_FUNCTIONS: Final = 1000
"""Names of functions that a session's tracer keeps; the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the lines of one piece of device code stand on the host."""

    filename: str
    lines: tuple[int, ...]
    rows: tuple[str, ...] = ()
    """The host's own lines, where they are known."""

    def line(self, number: int) -> int:
        """Return the host's line for the device's, counted from 1."""
        return self.lines[min(number, len(self.lines)) - 1] if self.lines else number

    def row(self, number: int) -> str:
        """Return what stands in the host's line for the device's; empty if nobody knows."""
        return self.rows[min(number, len(self.rows)) - 1].strip() if self.rows else ""


class Tracer:
    """Maps the lines of device tracebacks to the host's files, by the names of functions."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}

    def add(self, source: Source) -> None:
        """Know a function, and those defined in it."""
        self.learn(source.text, Place(source.filename, source.line_map, source.rows))

    def learn(self, text: str, place: Place) -> None:
        """Know the functions that a text defines, and where it stands."""
        if "def " not in text and "class " not in text:
            return
        for node in ast.walk(parsed(text)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                self._places.pop(node.name, None)  # the newest comes last
                self._places[node.name] = place
        while len(self._places) > MOST_FUNCTIONS:
            del self._places[next(iter(self._places))]

    def map(self, text: str, top: Place | None = None) -> str:
        """Return a traceback with host files and lines, without the agent's own.

        Args:
            text: what the device printed.
            top: where the code stands that was executed at the namespace's top level.
        """
        lines = text.replace("\r\n", "\n").rstrip().split("\n")
        return "\n".join(self._mapped(lines, top))

    def _mapped(self, lines: list[str], top: Place | None) -> Iterable[str]:
        for line in lines:
            found = _LINE.match(line)
            if found is None:
                yield line
                continue
            name = found["name"] or "<module>"
            place = top if name == "<module>" else self._places.get(name)
            if found["file"] == "<stdin>" or (place is None and name in _OURS):
                continue  # also what the agent evaluates is a module
            if place is None:
                yield line
            else:
                number = int(found["line"])
                yield f'  File "{place.filename}", line {place.line(number)}, in {name}'
                if row := place.row(number):
                    yield f"    {row}"


def value_of(
    board: Board, answer: tuple[Frame, bytes], tracer: Tracer, top: Place | None = None
) -> Procedure[object]:
    """Return the call's value.

    Raises:
        DeviceError: what the code raised, with its traceback mapped.
        DeviceMemoryError: with the free bytes, after a collection.
        ResultTypeError: naming the type that no literal can say.
    """
    frame, error = answer
    match frame.kind:
        case FrameKind.VALUE:
            return decode(frame.text)
        case FrameKind.NO_LITERAL:
            raise ResultTypeError(
                f"the result is of type {frame.text}, which no literal can say; return plain data"
            )
        case FrameKind.RAISED:
            kind, message = decode(frame.text)  # type: ignore[misc]  # the agent's own pair
        case FrameKind.UNFINISHED:
            kind, message = _last_line(error)
    traceback = tracer.map(error.decode("utf-8", "replace"), top)
    if kind == "MemoryError":
        yield from drop_bursts(board)
        free = yield from free_memory(board)
        raise DeviceMemoryError(free=free, traceback=traceback)
    _raise(kind, message, traceback)


_NO_COMPLEX: Final = "name 'complex'"


def _raise(kind: str, message: str, traceback: str) -> NoReturn:
    if kind == "NameError" and message.startswith(_NO_COMPLEX):
        message += "; this board has no complex numbers: send two floats"
    raise DeviceError(kind, message, traceback=traceback)


def _last_line(error: bytes) -> tuple[str, str]:
    """Return type and message from a traceback that no frame confirms.

    A call that ended with neither frame nor traceback left by SystemExit on a board where that
    resets nothing (DESIGN 7).
    """
    text = error.decode("utf-8", "replace").strip()
    kind, _, message = text.rsplit("\n", 1)[-1].partition(":")
    return (kind.strip() or "SystemExit"), message.strip()
