"""`session.file_system_context`: what the session knows of the device's directories, by heart.

`get_state` asks the device once for each directory and then answers from memory, until something is
done there through this session, `invalidate_cache` is called, the device boots anew, or the session
ends. `list` and `stat` always ask: only they see what others change (SES-072 to SES-076).
"""

from __future__ import annotations

import posixpath
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .files_calls import check_path
from .files_core import FileInfo
from .files_sync import SyncingFiles

if TYPE_CHECKING:
    from collections.abc import Iterable

    from klemheist.actors.files.record import FileOperation
    from klemheist.actors.runtime.future import Future

    from .core import SessionCore


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystemState:
    """What a directory of the device held when it was asked."""

    path: str
    entries: tuple[FileInfo, ...]
    """Its files and directories, by name."""
    generation: int
    """The boot of the device in which it was asked."""


class FileSystemCache:
    """The directories that one session knows."""

    def __init__(self) -> None:
        self._known: dict[str, FileSystemState] = {}
        self._changes = 0
        self._lock = threading.Lock()

    def get(self, path: str, generation: int) -> FileSystemState | None:
        """Return what is known of a directory in this boot."""
        found = self._known.get(_normal(path))
        return found if found is not None and found.generation == generation else None

    def mark(self) -> int:
        """Return what `put` is to be given: it says from when an answer is."""
        return self._changes

    def put(self, state: FileSystemState, mark: int) -> None:
        """Know a directory, unless something has changed since the device was asked."""
        with self._lock:
            if mark == self._changes:
                self._known[state.path] = state

    def forget(self, paths: Iterable[str] | None = None) -> None:
        """Forget some paths, with what is above and below them; None for everything."""
        with self._lock:
            self._changes += 1
            if paths is None:
                self._known.clear()
                return
            for path in map(_normal, paths):
                for known in tuple(self._known):
                    if known == posixpath.dirname(path) or _is_within(known, path):
                        del self._known[known]

    def heard(self, operation: FileOperation) -> None:
        """Forget what an operation of this session may have changed."""
        if operation.kind not in ("read", "list", "stat", "walk"):
            self.forget(None if operation.kind in ("rename", "sync") else (operation.path,))


class FileSystemView:
    """What needs no waiting: the same for `Files` and `AsyncFiles`."""

    def __init__(self, core: SessionCore) -> None:
        self._core = core
        self._files = SyncingFiles(core)

    @property
    def session_id(self) -> str:
        """The session whose view of the files this is (SES-027)."""
        return self._core.session_id

    @property
    def operations(self) -> tuple[FileOperation, ...]:
        """What was done with files in this session, oldest first; the last 200."""
        return self._files.log.operations

    def register_file_operation(self, operation: FileOperation) -> None:
        """Record an operation of your own beside those of the session (SES-074)."""
        self._files.log.add(operation)

    def invalidate_cache(self, path: str | None = None) -> None:
        """Make the next `get_state` ask the device (SES-073).

        Args:
            path: a file or directory of which something else has changed; None for everything.
        """
        self._core.file_cache.forget(None if path is None else (path,))

    def _state(self, path: str) -> Future[FileSystemState] | FileSystemState:
        """Return what is known of a directory, or the future of the device's answer."""
        check_path(path)
        core = self._core
        if not core.is_active:
            raise core.refusal()
        cache, generation = core.file_cache, core.port.generation
        self._files.log.on_operation = cache.heard
        found = cache.get(path, generation)
        if found is not None:
            return found
        mark = cache.mark()

        def keep(entries: list[FileInfo]) -> FileSystemState:
            state = FileSystemState(
                path=_normal(path), entries=tuple(entries), generation=generation
            )
            cache.put(state, mark)
            return state

        return self._files.list(path).map(keep)


class FileSystemContext(FileSystemView):
    """The file system as one session knows it, for threads."""

    def get_state(self, path: str = "/") -> FileSystemState:
        """Return what a directory holds, from memory where it is known (SES-072).

        Raises:
            DeviceFileNotFoundError: it is not there.
            SessionClosed: the session has ended, and knows nothing any more.
        """
        state = self._state(path)
        return state if isinstance(state, FileSystemState) else state.get()


class AsyncFileSystemContext(FileSystemView):
    """The file system as one session knows it, for asyncio."""

    async def get_state(self, path: str = "/") -> FileSystemState:
        """Return what a directory holds, from memory where it is known (SES-072).

        Raises:
            DeviceFileNotFoundError: it is not there.
            SessionClosed: the session has ended, and knows nothing any more.
        """
        state = self._state(path)
        return state if isinstance(state, FileSystemState) else await state


def _normal(path: str) -> str:
    return posixpath.normpath("/" + path.lstrip("/"))


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")
