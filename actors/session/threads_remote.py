"""Threads on the device: what is sent there for them, and the procedures that use it.

One form serves every port: a generator that yields the seconds to wait. Without `_thread` the host
runs one step at a time in the device's idle gaps; with it, a loop in a real thread drives the
generator, and a plain function may run there too, for as long as `klemheist_running()` is true.
"""

from __future__ import annotations

from typing import Any, Final

from klemheist.actors.errors import CapabilityError
from klemheist.actors.sources import Source
from klemheist.transports.repl.agent import Entry
from klemheist.transports.repl.attach import has_threads, soft_reset
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.lines import Gone, Procedure
from klemheist.transports.repl.once import numbered
from klemheist.transports.repl.procedures import evaluated, executed

from .answers import value_of
from .namespace import encoded
from .remote import Namespace

FINISHED: Final = -1
"""What a step returns when the generator came to its end."""

_BIND: Final = f"G[{Entry.STEP}]=N\nG[{Entry.STOP}]=U"

_STEPPED: Final = (
    "H={}",
    "def V(i,s,n,a):H[i]=S[s][n](*a)",
    """\
def N(i):
 try:return next(H[i])or 0
 except StopIteration:
  H.pop(i)
  return -1
 except:
  H.pop(i)
  raise""",
    """\
def U(i):
 g=H.pop(i,0)
 if g:g.close()""",
    _BIND,
)
"""H: the generators by thread id. V starts one, N runs a step, U ends one."""

_REAL: Final = (
    "import time,_thread as t\nAL={}\nAW={}\nAI={}",
    """\
def AD(i,g):
 for d in g:
  while d and d>0 and i in AW:
   time.sleep(min(d,.02))
   d-=.02
  if i not in AW:
   g.close()
   return""",
    """\
def AB(i,s,n,a):
 m=''
 try:
  AI[t.get_ident()]=i
  g=S[s][n](*a)
  if hasattr(g,'send'):AD(i,g)
 except Exception as x:m=str(type(x))[8:-2]+': '+str(x)
 AW.pop(i,0)
 AL.pop(i,0)
 AI.pop(t.get_ident(),0)
 print('\\x1eT%s,%s\\x1f'%(i,m),end='')""",
    """\
def V(i,s,n,a):
 S[s]['klemheist_running']=lambda:AI.get(t.get_ident())in AW
 AW[i]=AL[i]=1
 t.start_new_thread(AB,(i,s,n,a))""",
    """\
def U(i):
 AW.pop(i,0)
 return i not in AL""",
    "N=None",
    _BIND,
)
"""AL: the threads that live. AW: those that may go on. AI: the thread id by the port's own. AD
drives a generator. AB is a thread's whole life, which ends with an event in the output. U asks one
to end and says whether it has. (The names keep clear of those in `transports.repl.values`.)"""


def is_real(board: Board) -> bool:
    """Whether threads of this board are real ones."""
    return bool(board.facts.get("threads"))


def start(
    namespace: Namespace, board: Board, thread_id: str, source: Source, args: tuple[Any, ...]
) -> Procedure[None]:
    """Start a thread, sending its function and the helpers where they are not there yet.

    Raises:
        CapabilityError: a plain function on a port without `_thread`.
    """
    real = yield from has_threads(board)
    if not source.is_generator and not real:
        raise CapabilityError(
            f"{source.name}: this device has no _thread; add a yield of the seconds to wait"
        )
    yield from namespace.deploy(board, source)
    if board.facts.get("thread helpers") != board.boot:
        for statement in _REAL if real else _STEPPED:
            answer = yield from executed(board, statement)
            yield from value_of(board, answer, namespace.tracer)
        board.facts["thread helpers"] = board.boot
    passed = yield from encoded(board, (tuple(args),), {})
    line = f"V({thread_id!r},{namespace.number},{source.name!r},{passed})"
    answer = yield from evaluated(board, line)
    yield from value_of(board, answer, namespace.tracer)


def step(namespace: Namespace, board: Board, thread_id: str, boot: str) -> Procedure[object]:
    """Run one step; return the seconds to wait, or `FINISHED`; None where the boot is another."""
    if board.boot != boot:
        return None
    answer = yield from numbered(board, Entry.STEP, thread_id)
    return (yield from value_of(board, answer, namespace.tracer))


def reset(board: Board) -> Procedure[None]:
    """Make the interpreter boot anew: it is the end of all threads.

    Raises:
        Gone: always; the Device attaches to the new boot and tells everybody.
    """
    del board
    yield from soft_reset()
    raise Gone("a thread did not stop")


def ended(thread_id: str, *, real: bool) -> str:
    """Return the agent's code that ends a thread later, when nobody waits for it any more.

    A real one is waited for, as long as one that goes by the rules may take (`AD`) and some more.
    """
    if real:
        return f"'U'in globals()and any(U({thread_id!r})or time.sleep(.01)for _ in range(50))"
    return f"U({thread_id!r})if'U'in globals()else 0"


def stop(namespace: Namespace, board: Board, thread_id: str, boot: str) -> Procedure[object]:
    """Ask a thread to end; return False while it has not."""
    if board.boot != boot or board.facts.get("thread helpers") != boot:
        return True  # it went with its boot, or was never started
    answer = yield from numbered(board, Entry.STOP, thread_id)
    return (yield from value_of(board, answer, namespace.tracer)) is not False
