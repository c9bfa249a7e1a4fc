"""Where a service shows its status to its own user: a Unix socket, `klemheist top`'s other end.

Whoever connects gets one line of JSON (`status_of`), then the end. Nothing is read from a client,
and a slow one is let go. The directory and the socket are the user's alone.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from loguru import logger

from klemheist.actors.background import in_background
from klemheist.actors.errors import CapabilityError
from klemheist.transports import reactor

VARIABLE: Final = "KLEMHEIST_STATUS"
"""Set to 1, every manager of the process shows its status."""
MOST_CLIENTS: Final = 4
"""Clients that are served at once; one more finds the end at once."""
CLIENT_SECONDS: Final = 2.0
"""For a client to take what it asked for, and for a service to answer."""
MOST_BYTES: Final = 16 * 1024 * 1024
_MOST_NEW: Final = 64
"""Clients that wait for the I/O thread to take them; Linux refuses one more at once."""
_MOST_NAMES: Final = 100
"""Managers of one process."""
_binding: Final = threading.Lock()
"""One at a time: a name that nobody serves yet looks like one that was left behind."""


def directory() -> Path:
    """Return where the sockets of this user's services stand, making it where it is not there.

    Raises:
        CapabilityError: the system has no such sockets, or the place is not this user's alone.
    """
    if not hasattr(socket, "AF_UNIX") or os.name != "posix":
        raise CapabilityError("a status needs Unix sockets, which this system does not have")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    uid = os.getuid()
    path = (
        Path(runtime, "klemheist") if runtime else Path(tempfile.gettempdir(), f"klemheist-{uid}")
    )
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise CapabilityError(f"no place for a status: {error}; set XDG_RUNTIME_DIR") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
        raise CapabilityError(f"{path} is not yours alone: chmod 700 it, or set XDG_RUNTIME_DIR")
    return path


class StatusServer:
    """Serves one manager's status; `close` leaves no file behind.

    Args:
        snapshot: makes what is told.
    """

    def __init__(self, snapshot: Callable[[], dict[str, Any]]) -> None:
        self._snapshot = snapshot
        self._serving = threading.Semaphore(MOST_CLIENTS)
        with _binding:
            self.path, self._socket = _bound(directory())
        self._reactor = reactor.acquire()
        self._reactor.register(self._socket.fileno(), reactor.READ, self._ready)

    def close(self) -> None:
        """Take no more clients."""
        self._reactor.unregister(self._socket.fileno())
        self._socket.close()
        reactor.release(self._reactor)
        self.path.unlink(missing_ok=True)

    def _ready(self) -> None:
        try:
            client, _ = self._socket.accept()
        except OSError:  # it went away again
            return
        if not self._serving.acquire(blocking=False):
            client.close()
            return
        try:
            in_background(lambda: self._serve(client), name="status")
        except RuntimeError:  # no thread starts any more: the interpreter ends
            self._serving.release()
            client.close()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client:
                client.settimeout(CLIENT_SECONDS)
                client.sendall(json.dumps(self._snapshot()).encode() + b"\n")
        except OSError as error:
            logger.debug("a status was not taken: {}", error)
        except Exception:  # noqa: BLE001 -- a bug of ours must not stop the next client's
            logger.exception("no status could be made")
        finally:
            self._serving.release()


def _bound(where: Path) -> tuple[Path, socket.socket]:
    """Bind the first free name of this process."""
    for number in range(1, _MOST_NAMES):
        path = where / (f"{os.getpid()}.sock" if number == 1 else f"{os.getpid()}-{number}.sock")
        if path.exists() and _is_served(path):
            continue
        path.unlink(missing_ok=True)  # left by a process that was killed
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            server.bind(str(path))
            path.chmod(0o600)
            server.listen(_MOST_NEW)
        except OSError as error:
            server.close()
            raise CapabilityError(f"no status at {path}: {error}; set XDG_RUNTIME_DIR") from error
        server.settimeout(0)
        return path, server
    raise CapabilityError(f"{_MOST_NAMES} managers of this process show a status; close some")


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(CLIENT_SECONDS)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def statuses(pid: int | None = None) -> list[dict[str, Any]]:
    """Ask this user's running services for their status; one that hangs has `pid` and `error`.

    Args:
        pid: only this process; never this one itself.

    Raises:
        CapabilityError: see `directory`.
    """
    found = []
    for path in sorted(directory().glob("*.sock")):
        owner = path.stem.partition("-")[0]
        if owner == str(os.getpid()) or (pid is not None and owner != str(pid)):
            continue
        try:
            found.append(ask(path))
        except (ConnectionError, FileNotFoundError):  # it has ended
            continue
        except (OSError, ValueError) as error:
            found.append({"pid": int(owner), "error": f"it does not answer: {error}"})
    return found


def ask(path: Path) -> dict[str, Any]:
    """Ask one service for its status.

    Raises:
        OSError: nobody answers in time; where nobody ever will, the socket is removed.
        ValueError: the answer is cut short.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as service:
        service.settimeout(CLIENT_SECONDS)
        try:
            service.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)  # its process was killed
            raise
        with service.makefile("rb") as answer:
            status: dict[str, Any] = json.loads(answer.readline(MOST_BYTES))
    return status


def wanted(status: bool | None) -> bool:  # noqa: FBT001 -- a manager's option, passed on
    """Whether a manager shows its status: as it is told, else as the environment says."""
    return os.environ.get(VARIABLE) == "1" if status is None else status
