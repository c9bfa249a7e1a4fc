"""Calls of any length on a device, as procedures: pure generators that yield steps, get replies.

    def double(board):
        frame, _ = yield from evaluated(board, "21*2")
        return decode(frame.text)

What is too long for one line goes out in acknowledged pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from . import agent
from .agent import AGENT_NAMESPACE, Entry
from .board import Board
from .frames import Frame, FrameKind, call_line
from .install import complete, drop_bursts
from .lines import Procedure, must
from .once import numbered, sent
from .pieces import TAKEN, built, cut, room
from .steps import NO_FRAME
from .values import decode

NO_ROOM: Final = "('MemoryError', 'the arguments do not fit beside what is there')"
"""What a call raised whose arguments were not sent, in the agent's words."""
_CLEAR: Final = b"_k(-1,'B').clear();print(len(_k(-1,'B')))"
FREE: Final = "getattr(gc,'mem_free',lambda:-1)()"
"""What says the free bytes; -1 where the port does not."""


def one_line(board: Board, index: int, plain: tuple[object, ...]) -> tuple[int, bytes] | None:
    """Return the call's number and line, if it goes out whole: within the credit, or by paste."""
    number, line = call_line(index, plain, board.count)
    return (number, line) if board.paste or len(line) < board.credit else None


def applied(
    board: Board, index: int, source: bytes, *rest: object
) -> Procedure[tuple[Frame, bytes]]:
    """Make EVAL, EXEC or CALL of a source of any length, in acknowledged pieces where needed."""
    line = one_line(board, index, (source, *rest))
    if line is not None:
        return (yield from sent(board, *line))
    pieces = [(Entry.ADD, (piece,)) for piece in cut(source, board.credit)]
    return (yield from _with_pieces(board, pieces, index, 0, *rest))


def called(
    board: Board, entry: int, args: tuple[object, ...], more: str = ""
) -> Procedure[tuple[Frame, bytes]]:
    """Call an entry of the table with arguments of any length.

    What is called has as much of the stack as any task has: its arguments are there before.

    Args:
        board: what is known of the device.
        entry: the table's.
        args: arguments for which `values.is_plain` holds; without `more`.
        more: all of the arguments as source, a tuple and a dict.
    """
    line = None if more else one_line(board, entry, args)
    if line is not None:
        return (yield from sent(board, *line))
    source = f"G[{entry}],{more or f'{TAKEN},{{}}'}".encode()
    line = one_line(board, Entry.CALL, (source,)) if more else None
    if line is not None:
        return (yield from sent(board, *line))
    if not (yield from _fits(board, 3 * len(more) if more else 2 * sum(map(room, args)))):
        return Frame(NO_FRAME, FrameKind.RAISED, NO_ROOM), b""
    if more:
        return (yield from applied(board, Entry.CALL, source))
    pieces = [each for arg in args for each in built(arg, board.credit)]
    return (yield from _with_pieces(board, pieces, Entry.CALL, source))


def _fits(board: Board, need: int) -> Procedure[bool]:
    """Return whether so much fits: a small heap full of pieces has no room to drop them again."""
    if not board.cramped:
        return True
    free = yield from free_memory(board)
    if 0 <= free < need + agent.PARSER and board.burst == board.boot:
        yield from drop_bursts(board)
        free = yield from free_memory(board)
    return free < 0 or need + agent.PARSER <= free


def _with_pieces(
    board: Board, pieces: Sequence[tuple[Entry, tuple[object, ...]]], index: int, *plain: object
) -> Procedure[tuple[Frame, bytes]]:
    """Make the calls that bring pieces, then the one that needs them."""
    yield from _clear_pieces(board)
    board.pieces = board.boot
    for entry, line in [*pieces, (index, plain)]:
        answer = yield from numbered(board, entry, *line)
        if answer[0].kind is not FrameKind.VALUE:
            yield from _clear_pieces(board)
            return answer
    board.pieces = ""
    return answer


def _clear_pieces(board: Board) -> Procedure[None]:
    """Forget the pieces that a call which was given up has left, or for which there is no room."""
    if board.pieces == board.boot:
        yield from must(_CLEAR, b"0")
        board.pieces = ""


def evaluated(board: Board, expression: str) -> Procedure[tuple[Frame, bytes]]:
    """Evaluate an expression in the agent's own namespace."""
    return (yield from applied(board, Entry.EVAL, expression.encode(), AGENT_NAMESPACE))


def executed(board: Board, source: str) -> Procedure[tuple[Frame, bytes]]:
    """Execute statements in the agent's own namespace: helpers, which stay.

    A small heap gets the agent's second half before any of them.
    """
    if board.lacking is not None:
        yield from complete(board)
    return (yield from applied(board, Entry.EXEC, source.encode(), AGENT_NAMESPACE))


def free_memory(board: Board) -> Procedure[int]:
    """Collect, and return the free bytes; -1 where the port does not say."""
    frame, _ = yield from evaluated(board, collected(board))
    free = decode(frame.text) if frame.kind is FrameKind.VALUE else -1
    return free if isinstance(free, int) else -1


def collected(board: Board) -> str:
    """Return what collects, and tells the free bytes."""
    return f"[gc.collect(),{'gc.mem_free()' if board.cramped else FREE}].pop()"
