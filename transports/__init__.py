r"""Bytes and protocols: links to devices, the REPL protocol, and the errors of both.

A link moves bytes and knows nothing of what they mean; `repl` gives them meaning and knows nothing
of links, threads or clocks. Importing this room is cheap: what a scheme needs (pyserial, selectors,
subprocess) is imported when the first link of that scheme is made.

    link = create_link("sim:")
    link.open(receiver)
    link.write(b"\r\x03")
    link.close()
"""

from __future__ import annotations

from .errors import (
    DeviceReset,
    KlemheistError,
    LinkAccessDenied,
    LinkAmbiguous,
    LinkBusy,
    LinkError,
    LinkLost,
    LinkPermissionError,
    LinkTimeout,
    UnknownScheme,
)
from .identity import PortInfo
from .link import MAX_UNSENT, Link, Receiver, Reset
from .ports import list_ports
from .registry import create_link
from .url import DeviceURL, parse_url

__all__ = [
    "MAX_UNSENT",
    "DeviceReset",
    "DeviceURL",
    "KlemheistError",
    "Link",
    "LinkAccessDenied",
    "LinkAmbiguous",
    "LinkBusy",
    "LinkError",
    "LinkLost",
    "LinkPermissionError",
    "LinkTimeout",
    "PortInfo",
    "Receiver",
    "Reset",
    "UnknownScheme",
    "create_link",
    "list_ports",
    "parse_url",
]
