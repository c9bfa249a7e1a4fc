"""Files of a device with directories: the procedures over the kit (`klemheist.actors.files.kit`).

Bytes go the fastest way that the device has: through the running code's standard input and output,
past the parser, where input waits until it is read; else in numbered calls, compressed where that
helps. The first way is proved piece by piece, and left for good when a piece arrives damaged.
"""

from __future__ import annotations

import zlib
from ast import literal_eval
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import dirname
from typing import Final

from klemheist.actors.errors import DeviceError, DeviceFileNotFoundError
from klemheist.actors.files import kit
from klemheist.actors.files.kit import Order
from klemheist.transports.repl.agent import AGENT_NAMESPACE, Entry
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.frames import Frame, FrameKind, call_number
from klemheist.transports.repl.lines import Procedure, enter, status
from klemheist.transports.repl.once import sent
from klemheist.transports.repl.procedures import applied
from klemheist.transports.repl.steps import Do, Reply, Step
from klemheist.transports.repl.syntax import parsed

from . import files_disk as disks
from . import files_remote as remote
from .answers import Tracer, value_of
from .files_disk import Disk

STREAM_SECONDS: Final = 3.0
"""Seconds for a streamed call; on such a device it takes a few milliseconds."""
STREAM_TRIES: Final = 2
WORTH_IT: Final = 0.9
"""Data is sent compressed where it gets at least so much shorter."""
MOST_ORDERS: Final = 64
"""Orders in one batch."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is below a directory."""

    free: int
    """Bytes; -1 where the device does not say."""
    manifest: bytes
    listing: str


def found(board: Board, root: str, manifest: str) -> Procedure[Found]:
    """Return all that is below `root`, and the manifest; one round trip."""
    answer = yield from disks.asked(board, f"YS({root!r},{manifest!r})")
    assert isinstance(answer, tuple)
    return Found(*answer)


def room(board: Board, path: str) -> Procedure[tuple[int, bool]]:
    """Return the free bytes where a path lies, -1 where the device does not say.

    And whether the path itself is a directory.
    """
    above = dirname(path) or "/"
    answer = yield from disks.asked(board, f"(YA({above!r}),YD({path!r})[1])")
    assert isinstance(answer, tuple)
    return answer


def hashed(board: Board, path: str, size: int) -> Procedure[tuple[int, int] | None]:
    """Return length and checksum of the first `size` bytes of a file; None where it is not."""
    there = f"YV({path!r},{size})"
    try:
        answer = yield from disks.asked(board, there)
    except DeviceError as error:
        if isinstance(error, DeviceFileNotFoundError) or error.kind == "OSError":
            return None
        raise
    assert isinstance(answer, tuple)
    return answer


def all_hashed(board: Board, paths: list[str]) -> Procedure[list[tuple[int, int]]]:
    """Return length and checksum of whole files, as many in one call as one line names."""
    answer = yield from disks.asked(board, f"[YV(p,1<<30)for p in {paths!r}]")
    assert isinstance(answer, list)
    return answer


# -- to the device ---------------------------------------------------------------------------------


def batched(board: Board, orders: list[Order], data: bytes) -> Procedure[list[int]]:
    """Carry out orders; return the times of the files that got their names.

    Args:
        board: the device.
        orders: what to do, in this order.
        data: the bytes that they write, end to end.

    Raises:
        DeviceError: the device could not do one; those before it are done.
    """
    there = yield from disks.disk(board)
    if there.streams:
        times = yield from _streamed(board, orders, data)
        if times is not None:
            return times
        there = yield from disks.disk(board)
    times = []
    for some, part in cut(orders, data, there.piece):
        times += yield from _called(board, there, some, part)
    return times


def cut(orders: list[Order], data: bytes, most: int) -> Iterator[tuple[list[Order], bytes]]:
    """Cut a batch into such of at most `most` bytes, files in pieces where they are longer."""
    some: list[Order] = []
    room, start, at = most, 0, 0
    for order in pieces(orders, most):
        size = max(order.size, 0)
        cost = size + len(order.part) + len(order.target) + 16
        if some and cost > room:
            yield some, data[start:at]
            some, room, start = [], most, at
        some.append(order)
        at += size
        room -= cost
    if some:
        yield some, data[start:at]


def pieces(orders: list[Order], most: int) -> Iterator[Order]:
    """Cut orders that write more than `most` bytes; the last piece renames."""
    for part, offset, size, target in orders:
        done = 0
        while size - done > most:
            yield Order(part, offset + done, most)
            done += most
        yield Order(part, offset + done, size - done, target)


def _streamed(board: Board, orders: list[Order], data: bytes) -> Procedure[list[int] | None]:
    """Send a batch to the standard input of the code that carries it out; None where it failed."""
    head = kit.header(orders)
    body = head + data
    check = zlib.crc32(body, len(head))
    gaps, body = kit.masked(body)
    number, _ = board.question()
    numbers = (number, len(gaps), len(head), len(body), check)
    line = b"_k(-1,'YU')(%d,%d,%d,%d,%d)" % numbers
    reply = yield Step(Do.EXECUTE, line, within=STREAM_SECONDS, payload=gaps + body)
    said, _, answer = reply.output.strip().partition(b" ")
    if reply.ended and not reply.error and said == b"%d" % number:
        times = _times(answer, sum(bool(order.target) and order.size >= 0 for order in orders))
        if times is not None:
            return times
    yield from _raised(board, reply)
    yield from _give_up_streams(board)
    return None


def _times(answer: bytes, count: int) -> list[int] | None:
    """Return the times in an answer that no check covers; None where it arrived damaged."""
    try:
        found = literal_eval(parsed(answer.decode(), "eval"))
    except (ValueError, SyntaxError):
        return None
    is_whole = isinstance(found, list) and len(found) == count
    return found if is_whole and all(type(each) is int for each in found) else None


def _raised(board: Board, reply: Reply) -> Procedure[None]:
    """Raise what the kit raised; other errors are damage, or of a device that booted anew."""
    last = reply.error.rstrip().rpartition(b"\n")[2]
    if reply.ended and last.startswith((b"OSError", b"MemoryError")):
        yield from value_of(board, (Frame(0, FrameKind.UNFINISHED, ""), reply.error), Tracer())


def _give_up_streams(board: Board) -> Procedure[None]:
    """Get to the prompt whatever is left of the stream, and take the other way from now on.

    Raises:
        Gone: the device booted anew.
    """
    yield from enter()
    yield from status(board)
    disks.forget_streams(board)


def _called(board: Board, there: Disk, orders: list[Order], data: bytes) -> Procedure[list[int]]:
    """Carry out a batch in one numbered call."""
    head, entry = kit.header(orders), disks.BATCH
    if there.inflates and len(data) * WORTH_IT > len(small := kit.deflated(data)):
        data, entry = small, disks.INFLATE
    number = call_number(entry, repr((head, data)).encode(), board.count)
    quoted = remote.literal if there.raw else _quoted
    line = b"_k(%d,%d,%s,%s)" % (number, entry, quoted(head), quoted(data))
    if board.paste or len(line) < board.credit:
        answer = yield from sent(board, number, line)
    else:
        source = b"G[%d](%s,%s)" % (entry, repr(head).encode(), repr(data).encode())
        answer = yield from applied(board, Entry.EVAL, source, AGENT_NAMESPACE)
    times = yield from value_of(board, answer, Tracer())
    assert isinstance(times, list)
    return times


def _quoted(data: bytes) -> bytes:
    return repr(data).replace("#", "\\x23").encode()


# -- from the device -------------------------------------------------------------------------------


def fetched(board: Board, path: str, offset: int, size: int) -> Procedure[tuple[bytes, int, int]]:
    """Return bytes of a file, and the size and time that it has now."""
    there = yield from disks.disk(board)
    for _ in range(STREAM_TRIES if there.streams and size else 0):
        piece = yield from _streamed_back(board, path, offset, size)
        if piece is not None:
            return piece
    if there.streams and size:
        yield from _give_up_streams(board)
    data, whole, time = b"", 0, 0
    while True:
        wanted = min(there.answer, size - len(data))
        answer = yield from disks.asked(board, f"YR({path!r},{offset + len(data)},{wanted})")
        assert isinstance(answer, tuple)
        some, whole, time = answer
        data += some
        if len(some) < wanted or len(data) == size:
            return data, whole, time


def _streamed_back(
    board: Board, path: str, offset: int, size: int
) -> Procedure[tuple[bytes, int, int] | None]:
    """Have the running code write bytes of a file as they are; None where they came damaged."""
    number, _ = board.question()
    line = b"_k(-1,'YG')(%d,%s,%d,%d)" % (number, ascii(path).encode(), offset, size)
    reply = yield Step(Do.EXECUTE, line, within=STREAM_SECONDS, raw=2 * size)
    if not reply.ended:
        yield from enter()
        return None
    yield from _raised(board, reply)
    said = reply.output.split(b",")
    if len(said) != 4 or not all(each.lstrip(b"-").isdigit() for each in said):
        return None
    said_number, length, whole, time = map(int, said)
    data = bytes(reply.raw[:size])
    if said_number != number or data != reply.raw[size:]:
        return None
    return data[:length], whole, time


__all__ = [
    "Found",
    "all_hashed",
    "batched",
    "cut",
    "fetched",
    "found",
    "hashed",
    "room",
]
