"""Serial ports through pyserial, which only this file imports.

A real port on POSIX is a descriptor and goes through the I/O thread. What has none (pyserial's own
URL handlers, Windows ports) is pumped by two threads (`pump.py`).
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import serial
from serial.tools import list_ports as _list_ports

from klemheist.transports.errors import LinkBusy, LinkError, LinkPermissionError
from klemheist.transports.fdlink import FdLink
from klemheist.transports.pump import PumpLink
from klemheist.transports.url import DEFAULT_BAUDRATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from klemheist.transports.url import DeviceURL

_POLL_SECONDS = 0.1
"""How long a pumped read may take to notice a close where the handler cannot cancel it."""

_WRITE_SECONDS = 5.0
"""A pumped port that takes no byte for so long is lost."""


@dataclass(frozen=True, slots=True)
class PortInfo:
    """One serial port of this machine."""

    device: str
    description: str
    serial_number: str | None
    vid: int | None
    pid: int | None
    location: str | None


def list_ports() -> list[PortInfo]:
    """Return the serial ports of this machine, sorted by device name."""
    return [
        PortInfo(
            port.device, port.description, port.serial_number, port.vid, port.pid, port.location
        )
        for port in sorted(_list_ports.comports(), key=lambda p: p.device)
    ]


def create_serial_link(url: DeviceURL) -> PortLink | HandlerLink:
    """Make the link of a port: by descriptor where the system has them."""
    return PortLink(url) if os.name == "posix" else HandlerLink(url)


class PortLink(FdLink):
    """A real port, held exclusively. DTR and RTS are left as pyserial sets them."""

    _port: serial.Serial | None = None

    def _connect(self, timeout: float) -> tuple[int, int]:
        del timeout  # opening a port does not wait
        device = self._parsed.target
        try:
            port = serial.Serial(device, exclusive=True, timeout=0, **_settings(self._parsed))
        except (OSError, ValueError) as error:  # SerialException is an OSError
            raise _explained(self.url, device, error) from error
        self._port = port
        # Copies: the port closes its own, after ours.
        return os.dup(port.fileno()), os.dup(port.fileno())

    def _disconnect(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.close()

    def _why_lost(self, error: OSError | None) -> str:
        del error  # it says no more than: gone
        return f"{self.url} is gone: unplugged, or closed at its other end"


class HandlerLink(PumpLink):
    """`rfc2217://`, `loop://`, `spy://`, and ports of systems without descriptors for them."""

    def _connect(self, timeout: float) -> Any:
        del timeout  # the handlers have timeouts of their own
        try:
            return serial.serial_for_url(
                self._parsed.target,
                timeout=_POLL_SECONDS,
                write_timeout=_WRITE_SECONDS,
                **_settings(self._parsed),
            )
        except (OSError, ValueError) as error:
            raise _explained(self.url, self._parsed.target, error) from error


def _settings(url: DeviceURL) -> dict[str, Any]:
    """Translate the URL's options, which `parse_url` has checked, into pyserial's."""
    options = dict(url.options)
    settings: dict[str, Any] = {"baudrate": int(options.pop("baudrate", DEFAULT_BAUDRATE))}
    convert = {"bytesize": int, "parity": str, "stopbits": float}
    for name, text in options.items():
        settings[name] = convert.get(name, partial(str.__eq__, "1"))(text)
    return settings


def _explained(url: str, device: str, error: Exception) -> LinkError:
    """Say in one line why a port did not open and what to do."""
    code = getattr(error, "errno", None)
    if code in {errno.EBUSY, errno.EAGAIN} or "exclusively lock" in str(error):
        return LinkBusy(f"{url} is in use{_holders(device)}; close it there, or share its session")
    if code in {errno.EACCES, errno.EPERM}:
        return LinkPermissionError(f"{url}: no permission{_group_advice(device)}")
    if code in {errno.ENOENT, errno.ENODEV, errno.ENXIO} or "could not find" in str(error).lower():
        return LinkError(f"{url}: no such port; `klemheist devices` lists what is there")
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return LinkError(f"{url}: {reason}; check the port and its options")


def _group_advice(device: str) -> str:
    try:
        group = Path(device).group()
    except (OSError, KeyError, NotImplementedError):
        return "; ask for access to the port"
    return f"; join its group: sudo usermod -aG {group} $USER, then log in again"


def _holders(device: str) -> str:
    """Name who has the device open, where the system tells (Linux)."""
    names = [f"process {pid} ({_command(pid)})" for pid in _open_in(Path(device).resolve())]
    return f" by {', '.join(names)}" if names else ""


def _open_in(device: Path) -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(_is_link_to(fd, device) for fd in (process / "fd").iterdir()):
                yield int(process.name)
        except OSError:  # it ended, or is another user's
            continue


def _is_link_to(fd: Path, device: Path) -> bool:
    try:
        return str(fd.readlink()) == str(device)
    except OSError:
        return False


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "unknown"
    return b" ".join(words).decode(errors="replace").strip()[:60] or "unknown"
