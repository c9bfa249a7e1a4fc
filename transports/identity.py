"""Who is behind a serial port, and which port somebody is behind now (DESIGN 3.9). Pure.

>>> pico = PortInfo("/dev/ttyACM1", "Board in FS mode", "E6614C", 0x2E8A, 0x0005, "1-1.2:1.0")
>>> find_port(Wanted(serial="E6614C"), [pico], "usb:serial=E6614C").device
'/dev/ttyACM1'
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlencode

from klemheist.transports.errors import LinkAmbiguous, LinkError

MOST_SHOWN: Final = 8
"""Ports that an error lists; a hub full of boards does not make a page of it."""


@dataclass(frozen=True, slots=True)
class PortInfo:
    """One serial port of this machine, and the adapter or board behind it."""

    device: str
    """Its name, as `/dev/ttyACM0`."""
    description: str = ""
    serial_number: str | None = None
    vid: int | None = None
    """USB vendor; None where it is no USB port."""
    pid: int | None = None
    """USB product."""
    location: str | None = None
    """Where it is plugged in: bus, ports of hubs, and the interface of a device with several."""
    url: str = field(default="", compare=False)
    """The URL to open it by: the most lasting that fits it alone, among the ports of its list."""

    @property
    def interface(self) -> str:
        """Which port of a device with several this is; empty where it has one."""
        return (self.location or "").partition(":")[2]

    @property
    def identity(self) -> tuple[int, str, str] | None:
        """What stays when the port is renamed; None where the adapter has no serial number.

        The product is no part of it: a program on the board may change that.
        """
        if self.vid is None or not self.serial_number:
            return None
        return self.vid, self.serial_number.upper(), self.interface


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a `usb:` URL asks for; None asks for nothing."""

    vid: int | None = None
    pid: int | None = None
    serial: str | None = None
    location: str | None = None

    def fits(self, port: PortInfo) -> bool:
        """Whether a port is what is asked for; letter case says nothing."""
        return (
            port.vid is not None
            and self.vid in (None, port.vid)
            and self.pid in (None, port.pid)
            and (self.serial is None or self.serial.upper() == (port.serial_number or "").upper())
            and (self.location is None or self.location in _places(port))
        )

    def text(self) -> str:
        """Return it as it stands in a URL, always the same way."""
        words = {
            "vid": None if self.vid is None else f"{self.vid:04x}",
            "pid": None if self.pid is None else f"{self.pid:04x}",
            "serial": self.serial and self.serial.upper(),
            "location": self.location,
        }
        given = {name: word for name, word in words.items() if word is not None}
        return urlencode(given, safe=":", quote_via=quote)


def _places(port: PortInfo) -> tuple[str, str]:
    """Where a port is, with and without its interface."""
    location = port.location or ""
    return location, location.partition(":")[0]


def find_port(wanted: Wanted, ports: Sequence[PortInfo], url: str) -> PortInfo:
    """Return the one port that fits.

    Args:
        wanted: what it must be.
        ports: those there are.
        url: the device, for the message.

    Raises:
        LinkError: none fits, it is away; the message says what is there.
        LinkAmbiguous: several fit; the message says how to name each.
    """
    found = [port for port in ports if wanted.fits(port)]
    if len(found) == 1:
        return found[0]
    if found:
        raise _several(url, found, ports)
    there = _shown([port for port in ports if port.vid is not None], ports)
    raise LinkError(f"{url} is not plugged in; there {there}; plug it in, or choose another URL")


def find_again(path: str, was: PortInfo | None, ports: Sequence[PortInfo]) -> PortInfo:
    """Return where the device is now that was opened as `path`, whatever its port is called today.

    A device whose adapter has a serial number is followed. If it is away, a different one that has
    taken its name meanwhile is refused: sessions and owed cleanup belong to the device.

    Args:
        path: the port's name.
        was: what was behind it; None where it was not opened yet.
        ports: those there are.

    Raises:
        LinkError: it is away, and another one has its name.
        LinkAmbiguous: several have its identity, and none of them its name.
    """
    here = next((port for port in ports if port.device == path), PortInfo(path))
    if was is None or was.identity is None:
        return here
    same = [port for port in ports if port.identity == was.identity]
    if here in same:
        return here
    if len(same) == 1:
        return same[0]
    if same:
        raise _several(path, same, ports)
    if here.vid is None or here.serial_number == was.serial_number:
        return here
    raise LinkError(
        f"{path} is another device now ({url_of(here, ports)}), and {_name(was)}, which was opened "
        f"there, is away; plug it in, or open the new one by its own URL"
    )


def url_of(port: PortInfo, ports: Sequence[PortInfo]) -> str:
    """Return the URL by which a port is best opened: the most lasting that fits it alone."""
    for wanted in _ways(port):
        if [each for each in ports if wanted.fits(each)] == [port]:
            return f"usb:{wanted.text()}"
    return port.device


def _ways(port: PortInfo) -> Iterator[Wanted]:
    """How a USB port can be named, the most lasting way first."""
    if port.vid is None:
        return
    if port.serial_number:
        yield Wanted(serial=port.serial_number)
    yield Wanted(port.vid, port.pid)
    for location in reversed(_places(port)):
        if location:
            yield Wanted(location=location)


def _several(what: str, found: Sequence[PortInfo], ports: Sequence[PortInfo]) -> LinkAmbiguous:
    return LinkAmbiguous(f"{what} fits {len(found)} ports; say which: {_list(found, ports)}")


def _shown(found: Sequence[PortInfo], ports: Sequence[PortInfo]) -> str:
    return f"is {_list(found, ports)}" if found else "is no USB port"


def _list(found: Sequence[PortInfo], ports: Sequence[PortInfo]) -> str:
    """Name ports in one line, each by its URL."""
    shown = [f"{url_of(port, ports)} ({_name(port)})" for port in found[:MOST_SHOWN]]
    more = len(found) - len(shown)
    return ", ".join(shown) + (f", and {more} more" if more else "")


def _name(port: PortInfo) -> str:
    """Name a port for people, in one line whatever the device calls itself."""
    said = printable(port.description)
    return f"{said} at {port.device}" if said else port.device


def printable(text: str) -> str:
    """Return what a device says of itself as one line that does nothing to a terminal."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
