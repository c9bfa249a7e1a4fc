"""What every operation on files stands on: a call whose errors name the file, a record, a hold.

What is held is a file that must not outlive something: the session, or a transfer that fails.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, TypeVar

from klemheist.actors.errors import (
    CapabilityError,
    DeviceDiskFullError,
    DeviceError,
    DeviceFileError,
    DeviceFileNotFoundError,
)
from klemheist.actors.files.errnos import error_of
from klemheist.actors.files.record import FileLog, FileOperation
from klemheist.actors.runtime.future import Future
from klemheist.transports.errors import DeviceReset, LinkLost
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.values import ArgumentError

from . import files_disk as disks
from . import files_remote as remote
from .ledger import Act, EntryKind
from .resources import CancelToken, OwnResource, Resource

if TYPE_CHECKING:
    from .core import SessionCore

T = TypeVar("T")
Report = Callable[[tuple[int, int]], object]
"""Takes the bytes done and all bytes, on the device's turn: it must not block."""
Transfer = Generator[Future[Any], Any, T]
"""A part of an operation."""

MOST_FAULTS: Final = 5
"""Faults of the link that one transfer outlives."""
MOST_OF_NAME: Final = 50
"""Characters of a file's name that its part's name has."""
FAULTS: Final = (LinkLost, DeviceReset)

numbers: Final = itertools.count(1)
"""Of transfers in this process."""
_PROCESS: Final = token_hex(2)


class FileCalls:
    """One session's calls about files."""

    def __init__(self, core: SessionCore) -> None:
        self.core = core
        self.log = FileLog()

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

        Raises:
            ArgumentError: the path is no text.
        """
        check_path(path)
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

    def recorded(self, kind: str, path: str, future: Future[T], size: int = 0) -> Future[T]:
        """Keep the end of an operation for the session's record (SES-074)."""

        def record(done: Future[T]) -> None:
            error = done.exception()
            value = done.get() if error is None else None
            moved = len(value) if isinstance(value, bytes) else getattr(value, "bytes", size)
            text = "" if error is None else f"{type(error).__name__}: {error}"
            self.log.add(FileOperation(kind=kind, path=path, size=moved, error=text))

        future.add_done_callback(record)
        return future

    def ask(self, path: str, expression: str, doing: str) -> Future[Any]:
        """Evaluate an expression over the kit that changes nothing."""
        return self.go(path, doing, lambda board: disks.asked(board, expression))

    def change(self, path: str, expression: str, doing: str) -> Future[Any]:
        """Evaluate an expression over the kit; at most once."""
        return self.go(path, doing, lambda board: disks.asked(board, expression), changes=True)

    # -- what is held ------------------------------------------------------------------------------

    def hold(self, kind: str, path: str, name: str, number: int = 0) -> Resource:
        """Hold a file that goes with the session, or with a fault."""
        resource = OwnResource(
            kind,
            self._remover(path, number),
            resource_id=name,
            persistent=True,
            undo=remote.undo(path),
        )
        self.core.track(EntryKind.RESOURCE, name, resource)
        return resource

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


def transfer_name(number: int) -> str:
    """Return a transfer's name: none of an earlier process has it, for which much may be owed."""
    return f"{_PROCESS}{number}"


def beside(path: str, name: str) -> str:
    """Return where a file is until it is whole; a name as long as disks take gets none longer."""
    folder, slash, last = path.rpartition("/")
    return f"{folder}{slash}{last[:MOST_OF_NAME]}.{name}~"


def check_path(path: object) -> None:
    """See that a path of the device is one.

    Raises:
        ArgumentError: it is no text, or empty, or holds what ends a text on many devices.
    """
    if not isinstance(path, str):
        raise ArgumentError(f"{path!r} is no path on the device; give it as text")
    if not path:
        raise ArgumentError("'' is no path on the device; give a name, or '/' for the root")
    if "\0" in path:
        raise ArgumentError(f"{path!r} is no path on the device; leave the zero byte out")


def as_bytes(data: object) -> bytes:
    """Return what is to be written.

    Raises:
        ArgumentError: it is no bytes.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        kind = type(data).__name__
        raise ArgumentError(f"data of type {kind} cannot be written; give bytes, as text.encode()")
    return bytes(data)


def full(error: DeviceFileError, path: str, needed: int, free: int) -> DeviceFileError:
    """Return what it means that a device without room, or directory, took no more than this."""
    if isinstance(error, DeviceFileNotFoundError):
        text = "the directory above it is not there; make it first with mkdir"
        return DeviceFileNotFoundError(path, text, code=error.code)
    return DeviceDiskFullError(path, needed=needed, free=free) if error.code == "ENOSPC" else error


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
