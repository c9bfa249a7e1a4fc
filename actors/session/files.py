"""`session.files`: the files of the device.

    session.files.write("main.py", b"print('hello')")
    session.files.read("main.py")
    session.files.list("/")

`Files` waits, `AsyncFiles` is awaited; what both do stands in `files_core.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from klemheist.actors.runtime.future import Future
from klemheist.actors.streams import Stream

from .file_system import AsyncFileSystemContext, FileSystemContext
from .files_core import FileInfo, FileOperations, Report

if TYPE_CHECKING:
    from .core import SessionCore

T = TypeVar("T")
Progress = Callable[[int, int], object]
"""Takes the bytes done and all bytes."""

__all__ = ["AsyncFiles", "FileInfo", "Files"]


class Files(FileSystemContext):
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


class AsyncFiles(AsyncFileSystemContext):
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
