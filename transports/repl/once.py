"""One call, made at most once whatever the link does: procedures for a line that is short enough.

    def double(board):
        frame, _ = yield from numbered(board, Entry.EVAL, 0, b"21*2")
        return decode(frame.text)

All recovery from damage is here and in `lines.py`: a *frame* is asked for again, a *call* never
(DESIGN 3.5), and what was not taken by the device is sent once more.
"""

from __future__ import annotations

from typing import Final

from . import burst
from .board import Board
from .frames import COUNTS, Frame, FrameKind, again_line, call_line
from .install import COLLECT, complete, drop_bursts
from .lines import Disturbed, Gone, Procedure, Status, exchange, status
from .steps import KEYBOARD_INTERRUPT, Reply

NO_MEMORY: Final = "('MemoryError', 'the result does not fit beside what writes it')"
"""What a call raised whose answer cannot be written, in the agent's words."""
_TOO_MUCH: Final = (b"MemoryError", b"recursion depth")
"""What the writing of an answer raises that is too long or too deep to be written at once."""
MOST_ATTEMPTS: Final = 20_000
"""How often a call is tried, or its answer asked for, while the device answers our questions: what
a thread prints may come amid most of them. As a rule the call's deadline comes first."""
SLICE: Final = 256
"""Items of such an answer that are asked for at a time, fewer where they do not fit."""
LEAST_SLICE: Final = 4
_LET_GO: Final = b"_k(-1,'S')[0].update(A=0);_k(-1,'gc').collect()"
"""What frees the room of an answer that is here, all of it."""


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
    for _ in range(MOST_ATTEMPTS):
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
    raise Disturbed(
        f"it answers, but its answer to this call was damaged {MOST_ATTEMPTS} times: by the link, "
        "or by what a thread there prints"
    )


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
