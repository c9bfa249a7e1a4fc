"""From a device URL to its link: one table; what a scheme needs is imported at its first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .ports import Finder
from .url import parse_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist.transports.link import Link

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
    "exec": ("klemheist.transports.process", "ExecLink"),
    "sim": ("klemheist.transports.sim", "SimLink"),
    "microbit": ("klemheist.transports.microbit", "MicrobitLink"),
}

_FOUND = ("serial", "usb")
"""The schemes whose device may come back under another name."""


def create_link(url: str) -> Link:
    """Make the link of a device URL, unopened.

    Raises:
        UnknownScheme: see `parse_url`.
    """
    return links_to(url)()


def links_to(url: str) -> Callable[[], Link]:
    """Return what makes links to one device, and finds its port again by identity.

    Raises:
        UnknownScheme: see `parse_url`.
    """
    parsed = parse_url(url)
    memory = (Finder(parsed),) if parsed.scheme in _FOUND else ()

    def make() -> Link:
        module, name = _LINKS[parsed.scheme]
        link: Link = getattr(import_module(module), name)(parsed, *memory)
        return link

    return make
