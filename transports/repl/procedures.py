"""Calls on a device, as procedures: pure generators that yield steps and get replies.

    def double(board):
        frame, _ = yield from numbered(board, Entry.EVAL, 0, b"21*2")
        return decode(frame.text)

All recovery from damage is here and in `lines.py`: a *frame* is asked for again, a *call* never
(DESIGN 3.5), and what was not taken by the device is sent once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from . import agent, burst
from .agent import AGENT_NAMESPACE, Entry
from .board import Board
from .frames import COUNTS, Frame, FrameKind, again_line, call_line
from .install import COLLECT, complete
from .lines import (
    ACCEPT_WITHIN,
    ATTEMPTS,
    Gone,
    Procedure,
    Silent,
    Status,
    enter,
    exchange,
    must,
    status,
)
from .pieces import TAKEN, built, cut, room
from .steps import KEYBOARD_INTERRUPT, NO_FRAME, Do, Reply, Step
from .values import decode

NO_MEMORY: Final = "('MemoryError', 'the result does not fit beside what writes it')"
"""What such a call raised, in the agent's words."""
NO_ROOM: Final = "('MemoryError', 'the arguments do not fit beside what is there')"
"""The same of a call whose arguments were not sent."""
_TOO_MUCH: Final = (b"MemoryError", b"recursion depth")
"""What the writing of an answer raises that is too long or too deep to be written at once."""
SLICE: Final = 256
"""Items of such an answer that are asked for at a time, fewer where they do not fit."""
LEAST_SLICE: Final = 4
_LET_GO: Final = b"_k(-1,'S')[0].update(A=0);_k(-1,'gc').collect()"
"""What frees the room of an answer that is here, all of it."""
TOGETHER: Final = 16
"""Entries of the function table that are freed in one expression."""
_CLEAR: Final = b"_k(-1,'B').clear();print(len(_k(-1,'B')))"
FREE: Final = "getattr(gc,'mem_free',lambda:-1)()"
"""What says the free bytes; -1 where the port does not."""


def numbered(board: Board, index: int, *plain: object) -> Procedure[tuple[Frame, bytes]]:
    """Make one call whose line fits the device's credit; at most once, whatever the link does.

    Returns:
        The frame, and the traceback where the call raised or was interrupted.

    Raises:
        Gone: the interpreter booted anew; the call may have run.
        Silent: the link carries nothing.
    """
    return (yield from sent(board, *call_line(index, plain, board.count)))


def sent(board: Board, number: int, line: bytes) -> Procedure[tuple[Frame, bytes]]:
    """Make the call of a line that `call_line` made; see `numbered`."""
    reply = yield from _sent(board, number, line)
    return (yield from answered(board, number, line, reply))


def _sent(board: Board, number: int, line: bytes) -> Procedure[Reply]:
    """Send a line that the device has not taken; half an agent leaves all that lies about."""
    if board.is_half:
        yield from exchange(COLLECT)
    return (yield from exchange(line, number))


def answered(
    board: Board, number: int, line: bytes, reply: Reply
) -> Procedure[tuple[Frame, bytes]]:
    """Go on with what came when the line of a call was sent; see `numbered`."""
    if reply.frame is None:
        reply = yield from _settle(board, number, line, reply)
    board.taken()
    if reply.frame is not None and reply.frame.kind is FrameKind.HELD:
        reply = yield from _held(board, number)
    assert reply.frame is not None
    return reply.frame, reply.error


def _held(board: Board, number: int) -> Procedure[Reply]:
    """Get the answer that only the whole agent can write; the call does not run again."""
    if not (yield from complete(board)):
        return Reply(frame=Frame(number, FrameKind.RAISED, NO_MEMORY))
    reply = yield from exchange(again_line(number), number)
    if reply.frame is None:
        reply = yield from _settle(board, number, again_line(number), reply)
    return reply


def _settle(board: Board, number: int, line: bytes, reply: Reply) -> Procedure[Reply]:
    """Find out what became of a call whose reply held no whole frame."""
    error = reply.error
    taken_as = {number: (number, again_line(number))}
    if reply.proof >= 0:  # a line of a burst
        if KEYBOARD_INTERRUPT not in error:  # it was damaged: no more of them in this boot
            board.burst = ""
        taken_as[~reply.proof] = (reply.proof, burst.again_line(reply.proof))
    for _ in range(ATTEMPTS):
        found = yield from status(board)
        is_taken = found.last in taken_as or _is_half_taken(board, found, error)
        if not is_taken:
            if found.count != board.count:
                raise Gone("the agent took calls that are not ours")
            reply = yield from _sent(board, number, line)
        elif found.kind is FrameKind.UNFINISHED:
            if board.cramped:  # its parser cannot collect, and the agent was interrupted before
                yield from exchange(COLLECT)
            return Reply(frame=Frame(number, FrameKind.UNFINISHED, ""), error=error)
        else:
            reply = yield from _said_again(board, found.kind, *taken_as[found.last], reply.error)
        error = reply.error or error
        if reply.frame is not None:
            return Reply(frame=reply.frame, error=error)
    if any(sign in error for sign in _TOO_MUCH):
        return Reply(frame=Frame(number, FrameKind.RAISED, NO_MEMORY), error=error)
    raise Silent(f"no whole frame in {ATTEMPTS} attempts")


def _is_half_taken(board: Board, found: Status, error: bytes) -> bool:
    """Whether Ctrl-C came when the agent had counted a call, and had not begun it yet."""
    counted = found.count == (board.count + 1) % COUNTS and found.kind is FrameKind.UNFINISHED
    return counted and KEYBOARD_INTERRUPT in error


def _said_again(
    board: Board, kind: FrameKind, sentinel: int, again: bytes, error: bytes
) -> Procedure[Reply]:
    """Ask for an answer once more, helping what was to write it and has raised itself."""
    if error:
        yield from complete(board)
    if any(sign in error for sign in _TOO_MUCH):
        text = yield from _in_slices(board)
        if board.burst or not text:
            yield from drop_bursts(board)  # the next one may fit then
        if text:
            yield from exchange(_LET_GO)
            return Reply(frame=Frame(sentinel, kind, text))
    return (yield from exchange(again, sentinel))


def _in_slices(board: Board) -> Procedure[str]:
    """Get an answer for whose text there is no room: as the sum of its slices.

    Returns:
        The text; nothing where it has no slices, or there is no room for them either.
    """
    texts: list[str] = []
    length, at, size = -1, 0, SLICE
    while size >= LEAST_SLICE and at != length:
        what = b"_k(-1,'A')[%d:%d]" % (at, at + size) if length > 0 else b"len(_k(-1,'A'))"
        number, _ = board.question()
        reply = yield from exchange(b"_k(-1,'e')(%d,61,%s)" % (number, what), number)
        if reply.frame is None:
            size //= 2
        elif reply.frame.kind is not FrameKind.VALUE:
            return ""
        elif length < 0:
            length = int(reply.frame.text)
        else:
            texts.append(reply.frame.text)
            at = min(at + size, length)
    return "+".join(texts) if at == length else ""


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


# -- the agent's own tables ------------------------------------------------------------------------


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
    reply = yield Step(Do.EXECUTE, burst.ENTER, within=ACCEPT_WITHIN, payload=burst.LEAVE)
    if not reply.ended:  # code cannot read there
        yield from enter()
    return reply.ended and not reply.error


def drop_bursts(board: Board) -> Procedure[None]:
    """Take what bursts need off a small heap: there is better use for its room, in this boot."""
    if board.cramped and board.tried == board.boot:
        board.burst = ""
        for line in burst.DROP:
            yield from exchange(line)


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
    drop = f"B.clear()or S.pop({namespace},0)and 0 or {_collected(board)}"
    line = f"{_popped(rest)}or {drop}" if rest else drop
    answer = yield from evaluated(board, line)
    if answer[0].kind is FrameKind.RAISED and "MemoryError" in answer[0].text:
        yield from exchange(b"_k(-1,'S').pop(%d,0)" % namespace)  # what fills it, most likely
        yield from exchange(COLLECT)
        answer = yield from evaluated(board, line)
    return answer


def _popped(entries: tuple[int, ...]) -> str:
    return f"[{','.join(f'G.pop({each},0)' for each in entries)}]and 0 "


def free_memory(board: Board) -> Procedure[int]:
    """Collect, and return the free bytes; -1 where the port does not say."""
    return (yield from _freed(board, _collected(board)))


def _collected(board: Board) -> str:
    """Return what collects, and tells the free bytes."""
    return f"[gc.collect(),{'gc.mem_free()' if board.cramped else FREE}].pop()"


def _freed(board: Board, expression: str) -> Procedure[int]:
    frame, _ = yield from evaluated(board, expression)
    free = decode(frame.text) if frame.kind is FrameKind.VALUE else -1
    return free if isinstance(free, int) else -1
