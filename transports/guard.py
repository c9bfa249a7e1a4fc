"""The guardian of one child: a small process that lets nothing outlive the service.

Run as a script, never imported: `python guard.py LIFELINE_FD pty|plain KEEP_FD,… COMMAND…`. It
forks the command into a session of its own and waits for the first of two ends:

1. the lifeline, a socket whose other end only the service holds: closed by it, or by the system
   when the service dies in any way, `kill -9` included;
2. the command itself.

Either way everything that descends from the command is killed, then the guardian ends with the
command's status. On Linux it is a child subreaper, so that even what daemonised stays its
descendant, and the command dies with it; elsewhere it kills the process group only.

Why a process: PR_SET_PDEATHSIG set by the service's own child fires when the *thread* that forked
ends, and code between fork and exec is not safe in a threaded process. This one has one thread.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_NOT_RUN = 127


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - costs milliseconds, and only Linux has prctl

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _run(command: list[str], *, terminal: bool, guardian: int) -> None:
    """In the child: a session of its own, the terminal its controlling one, then the command."""
    os.setsid()
    if terminal:
        import fcntl  # noqa: PLC0415 - only where there is a terminal
        import termios  # noqa: PLC0415 - see above

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guardian:  # it died before the line above
        os._exit(_NOT_RUN)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
        signal.signal(ignored, signal.SIG_DFL)
    os.execvp(command[0], command)  # noqa: S606 - running the user's command is the task


def _descendants(ancestor: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = entry.read_text(errors="replace").rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found, todo = [], [ancestor]
    while todo:
        offspring = children.get(todo.pop(), [])
        found += offspring
        todo += offspring
    return found


def _kill_all(child: int) -> None:
    """Kill until nobody is left: what was forked meanwhile is found in the next round."""
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            for pid in _descendants(os.getpid()):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


def main(lifeline: int, *, terminal: bool, keep: list[int], command: list[str]) -> int:
    """Run `command`, wait for an end, kill, and return the command's exit status."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    guardian = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            os.close(lifeline)
            _run(command, terminal=terminal, guardian=guardian)
        finally:
            os._exit(_NOT_RUN)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):  # held open here, the peer would never see the command's end
        os.dup2(null, fd)
    for fd in (null, *keep):
        os.close(fd)
    os.write(lifeline, b"%d\n" % child)
    while True:
        ready, _, _ = select.select([lifeline, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                break
        if lifeline in ready:
            status = signal.SIGKILL
            break
    _kill_all(child)
    return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    raise SystemExit(
        main(
            int(sys.argv[1]),
            terminal=sys.argv[2] == "pty",
            keep=[int(fd) for fd in sys.argv[3].split(",") if fd],
            command=sys.argv[4:],
        )
    )
