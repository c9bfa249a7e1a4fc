"""Files on the device: the procedures that every board has, and those of the smallest.

A piece of a file is one numbered call, so it is written once or not at all. Bytes travel as they
are wherever the board's parser takes them so: escaped, random data would be three times as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from klemheist.transports.errors import DeviceReset
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.frames import call_number
from klemheist.transports.repl.keeping import unbind
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.once import numbered, sent
from klemheist.transports.repl.procedures import executed

from .answers import Tracer, value_of
from .files_disk import BLOCK, PRIME, Disk, asked, disk, execute

KIND: Final = 0o170000
DIRECTORY: Final = 0o040000
"""The bits of `os.stat(…)[0]` that say what it is."""
_ESCAPED: Final = {
    byte: (b"\\x%02x" % byte) if chr(byte) not in "\\'" else b"\\" + bytes([byte])
    for byte in (0, 1, 2, 3, 4, 9, 10, 13, *b"#\\'")
}
"""What no source may hold as it is: bytes 0 to 4 drive the REPL, line ends change, quotes end."""
_COST: Final = bytes(len(_ESCAPED.get(byte, b".")) for byte in range(256))


def opened(board: Board, number: int, path: str, mode: str) -> Procedure[str]:
    """Open a file; return the boot in which it is open."""
    yield from asked(board, f"YF.update({{{number}:open({path!r},{mode!r})}})")
    return board.boot


def closed(board: Board, number: int) -> Procedure[object]:
    """Close a file, if it is open."""
    return (yield from asked(board, f"{number} in YF and YF.pop({number}).close()"))


def status(board: Board, path: str) -> Procedure[tuple[int, bool, int]]:
    """Return a file's size, whether it is a directory, and its time."""
    there = yield from disk(board)
    if there.renames:
        found = yield from asked(board, f"tuple(os.stat({path!r}))[:9]")
        assert isinstance(found, tuple)
        return found[6], found[0] & KIND == DIRECTORY, found[8]
    size = yield from asked(board, f"os.size({path!r})")
    assert isinstance(size, int)
    return size, False, 0


def listed(board: Board, path: str) -> Procedure[list[tuple[str, int, bool, int]]]:
    """Return name, size, whether it is a directory, and time, of all that is in a directory."""
    there = yield from disk(board)
    if there.renames:
        stem = path.rstrip("/")
        code = f"[(n,)+YD({stem + '/'!r}+n)for n in os.listdir({stem or '/'!r})]"
        found = yield from asked(board, code)
        assert isinstance(found, list)
        return found
    found = yield from asked(board, "[(n,os.size(n))for n in os.listdir()]")
    assert isinstance(found, list)
    return [(*each, False, 0) for each in found]


def removed(board: Board, path: str) -> Procedure[object]:
    """Remove a file or an empty directory."""
    there = yield from disk(board)
    remove = f"(os.rmdir if YD({path!r})[1]else os.remove)" if there.renames else "os.remove"
    return (yield from asked(board, f"{remove}({path!r})"))


def tried(board: Board, number: int, path: str, size: int) -> Procedure[int]:
    """Write and remove a file of a flat disk; return how many bytes of it the disk took.

    How the disk says that it is full differs: it takes fewer bytes, or raises.
    """
    yield from disk(board)
    boot = board.boot
    code = (
        f"YF[-1]=0\ntry:\n YF[{number}]=y=open({path!r},'wb')\n while YF[-1]<{size}:\n"
        f"  k=y.write(bytes(min({BLOCK},{size}-YF[-1])));YF[-1]+=k\n  if k<1:break\n"
        "except OSError:pass"
    )
    yield from execute(board, code)
    yield from discarded(board, number, path)
    yield from _still(board, boot)
    taken = yield from asked(board, "YF.pop(-1)")
    assert isinstance(taken, int)
    return taken


def begun(board: Board, number: int, path: str, entry: int) -> Procedure[str]:
    """Open a file to write, its `write` becoming a function that calls name by index.

    Nothing of the data waits on the device then: pieces in a small heap leave it in fragments.
    """
    yield from disk(board)
    code = f"y=open({path!r},'wb')\nYF[{number}]=y\nG[{entry}]=y.write"
    answer = yield from executed(board, code)
    yield from value_of(board, answer, Tracer())
    return board.boot


def written(board: Board, entry: int, boot: str, data: bytes) -> Procedure[int]:
    """Write some of a file's bytes; return how many the device took."""
    there = yield from _still(board, boot)
    taken = 0
    cut = pieces(data, there.piece, room=board.credit, raw=there.raw, paste=board.paste)
    for piece in cut:
        taken += yield from _write(board, entry, piece, raw=there.raw)
    return taken


def some(board: Board, number: int, boot: str, size: int) -> Procedure[bytes]:
    """Read up to `size` bytes; fewer are the last ones."""
    there = yield from _still(board, boot)
    data = b""
    while True:
        wanted = min(there.answer, size - len(data))
        piece = yield from asked(board, f"YF[{number}].read({wanted})")
        assert isinstance(piece, bytes)
        data += piece
        if len(piece) < wanted or len(data) == size:
            return data


def proved(
    board: Board, number: int, boot: str, path: str, entry: int
) -> Procedure[tuple[object, object]]:
    """Close a file that was written; return its length and checksum, read back."""
    yield from _still(board, boot)
    yield from closed(board, number)
    yield from unbind(board, entry)
    size, _, _ = yield from status(board, path)
    yield from opened(board, number, path, "rb")
    found = yield from asked(board, f"YV(YF[{number}])")
    yield from closed(board, number)
    return size, found


def discarded(board: Board, number: int, path: str) -> Procedure[None]:
    """Close a file, if it is open, and remove what is there of it."""
    yield from closed(board, number)
    yield from execute(board, undo(path))


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
    limit = len(data) * 4 if paste else room - len(b"_k(131043,999,b'')") - 2
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


def _write(board: Board, entry: int, piece: bytes, *, raw: bool) -> Procedure[int]:
    if raw:
        number = call_number(entry, repr((piece,)).encode(), board.count)
        answer = yield from sent(board, number, b"_k(%d,%d,%s)" % (number, entry, literal(piece)))
    else:
        answer = yield from numbered(board, entry, piece)
    taken = yield from value_of(board, answer, Tracer())
    return taken if isinstance(taken, int) else 0


def _still(board: Board, boot: str) -> Procedure[Disk]:
    if board.boot != boot:
        raise DeviceReset("the device booted anew during a transfer", maybe_executed=True)
    return (yield from disk(board))
