"""Calls on a device, as procedures: pure generators that yield steps and get replies.

    def double(board):
        frame, _ = yield from numbered(board, Entry.EVAL, 0, b"21*2")
        return decode(frame.text)

All recovery from damage is here and in `lines.py`: a *frame* is asked for again, a *call* never
(DESIGN 3.5), and what was not taken by the device is sent once more.
"""

from __future__ import annotations

from typing import Final

from . import burst
from .agent import AGENT_NAMESPACE, Entry
from .conversation import KEYBOARD_INTERRUPT, Board, Do, Reply, Step
from .frames import Frame, FrameKind, again_line, call_line
from .install import COLLECT, complete
from .lines import ACCEPT_WITHIN, ATTEMPTS, Gone, Procedure, Silent, enter, exchange, status
from .values import decode

NO_MEMORY: Final = "('MemoryError', 'the result does not fit beside what writes it')"
"""What such a call raised, in the agent's words."""
TOGETHER: Final = 16
"""Entries of the function table that are freed in one expression."""
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
    reply = yield from exchange(line, number)
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
        if (
            KEYBOARD_INTERRUPT not in error
        ):  # it was damaged: there are no more of them in this boot
            board.burst = ""
        taken_as[~reply.proof] = (reply.proof, burst.again_line(reply.proof))
    for _ in range(ATTEMPTS):
        found = yield from status(board)
        if found.last not in taken_as:
            if found.count != board.count:
                raise Gone("the agent took calls that are not ours")
            reply = yield from exchange(line, number)  # it was never taken
        elif not found.finished:
            if board.cramped:  # its parser cannot collect, and the agent was interrupted before
                yield from exchange(COLLECT)
            return Reply(frame=Frame(number, FrameKind.UNFINISHED, ""), error=error)
        else:
            yield from _make_room(board, reply.error)
            sentinel, again = taken_as[found.last]
            reply = yield from exchange(again, sentinel)
        error = reply.error or error
        if reply.frame is not None:
            return Reply(frame=reply.frame, error=error)
    if b"MemoryError" in error:
        return Reply(frame=Frame(number, FrameKind.RAISED, NO_MEMORY), error=error)
    raise Silent(f"no whole frame in {ATTEMPTS} attempts")


def _make_room(board: Board, error: bytes) -> Procedure[None]:
    """Help what was to write an answer and has raised itself."""
    if error:
        yield from complete(board)
    if b"MemoryError" in error:
        yield from drop_bursts(board)


def one_line(board: Board, index: int, plain: tuple[object, ...]) -> tuple[int, bytes] | None:
    """Return the call's number and line, if it goes out whole: within the credit, or by paste."""
    number, line = call_line(index, plain, board.count)
    return (number, line) if board.paste or len(line) < board.credit else None


def applied(
    board: Board, index: int, source: bytes, *rest: object
) -> Procedure[tuple[Frame, bytes]]:
    """Apply EVAL or EXEC to a source of any length, in acknowledged pieces where it must be."""
    line = one_line(board, index, (source, *rest))
    if line is not None:
        return (yield from sent(board, *line))
    for piece in source_pieces(board, source):
        frame, error = yield from numbered(board, Entry.ADD, piece)
        if frame.kind is not FrameKind.VALUE:
            return frame, error
    return (yield from numbered(board, Entry.APPLY, int(index), *rest))


def source_pieces(board: Board, source: bytes) -> list[bytes]:
    """Cut a source so that each piece goes out as one line."""
    cut: list[bytes] = []
    start = 0
    while start < len(source):
        size = min(len(source) - start, board.credit)
        while (length := _length(source[start : start + size])) + 6 >= board.credit:
            over = length + 7 - board.credit
            size -= max(1, over * size // length)  # what it takes there, if all bytes are alike
        cut.append(source[start : start + size])
        start += size
    return cut


def _length(piece: bytes) -> int:
    return len(call_line(Entry.ADD, (piece,), 0)[1])


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
    for source in (burst.HALT,) * (waits.text == "False") + burst.LOOP:
        if not (yield from _took(board, source)):
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
    return (yield from evaluated(board, f"{_popped(rest)}or {drop}" if rest else drop))


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
