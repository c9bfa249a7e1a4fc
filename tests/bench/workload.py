"""What everybody is measured with: the same functions and bytes, whichever way they travel."""

from __future__ import annotations

import inspect
import random

QUESTION = 1
ANSWER = 2
BLOCK = "abcdefgh" * 128
"""1,024 bytes; a list of that size does not fit beside an agent in 9 KB."""


def f(a: int) -> int:
    return a + 1


def block() -> str:
    return "abcdefgh" * 128


SOURCES = tuple(inspect.getsource(each).encode() for each in (f, block))
CALL, CALL_ANSWER = b"print(f(1))", b"2"
FETCH, FETCH_ANSWER = b"print(block())", BLOCK.encode()


def contents(size: int) -> bytes:
    """Return the bytes of a file: random, so that nobody's encoding has luck; always the same."""
    return random.Random(size).randbytes(size)
