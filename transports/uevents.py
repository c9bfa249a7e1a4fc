"""The kernel's news about devices (Linux): a netlink socket, read on the I/O thread.

Nothing in a message is believed: it only says when it is worth listing the ports anew. The kernel
tells first; udev tells again once it has set the port's permissions. In a container the kernel may
tell nothing at all, so whoever listens here looks by itself too, seldom.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from klemheist.transports import reactor

if TYPE_CHECKING:
    from collections.abc import Callable

_KOBJECT_UEVENT: Final = 15
_KERNEL, _UDEV = 1, 2
"""Multicast groups, as bits; anybody may listen."""
_MOST_BYTES: Final = 8192
"""A message is a few hundred; the kernel's own limit is 2 KB of words."""
_AT_ONCE: Final = 64
"""Messages that are read in one turn of the I/O thread, which others wait for."""


def is_about_ports(message: bytes) -> bool:
    r"""Whether a message of the kernel or of udev says that a serial port came or went.

    >>> is_about_ports(b"add@/devices/x\0ACTION=add\0SUBSYSTEM=tty\0")
    True
    """
    words = message.split(b"\0")
    return b"SUBSYSTEM=tty" in words and (b"ACTION=add" in words or b"ACTION=remove" in words)


class Uevents:
    """Calls `changed()` on the I/O thread when a serial port came or went.

    Args:
        changed: must not block.
    """

    def __init__(self, changed: Callable[[], object]) -> None:
        self._changed = changed
        self._socket: socket.socket | None = None
        self._reactor: reactor.Reactor | None = None

    def open(self) -> bool:
        """Begin to listen; False where the system has no such news."""
        family: Any = getattr(socket, "AF_NETLINK", None)
        if family is None:
            return False
        try:
            news = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _KOBJECT_UEVENT)
        except OSError:
            return False
        try:
            news.bind((0, _KERNEL | _UDEV))
        except OSError:
            news.close()
            return False
        self._socket, self._reactor = news, reactor.acquire()
        self._reactor.register(news.fileno(), reactor.READ, self._ready)
        return True

    def close(self) -> None:
        """Listen no more; idempotent."""
        news, self._socket = self._socket, None
        owner, self._reactor = self._reactor, None
        if news is not None and owner is not None:
            owner.unregister(news.fileno())
            news.close()
            reactor.release(owner)

    def _ready(self) -> None:
        told = False
        with suppress(OSError):  # nothing more; or too much came, and the last of it is lost
            for _ in range(_AT_ONCE):
                news = self._socket
                if news is None:
                    return
                told |= is_about_ports(news.recv(_MOST_BYTES))
        if told:
            self._changed()
