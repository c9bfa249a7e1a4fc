"""What is too long for one line, cut into lines; pure.

A source is text: its pieces are joined on the device, then parsed. A value is built there out of
parts of it, which the lines say as they are: so it is never there as text, nor parsed as a whole,
which would take several times its room.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

from .agent import AGENT_NAMESPACE, Entry
from .frames import call_line

Cut = TypeVar("Cut", str, bytes, list[Any], tuple[Any, ...])

TAKEN: Final = "(B[:],B.clear())[0]"
"""What gives the values that were built, on the device, and forgets them there."""
_INTO_LIST: Final = b"B[-1]=[B[-1]]"
_BLOCK: Final = 16


def cut(whole: Cut, credit: int) -> list[Cut]:
    """Cut what has a length so that each piece goes out as one line, or is one item only.

    Args:
        whole: a source, or a value for which `values.is_plain` holds.
        credit: the bytes of a line and of what ends it.
    """
    pieces: list[Cut] = []
    start = 0
    while start < len(whole):
        size = min(len(whole) - start, credit)
        while size > 1 and (length := _length(whole[start : start + size])) >= credit:
            over = length + 1 - credit
            size -= min(size - 1, max(1, over * size // length))  # if all of it is alike
        pieces.append(whole[start : start + size])
        start += size
    return pieces


def built(value: Any, credit: int) -> Iterator[tuple[Entry, tuple[object, ...]]]:
    """Return the calls that leave a value as the last one of the agent's `B`.

    Args:
        value: one for which `values.is_plain` holds.
        credit: see `cut`.
    """
    if _length(value) < credit or not value:
        yield Entry.ADD, (value,)
        return
    count = 0
    for count, part in enumerate(cut(value, credit), 1):  # noqa: B007 -- needed behind the loop
        if type(part) in (str, bytes):
            yield Entry.ADD, (part,)
        elif len(part) > 1 or _length(list(part)) < credit:
            yield Entry.ADD, (list(part),)
        else:
            yield from built(part[0], credit)
            yield Entry.EXEC, (_INTO_LIST, AGENT_NAMESPACE)
    parts = f"B[-{count}:]"
    joined = f"{value[:0]!r}.join({parts})" if type(value) in (str, bytes) else f"sum({parts},[])"
    if type(value) is tuple:
        joined = f"tuple({joined})"
    yield Entry.EXEC, (f"{parts}=[{joined}]".encode(), AGENT_NAMESPACE)


def room(value: Any) -> int:
    """Return the bytes that a value takes on a board of 32 bits and blocks of 16, about."""
    if not value and type(value) is not list:  # all that are empty are one constant
        return 0
    if type(value) in (str, bytes):
        return _BLOCK + _blocks(len(value) + 1)
    if type(value) in (list, tuple):
        return _BLOCK + _blocks(4 * len(value)) + sum(map(room, value))
    return 0


def _length(piece: object) -> int:
    """Return the bytes of the longest line that adds a piece."""
    return len(call_line(Entry.ADD, (piece,), 0)[1]) + 6


def _blocks(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
