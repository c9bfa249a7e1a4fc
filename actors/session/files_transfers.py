"""Reading and writing: piece by piece, each proved, going on after a fault of the link.

A turn of a transfer is one call in the session's queue, so other sessions have their turns during a
long one. What is written goes to a file beside its place, is proved there, and is then renamed,
where the device can rename; a transfer that fails leaves nothing behind, however it failed.

A transfer that loses its link goes on when the device is back: from the last piece that is proved
to be there, else from the beginning.
"""

from __future__ import annotations

import itertools
from functools import partial
from posixpath import dirname
from typing import Final

from klemheist.actors.errors import (
    DeviceDiskFullError,
    DeviceFileError,
    DeviceFileNotFoundError,
    DeviceIsADirectoryError,
)
from klemheist.actors.files import kit
from klemheist.actors.files.kit import Order
from klemheist.actors.operation import Steps, operation
from klemheist.actors.runtime.future import Future
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.lines import Procedure

from . import files_disk as disks
from . import files_remote as remote
from . import files_tree as tree
from .files_calls import (
    FAULTS,
    MOST_FAULTS,
    FileCalls,
    Report,
    Transfer,
    numbers,
    transfer_name,
)
from .ledger import EntryKind

TURN: Final = 16
"""Pieces in one turn: then other sessions have theirs."""
MOST_OF_NAME: Final = 50
"""Characters of a file's name that its part's name has."""
MOST_CHANGES: Final = 3
"""How often a file may change while it is read, before that is an error."""


class Transfers(FileCalls):
    """Whole files, in both directions."""

    # -- reading -----------------------------------------------------------------------------------

    def read(self, path: str, report: Report | None = None) -> Future[bytes]:
        """Read a file, turn by turn."""
        return self.recorded("read", path, self._read(path, report))

    @operation
    def _read(self, path: str, report: Report | None) -> Steps[bytes]:
        there = yield self.go(path, "read", disks.disk)
        reading = self._read_whole if there.renames else self._read_flat
        return (yield from reading(path, report))

    def _read_whole(self, path: str, report: Report | None) -> Transfer[bytes]:
        """Read piece by piece, each by its place: a fault of the link costs one piece."""
        whole, is_dir, time = yield self.go(path, "read", partial(remote.status, path=path))
        if is_dir:
            raise DeviceIsADirectoryError(path)
        data, known, faults, changes = bytearray(), (whole, time), 0, 0
        while True:
            size = min(self.turn(), known[0] - len(data))
            fetch = partial(tree.fetched, path=path, offset=len(data), size=size)
            try:
                some, *found = yield self.go(path, "read", fetch)
            except FAULTS:
                faults += 1
                if faults > MOST_FAULTS:
                    raise
                continue
            if tuple(found) != known:
                changes += 1
                if changes > MOST_CHANGES:
                    raise DeviceFileError(path, "it changes while it is read; stop who writes it")
                data, known = bytearray(), tuple(found)
                continue
            data += some
            if report is not None:
                report((len(data), known[0]))
            if len(data) >= known[0] or not some:
                return bytes(data)

    def _read_flat(self, path: str, report: Report | None) -> Transfer[bytes]:
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

    def turn(self) -> int:
        """Return how many bytes one turn of a transfer moves."""
        board = self.core.port.board
        known = board.facts.get("disk")
        if isinstance(known, tuple) and known[1].streams:
            return kit.STREAM_BLOCK
        return board.longest // 4 * TURN

    # -- writing -----------------------------------------------------------------------------------

    def write(
        self,
        path: str,
        data: bytes,
        temporary: bool,  # noqa: FBT001 -- `Files.write` has it as a keyword
        report: Report | None = None,
    ) -> Future[None]:
        """Write a file, turn by turn, prove it, and put it in its place."""
        writing = self._write(path, data, temporary, report)
        return self.recorded("write", path, writing, len(data))

    @operation
    def _write(
        self,
        path: str,
        data: bytes,
        temporary: bool,  # noqa: FBT001 -- as above
        report: Report | None,
    ) -> Steps[None]:
        there = yield self.go(path, "write", disks.disk)
        if there.renames:
            yield from self.check_room(path, len(data))
        if temporary:
            self.hold("file", path, f"file {path}")
        number = next(numbers)
        name = transfer_name(number)
        part = beside(path, name) if there.renames else path
        transfer = self.hold("transfer", part, f"transfer {name}", number)
        try:
            if there.renames:
                yield from self._send_whole(path, part, data, report)
            else:
                yield from self._send_flat(path, data, number, report)
        except BaseException:
            yield self.core.clean_one(EntryKind.RESOURCE, transfer.resource_id)
            raise
        self.release(transfer)

    def check_room(self, path: str, needed: int) -> Transfer[None]:
        """Refuse what cannot fit, before anything of it is sent."""
        free = yield self.go(path, "write", partial(tree.free, path=dirname(path) or "/"))
        if 0 <= free < needed:
            raise DeviceDiskFullError(path, needed=needed, free=free)

    def _send_whole(
        self, path: str, part: str, data: bytes, report: Report | None
    ) -> Transfer[None]:
        """Send piece by piece, each read back on the device; the last one gives it its name."""
        at = faults = 0
        is_there = False
        while not is_there:
            some = data[at : at + self.turn()]
            done = at + len(some)
            is_last = done == len(data)
            order = Order(part, at, len(some), path if is_last else "")
            sending = partial(tree.batched, orders=[order], data=some)
            try:
                yield self.go(path, "write", sending, changes=True)
            except DeviceFileError as error:
                raise _full(error, path, len(data), at) from error
            except FAULTS:
                faults += 1
                if faults > MOST_FAULTS:
                    raise
                at, is_there = yield from self._proved(path, part, data, at)
            else:
                at, is_there = done, is_last
            if report is not None:
                report((at, len(data)))

    def _proved(self, path: str, part: str, data: bytes, at: int) -> Transfer[tuple[int, bool]]:
        """Return from where an upload goes on after a fault, and whether it is in its place.

        While there is a part it is not, though a file of the same contents may have been before.
        """
        kept = yield self.go(path, "write", partial(tree.hashed, path=part, size=at))
        if kept is not None:
            return (at if kept == (at, kit.checksum(data[:at])) else 0), False
        hashed = partial(tree.hashed, path=path, size=len(data) + 1)
        if (yield self.go(path, "write", hashed)) == (len(data), kit.checksum(data)):
            return len(data), True
        return 0, False

    def _send_flat(
        self, path: str, data: bytes, number: int, report: Report | None
    ) -> Transfer[None]:
        """Send to a device that can only write from the beginning; prove the whole."""
        for fault in itertools.count(1):
            try:
                yield from self._send(path, data, number, report)
            except FAULTS:
                if fault > MOST_FAULTS:
                    raise
            else:
                return

    def _send(self, part: str, data: bytes, number: int, report: Report | None) -> Transfer[None]:
        entries = self.core.namespace._numbers  # noqa: SLF001 -- the device's, for all its sessions
        entry = entries.entry()
        try:
            begun = partial(remote.begun, number=number, path=part, entry=entry)
            boot = yield self.go(part, "write", begun, changes=True)
            size = self.core.port.board.longest // 4 * TURN
            for start in range(0, len(data), size):
                some = data[start : start + size]
                try:
                    taken = yield self.go(
                        part, "write", partial(_taken, entry, boot, some), changes=True
                    )
                except DeviceFileError as error:
                    raise _full(error, part, len(data), start) from error
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


def beside(path: str, name: str) -> str:
    """Return where a file is until it is whole; a name as long as disks take gets none longer."""
    folder, slash, last = path.rpartition("/")
    return f"{folder}{slash}{last[:MOST_OF_NAME]}.{name}~"


def _full(error: DeviceFileError, path: str, needed: int, free: int) -> DeviceFileError:
    """Return what it means that a device without room, or directory, took no more than this."""
    if isinstance(error, DeviceFileNotFoundError):
        text = "the directory above it is not there; make it first with mkdir"
        return DeviceFileNotFoundError(path, text, code=error.code)
    return DeviceDiskFullError(path, needed=needed, free=free) if error.code == "ENOSPC" else error


def damaged(path: str, sent: int, kept: int) -> DeviceFileError:
    """Return the error of a file that is not what was sent."""
    text = (
        f"of {sent} bytes the device kept {kept}, or others; look for free space and write it again"
    )
    return DeviceFileError(path, text, code="EIO")


def _taken(entry: int, boot: str, some: bytes, board: Board) -> Procedure[int]:
    return (yield from remote.written(board, entry, boot, some))
