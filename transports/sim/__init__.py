"""`sim:` and `sim:NAME`: the embedded board, a real MicroPython under Node (DESIGN.md section 6).

Here: starting it as a link. `node.py` finds Node, `interpreter.py` fetches MicroPython, and
`host.mjs` with the files beside it is the board itself.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from klemheist.transports.errors import LinkBusy, LinkError
from klemheist.transports.fdlink import FdLink
from klemheist.transports.link import Reset
from klemheist.transports.process import close_all, reap
from klemheist.transports.url import DEFAULT_HEAP_BYTES

from .interpreter import interpreter_path
from .node import find_node

if TYPE_CHECKING:
    from klemheist.transports.url import DeviceURL

__all__ = ["HOST", "SimLink", "board_folder", "find_node", "host_command", "interpreter_path"]

HOST = Path(__file__).with_name("host.mjs")
_FLAGS: Final = ("--v8-pool-size=1",)
"""One thread compiles in the background: four keep the interpreter, and us, from the processor."""
_PIPE_BYTES: Final = 1 << 18
"""What each pipe holds, where the system lets us say: all that one call carries of a file. Else who
writes waits in its midst until who reads has been woken, and has made room."""
_KERNEL_WATCHES: Final = sys.platform == "linux"
"""Whether the kernel can kill a process when a pipe ends (F_SETSIG)."""


def board_folder(name: str) -> Path:
    """Return where `sim:NAME` keeps its files."""
    if home := os.environ.get("KLEMHEIST_HOME"):
        return Path(home) / "sim" / name
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "klemheist" / "sim" / name


def host_command(url: DeviceURL, *, lifeline: int = -1, timeout: float = 60.0) -> list[str]:
    """Return the command line of the board; its standard input and output are the serial port.

    Args:
        url: a `sim:` URL.
        lifeline: a descriptor whose end of file ends the board; -1: only the end of its input does.
        timeout: seconds that fetching the interpreter may take, the first time.

    Raises:
        LinkError: no Node, or the interpreter could not be fetched.
    """
    node = find_node()
    interpreter = interpreter_path(node, timeout=timeout)
    heap = url.option("heap", str(DEFAULT_HEAP_BYTES))
    folder = [str(board_folder(url.target))] if url.target else []
    return [str(node), *_FLAGS, str(HOST), str(interpreter), heap, str(lifeline), *folder]


class SimLink(FdLink):
    """The embedded board on two pipes, with a third as its lifeline.

    Nothing is ever written to that one. Its end, however the service ends, ends the board: on Linux
    the kernel sees to it, elsewhere `watcher.mjs`.

    Standard input is a pipe, not a socket: the host reads it with blocking reads, and through a
    second opening without blocking while code runs.
    """

    resets = (Reset.RESPAWN,)
    boots = True
    _process: subprocess.Popen[bytes] | None = None
    _lifeline = -1

    @property
    def pid(self) -> int | None:
        """The process that is the board, while the link is open."""
        return self._process.pid if self._process is not None else None

    def _connect(self, timeout: float) -> tuple[int, int]:
        lock = self._take_folder()
        lifeline, self._lifeline = os.pipe()
        try:
            watched = -1 if _KERNEL_WATCHES else lifeline
            command = host_command(self._parsed, lifeline=watched, timeout=timeout)
            if _KERNEL_WATCHES:
                _end_kills_owner(lifeline)
            self._process, ends = _start(command, keep=(lifeline, *lock))
            if _KERNEL_WATCHES:
                fcntl.fcntl(lifeline, fcntl.F_SETOWN, self._process.pid)
        except BaseException as error:
            close_all(self._lifeline)
            if isinstance(error, OSError) and not isinstance(error, LinkError):
                raise LinkError(f"{self.url}: cannot start Node: {error.strerror}") from error
            raise
        finally:
            close_all(lifeline, *lock)
        return ends

    def _take_folder(self) -> tuple[int, ...]:
        """Lock a named board's folder; the host inherits the lock, so it ends with the host."""
        if not self._parsed.target:
            return ()
        folder = board_folder(self._parsed.target)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder, os.O_RDONLY)
        except OSError as error:
            raise LinkError(f"{self.url}: cannot use {folder}: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise LinkBusy(f"{self.url} is running already; close it where it runs") from error
        return (lock,)

    def _disconnect(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            os.close(self._lifeline)
            reap(process)

    def forget(self) -> None:
        """See `FdLink.forget`: a copy of the lifeline would keep the board when the parent dies."""
        super().forget()
        close_all(self._lifeline)

    def _why_lost(self, error: OSError | None) -> str:
        del error  # it says no more than: gone
        return (
            f"{self.url} is gone: its process ended; it is started again by itself, so call again"
        )


def _end_kills_owner(pipe: int) -> None:
    """Have the kernel kill the owner of this reading end when the last writer is gone.

    The owner must have the same open file. (Should the service die before there is one, the board
    reads the end of its input when it has started.)
    """
    fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)


def _start(
    command: list[str], *, keep: tuple[int, ...]
) -> tuple[subprocess.Popen[bytes], tuple[int, int]]:
    """Start the host on pipes; return it, and our ends for reading and writing."""
    input_read, input_write = os.pipe()
    output_read, output_write = os.pipe()
    if _KERNEL_WATCHES:
        for end in (input_write, output_write):
            with suppress(OSError):  # its user has many pipes: as they are, they do
                fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    try:
        process = subprocess.Popen(  # noqa: S603 - our own host, no shell
            command,
            stdin=input_read,
            stdout=output_write,
            stderr=subprocess.DEVNULL,
            pass_fds=keep,
            start_new_session=True,  # a Ctrl-C in the user's terminal is the service's to handle
        )
    except BaseException:
        close_all(input_write, output_read)
        raise
    finally:
        close_all(input_read, output_write)
    return process, (output_read, input_write)
