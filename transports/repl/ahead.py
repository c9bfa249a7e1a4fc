"""A call that goes ahead of the agent: what a board that has just booted does first (DESIGN 3.4).

To a small board the agent's first half takes longer than half of its own start. Who waits for one
call of a small function is served before it: the function and a `k` for this very call go out as
one statement, proved like the agent's own. The call's number and its answer are the agent's when it
follows, so no call runs twice. The function is not: it is one that keeps nothing (`Source`), and is
deployed as ever at its next call.
"""

from __future__ import annotations

from typing import Final

from . import agent
from .board import Board
from .frames import COUNTS, PRIME, STRIDE, Frame, FrameKind, call_line
from .install import arrive
from .lines import Procedure, exchange
from .once import answered
from .procedures import evaluated
from .steps import KEYBOARD_INTERRUPT, NO_FRAME, Reply

_ENTRY: Final = 0
_ARRIVED: Final = 100
"""What the statement says when it has run."""
_TRIES: Final = 2
"""More often it is not the link that is to blame."""


def goes_ahead(board: Board, plain: tuple[object, ...]) -> bool:
    """Whether a call of a small function can go ahead of the agent: none has, and its line fits."""
    line = call_line(_ENTRY, plain, board.count)[1]
    return board.unsent and not board.ahead and len(_sooner(line)) < board.credit


def ahead(
    board: Board, source: str, name: str, plain: tuple[object, ...]
) -> Procedure[tuple[Frame, bytes] | None]:
    """Define a function, and call it, at most once, before the agent is there.

    Args:
        board: what is known of the device; `goes_ahead` holds.
        source: the function's.
        name: the function's.
        plain: arguments for which `values.is_plain` holds.

    Returns:
        What `numbered` does; None where the function cannot be defined so: nothing was called.

    Raises:
        Gone: the interpreter booted anew; the call may have run.
        Silent: the link carries nothing.
    """
    defined = yield from _defined(board, _statement(source, name, board.count))
    if KEYBOARD_INTERRUPT in defined.error:
        return Frame(NO_FRAME, FrameKind.UNFINISHED, ""), defined.error
    if not _has_arrived(defined):
        return None
    taken = f"Q=({board.count}+(M>0))%{COUNTS}"
    board.ahead = f"{taken};P=0"
    number, line = call_line(_ENTRY, plain, board.count)
    reply = yield from exchange(_sooner(line), number)
    if reply.frame is not None:
        return (yield from answered(board, number, line, reply))
    board.ahead = f"{taken};G[{_ENTRY}]=P[{name!r}]"  # it was not taken, perhaps
    yield from arrive(board)
    answer = yield from answered(board, number, line, reply)
    yield from evaluated(board, f"G.pop({_ENTRY},0)and globals().update(P=0)")
    return answer


def _defined(board: Board, statement: str) -> Procedure[Reply]:
    way = agent.AT_FIRST
    pieces = agent.pieces(way, statement, board.credit - 1)
    lines = [*pieces, agent.proved(way, statement, _ARRIVED)]
    for _ in range(_TRIES):
        reply = yield from exchange(agent.BEGIN, NO_FRAME, *lines)
        if _has_arrived(reply) or KEYBOARD_INTERRUPT in reply.error:
            break
    return reply


def _has_arrived(reply: Reply) -> bool:
    return b"%d" % _ARRIVED in reply.output.split()


def _sooner(line: bytes) -> bytes:
    """Return a call's line as it is before the agent has its name."""
    return b"_a['k']" + line[len(agent.NAME) :]


def _statement(source: str, name: str, count: int) -> str:
    """Return the function and the `k` of `agent.py` that is enough for one call of it.

    Of values it says those that are most often given. All else it holds for the agent, as the first
    half does for the second. What it raises comes as a traceback alone; the agent says the rest.
    """
    return f"""\
P={{}}
exec({source!r},P)
M=-1;D=63
def k(n,i=0,*a):
 global M,D,A
 if n!=M:
  if n!=(h(bytes(repr(a),'utf8'))+{count * STRIDE}+i)%{PRIME}*2+{count % 2 + 2}:return
  M=n;D=63;A=0
  try:A=P[{name!r}](*a);D=61
  except Exception as x:A=str(type(x))[8:-2],str(x);D=33;raise
 j=D;v=A
 if j==61 and type(v)not in(int,str,bool,type(None)):j=126;v=0
 t=repr(v);b=bytes(t,'utf8');print('\\x1e%d%c%d,%d,%s'%(n,j,len(b),h(b)+j,t),end='')"""
