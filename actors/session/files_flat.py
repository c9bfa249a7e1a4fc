"""Reading and writing on a device without directories, whose files have one name for ever.

There a file is written in its place, from the beginning: the old one is gone when the new one is
begun. So the room for the new one is tried out before.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from klemheist.actors.errors import (
    DeviceDiskFullError,
    DeviceFileError,
    DeviceFileNotFoundError,
    DeviceIsADirectoryError,
)
from klemheist.actors.files import kit
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.lines import Procedure

from . import files_remote as remote
from .files_calls import (
    FAULTS,
    MOST_FAULTS,
    FileCalls,
    Report,
    Transfer,
    beside,
    full,
    numbers,
    transfer_name,
)
from .ledger import EntryKind

T = TypeVar("T")

TURN: Final = 16
"""Pieces in one turn: then other sessions have theirs."""


class FlatTransfers(FileCalls):
    """Whole files of a flat disk, in both directions."""

    def turn(self) -> int:
        """Return how many bytes one turn of a transfer moves."""
        board = self.core.port.board
        known = board.facts.get("disk")
        if isinstance(known, tuple) and known[1].streams:
            return kit.STREAM_BLOCK
        return board.longest // 4 * TURN

    def read_flat(self, path: str, report: Report | None) -> Transfer[bytes]:
        """Read a file to its end; it stays open on the device meanwhile."""
        total, *_ = yield self.go(path, "read", partial(remote.status, path=path))
        number, data = next(numbers), bytearray()
        boot = yield self.go(path, "read", lambda b: remote.opened(b, number, path, "rb"))
        try:
            while True:
                size = self.turn()
                some = yield self.go(
                    path,
                    "read",
                    partial(remote.some, number=number, boot=boot, size=size),
                    changes=True,
                )
                data += some
                if report is not None:
                    report((len(data), max(total, len(data))))
                if len(some) < size:
                    return bytes(data)
        finally:
            self.go(path, "read", lambda b: remote.closed(b, number))

    def check_flat_room(self, path: str, needed: int, number: int) -> Transfer[None]:
        """Refuse what cannot fit in the place of a file that is there, which would be lost.

        Such a device does not say what is free: a file is written of as many bytes as the new one
        is longer, and removed. It takes at least the blocks that the new one takes besides.
        """
        if path.strip("/") in ("", ".", ".."):
            raise DeviceIsADirectoryError(path)
        try:
            old, *_ = yield self.go(path, "write", partial(remote.status, path=path))
        except DeviceFileNotFoundError:
            return
        more = needed - old
        if more <= 0:
            return
        name = f"{transfer_name(number)}r"
        place = beside(path, name)
        trial = self.hold("transfer", place, f"transfer {name}", number)
        trying = partial(remote.tried, number=number, path=place, size=more)
        try:
            taken = yield from _again(lambda: self._try(path, trying))
        except BaseException:
            yield self.core.clean_one(EntryKind.RESOURCE, trial.resource_id)
            raise
        self.release(trial)
        if taken < more:
            raise DeviceDiskFullError(path, needed=needed, free=old + taken)

    def _try(self, path: str, trying: Callable[[Board], Procedure[int]]) -> Transfer[int]:
        taken: int = yield self.go(path, "write", trying, changes=True)
        return taken

    def send_flat(
        self, path: str, data: bytes, number: int, report: Report | None
    ) -> Transfer[None]:
        """Send to a device that can only write from the beginning; prove the whole."""
        yield from _again(lambda: self._send(path, data, number, report))

    def _send(self, part: str, data: bytes, number: int, report: Report | None) -> Transfer[None]:
        entries = self.core.namespace._numbers  # noqa: SLF001 -- the device's, for all its sessions
        entry = entries.entry()
        try:
            begun = partial(remote.begun, number=number, path=part, entry=entry)
            try:
                boot = yield self.go(part, "write", begun, changes=True)
            except DeviceFileNotFoundError as error:  # so it calls what it does not make
                text = "the device makes no file of this name; give a shorter one, or remove files"
                raise DeviceFileError(part, text, code=error.code) from error
            size = self.core.port.board.longest // 4 * TURN
            for start in range(0, len(data), size):
                some = data[start : start + size]
                try:
                    taken = yield self.go(
                        part, "write", partial(_taken, entry, boot, some), changes=True
                    )
                except DeviceFileError as error:
                    raise full(error, part, len(data), start) from error
                if taken != len(some):
                    raise DeviceDiskFullError(part, needed=len(data), free=start + taken)
                if report is not None:
                    report((start + len(some), len(data)))
            proved = partial(remote.proved, number=number, boot=boot, path=part, entry=entry)
            found = yield self.go(part, "write", proved, changes=True)
        finally:
            entries.free_entries.append(entry)
        if found != (len(data), remote.checksum(data)):
            raise damaged(part, len(data), found[0])


def _again(begin: Callable[[], Transfer[T]]) -> Transfer[T]:
    """Begin anew after each fault of the link, as often as one transfer outlives them."""
    for _ in range(MOST_FAULTS):
        with suppress(*FAULTS):
            return (yield from begin())
    return (yield from begin())


def damaged(path: str, sent: int, kept: int) -> DeviceFileError:
    """Return the error of a file that is not what was sent."""
    text = (
        f"of {sent} bytes the device kept {kept}, or others; look for free space and write it again"
    )
    return DeviceFileError(path, text, code="EIO")


def _taken(entry: int, boot: str, some: bytes, board: Board) -> Procedure[int]:
    return (yield from remote.written(board, entry, boot, some))
