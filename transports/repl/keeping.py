"""What the agent keeps for sessions, and gives back: bursts, entries of its table, namespaces."""

from __future__ import annotations

from typing import Final

from . import burst
from .board import Board
from .frames import Frame, FrameKind
from .install import COLLECT, complete, drop_bursts
from .lines import ACCEPT_WITHIN, Procedure, enter, exchange
from .procedures import collected, evaluated, executed, free_memory
from .steps import Do, Step

ENTRIES: Final = 2
"""How often a burst is entered on trial: the machine itself may have been busy that moment."""
TOGETHER: Final = 16
"""Entries of the function table that are freed in one expression."""


def prepare_bursts(board: Board) -> Procedure[None]:
    """Send what bursts need, and see that one can be left; else there are none in this boot."""
    board.tried = board.boot
    if not (yield from complete(board)):
        return
    if board.cramped and 0 <= (yield from free_memory(board)) < burst.LEAST_FREE:
        return
    if (yield from _bursts_work(board)):
        board.burst = board.boot
    else:
        yield from drop_bursts(board)


def _bursts_work(board: Board) -> Procedure[bool]:
    if not (yield from _took(board, burst.READER)):
        return False
    waits, _ = yield from evaluated(board, "BA==0")
    for source in (*burst.LOOP, *(burst.HALT,) * (waits.text == "False")):
        took = yield from _took(board, source)
        if not took and not (yield from _took(board, source)):  # once more: it has collected
            return False
    for _ in range(ENTRIES):
        reply = yield Step(Do.EXECUTE, burst.ENTER, within=ACCEPT_WITHIN, payload=burst.LEAVE)
        if reply.ended:
            return not reply.error
        yield from enter()
    return False  # code cannot read there


def _took(board: Board, source: str) -> Procedure[bool]:
    """Execute statements in the agent's own namespace; return whether they raised nothing."""
    frame, _ = yield from executed(board, source)
    return frame.kind is FrameKind.VALUE


def unbind(board: Board, entry: int) -> Procedure[None]:
    """Free an entry of the table."""
    yield from evaluated(board, f"G.pop({entry},0)and 0")


def drop_namespace(
    board: Board, namespace: int, entries: tuple[int, ...]
) -> Procedure[tuple[Frame, bytes]]:
    """Forget a session's namespace and entries; the (last) call gives the free memory, or -1.

    One `pop` after the other: a loop in an expression is a function of its own, for which the stack
    of the smallest board is not deep enough.
    """
    rest = entries
    while len(rest) > TOGETHER:
        yield from evaluated(board, _popped(rest[:TOGETHER]))
        rest = rest[TOGETHER:]
    drop = f"B.clear()or S.pop({namespace},0)and 0 or {collected(board)}"
    line = f"{_popped(rest)}or {drop}" if rest else drop
    answer = yield from evaluated(board, line)
    if answer[0].kind is FrameKind.RAISED and "MemoryError" in answer[0].text:
        yield from exchange(b"_k(-1,'S').pop(%d,0)" % namespace)  # what fills it, most likely
        yield from exchange(COLLECT)
        answer = yield from evaluated(board, line)
    return answer


def _popped(entries: tuple[int, ...]) -> str:
    return f"[{','.join(f'G.pop({each},0)' for each in entries)}]and 0 "
