"""What everybody is measured with: the same functions and bytes, whichever way they travel."""

from __future__ import annotations

import inspect
import random

QUESTION = 1
ANSWER = 2
BLOCK = [7] * 341
"""Its literal has 1,023 bytes."""


def f(a):
    return a + 1


def block():
    return [7] * 341


SOURCES = tuple(inspect.getsource(each).encode() for each in (f, block))
CALL, CALL_ANSWER = b"print(f(1))", b"2"
FETCH, FETCH_ANSWER = b"print(block())", repr(BLOCK).encode()


def contents(size: int) -> bytes:
    """Return the bytes of a file: random, so that nobody's encoding has luck; always the same."""
    return random.Random(size).randbytes(size)  # noqa: S311 - no secret
