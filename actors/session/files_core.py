"""What can be done with a device's files, whichever way it is waited for: each gives a `Future`.

A turn of a transfer is one call in the session's queue, so other sessions have their turns during a
long one. What is written goes to a file beside its place, is proved there, and is then renamed,
where the device can rename; a transfer that fails leaves nothing behind, however it failed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from klemheist.actors.errors import CapabilityError, DeviceError, DeviceFileNotFoundError
from klemheist.actors.operation import Steps, operation
from klemheist.actors.runtime.future import Future
from klemheist.transports.repl.conversation import Board
from klemheist.transports.repl.lines import Procedure

from . import files_remote as remote
from .ledger import Act, EntryKind
from .resources import CancelToken, Resource

if TYPE_CHECKING:
    from .core import SessionCore

T = TypeVar("T")
Report = Callable[[tuple[int, int]], object]
"""Takes the bytes done and all bytes, on the device's turn: it must not block."""

TURN: Final = 16
"""Pieces in one turn: then other sessions have theirs."""

_numbers = itertools.count(1)
_MISSING: Final = re.compile(r"^(\[Errno )?(2|44)\b|ENOENT|not found", re.IGNORECASE)
"""How boards say that there is no such file: by number (44 on WebAssembly), name or words."""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file or directory of the device."""

    name: str
    size: int
    """Bytes; of a directory, whatever the device says."""
    is_dir: bool


class FileOperations:
    """What can be done with files; every operation returns a `Future`."""

    def __init__(self, core: SessionCore) -> None:
        self._core = core

    def stat(self, path: str) -> Future[FileInfo]:
        """Ask for size and kind."""
        asked = self._go(path, "stat", lambda board: remote.status(board, path))
        return asked.map(lambda found: _info(path, *found))

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
        names = self._go(path, "list", lambda board: remote.listed(board, path))
        return names.map(lambda found: sorted((FileInfo(*each) for each in found), key=_name))

    def remove(self, path: str) -> Future[None]:
        """Remove a file or an empty directory."""
        return self._go(path, "remove", lambda board: remote.removed(board, path))

    def mkdir(self, path: str) -> Future[None]:
        """Make a directory."""
        return self._ask(path, f"os.mkdir({path!r})", "mkdir")

    def _ask(self, path: str, expression: str, doing: str) -> Future[Any]:
        return self._go(path, doing, lambda board: remote.asked(board, expression))

    # -- reading ----------------------------------------------------------------------------------

    @operation
    def read(self, path: str, report: Report | None = None) -> Steps[bytes]:
        """Read a file, turn by turn."""
        total = (yield self.stat(path)).size if report is not None else 0
        number, data = next(_numbers), bytearray()
        boot = yield self._go(path, "read", lambda b: remote.opened(b, number, path, "rb"))
        try:
            while True:
                size = self._core.port.board.longest // 4 * TURN
                some = yield self._go(
                    path,
                    "read",
                    lambda b: remote.some(b, number, boot, size),  # noqa: B023 -- run now
                )
                data += some
                if report is not None:
                    report((len(data), max(total, len(data))))
                if len(some) < size:
                    return bytes(data)
        finally:
            self._go(path, "read", lambda b: remote.closed(b, number))

    # -- writing ----------------------------------------------------------------------------------

    @operation
    def write(
        self,
        path: str,
        data: bytes,
        temporary: bool,  # noqa: FBT001 -- `Files.write` has it as a keyword
        report: Report | None = None,
    ) -> Steps[None]:
        """Write a file, turn by turn, prove it, and put it in its place."""
        if temporary:
            self._hold(
                Resource(
                    "file",
                    self._remover(path),
                    resource_id=f"file {path}",
                    persistent=True,
                    undo=remote.undo(path),
                )
            )
        number = next(_numbers)
        disk = yield self._go(path, "write", remote.disk)
        part = f"{path}.{number}~" if disk.renames else path
        transfer = Resource(
            "transfer",
            self._remover(part, number),
            resource_id=f"transfer {number}",
            persistent=True,
            undo=remote.undo(part),
        )
        self._hold(transfer)
        try:
            yield from self._send(part, data, number, report)
            if part != path:
                yield self._ask(path, f"os.rename({part!r},{path!r})", "write")
        except BaseException:
            yield self._core.clean_one(EntryKind.RESOURCE, transfer.resource_id)
            raise
        self._release(transfer)

    def _send(
        self, part: str, data: bytes, number: int, report: Report | None
    ) -> Generator[Future[Any], Any, None]:
        numbers = self._core.namespace._numbers  # noqa: SLF001 -- the device's, for all its sessions
        entry = numbers.entry()
        try:
            boot = yield self._go(part, "write", lambda b: remote.begun(b, number, part, entry))
            size = self._core.port.board.longest // 4 * TURN
            for start in range(0, len(data), size):
                some = data[start : start + size]
                yield self._go(part, "write", _writing(entry, boot, some))
                if report is not None:
                    report((start + len(some), len(data)))
            found = yield self._go(
                part, "write", lambda b: remote.proved(b, number, boot, part, entry)
            )
        finally:
            numbers.free_entries.append(entry)
        if found != (len(data), remote.checksum(data)):
            raise DeviceError(
                "OSError",
                f"{part}: of {len(data)} bytes the device kept {found[0]}, or others; "
                "look for free space and write it again",
            )

    def _remover(self, path: str, number: int = 0) -> Callable[[CancelToken], None]:
        def remove(cancel: CancelToken) -> None:
            removing = self._core.submit(
                lambda board: remote.discarded(board, number, path), label=f"remove {path}"
            )
            cancel.on_cancel(lambda _: removing.cancel("its time was up"))
            removing.get()

        return remove

    def _hold(self, resource: Resource) -> None:
        self._core.track(EntryKind.RESOURCE, resource.resource_id, resource)

    def _release(self, resource: Resource) -> None:
        entry = self._core.ledger.find(EntryKind.RESOURCE, resource.resource_id)
        if entry is not None:
            self._core.ledger.act(entry, Act.DONE)

    def _go(
        self, path: str, doing: str, procedure: Callable[[Board], Procedure[Any]]
    ) -> Future[Any]:
        return named(self._core.submit(procedure, label=f"{doing} {path}"), path)


def named(future: Future[T], path: str) -> Future[T]:
    """Make errors of the device say which file they are about."""
    told: Future[T] = Future(on_cancel=future.cancel)

    def tell(done: Future[T]) -> None:
        error = done.exception()
        if error is None:
            told.set(done.get())
        else:
            told.set_exception(about(error, path))

    future.add_done_callback(tell)
    return told


def about(error: BaseException, path: str) -> BaseException:
    """Return what an error of the device says about a file."""
    if not isinstance(error, DeviceError):
        return error
    if error.kind == "FileNotFoundError" or (
        error.kind == "OSError" and _MISSING.search(error.message)
    ):
        return DeviceFileNotFoundError(path)
    if error.kind == "AttributeError":
        return CapabilityError(f"{path}: this device has no directories; use plain names")
    if error.kind.endswith("Error") and error.kind != "MemoryError":
        return DeviceError(error.kind, f"{path}: {error.message}", traceback=error.traceback)
    return error


def _writing(entry: int, boot: str, some: bytes) -> Callable[[Board], Procedure[None]]:
    def procedure(board: Board) -> Procedure[None]:
        taken = yield from remote.written(board, entry, boot, some)
        if taken != len(some):
            raise DeviceError("OSError", f"no space is left for {len(some) - taken} bytes")

    return procedure


def _info(path: str, size: int, is_dir: bool) -> FileInfo:  # noqa: FBT001 -- the device's pair
    return FileInfo(path.rstrip("/").rpartition("/")[2] or "/", size, is_dir)


def _name(info: FileInfo) -> str:
    return info.name
