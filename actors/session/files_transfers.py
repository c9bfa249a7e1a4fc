"""Reading and writing: piece by piece, each proved, going on after a fault of the link.

A turn of a transfer is one call in the session's queue, so other sessions have their turns during a
long one. What is written goes to a file beside its place, is proved there, and is then renamed,
where the device can rename; a transfer that fails leaves nothing behind, however it failed.

A transfer that loses its link goes on when the device is back: from the last piece that is proved
to be there, else from the beginning.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from klemheist.actors.errors import (
    DeviceDiskFullError,
    DeviceFileError,
    DeviceIsADirectoryError,
)
from klemheist.actors.files import kit
from klemheist.actors.files.kit import Order
from klemheist.actors.operation import Steps, operation
from klemheist.actors.runtime.future import Future

from . import files_disk as disks
from . import files_remote as remote
from . import files_tree as tree
from .files_calls import (
    FAULTS,
    MOST_FAULTS,
    Report,
    Transfer,
    beside,
    full,
    numbers,
    transfer_name,
)
from .files_flat import FlatTransfers
from .ledger import EntryKind

MOST_CHANGES: Final = 3
"""How often a file may change while it is read, before that is an error."""


class Transfers(FlatTransfers):
    """Whole files, in both directions."""

    # -- reading -----------------------------------------------------------------------------------

    def read(self, path: str, report: Report | None = None) -> Future[bytes]:
        """Read a file, turn by turn."""
        return self.recorded("read", path, self._read(path, report))

    @operation
    def _read(self, path: str, report: Report | None) -> Steps[bytes]:
        there = yield self.go(path, "read", disks.disk)
        reading = self._read_whole if there.renames else self.read_flat
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
        number = next(numbers)
        name = transfer_name(number)
        check = self.check_room if there.renames else self.check_flat_room
        yield from check(path, len(data), number)
        if temporary:
            self.hold("file", path, f"file {path}")
        part = beside(path, name) if there.renames else path
        transfer = self.hold("transfer", part, f"transfer {name}", number)
        try:
            if there.renames:
                yield from self._send_whole(path, part, data, report)
            else:
                yield from self.send_flat(path, data, number, report)
        except BaseException:
            yield self.core.clean_one(EntryKind.RESOURCE, transfer.resource_id)
            raise
        self.release(transfer)

    def check_room(self, path: str, needed: int, _: int) -> Transfer[None]:
        """Refuse what cannot fit or get its name, before anything of it is sent."""
        free, is_dir = yield self.go(path, "write", partial(tree.room, path=path))
        if is_dir:
            raise DeviceIsADirectoryError(path)
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
                raise full(error, path, len(data), at) from error
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
