"""What runs on the device: the agent, its source and the lines that install it.

The agent is one name in the device's `__main__`, `_k`; everything else lives in its own namespace.
It keeps the namespaces of the sessions, the functions that calls name by index, the last frame, and
the random id of this boot (DESIGN 3.4, 3.5). It is sent once a generation and removed when the
device is closed.

The source is MicroPython for the smallest board we know: 9 KB of memory, no `str.encode`, no
`sys.modules`, an `exec` that fails somewhere above 1 KB. Hence short names, one-space indents and
statements of less than `LONGEST_STATEMENT` bytes, each sent and executed by itself.

It comes in two halves. The first is enough for calls that take and give ints, short strings and the
like; it is small, because until it is there nobody is served. The second has floats, containers and
answers of any length; it is sent on first need, and the answer of a call that showed the need is
held meanwhile: no call runs twice. To a small heap it comes right after the first call of a small
function, and before anything else: later it might not fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from .device_values import DECODER_SOURCE, ENCODER_SOURCE, LITERALS_SOURCE
from .frames import COUNTS, PRIME, STRIDE, checksum

NAME: Final = "_k"
"""The agent's name in `__main__`: the only name of ours there."""

LONGEST_STATEMENT: Final = 700
SMALL_HEAP: Final = 64_000
"""Free bytes below which a heap is small."""
PARSER: Final = 1000
"""Bytes in one piece without which a small heap's parser takes no line (measured: 900)."""
LATE: Final = 300
"""Bytes of a statement of the second half: by then the heap is in fragments."""


class Entry(IntEnum):
    """The fixed entries of the device's function table.

    The first tasks have the numbers of one digit: each byte of a line costs the smallest board more
    than the host spends on all of the call.
    """

    EVAL = 10  # (source, namespace) -> the expression's value
    EXEC = 11  # (source, namespace[, entry, name]) -> None; the name it defines gets the entry
    ADD = 12  # (piece) -> None: a long source arrives in pieces, and is 0 in the call that needs it
    CALL = 13  # (source of a function, its arguments and a dict) -> what it returns
    STEP = 14  # (thread) -> the seconds to wait; this and the next are sent on first use
    STOP = 15  # (thread) -> whether it has ended
    MANY = 16  # (entry, calls, first arguments, ...) -> the calls' values; sent on first use


FIRST_TASK: Final = 0


def next_task(entry: int) -> int:
    """Return the entry for a task that follows `entry`, past the fixed ones."""
    return max(Entry) + 1 if entry + 1 == min(Entry) else entry + 1


AGENT_NAMESPACE: Final = 0
"""The agent's own namespace; sessions are numbered from 1."""

HASH: Final = b"lambda b:int.from_bytes(b,'little')%%%d" % PRIME
BEGIN: Final = b"_a={'h':%s}" % HASH
"""What makes the agent's namespace, with the checksum that proves all that follows."""

_CORE: Final = (
    "import gc",
    # e: a frame. This first one writes values of the types L; all else is held (kind 126) until the
    # second half is there, which also collects: i is the entry that was called.
    f"""\
{LITERALS_SOURCE}
def e(n,j,v,i=None):
 if j>60 and type(v)not in L:v=0;j=126
 t=repr(v);b=bytes(t,'utf8')
 print('\\x1e%d%c%d,%d,%s'%(n,j,len(b),h(b)+j,t),end='')
""",
    # k: one numbered call, as frames.py describes it, or with a number below zero the question for
    # the status, or a name of the agent's own. Q: the count of calls, M: the last number, D: the
    # kind of its answer, A: the answer, O: the boot. Ctrl-C may come between any two of them, so M
    # is the last: an answer is never taken for another call's. Nothing of ours but this function
    # stands on the stack below what is called, wherever its arguments come from: a small board has
    # room for seven functions there.
    f"""\
def k(n,i=0,*a):
 global Q,M,D,A
 s=Q
 if n<0:return S[0][i]if i else e(n,61,repr([Q,M,D,O]))
 if n!=M:
  if n!=(h(bytes(repr(a),'utf8'))+s*{STRIDE}+i)%{PRIME}*2+s%2+2:return
  D=63;A=0;Q=(s+1)%{COUNTS};M=n
  try:
   if i=={Entry.CALL:d}:s,a,w=E(*a);A=s(*a,**w)
   else:A=G[i](*a)
   D=61
  except Exception as x:A=str(type(x))[8:-2],str(x);D=33;e(n,33,A);raise
 e(n,D,A,i)
""",
    # J: the pieces B as one.
    """\
def J():x=b''.join(B);B.clear();gc.collect();return x
def E(x,s=0):return eval(x or J(),S.setdefault(s,{}))
def X(x,s,i=0,n=0):
 exec(x or J(),S.setdefault(s,{}))
 if n:G[i]=S[s][n]
""",
    # S: the namespaces, by number; each comes into being when it is first named. z: 0, or what says
    # the free memory of a small heap.
    """\
S={0:globals()}
B=[]
G={10:E,11:X,12:B.append}
z=0
gc.collect()
""",
)

_REST: Final = (
    # A small heap's parser needs room in one piece, and garbage lies all over it: the agent
    # collects after every second call. To ask first how much is free takes as long.
    f"""\
z=getattr(gc,'mem_free',int)
z=0<z()<{SMALL_HEAP} and z
""",
    # o: the checksum in steps, for a long text would need its size again several times.
    f"""\
def o(b):
 c=0
 for j in range((len(b)-1)//64*64,-1,-64):c=(c*{pow(256, 64, PRIME)}+h(b[j:j+64]))%{PRIME}
 return c
""",
    """\
def e(n,j,v,i=None):
 try:
  try:t=r(v)
  except T as x:t=str(x);j=35
  b=bytes(t,'utf8')
  m='\\x1e%d%c%d,%d,'%(n,j,len(b),(o(b)if len(b)>64 else h(b))+j)
 except MemoryError:t=b=0;gc.collect();raise
 if z and len(t)>99:print(m,t,sep='',end='')
 else:print(m+t,end='')
 if z and(j<61 or i!=None and(i>9 or n%2 or len(t)>99)):t=b=0;gc.collect()
""",
)


def first_half(
    boot: str, count: int, most: int = LONGEST_STATEMENT, *, ahead: str = ""
) -> list[str]:
    """Return the agent's source, statement by statement, to be executed in its own namespace.

    Args:
        boot: the random id of this boot.
        count: the random count that this generation's calls begin with.
        most: bytes of a statement.
        ahead: what takes over from a call that went ahead of it, the last one for now.
    """
    last = ahead or "M=-1;D=63"
    return list(gather([*_CORE, f"Q={count};O={boot!r};{last}"], most))


def second_half() -> list[str]:
    """Return what is sent on first need: floats, containers, and answers of any length."""
    return list(gather([*split(DECODER_SOURCE), *split(ENCODER_SOURCE), *_REST], most=LATE))


def gather(parts: list[str], most: int = LONGEST_STATEMENT) -> Iterator[str]:
    """Join neighbouring statements up to `most` bytes: fewer round trips."""
    joined = ""
    for part in parts:
        if joined and len(joined) + len(part) >= most:
            yield joined
            joined = ""
        joined += ("\n" if joined else "") + part.rstrip("\n")
    yield joined


def split(source: str) -> list[str]:
    """Split a source of simple layout into its top-level statements."""
    parts: list[str] = []
    for line in source.splitlines():
        if not line:
            continue
        if parts and line.startswith((" ", "except", "else", "finally")):
            parts[-1] += "\n" + line
        else:
            parts.append(line)
    return parts


class Way(NamedTuple):
    """How a statement gets onto the device: assembled under a name, proved, then executed."""

    name: bytes
    check: bytes
    run: bytes
    tidy: bytes
    """Before a statement is executed; nothing where the heap is fresh: the parser of a small board
    does not collect, and what assembling has left lying would stand between the functions."""


AT_FIRST: Final = Way(b"_k", b"_a['h']", b"exec(_k,_a)", b"")
"""While there is no agent: its own name, and `_a` for its namespace, which begins with `h`."""
LATER: Final = Way(b"_a", b"_k(-1,'h')", b"_k(-1,'X')(_a,0)", b"_k(-1,'gc').collect()")
"""Through the first half, which gives its own functions."""


def pieces(way: Way, statement: str, room: int) -> list[bytes]:
    """Return the raw commands that assemble a statement, each at most `room` bytes long."""
    data = statement.encode()
    commands: list[bytes] = []
    start = 0
    while start < len(data):
        prefix = way.name + (b"+=" if start else b"=")
        size = room - len(prefix) - 3
        while len(literal := repr(data[start : start + size]).encode()) > room - len(prefix):
            size -= 1
        commands.append(prefix + literal)
        start += size
    return commands


def proved(way: Way, statement: str, index: int) -> bytes:
    """Return the command that executes an assembled statement if it is whole, and says `index`."""
    proof = b"%s(%s)==%d" % (way.check, way.name, checksum(statement.encode()))
    return b"%s and print(%s or %d)" % (proof, way.run, index)


def whole(way: Way, statement: str, index: int) -> bytes:
    """Return the one command that proves a statement and executes it, and says `index`.

    It is an expression: where it is damaged, nothing gets a name.
    """
    literal = repr(statement.encode()).encode()
    return b"(lambda %s:%s)(%s)" % (way.name, proved(way, statement, index), literal)


def at_once(statement: str) -> bytes:
    """Return the one expression that proves the first half and gives the agent its name."""
    code = f"{statement}\nm['{NAME}']=k\ndel m".encode()
    run = b"lambda h,s:h(s)==%d and exec(s,{'h':h,'m':globals()})" % checksum(code)
    return b"(%s)(%s,%r)" % (run, HASH, code)
