"""What runs on the device: the agent, its source and the lines that install it.

The agent is one name in the device's `__main__`, `_k`; everything else lives in its own namespace.
It keeps the namespaces of the sessions, the functions that calls name by index, the last frame, and
the random id of this boot (DESIGN 3.4, 3.5). It is sent once a generation and removed when the
device is closed.

The source is MicroPython for the smallest board we know: 9 KB of memory, no `str.encode`, no
`sys.modules`, an `exec` that fails somewhere above 1 KB. Hence short names, one-space indents and
statements of less than `LONGEST_STATEMENT` bytes, each sent and executed by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from .device_values import DECODER_SOURCE, ENCODER_SOURCE
from .frames import COUNTS, PRIME, STRIDE, checksum

NAME: Final = "_k"
"""The agent's name in `__main__`: the only name of ours there."""

LONGEST_STATEMENT: Final = 700


class Entry(IntEnum):
    """The fixed entries of the device's function table.

    The first tasks have the numbers of one digit: each byte of a line costs the smallest board more
    than the host spends on all of the call.
    """

    EVAL = 10  # (namespace, source) -> the expression's value
    EXEC = 11  # (namespace, source) -> None
    ADD = 12  # (piece) -> None: a long source arrives in pieces
    APPLY = 13  # (entry, namespace) -> the entry applied to the assembled pieces
    OPEN = 14  # (namespace) -> None
    BIND = 15  # (entry, namespace, name) -> None: a deployed function gets its entry
    CLOSE = 16  # (namespace, entries) -> the free memory after it
    FREE = 17  # () -> the free memory after a collection
    STEP = 18  # (thread) -> the seconds to wait; this and the next are sent on first use
    STOP = 19  # (thread) -> whether it has ended


FIRST_TASK: Final = 0


def next_task(entry: int) -> int:
    """Return the entry for a task that follows `entry`, past the fixed ones."""
    return max(Entry) + 1 if entry + 1 == min(Entry) else entry + 1


FACTS: Final = b"W[0]=='<f',t!=None,y()"
"""What a board is asked once its agent stands: single floats, threads, free memory."""

AGENT_NAMESPACE: Final = 0
"""The agent's own namespace; sessions are numbered from 1."""

_CORE: Final = (
    # y: the free memory; z: the same on a small heap, else 0. The parser of such a board cannot
    # collect for itself: the agent does in time, looking after every second call.
    # h: a checksum in steps, for a long text would need its size again several times. f: a frame's
    # header, k its kind's code. q: count, last number, its header, the boot, its text.
    # u: the answer to a question for the status. k: one numbered call, as frames.py describes it.
    f"""\
def h(b):
 c=0
 for j in range((len(b)-1)//64*64,-1,-64):
  c=(c*{pow(256, 64, PRIME)}+int.from_bytes(b[j:j+64],'little'))%{PRIME}
 return c
""",
    f"""\
def f(n,k,t):
 b=bytes(t,'utf8')
 c=int.from_bytes(b,'little')%{PRIME} if len(b)<65 else h(b)
 return '\\x1e%d%c%d,%d,'%(n,k,len(b),c+k)
""",
    """\
def u(n,t):print(f(n,61,t)+t,end='')
""",
    f"""\
def k(n,i=0,*a):
 s=q[0]
 if n<0:return u(n,e((q[3],s,q[1],q[2]!='')))
 if n!=q[1]:
  if n!=(int.from_bytes(bytes(repr(a),'utf8'),'little')+s*{STRIDE}+i)%{PRIME}*2+s%2+2:return
  q[0]=(s+1)%{COUNTS}
  q[1]=n
  q[2]=q[4]=''
  try:
   v=G[i](*a)
   try:
    q[4]=e(v)
    q[2]=f(n,61,q[4])
   except MemoryError:
    gc.collect()
    q[4]=e(v)
    q[2]=f(n,61,q[4])
  except T as x:
   q[4]=str(x)
   q[2]=f(n,35,q[4])
  except Exception as x:
   q[4]=e((str(type(x))[8:-2],str(x)))
   q[2]=f(n,33,q[4])
   print(q[2]+q[4],end='')
   raise
 t=q[4]
 m=q[2]or f(n,63,'')
 if z and len(t)>99:
  print(m,t,sep='',end='')
  s=1
 else:print(m+t,end='')
 if z and(i>9 or s%2)and z()<4300:gc.collect()
""",
    """\
def E(s,x):return eval(x,S[s])
""",
    """\
def X(s,x):exec(x,S[s])
""",
    """\
def J(i,s):
 x=b''.join(B)
 B.clear()
 if z:gc.collect()
 return G[i](s,x)
""",
    """\
def O(s):S[s]={'__name__':'session'}
""",
    """\
def D(i,s,n):
 G[i]=S[s][n]
""",
    """\
def Q(s,i):
 for j in i:G.pop(j,0)
 S.pop(s,0)
 B.clear()
 return M()
""",
    """\
def M():
 gc.collect()
 return y()
""",
)


def statements(boot: str, count: int) -> list[str]:
    """Return the agent's source, statement by statement, to be executed in its own namespace.

    Args:
        boot: the random id of this boot.
        count: the random count that this generation's calls begin with.
    """
    setup = f"import gc,sys\nB=[]\nq=[{count},-1,'',{boot!r},'']"
    # Each import that fails, or finds a module of Python's name, looks through all of the files.
    threads = "t=None\nif sys.platform!='webassembly':\n try:import _thread as t\n"
    threads += " except ImportError:pass"
    table = "S={0:globals()}\nG={10:E,11:X,12:B.append,13:J,14:O,15:D,16:Q,17:M}"
    heap = "y=getattr(gc,'mem_free',lambda:-1)\nif y()<64000:gc.collect()\nz=0<y()<64000 and y"
    parts = [setup, threads, *split(DECODER_SOURCE), *split(ENCODER_SOURCE), *_CORE, table, heap]
    return list(gather(parts))


def gather(parts: list[str]) -> Iterator[str]:
    """Join neighbouring statements up to `LONGEST_STATEMENT` bytes: fewer round trips."""
    joined = ""
    for part in parts:
        if joined and len(joined) + len(part) >= LONGEST_STATEMENT:
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


def pieces(statement: str, room: int) -> list[bytes]:
    """Return the raw commands that assemble `statement` in `_k`, each at most `room` bytes long."""
    data = statement.encode()
    commands: list[bytes] = []
    start = 0
    while start < len(data):
        prefix = b"_k+=" if start else b"_k="
        size = room - len(prefix) - 3
        while len(literal := repr(data[start : start + size]).encode()) > room - len(prefix):
            size -= 1
        commands.append(prefix + literal)
        start += size
    return commands


def whole(statement: str, index: int) -> bytes:
    """Return the one command that assembles, proves and executes a statement, then says `index`."""
    data = statement.encode()
    proved = b"len(_k)==%d and int.from_bytes(_k,'little')%%%d==%d" % (
        len(data),
        PRIME,
        checksum(data),
    )
    return b"_k=%s\nif %s:print(exec(_k,_a)or %d)" % (repr(data).encode(), proved, index)


def proof_line() -> bytes:
    """Return the command that prints the assembled statement's length and checksum."""
    return b"print(len(_k),int.from_bytes(_k,'little')%%%d)" % PRIME


def proof(statement: str) -> bytes:
    """Return what the device prints for a statement that arrived whole."""
    data = statement.encode()
    return b"%d %d" % (len(data), checksum(data))
