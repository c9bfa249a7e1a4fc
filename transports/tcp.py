"""`tcp://host:port` (and pyserial's `socket://`): a board behind a raw TCP port."""

from __future__ import annotations

import socket

from klemheist.transports.errors import LinkError
from klemheist.transports.fdlink import FdLink
from klemheist.transports.url import split_host_port

_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Seconds, seconds, tries: a board whose power is cut is noticed within half a minute."""


class TcpLink(FdLink):
    """One connection, without Nagle's delay and with keepalive. Offers no reset."""

    def _connect(self, timeout: float) -> tuple[int, int]:
        target = self._parsed.target.removeprefix("socket://").partition("?")[0].rstrip("/")
        fd = dial(target, self.url, timeout).detach()
        return fd, fd


def dial(target: str, url: str, timeout: float) -> socket.socket:
    """Connect to `host:port` within `timeout` seconds, for the link of `url`.

    Raises:
        LinkError: nobody answers there.
    """
    host, port = split_host_port(target, url)
    try:
        connection = socket.create_connection((host, port), timeout=timeout)
    except OSError as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else error.strerror
        raise LinkError(
            f"{url}: {reason or error}; check the address and that the device is on"
        ) from error
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):  # not every system names all three
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connection
