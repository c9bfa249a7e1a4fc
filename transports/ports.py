"""The serial ports of this machine, and the one that a device is behind each time it is opened."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from klemheist.transports.errors import LinkError
from klemheist.transports.identity import PortInfo, find_again, find_port, printable, url_of
from klemheist.transports.usb import parse_usb

if TYPE_CHECKING:
    from collections.abc import Iterable

    from klemheist.transports.url import DeviceURL

_NOTHING = (None, "", "n/a")
"""What pyserial says of a port that says nothing of itself."""


def list_ports() -> tuple[PortInfo, ...]:
    """Return the serial ports of this machine, sorted by name.

    Raises:
        LinkError: the system does not tell.
    """
    try:
        found = comports()
    except (ImportError, OSError) as error:
        raise LinkError(
            f"the serial ports cannot be listed: {error}; name one by its path"
        ) from error
    ports = sorted(map(_info, found), key=lambda port: port.device)
    return tuple(replace(port, url=url_of(port, ports)) for port in ports)


def comports() -> Iterable[Any]:
    """Ask the system, through pyserial; tests put recorded answers here."""
    from serial.tools import list_ports as lister  # noqa: PLC0415 -- as every driver, at its first use

    found: Iterable[Any] = lister.comports()
    return found


def _info(port: Any) -> PortInfo:
    return PortInfo(
        port.device,
        "" if port.description in _NOTHING else printable(port.description),
        port.serial_number,
        port.vid,
        port.pid,
        port.location,
    )


class Finder:
    """Finds one device's port each time it is opened, and knows the device again (DESIGN 3.9).

    Args:
        url: a `serial` or `usb` URL.
    """

    def __init__(self, url: DeviceURL) -> None:
        self._url = url
        self._was: PortInfo | None = None

    def find(self) -> PortInfo:
        """Return where the device is now. Looks each time anew: nothing is kept but who it was.

        Raises:
            LinkError: it is away; the message says what is there.
            LinkAmbiguous: there are several that fit.
        """
        if self._url.scheme == "usb":
            wanted = parse_usb(self._url.target, self._url.key)
            return find_port(wanted, list_ports(), self._url.key)
        ports: tuple[PortInfo, ...] = ()
        with suppress(LinkError):  # a path can be opened all the same
            ports = list_ports()
        return find_again(_listed_name(self._url.target, ports), self._was, ports)

    def opened(self, port: PortInfo) -> None:
        """Remember who was there."""
        self._was = port


def _listed_name(path: str, ports: tuple[PortInfo, ...]) -> str:
    """Return the name in the list of ports; a link, as of /dev/serial/by-id, is another name."""
    if any(port.device == path for port in ports):
        return path
    with suppress(OSError):
        real = str(Path(path).resolve())
        if any(port.device == real for port in ports):
            return real
    return path
