"""From a device URL to its link: one table; what a scheme needs is imported at its first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .url import parse_url

if TYPE_CHECKING:
    from klemheist.transports.link import Link
    from klemheist.transports.ports import Finder

_LINKS = {
    "serial": ("klemheist.transports.serial", "create_serial_link"),
    "usb": ("klemheist.transports.serial", "create_serial_link"),
    "rfc2217": ("klemheist.transports.serial", "HandlerLink"),
    "loop": ("klemheist.transports.serial", "HandlerLink"),
    "spy": ("klemheist.transports.serial", "HandlerLink"),
    "socket": ("klemheist.transports.tcp", "TcpLink"),
    "tcp": ("klemheist.transports.tcp", "TcpLink"),
    "telnet": ("klemheist.transports.telnetlink", "TelnetLink"),
    "ws": ("klemheist.transports.webrepl", "WebReplLink"),
    "wss": ("klemheist.transports.wss", "SecureWebReplLink"),
    "exec": ("klemheist.transports.process", "ExecLink"),
    "sim": ("klemheist.transports.sim", "SimLink"),
    "microbit": ("klemheist.transports.microbit", "MicrobitLink"),
}

_FOUND = ("serial", "usb")
"""The schemes whose device may come back under another name."""


def create_link(url: str, finder: Finder | None = None) -> Link:
    """Make the link of a device URL, unopened.

    Args:
        url: the device.
        finder: where it stands for one device, it knows the device's port again by identity.

    Raises:
        UnknownScheme: see `parse_url`.
    """
    parsed = parse_url(url)
    module, name = _LINKS[parsed.scheme]
    known = (finder,) if parsed.scheme in _FOUND else ()
    link: Link = getattr(import_module(module), name)(parsed, *known)
    return link
