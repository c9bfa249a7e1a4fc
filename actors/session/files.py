"""`session.files`: the files of the device, read and written in pieces that it can take.

    session.files.write("main.py", b"print('hello')")
    session.files.read("main.py")
    session.files.list("/")

A piece is a call of its own kind in the session's queue, so other sessions have their turns during a
long transfer. What is written goes to a file beside its place, is read back on the device, and is
then renamed, where the device can rename; a transfer that fails leaves nothing behind.
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
from klemheist.actors.streams import Stream
from klemheist.transports.repl.conversation import Board
from klemheist.transports.repl.procedures import Procedure

from . import files_remote as remote
from .ledger import Act, EntryKind
from .resources import CancelToken, Resource

if TYPE_CHECKING:
    from .core import SessionCore

T = TypeVar("T")
Progress = Callable[[int, int], object]
"""Takes the bytes done and all bytes."""
Report = Callable[[tuple[int, int]], object]

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

    def _ask(self, path: str, expression: str, doing: str) -> Future[Any]:
        label = f"{doing} {path}"
        asked = self._core.submit(lambda board: remote.asked(board, expression), label=label)
        return named(asked, path)

    def stat(self, path: str) -> Future[FileInfo]:
        """Ask for size and kind."""
        return self._ask(path, f"YS({path!r})", "stat").map(lambda found: _info(path, *found))

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
        names = self._ask(path, f"YL({path.rstrip('/')!r})", "list")
        return names.map(lambda found: sorted((FileInfo(*each) for each in found), key=_name))

    def remove(self, path: str) -> Future[None]:
        """Remove a file or an empty directory."""
        return self._ask(path, f"YD({path!r})", "remove")

    def mkdir(self, path: str) -> Future[None]:
        """Make a directory."""
        return self._ask(path, f"os.mkdir({path!r})", "mkdir")

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
                    path, "read", lambda b: remote.some(b, number, boot, size)  # noqa: B023 -- run now
                )
                data += some
                if report is not None:
                    report((len(data), max(total, len(data))))
                if len(some) < size:
                    return bytes(data)
        finally:
            self._go(path, "read", lambda b: remote.asked(b, f"YX({number})"))

    # -- writing ----------------------------------------------------------------------------------

    @operation
    def write(
        self, path: str, data: bytes, temporary: bool, report: Report | None = None  # noqa: FBT001
    ) -> Steps[None]:
        """Write a file, turn by turn, prove it, and put it in its place."""
        if temporary:
            self._hold(Resource("file", self._remover((path,)), **_kept(path)))
        number = next(_numbers)
        disk = yield self._go(path, "write", remote.disk)
        part = f"{path}.{number}~" if disk.renames else path
        transfer = Resource("transfer", self._remover((part,), number), **_kept(part))
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
        boot = yield self._go(part, "write", lambda b: remote.opened(b, number, part, "wb"))
        size = self._core.port.board.longest // 4 * TURN
        for start in range(0, len(data), size):
            some = data[start : start + size]
            yield self._go(part, "write", _writing(number, boot, some))
            if report is not None:
                report((start + len(some), len(data)))
        found = yield self._go(part, "write", lambda b: remote.proved(b, number, boot, part))
        if found != (len(data), remote.checksum(data)):
            raise DeviceError(
                "OSError", f"{part}: of {len(data)} bytes the device kept {found[0]}, or others; "
                "look for free space and write it again"
            )

    def _remover(self, paths: tuple[str, ...], number: int = 0) -> Callable[[CancelToken], None]:
        def remove(cancel: CancelToken) -> None:
            removing = self._core.submit(
                lambda board: remote.discarded(board, number, paths), label=f"remove {paths[0]}"
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


class Files:
    """The device's files, for threads.

    An error of the device is a `DeviceError` that names the path; a file that is not there is a
    `DeviceFileNotFoundError`, which is a `FileNotFoundError` too.
    """

    def __init__(self, core: SessionCore) -> None:
        self._core = core
        self._files = FileOperations(core)

    @property
    def session_id(self) -> str:
        """The session whose view of the files this is (SES-027)."""
        return self._core.session_id

    def read(self, path: str, *, on_progress: Progress | None = None) -> bytes:
        """Return all bytes of a file.

        Args:
            path: where it is on the device.
            on_progress: called with the bytes done and all bytes, on this thread.

        Raises:
            DeviceFileNotFoundError: it is not there.
        """
        return _followed(lambda report: self._files.read(path, report), on_progress)

    def write(
        self,
        path: str,
        data: bytes,
        *,
        temporary: bool = False,
        on_progress: Progress | None = None,
    ) -> None:
        """Write a file, replacing what was there.

        Args:
            path: where it is to be on the device.
            data: all of it.
            temporary: it is removed when the session ends (SES-077).
            on_progress: called with the bytes done and all bytes, on this thread.

        Raises:
            DeviceError: the device could not keep it, or keeps it damaged; nothing is left of it.
        """
        writing = self._files.write
        _followed(lambda report: writing(path, bytes(data), temporary, report), on_progress)

    def list(self, path: str = "/") -> list[FileInfo]:
        """Return what is in a directory, sorted by name."""
        return self._files.list(path).get()

    def stat(self, path: str) -> FileInfo:
        """Return size and kind of a file or directory."""
        return self._files.stat(path).get()

    def exists(self, path: str) -> bool:
        """Whether a file or directory is there."""
        return self._files.exists(path).get()

    def remove(self, path: str) -> None:
        """Remove a file or an empty directory."""
        self._files.remove(path).get()

    def mkdir(self, path: str) -> None:
        """Make a directory.

        Raises:
            CapabilityError: this device has no directories.
        """
        self._files.mkdir(path).get()


class AsyncFiles:
    """The device's files, for asyncio.

    An error of the device is a `DeviceError` that names the path; a file that is not there is a
    `DeviceFileNotFoundError`, which is a `FileNotFoundError` too.
    """

    def __init__(self, core: SessionCore) -> None:
        self._core = core
        self._files = FileOperations(core)

    @property
    def session_id(self) -> str:
        """The session whose view of the files this is (SES-027)."""
        return self._core.session_id

    async def read(self, path: str, *, on_progress: Progress | None = None) -> bytes:
        """Return all bytes of a file.

        Args:
            path: where it is on the device.
            on_progress: called with the bytes done and all bytes, on this thread.

        Raises:
            DeviceFileNotFoundError: it is not there.
        """
        return await _followed_async(lambda report: self._files.read(path, report), on_progress)

    async def write(
        self,
        path: str,
        data: bytes,
        *,
        temporary: bool = False,
        on_progress: Progress | None = None,
    ) -> None:
        """Write a file, replacing what was there.

        Args:
            path: where it is to be on the device.
            data: all of it.
            temporary: it is removed when the session ends (SES-077).
            on_progress: called with the bytes done and all bytes, on this thread.

        Raises:
            DeviceError: the device could not keep it, or keeps it damaged; nothing is left of it.
        """
        writing = self._files.write
        await _followed_async(
            lambda report: writing(path, bytes(data), temporary, report), on_progress
        )

    async def list(self, path: str = "/") -> list[FileInfo]:
        """Return what is in a directory, sorted by name."""
        return await self._files.list(path)

    async def stat(self, path: str) -> FileInfo:
        """Return size and kind of a file or directory."""
        return await self._files.stat(path)

    async def exists(self, path: str) -> bool:
        """Whether a file or directory is there."""
        return await self._files.exists(path)

    async def remove(self, path: str) -> None:
        """Remove a file or an empty directory."""
        await self._files.remove(path)

    async def mkdir(self, path: str) -> None:
        """Make a directory.

        Raises:
            CapabilityError: this device has no directories.
        """
        await self._files.mkdir(path)


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


def _writing(number: int, boot: str, some: bytes) -> Callable[[Board], Procedure[None]]:
    def procedure(board: Board) -> Procedure[None]:
        taken = yield from remote.written(board, number, boot, some)
        if taken != len(some):
            raise DeviceError("OSError", f"no space is left for {len(some) - taken} bytes")

    return procedure


def _followed(start: Callable[[Report | None], Future[T]], on_progress: Progress | None) -> T:
    """Wait for a transfer on this thread, which also takes its progress."""
    if on_progress is None:
        return start(None).get()
    stream: Stream[tuple[int, int]] = Stream()
    future = start(stream.put)
    future.add_done_callback(lambda _: stream.close())
    try:
        for done, total in stream:
            on_progress(done, total)
    except BaseException:
        future.cancel("its progress was not wanted any more")
        raise
    return future.get()


async def _followed_async(
    start: Callable[[Report | None], Future[T]], on_progress: Progress | None
) -> T:
    """Await a transfer in this task, which also takes its progress."""
    if on_progress is None:
        return await start(None)
    stream: Stream[tuple[int, int]] = Stream()
    future = start(stream.put)
    future.add_done_callback(lambda _: stream.close())
    try:
        async for done, total in stream:
            on_progress(done, total)
    except BaseException:
        future.cancel("its progress was not wanted any more")
        raise
    return await future


def _info(path: str, size: int, is_dir: bool) -> FileInfo:  # noqa: FBT001 -- the device's pair
    return FileInfo(path.rstrip("/").rpartition("/")[2] or "/", size, is_dir)


def _name(info: FileInfo) -> str:
    return info.name


def _kept(path: str) -> dict[str, Any]:
    return {"resource_id": f"file {path}", "persistent": True, "undo": remote.undo(path)}
