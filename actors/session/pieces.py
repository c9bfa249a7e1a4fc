"""Code as text, on its way to a device; pure."""

from __future__ import annotations

from klemheist.actors.sources import check_syntax, split_statements

from .answers import Place
from .names import check_code
from .namespace import Piece


def pieces_of(code: str, filename: str = "<code>") -> tuple[Piece, ...]:
    """Cut code into what a device takes one at a time.

    Raises:
        CodeSyntaxError: the code is no Python.
        ArgumentError: it binds a name that is ours.
    """
    check_syntax(code, filename=filename)
    check_code(code)
    return tuple(
        Piece(
            part.text,
            Place(filename, lines_from(part.first_line, part.text), tuple(part.text.split("\n"))),
        )
        for part in split_statements(code)
    )


def lines_from(first: int, text: str) -> tuple[int, ...]:
    """Return the line numbers of a text that stands in its file from line `first` on."""
    return tuple(range(first, first + text.count("\n") + 1))
