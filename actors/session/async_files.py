"""`session.files` of an `AsyncSession`: the twin of `files.py`, to be awaited."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from typing import TypeVar

from klemheist.actors.files.plan import SyncOptions, SyncResult
from klemheist.actors.runtime.future import Future
from klemheist.actors.streams import Stream

from .file_system import AsyncFileSystemContext
from .files import Progress
from .files_calls import Report, as_bytes
from .files_core import FileInfo, Walked
from .typed import check_callback

T = TypeVar("T")


class AsyncFiles(AsyncFileSystemContext):
    """The device's files, for asyncio.

    An error of the device is a `DeviceFileError` that names the path; a file that is not there is a
    `DeviceFileNotFoundError`, which is a `FileNotFoundError` too. A transfer whose link is lost
    goes on when the device is back, from the last piece that is proved to be there.
    """

    async def read(self, path: str, *, on_progress: Progress | None = None) -> bytes:
        """Return all bytes of a file.

        Args:
            path: where it is on the device.
            on_progress: called with the bytes done and all bytes, on this thread.

        Raises:
            DeviceFileNotFoundError: it is not there.
        """
        return await _followed(lambda report: self._files.read(path, report), on_progress)

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
            on_progress: called with the bytes done and all bytes, on this thread; what it raises
                ends the transfer, but not when all are done.

        Raises:
            DeviceDiskFullError: there is no room for it; nothing is left of it.
            DeviceFileError: the device could not keep it, or keeps it damaged; as above.
        """
        writing = self._files.write
        await _followed(
            lambda report: writing(path, as_bytes(data), temporary, report), on_progress
        )

    async def list(self, path: str = "/") -> list[FileInfo]:
        """Return what is in a directory, sorted by name."""
        return await self._files.list(path)

    async def walk(self, path: str = "/") -> Walked:
        """Return all that is below a directory, in one round trip.

        Returns:
            For each directory, those above first: its path, the names of the directories in it, and
            its files; as `os.walk` has it.
        """
        return await self._files.walk(path)

    async def stat(self, path: str) -> FileInfo:
        """Return size, kind and time of a file or directory."""
        return await self._files.stat(path)

    async def exists(self, path: str) -> bool:
        """Whether a file or directory is there."""
        return await self._files.exists(path)

    async def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file or a directory.

        Args:
            path: where it is on the device.
            recursive: with all that is in it; otherwise a directory must be empty.

        Raises:
            DeviceFileNotFoundError: it is not there.
            DeviceFileError: its `code` says why not, as `ENOTEMPTY`.
        """
        await self._files.remove(path, recursive=recursive)

    async def rename(self, source: str, target: str) -> None:
        """Rename a file or directory; a file of the new name is replaced.

        Raises:
            CapabilityError: this device cannot rename.
        """
        await self._files.rename(source, target)

    async def mkdir(self, path: str, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Make a directory.

        Args:
            path: where it is to be.
            parents: make those above it as well, where they are missing.
            exist_ok: do nothing where it is there.

        Raises:
            CapabilityError: this device has no directories.
            DeviceFileExistsError: it is there, or a file is.
        """
        await self._files.mkdir(path, parents=parents, exist_ok=exist_ok)

    async def sync(
        self,
        local: str | PathLike[str],
        remote: str = "/",
        *,
        mirror: bool = False,
        keep: Sequence[str] | None = None,
        ignore: Sequence[str] | None = None,
        verify: bool = False,
        mpy: bool = False,
        on_progress: Progress | None = None,
    ) -> SyncResult:
        """Make a folder of the device hold what a folder of the host holds.

        What is unchanged costs one round trip for all files together: a manifest on the device says
        what was written, and name, size and time of each file are compared with it. A file that
        somebody else has changed is noticed by these, and compared by its hash.

        Args:
            local: the folder on the host.
            remote: the folder on the device; made where it is missing.
            mirror: remove what is on the device only.
            keep: patterns of what `mirror` leaves alone, by name or by path below `remote`; at the
                root `boot.py`, `webrepl_cfg.py` and `lib` if not given.
            ignore: patterns of what is left out on the host; `__pycache__`, `*.pyc` and names that
                begin with a dot if not given.
            verify: trust no size or time: compare every file by its hash.
            mpy: compile `.py` files but `boot.py` and `main.py` for this device; needs the extra
                `klemheist[mpy]`.
            on_progress: called with the bytes written and all bytes to write, on this thread.

        Raises:
            HostFileNotFoundError, HostNotADirectoryError: `local` is no folder; nothing was sent.
            PathError: a path leaves `local` or `remote`; nothing was sent.
            DeviceDiskFullError: it does not fit; nothing was written.
            CapabilityError: this device has no directories, or loads no such `.mpy` files.
            LinkTimeout: another sync had the device for as long as `call_timeout`.
            QueueFull: too many syncs wait for the device.
        """
        syncing = partial(
            self._files.sync,
            local,
            remote,
            options=SyncOptions.of(mirror=mirror, keep=keep, ignore=ignore, verify=verify, mpy=mpy),
        )
        return await _followed(syncing, on_progress)


async def _followed(start: Callable[[Report | None], Future[T]], on_progress: Progress | None) -> T:
    """Await a transfer in this task, which also takes its progress."""
    if on_progress is None:
        return await start(None)
    check_callback("on_progress", on_progress)
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
