"""The agent's way onto the device and off it again (`agent.py`), proved on the way."""

from __future__ import annotations

from contextlib import suppress
from typing import Final, TypeVar

from . import agent, burst
from .agent import Way
from .board import Board
from .lines import ATTEMPTS, Full, Gone, Procedure, Silent, exchange, must
from .steps import NO_FRAME

R = TypeVar("R")

FIRST_STATEMENT: Final = 100
"""What the first statement of a half says when it has run; the others count on."""
ROOM: Final = 6_000
"""Free bytes that the second half needs while it is compiled (measured); it keeps 1,500 of them."""
LONG: Final = 4096
"""Bytes of a line, and of a statement, for a board that reads whatever comes."""
TIDY_EVERY: Final = 4
"""Pieces after which what assembling has left lying is collected: each makes a new text of all."""
COLLECT: Final = b"__import__('gc').collect()"
_SAY_FREE: Final = b"print(__import__('gc').mem_free())"
_HAND_OVER: Final = b"_k=_a['k'];del _a;"
_SAY_SO: Final = b"print(end=str(callable(_k)and %d))" % FIRST_STATEMENT


class _Full(Exception):  # noqa: N818 -- a signal within this module
    """The device has no room for it."""


def install(board: Board, boot: str, count: int) -> Procedure[None]:
    """Send the agent's first half to a boot that has none.

    Args:
        board: what is known; updated.
        boot: the random id of this boot.
        count: the random count that its calls begin with.

    Raises:
        Silent: it does not arrive, or does not fit.
    """
    board.boot = ""
    board.unsent, board.whole, board.lacking = False, False, None
    send = _send_at_once if board.credit > LONG else _send_in_turn
    try:
        try:
            yield from send(board, boot, count)
        except _Full:
            yield from exchange(COLLECT)  # an earlier agent may be lying there
            yield from send(board, boot, count)
    except _Full:
        for line in (b"_k=_a=0", COLLECT):  # the parser does not collect: what is smallest first
            yield from exchange(line)
        yield from remove()
        free = (yield from exchange(_SAY_FREE)).output.strip().decode("ascii", "replace")
        raise Full(f"its {free} free bytes are no room for the agent") from None
    board.boot, board.count, board.ahead = boot, count, ""


def arrive(board: Board) -> Procedure[None]:
    """See that the agent's first half is there, in a boot to which none was sent yet.

    Raises:
        Gone: the interpreter has booted anew since a call went ahead.
        Silent: it does not arrive, or does not fit.
    """
    if board.unsent:
        if board.ahead:
            yield from _is_expected()
        yield from install(board, board.boot, board.count)
        board.lacking = board.count  # once more user code lies around it might not fit


def _is_expected() -> Procedure[None]:
    """See that what the agent is to take over is there."""
    strangers = 0
    for _ in range(ATTEMPTS):
        said = (yield from exchange(b"print('_a'in globals()and'k'in _a)")).output.split()
        if said == [b"True"]:
            return
        strangers += said == [b"False"]
        if strangers == 2:  # once may be a damaged question
            raise Gone("what went ahead of the agent is gone")
    raise Silent("the device does not say what is there")


def after_arrival(board: Board, procedure: Procedure[R]) -> Procedure[R]:
    """Run a procedure that takes the agent for granted."""
    yield from arrive(board)
    return (yield from procedure)


def _send_at_once(_: Board, boot: str, count: int) -> Procedure[None]:
    """Send all of it in one line: round trips are most of what it takes.

    What does not arrive whole is not executed, and hands nothing over.
    """
    (statement,) = agent.first_half(boot, count, LONG)
    line = b"%s;%s" % (agent.at_once(statement), _SAY_SO)
    yield from _executed([line], b"%d" % FIRST_STATEMENT)


def _send_in_turn(board: Board, boot: str, count: int) -> Procedure[None]:
    statements = agent.first_half(boot, count, ahead=board.ahead)
    yield from _send(board, agent.AT_FIRST, statements)
    yield from _hand_over()


def complete(board: Board) -> Procedure[bool]:
    """Send what is missing of the agent; False where its second half does not fit.

    No numbered call is made: the answer that the agent holds stays the last one.
    """
    yield from arrive(board)
    board.lacking = None
    if not board.whole and (yield from _has_room(board)):
        try:
            assembled = yield from _send(board, agent.LATER, agent.second_half())
            board.whole = True
            if not assembled:
                return True
        except _Full:  # the parser does not collect: what is smallest first
            yield from exchange(b"_a=0")
            yield from exchange(agent.LATER.tidy)
        yield from _forget()
    return board.whole


def _has_room(board: Board) -> Procedure[bool]:
    """Collect, and return whether the second half may be tried.

    Where a small heap is tried in vain, what is left may be too little for any command at all.
    Others may grow.
    """
    if not board.cramped:
        return True
    for _ in range(ATTEMPTS):
        yield from exchange(agent.LATER.tidy)
        reply = yield from exchange(b"print(_k(-1,'gc').mem_free())")
        said = reply.output.strip()
        if reply.ended and said.lstrip(b"-").isdigit():
            return not 0 <= int(said) < ROOM
    return False


def _hand_over() -> Procedure[None]:
    """Give the agent its name, and forget its namespace in `__main__`."""
    for line in (_HAND_OVER, b"") * ATTEMPTS:
        reply = yield from exchange(line + b"print(callable(_k),'_a'in globals())")
        if reply.output.split() == [b"True", b"False"]:
            return
    raise Silent("the agent does not get its name")


def _forget() -> Procedure[None]:
    yield from must(b"_a=0;del _a;print('_a'in globals())", b"False")


def _send(board: Board, way: Way, statements: list[str]) -> Procedure[bool]:
    """Prove each statement and execute it; return whether any was assembled under a name."""
    assembled = False
    room = agent.LONGEST_STATEMENT * 2 if board.paste else min(board.credit, 4096) - 1
    for index, statement in enumerate(statements, FIRST_STATEMENT):
        line = agent.whole(way, statement, index)
        if len(line) <= room:
            lines = [line]
        else:
            assembled = True
            lines = [*agent.pieces(way, statement, room), agent.proved(way, statement, index)]
            for at in range(len(lines) - 1, 0, -TIDY_EVERY) if way.tidy else ():
                lines.insert(at, way.tidy)
        if way is agent.AT_FIRST and index == FIRST_STATEMENT and not board.ahead:
            lines.insert(0, agent.BEGIN)
        yield from _executed(lines, b"%d" % index)
    return assembled


def _executed(lines: list[bytes], says: bytes) -> Procedure[None]:
    """Send lines that assemble, prove and execute a statement, until the last has said so."""
    for _ in range(ATTEMPTS):
        reply = yield from exchange(lines[0], NO_FRAME, *lines[1:])
        if b"MemoryError" in reply.error:
            raise _Full(reply.error.decode("utf-8", "replace"))
        if says in reply.output.split():
            return
    raise Silent("the agent does not arrive undamaged")


def drop_bursts(board: Board) -> Procedure[None]:
    """Take what bursts need off a small heap: there is better use for its room, in this boot."""
    if board.cramped and board.tried == board.boot:
        board.burst = ""
        for line in burst.DROP:
            yield from exchange(line)


def remove() -> Procedure[None]:
    """Take the agent off the device, if it listens; nothing of ours is left in `__main__`."""
    with suppress(Silent):
        yield from must(b"_k=_a=0;del _k,_a;print('_k'in globals())", b"False", attempts=2)
        yield from exchange(COLLECT)
