"""Links to processes of ours, none of which outlives its link or the service (`guard.py` says how).

`exec:COMMAND` runs a command behind a pseudo-terminal in raw mode. ISIG stays off: every byte value
passes, and `interrupt` sends byte 3, which the command reads like any other.
"""

from __future__ import annotations

import os
import pty
import shlex
import shutil
import socket
import subprocess
import sys
import tty
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from klemheist.transports.errors import LinkError
from klemheist.transports.fdlink import FdLink
from klemheist.transports.link import Reset

if TYPE_CHECKING:
    from collections.abc import Sequence

_GUARD = str(Path(__file__).with_name("guard.py"))
_END_SECONDS = 3.0
"""How long a killed child may take to be gone; the kernel needs milliseconds."""


@dataclass(slots=True)
class Child:
    """A guarded child: its guardian, and the lifeline whose closing kills all of it."""

    guardian: subprocess.Popen[bytes]
    lifeline: socket.socket

    @classmethod
    def spawn(
        cls, command: Sequence[str], *, stdio: int = subprocess.DEVNULL, keep: tuple[int, ...] = ()
    ) -> Child:
        """Start `command` under a guardian.

        Args:
            command: the program and its arguments.
            stdio: its standard streams; a terminal becomes its controlling one.
            keep: further descriptors that it inherits under their numbers.

        Raises:
            OSError: the guardian could not be started.
        """
        kind = "plain" if stdio == subprocess.DEVNULL else "pty"
        ours, theirs = socket.socketpair()
        with theirs:
            script = [_GUARD, str(theirs.fileno()), kind, ",".join(map(str, keep)), *command]
            try:
                guardian = subprocess.Popen(  # noqa: S603 - the command is the user's, no shell
                    [sys.executable, "-I", "-S", *script],
                    stdin=stdio,
                    stdout=stdio,
                    stderr=stdio,
                    pass_fds=(theirs.fileno(), *keep),
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        return cls(guardian, ours)

    def pid(self, timeout: float = 5.0) -> int:
        """Return the process id of the command itself, as the guardian tells it.

        Raises:
            LinkError: the guardian ended without saying so.
        """
        self.lifeline.settimeout(timeout)
        told = self.lifeline.recv(32, socket.MSG_PEEK)
        if not told:
            raise LinkError("the process ended while it was being started; try its command by hand")
        return int(told)

    def end(self) -> None:
        """Kill the command and all that descends from it, and reap the guardian."""
        self.lifeline.close()
        reap(self.guardian)


def reap(process: subprocess.Popen[bytes]) -> None:
    """Wait for a child that is ending; kill it where it does not."""
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_END_SECONDS)


class ProcessLink(FdLink):
    """A link to a guarded child: its end is the link's, and closing kills it."""

    resets = (Reset.RESPAWN,)
    _child: Child | None = None

    @property
    def pid(self) -> int | None:
        """The process that is the board, while the link is open."""
        return self._child.pid() if self._child is not None else None

    def _disconnect(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end()

    def forget(self) -> None:
        """See `FdLink.forget`: a copy of the lifeline would keep the board when the parent dies."""
        super().forget()
        if self._child is not None:
            self._child.lifeline.close()

    def _why_lost(self, error: OSError | None) -> str:
        del error  # it says no more than: gone
        return (
            f"{self.url} is gone: its process ended; it is started again by itself, so call again"
        )


class ExecLink(ProcessLink):
    """`exec:COMMAND`: a process in its own session whose controlling terminal is ours."""

    def _connect(self, timeout: float) -> tuple[int, int]:
        del timeout  # nothing here waits
        command = self._command()
        ours, theirs = pty.openpty()
        try:
            tty.setraw(theirs)
            self._child = Child.spawn(command, stdio=theirs)
        except OSError as error:
            os.close(ours)
            raise LinkError(f"{self.url}: cannot start it: {error.strerror}") from error
        finally:
            os.close(theirs)
        return ours, ours

    def _command(self) -> list[str]:
        try:
            command = shlex.split(self._parsed.target)
        except ValueError as error:
            raise LinkError(f"{self.url}: {error}; quote it as for a shell") from error
        if not command or shutil.which(command[0]) is None:
            name = command[0] if command else self._parsed.target
            raise LinkError(f"{self.url}: no command {name!r} here; install it or give its path")
        return command


def close_all(*fds: int) -> None:
    """Close what is still open of several descriptors."""
    for fd in fds:
        with suppress(OSError):
            os.close(fd)
