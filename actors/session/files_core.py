"""What can be done with a device's files, whichever way it is waited for: each gives a `Future`.

A turn of a transfer is one call in the session's queue, so other sessions have their turns during a
long one. What is written goes to a file beside its place, is proved there, and is then renamed,
where the device can rename; a transfer that fails leaves nothing behind, however it failed.

A transfer that loses its link goes on when the device is back: from the last piece that is proved
to be there, else from the beginning.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from posixpath import dirname
from typing import TYPE_CHECKING, Any, Final, TypeVar

from klemheist.actors.errors import (
    CapabilityError,
    DeviceDiskFullError,
    DeviceError,
    DeviceFileError,
    DeviceFileNotFoundError,
    DeviceIsADirectoryError,
)
from klemheist.actors.files import kit
from klemheist.actors.files.errnos import error_of
from klemheist.actors.files.kit import Order
from klemheist.actors.files.record import FileLog, FileOperation
from klemheist.actors.operation import Steps, operation
from klemheist.actors.runtime.future import Future
from klemheist.transports.errors import DeviceReset, LinkLost
from klemheist.transports.repl.conversation import Board
from klemheist.transports.repl.lines import Procedure

from . import files_remote as remote
from . import files_tree as tree
from .ledger import Act, EntryKind
from .resources import CancelToken, Resource

if TYPE_CHECKING:
    from .core import SessionCore

T = TypeVar("T")
Report = Callable[[tuple[int, int]], object]
"""Takes the bytes done and all bytes, on the device's turn: it must not block."""
Transfer = Generator[Future[Any], Any, T]
"""A part of an operation."""
Orders = list[Order]

TURN: Final = 16
"""Pieces in one turn: then other sessions have theirs."""
MOST_FAULTS: Final = 5
"""Faults of the link that one transfer outlives."""
FAULTS: Final = (LinkLost, DeviceReset)
MOST_CHANGES: Final = 3
"""How often a file may change while it is read, before that is an error."""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file or directory of the device."""

    name: str
    size: int
    """Bytes; of a directory, whatever the device says."""
    is_dir: bool
    modified: int = field(default=0, compare=False)
    """When it was changed, in seconds of the device's own clock; 0 where it does not know."""


Walked = list[tuple[str, list[str], list[FileInfo]]]
"""Directory, the names of its directories, its files: as `os.walk` has it."""


class FileOperations:
    """What can be done with files; every operation returns a `Future`."""

    def __init__(self, core: SessionCore) -> None:
        self.core = core
        self.log = FileLog()

    # -- asking ------------------------------------------------------------------------------------

    def stat(self, path: str) -> Future[FileInfo]:
        """Ask for size, kind and time."""
        asked = self.go(path, "stat", lambda board: remote.status(board, path))
        return self._recorded("stat", path, asked.map(lambda found: _info(path, *found)))

    @operation
    def exists(self, path: str) -> Steps[bool]:
        """Ask whether it is there."""
        try:
            yield self.stat(path)
        except DeviceFileNotFoundError:
            return False
        return True

    def list(self, path: str) -> Future[list[FileInfo]]:
        """Ask for all names in a directory, sorted."""
        names = self.go(path, "list", lambda board: remote.listed(board, path))
        found = names.map(lambda all_: sorted((FileInfo(*each) for each in all_), key=_name))
        return self._recorded("list", path, found)

    def walk(self, path: str) -> Future[Walked]:
        """Ask for all that is below a directory; one round trip."""
        return self._recorded("walk", path, self._walk(path))

    @operation
    def _walk(self, path: str) -> Steps[Walked]:
        root = path.rstrip("/")
        there = yield self.go(path, "walk", remote.disk)
        if not there.renames:
            return [(path, [], (yield self.list(path)))]
        found = yield self.ask(path, f"YL({root!r})", "walk")
        return walked(root, found)

    # -- changing ----------------------------------------------------------------------------------

    def remove(self, path: str, *, recursive: bool = False) -> Future[None]:
        """Remove a file or an empty directory, or a directory with all that is in it."""
        removing = self._remove_all(path) if recursive else self._remove(path)
        return self._recorded("remove", path, removing)

    def _remove(self, path: str) -> Future[None]:
        return self.go(path, "remove", lambda board: remote.removed(board, path), changes=True)

    @operation
    def _remove_all(self, path: str) -> Steps[None]:
        """Remove from the bottom up: what fails half way has left whole files."""
        there = yield self.go(path, "remove", remote.disk)
        if not there.renames or not (yield self.stat(path)).is_dir:
            yield self._remove(path)
            return
        root = path.rstrip("/")
        orders = []
        for directory, names, files in reversed((yield self.walk(path))):
            stem = directory.rstrip("/")
            orders += [Order(f"{stem}/{each.name}", 0, kit.REMOVE) for each in files]
            orders += [Order(f"{stem}/{each}", 0, kit.REMOVE_DIRECTORY) for each in names]
        if root:
            orders.append(Order(root, 0, kit.REMOVE_DIRECTORY))
        yield from self.carry_out(path, "remove", orders)

    def carry_out(self, path: str, doing: str, orders: Orders) -> Transfer[None]:
        """Carry out orders that write nothing, turn by turn."""
        for start in range(0, len(orders), tree.MOST_ORDERS):
            some = orders[start : start + tree.MOST_ORDERS]
            yield self.go(path, doing, partial(tree.batched, orders=some, data=b""))

    def rename(self, source: str, target: str) -> Future[None]:
        """Rename a file or directory."""
        return self._recorded("rename", source, self._rename(source, target))

    @operation
    def _rename(self, source: str, target: str) -> Steps[None]:
        there = yield self.go(source, "rename", remote.disk)
        if not there.renames:
            raise CapabilityError(f"{source}: this device cannot rename; write it anew")
        yield self.change(source, f"os.rename({source!r},{target!r})", "rename")

    def mkdir(
        self, path: str, *, parents: bool = False, exist_ok: bool = False
    ) -> Future[None]:
        """Make a directory."""
        if not parents and not exist_ok:
            making: Future[None] = self.change(path, f"os.mkdir({path!r})", "mkdir")
        else:
            making = self._make(path, parents=parents, exist_ok=exist_ok)
        return self._recorded("mkdir", path, making)

    @operation
    def _make(self, path: str, *, parents: bool, exist_ok: bool) -> Steps[None]:
        there = yield self.go(path, "mkdir", remote.disk)
        if not there.renames:
            raise CapabilityError(f"{path}: this device has no directories; use plain names")
        orders = [Order(each, 0, kit.MAKE_DIRECTORY) for each in above(path) if parents]
        if exist_ok:
            orders.append(Order(path, 0, kit.MAKE_DIRECTORY))
        yield from self.carry_out(path, "mkdir", orders)
        if not exist_ok:
            yield self.change(path, f"os.mkdir({path!r})", "mkdir")

    def ask(self, path: str, expression: str, doing: str) -> Future[Any]:
        """Evaluate an expression over the kit that changes nothing."""
        return self.go(path, doing, lambda board: remote.asked(board, expression))

    def change(self, path: str, expression: str, doing: str) -> Future[Any]:
        """Evaluate an expression over the kit; at most once."""
        return self.go(path, doing, lambda board: remote.asked(board, expression), changes=True)

    # -- reading -----------------------------------------------------------------------------------

    def read(self, path: str, report: Report | None = None) -> Future[bytes]:
        """Read a file, turn by turn."""
        return self._recorded("read", path, self._read(path, report))

    @operation
    def _read(self, path: str, report: Report | None) -> Steps[bytes]:
        there = yield self.go(path, "read", remote.disk)
        reading = self._read_whole if there.renames else self._read_flat
        return (yield from reading(path, report))

    def _read_whole(self, path: str, report: Report | None) -> Transfer[bytes]:
        """Read piece by piece, each by its place: a fault of the link costs one piece."""
        whole, is_dir, time = yield self.go(path, "read", partial(remote.status, path=path))
        if is_dir:
            raise DeviceIsADirectoryError(path)
        data, known, faults, changes = bytearray(), (whole, time), 0, 0
        while True:
            size = min(self._turn(), known[0] - len(data))
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
        total = (yield self.stat(path)).size if report is not None else 0
        number, data = next(_numbers), bytearray()
        boot = yield self.go(path, "read", lambda b: remote.opened(b, number, path, "rb"))
        try:
            while True:
                size = self._turn()
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

    def _turn(self) -> int:
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
        return self._recorded("write", path, writing, len(data))

    @operation
    def _write(
        self,
        path: str,
        data: bytes,
        temporary: bool,  # noqa: FBT001 -- as above
        report: Report | None,
    ) -> Steps[None]:
        there = yield self.go(path, "write", remote.disk)
        if there.renames:
            yield from self.check_room(path, len(data))
        if temporary:
            self._hold("file", path, f"file {path}")
        number = next(_numbers)
        part = f"{path}.{number}~" if there.renames else path
        transfer = self._hold("transfer", part, f"transfer {number}", number)
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
        while True:
            some = data[at : at + self._turn()]
            done = at + len(some)
            order = Order(part, at, len(some), path if done == len(data) else "")
            sending = partial(tree.batched, orders=[order], data=some)
            try:
                yield self.go(path, "write", sending, changes=True)
            except DeviceFileError as error:
                raise _full(error, path, len(data), at) from error
            except FAULTS:
                faults += 1
                if faults > MOST_FAULTS:
                    raise
                done = yield from self._proved(path, part, data, at)
            at = done
            if report is not None:
                report((at, len(data)))
            if at == len(data):
                return

    def _proved(self, path: str, part: str, data: bytes, at: int) -> Transfer[int]:
        """Return from where an upload goes on after a fault: what is proved to be there is sent."""
        hashed = partial(tree.hashed, path=part, size=at)
        if at and (yield self.go(path, "write", hashed)) == (at, kit.checksum(data[:at])):
            return at
        whole = (len(data), kit.checksum(data))
        hashed = partial(tree.hashed, path=path, size=len(data) + 1)
        is_done = len(data) > 0 and (yield self.go(path, "write", hashed)) == whole
        return len(data) if is_done else 0

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

    def _send(
        self, part: str, data: bytes, number: int, report: Report | None
    ) -> Transfer[None]:
        numbers = self.core.namespace._numbers  # noqa: SLF001 -- the device's, for all its sessions
        entry = numbers.entry()
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
            numbers.free_entries.append(entry)
        if found != (len(data), remote.checksum(data)):
            raise damaged(part, len(data), found[0])

    # -- what is held ------------------------------------------------------------------------------

    def _hold(self, kind: str, path: str, name: str, number: int = 0) -> Resource:
        """Hold a file that goes with the session, or with a fault."""
        resource = Resource(
            kind,
            self._remover(path, number),
            resource_id=name,
            persistent=True,
            undo=remote.undo(path),
        )
        self.core.track(EntryKind.RESOURCE, name, resource)
        return resource

    def hold_part(self, path: str) -> Resource:
        """Hold the part of a transfer: it is removed unless `release` comes first."""
        number = next(_numbers)
        return self._hold("transfer", path, f"transfer {number}", number)

    def release(self, resource: Resource) -> None:
        """Forget what was held: it has become something else."""
        entry = self.core.ledger.find(EntryKind.RESOURCE, resource.resource_id)
        if entry is not None:
            self.core.ledger.act(entry, Act.DONE)

    def _remover(self, path: str, number: int = 0) -> Callable[[CancelToken], None]:
        def remove(cancel: CancelToken) -> None:
            removing = self.core.submit(
                lambda board: remote.discarded(board, number, path), label=f"remove {path}"
            )
            cancel.on_cancel(lambda _: removing.cancel("its time was up"))
            removing.get()

        return remove

    # -- all of them -------------------------------------------------------------------------------

    def go(
        self,
        path: str,
        doing: str,
        procedure: Callable[[Board], Procedure[Any]],
        *,
        changes: bool = False,
    ) -> Future[Any]:
        """Hand a procedure to the device; its errors name the path.

        Args:
            path: what errors are about.
            doing: what errors call it.
            procedure: what to do there.
            changes: it must not be sent again by itself, should its fate be unknown.
        """
        asked = self.core.submit(procedure, label=f"{doing} {path}", idempotent=not changes)
        return self._named(asked, path)

    def _named(self, future: Future[T], path: str) -> Future[T]:
        """Make errors of the device say which file they are about."""
        told: Future[T] = Future(on_cancel=future.cancel)

        def tell(done: Future[T]) -> None:
            error = done.exception()
            if error is None:
                told.set(done.get())
            else:
                told.set_exception(about(error, path, self._platform))

        future.add_done_callback(tell)
        return told

    @property
    def _platform(self) -> str:
        found = self.core.port.capabilities
        return found.platform if found is not None else ""

    def _recorded(self, kind: str, path: str, future: Future[T], size: int = 0) -> Future[T]:
        """Keep the end of an operation for the session's record (SES-074)."""

        def record(done: Future[T]) -> None:
            error = done.exception()
            value = done.get() if error is None else None
            moved = len(value) if isinstance(value, bytes) else size
            text = "" if error is None else f"{type(error).__name__}: {error}"
            self.log.add(FileOperation(kind=kind, path=path, size=moved, error=text))

        future.add_done_callback(record)
        return future


def about(error: BaseException, path: str, platform: str) -> BaseException:
    """Return what an error of the device says about a file."""
    if not isinstance(error, DeviceError) or isinstance(error, DeviceFileError):
        return error
    if error.kind == "FileNotFoundError":
        return DeviceFileNotFoundError(path)
    if error.kind == "OSError" or error.message.startswith("[Errno"):
        return error_of(path, error.message, platform)
    if error.kind == "AttributeError":
        return CapabilityError(f"{path}: this device has no directories; use plain names")
    if error.kind.endswith("Error") and error.kind != "MemoryError":
        return DeviceError(error.kind, f"{path}: {error.message}", traceback=error.traceback)
    return error


def _full(error: DeviceFileError, path: str, needed: int, free: int) -> DeviceFileError:
    """Return what it means that a device without room took no more than this."""
    return DeviceDiskFullError(path, needed=needed, free=free) if error.code == "ENOSPC" else error


def damaged(path: str, sent: int, kept: int) -> DeviceFileError:
    """Return the error of a file that is not what was sent."""
    text = f"of {sent} bytes the device kept {kept}, or others; look for free space and write it again"
    return DeviceFileError(path, text, code="EIO")


def above(path: str) -> list[str]:
    """Return the directories above a path, the highest first."""
    found = []
    while (path := dirname(path)) not in ("", "/"):
        found.append(path)
    return found[::-1]


def walked(root: str, text: str) -> Walked:
    """Return what a listing says, directory by directory, those above first."""
    places: dict[str, tuple[list[str], list[FileInfo]]] = {"": ([], [])}
    for path, size, time in sorted(kit.listing(text)):
        parent, _, name = path.rpartition("/")
        names, files = places.setdefault(parent, ([], []))
        if size == kit.DIRECTORY_SIZE:
            names.append(name)
            places.setdefault(path, ([], []))
        else:
            files.append(FileInfo(name, size, is_dir=False, modified=time))
    return [
        (f"{root}/{place}".rstrip("/") or "/", *found) for place, found in sorted(places.items())
    ]


def _taken(entry: int, boot: str, some: bytes, board: Board) -> Procedure[int]:
    return (yield from remote.written(board, entry, boot, some))


def _info(path: str, size: int, is_dir: bool, time: int) -> FileInfo:  # noqa: FBT001 -- the device's
    return FileInfo(path.rstrip("/").rpartition("/")[2] or "/", size, is_dir, time)


def _name(info: FileInfo) -> str:
    return info.name
