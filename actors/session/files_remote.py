"""Files on the device: what is sent there for them, and the procedures that use it.

A piece of a file is one numbered call, so it is written once or not at all. Bytes travel as they are
wherever the board's parser takes them so: escaped, random data would be three times as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from klemheist.transports.errors import DeviceReset
from klemheist.transports.repl.agent import AGENT_NAMESPACE, Entry
from klemheist.transports.repl.conversation import Board
from klemheist.transports.repl.frames import call_number
from klemheist.transports.repl.procedures import Procedure, applied, exchange, numbered, sent

from .answers import Tracer, value_of

PRIME: Final = 65521
BLOCK: Final = 128
"""Bytes that the device reads at once while it computes a checksum."""

_COMMON: Final = (
    "import os\nYF={}",
    "def YO(i,p,m):YF[i]=open(p,m)",
    """\
def YX(i):
 g=YF.pop(i,0)
 if g:g.close()""",
    """\
def YW(i):
 n=0
 for b in B:n+=YF[i].write(b)
 B.clear()
 return n""",
    "def YR(i,n):return YF[i].read(n)",
    f"""\
def YV(g):
 c=0
 while 1:
  b=g.read({BLOCK})
  if not b:return c
  c=(c*257+int.from_bytes(b,'little'))%{PRIME}""",
)
"""YF: the open files by number. YO opens, YX closes, YW writes the pieces that `ADD` gathered, YR reads,
YV tells the checksum of an open file. The parser of the smallest board ends at some 120 bytes."""

_TREE: Final = (
    """\
def YS(p):
 s=os.stat(p)
 return s[6],s[0]&61440==16384""",
    """\
def YL(p):
 r=[]
 for n in os.listdir(p or '/'):
  s=os.stat(p+'/'+n)
  r.append((n,s[6],s[0]&61440==16384))
 return r""",
    """\
def YD(p):
 if YS(p)[1]:os.rmdir(p)
 else:os.remove(p)""",
)
"""YS: size and whether it is a directory. YL lists a directory, YD removes."""

_FLAT: Final = (
    "def YS(p):return os.size(p),False",
    """\
def YL(p):
 r=[]
 for n in os.listdir():r.append((n,os.size(n),False))
 return r""",
    "def YD(p):os.remove(p)",
)
"""The same where there are no directories: the micro:bit."""

_SOURCE: Final = b"hasattr(__import__('os'),'rename')"
_UNSURE: Final = bytes([5, 6, 8, 11, 12, *range(14, 32), 127, 128, 160, 195, 255])
"""Bytes that some parser or line might not carry unescaped, in a command of less than 60."""
_ESCAPED: Final = {
    byte: (b"\\x%02x" % byte) if chr(byte) not in "\\'" else b"\\" + bytes([byte])
    for byte in (0, 1, 2, 3, 4, 9, 10, 13, *b"\\'")
}
"""What no source may hold as it is: bytes 0 to 4 drive the REPL, line ends are changed, quotes end."""
_COST: Final = bytes(len(_ESCAPED.get(byte, b".")) for byte in range(256))


@dataclass(frozen=True, slots=True)
class Disk:
    """How this board's files are reached, asked once a boot."""

    raw: bool
    """Bytes of a piece may travel as they are."""
    renames: bool
    """It can rename, and has directories."""
    piece: int
    """Bytes that one call carries at most, by what the board's memory takes."""


def disk(board: Board) -> Procedure[Disk]:
    """Return how files are reached, sending the helpers where they are not there yet."""
    known = board.facts.get("disk")
    if isinstance(known, tuple) and known[0] == board.boot:
        return known[1]  # type: ignore[no-any-return]  # the pair that is put there below
    reply = yield from exchange(b"print(sum(b'%s'))" % _UNSURE)
    raw = reply.output.strip() == b"%d" % sum(_UNSURE)
    answer = yield from applied(board, Entry.EVAL, AGENT_NAMESPACE, _SOURCE)
    renames = bool((yield from value_of(board, answer, Tracer())))
    for statement in (*_COMMON, *(_TREE if renames else _FLAT)):
        answer = yield from applied(board, Entry.EXEC, AGENT_NAMESPACE, statement.encode())
        yield from value_of(board, answer, Tracer())
    found = Disk(raw, renames, min(board.longest // 4, 4096))
    board.facts["disk"] = (board.boot, found)
    return found


def asked(board: Board, expression: str) -> Procedure[object]:
    """Evaluate an expression over the helpers, such as `YS('main.py')`."""
    yield from disk(board)
    answer = yield from applied(board, Entry.EVAL, AGENT_NAMESPACE, expression.encode())
    return (yield from value_of(board, answer, Tracer()))


def opened(board: Board, number: int, path: str, mode: str) -> Procedure[str]:
    """Open a file; return the boot in which it is open."""
    yield from asked(board, f"YO({number},{path!r},{mode!r})")
    return board.boot


def written(board: Board, number: int, boot: str, data: bytes) -> Procedure[int]:
    """Write some of a file's bytes; return how many the device took."""
    there = yield from _still(board, boot)
    for piece in pieces(data, there.piece, room=board.credit, raw=there.raw, paste=board.paste):
        yield from _gather(board, piece, raw=there.raw)
    return int((yield from asked(board, f"YW({number})")))  # type: ignore[call-overload, no-any-return]


def some(board: Board, number: int, boot: str, size: int) -> Procedure[bytes]:
    """Read up to `size` bytes; fewer are the last ones."""
    there = yield from _still(board, boot)
    data = b""
    while len(data) < size:
        wanted = min(there.piece, size - len(data))
        piece = yield from asked(board, f"YR({number},{wanted})")
        assert isinstance(piece, bytes)
        data += piece
        if len(piece) < wanted:
            break
    return data


def proved(board: Board, number: int, boot: str, path: str) -> Procedure[tuple[object, object]]:
    """Close a file that was written; return its length and checksum, read back."""
    yield from _still(board, boot)
    yield from asked(board, f"YX({number})")
    size, _ = yield from asked(board, f"YS({path!r})")  # type: ignore[misc]  # the device's pair
    yield from asked(board, f"YO({number},{path!r},'rb')")
    found = yield from asked(board, f"YV(YF[{number}])")
    yield from asked(board, f"YX({number})")
    return size, found


def discarded(board: Board, number: int, paths: tuple[str, ...]) -> Procedure[None]:
    """Close a file, if it is open, and remove what is there of it."""
    yield from asked(board, f"YX({number})")
    for path in paths:
        answer = yield from applied(board, Entry.EXEC, AGENT_NAMESPACE, undo(path).encode())
        yield from value_of(board, answer, Tracer())


def undo(path: str) -> str:
    """Return self-contained code that removes a file, if it is there."""
    return f"import os\ntry:os.remove({path!r})\nexcept OSError:pass"


def checksum(data: bytes) -> int:
    """Return what `YV` finds for a file of these bytes."""
    found = 0
    for start in range(0, len(data), BLOCK):
        block = int.from_bytes(data[start : start + BLOCK], "little")
        found = (found * 257 + block) % PRIME
    return found


def pieces(data: bytes, most: int, *, room: int, raw: bool, paste: bool) -> Iterator[bytes]:
    """Cut data so that each piece, with what its bytes become in a source, goes out as one line."""
    limit = len(data) * 4 if paste else room - len(b"_k(131043,2,b'')") - 2
    start = 0
    while start < len(data):
        piece = data[start : start + most]
        if len(piece) * 4 > limit:
            piece = piece[: _fitting(piece, limit, raw=raw)]
        yield piece
        start += len(piece)


def _fitting(data: bytes, limit: int, *, raw: bool) -> int:
    """Return how many bytes fit, escaped, into `limit` bytes of source."""
    used = 0
    for count, byte in enumerate(data):
        used += _COST[byte] if raw else len(repr(bytes([byte]))) - 3
        if used > limit:
            return count
    return len(data)


def literal(piece: bytes) -> bytes:
    """Return a bytes literal that holds every byte as it is which may stand so in a source."""
    if len(piece.translate(None, _NEVER)) == len(piece):
        return b"b'%s'" % piece
    return b"b'%s'" % b"".join(_ESCAPED.get(byte) or bytes([byte]) for byte in piece)


_NEVER: Final = bytes(_ESCAPED)


def _gather(board: Board, piece: bytes, *, raw: bool) -> Procedure[None]:
    """Add one piece to those that `YW` writes."""
    if raw:
        arguments = repr((int(Entry.ADD), piece)).encode()
        number = call_number(arguments, board.count)
        line = b"_k(%d,%d,%s)" % (number, Entry.ADD, literal(piece))
        answer = yield from sent(board, number, line)
    else:
        answer = yield from numbered(board, Entry.ADD, piece)
    yield from value_of(board, answer, Tracer())


def _still(board: Board, boot: str) -> Procedure[Disk]:
    if board.boot != boot:
        raise DeviceReset("the device booted anew during a transfer", maybe_executed=True)
    return (yield from disk(board))
