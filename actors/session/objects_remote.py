"""Objects that stay on the device: what is sent there for them, and the procedures that use it.

A generator or an object behind a proxy is an entry of its session's own table there, so that
nothing of it is a name that user code sees, and all of it goes at once when the session ends.
"""

from __future__ import annotations

from typing import Final

from klemheist.actors.errors import CapabilityError, DeviceError
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.frames import Frame, FrameKind
from klemheist.transports.repl.install import complete
from klemheist.transports.repl.keeping import unbind
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.once import numbered
from klemheist.transports.repl.procedures import evaluated, executed

from .answers import Tracer, value_of

_TABLE: Final = ("PO={}",)
"""PO: the objects by session and number. Those from 0 on are generators, whose number is an entry
of the function table too."""

_GENERATORS: Final = (
    """\
def PG(s,i,g):
 def Pn(v):
  try:return g.send(v)
  except BaseException as x:
   PO[s].pop(i,0)
   G.pop(i,0)
   if type(x)is StopIteration and x.value is not None:
    G[i]=x.value
    raise StopIteration(1)
   raise
 G[i]=Pn
 PO.setdefault(s,{})[i]=g""",
)
"""PG holds a generator; each value is a call of its entry, since the stack of a small board ends
three calls further. One that has ended is gone; what it returned, if that is not None, waits in its
entry to be taken."""

RETURNED: Final = "1"
"""What its last StopIteration says where it returned something."""

_PROXIES: Final = (
    """\
def PH(s,i,*v):
 v=v[0]if v else PO.pop('v')
 PO.setdefault(s,{})[i]=v
 return str(type(v))[8:-2]""",
    """\
def PK(s,i,*v):
 v=v[0]if v else PO.pop('v')
 try:
  g(v,0)
  return v,
 except T:
  PO.setdefault(s,{})[i]=v
  return str(type(v))[8:-2]""",
    "G[-1]=PH",
    "G[-2]=PK",
)
"""PH holds an object and returns its type. PK returns what a literal can say, in a tuple of one;
all else it holds. Both take it as an argument, or from the table where it was put under 'v'."""

GENERATORS: Final = "generator helpers"
PROXIES: Final = "proxy helpers"
_HELPERS: Final = {GENERATORS: _GENERATORS, PROXIES: _PROXIES}
_AT_ONCE: Final = 8
"""Objects that one call lets go of: its line fits a small board's credit."""


def helped(board: Board, what: str) -> Procedure[None]:
    """Send the helpers, where they are not there yet.

    Raises:
        CapabilityError: proxies need the agent's second half, which does not fit.
    """
    for part, statements in (("objects", _TABLE), (what, _HELPERS[what])):
        if board.facts.get(part) == board.boot:
            continue
        if part == PROXIES and not (yield from complete(board)):
            raise CapabilityError("this device has no memory left for proxies; end a session on it")
        for statement in statements:
            answer = yield from executed(board, statement)
            yield from value_of(board, answer, Tracer())
        board.facts[part] = board.boot


def kept(
    board: Board, keep: str, space: int, number: int, text: str
) -> Procedure[tuple[Frame, bytes]]:
    """Evaluate an expression for `PK` or `PH`.

    Where memory is small, so is the stack: there it is two calls, each of them less deep.
    """
    if not board.cramped:
        return (yield from evaluated(board, f"{keep}({space},{number},{text})"))
    answer = yield from executed(board, f"PO['v']={text}")
    if answer[0].kind is FrameKind.VALUE:
        answer = yield from numbered(board, -1 if keep == "PH" else -2, space, number)
    return answer


def throw(
    board: Board, generator: str, error: str, entry: int, tracer: Tracer
) -> Procedure[object]:
    """Raise an exception where a generator waits; return its next value.

    Args:
        board: the device.
        generator: what gives it there, as source.
        error: what makes the exception, as source.
        entry: a free one, which is free again afterwards.
        tracer: maps the traceback.
    """
    define = f"def PT(g={generator},x={error}):return g.throw(x)"
    for statement in (define, f"G[{entry}]=PT", "del PT"):  # one by one, for a small stack
        answer = yield from executed(board, statement)
        yield from value_of(board, answer, tracer)
    answer = yield from numbered(board, entry)
    yield from unbind(board, entry)
    return (yield from value_of(board, answer, tracer))


def close(board: Board, space: int, generator: int, tracer: Tracer) -> Procedure[None]:
    """Close a generator, if it is there: it is popped before.

    Raises:
        DeviceError: it raised; it is gone all the same.
    """
    there = f"{generator} in PO.get({space},())"
    code = f"G[{generator}]=PO[{space}].pop({generator}).close if {there} else int"
    answer = yield from executed(board, code)
    yield from value_of(board, answer, tracer)
    answer = yield from numbered(board, generator)
    yield from unbind(board, generator)
    yield from value_of(board, answer, tracer)


def let_go(board: Board, space: int, objects: list[int]) -> Procedure[None]:
    """Forget some of a session's objects, which are no generators."""
    for start in range(0, len(objects), _AT_ONCE):
        some = ",".join(f"x({each},0)" for each in objects[start : start + _AT_ONCE])
        answer = yield from executed(board, f"x=PO.get({space},{{}}).pop\n[{some}]\nx=0")
        yield from value_of(board, answer, Tracer())


def let_all_go(
    board: Board, space: int, generators: list[int], tracer: Tracer
) -> Procedure[DeviceError | None]:
    """Let go of all that a session holds; return what a generator raised while it was closed."""
    failed = None
    if board.facts.get("objects") == board.boot:
        for each in generators:
            try:
                yield from close(board, space, each, tracer)
            except DeviceError as error:
                failed = error
        yield from evaluated(board, f"PO.pop({space},0)is 0")
    return failed
