"""The client's side of TLS, pure: bytes in, bytes out; no socket and no clock.

It is the standard library's, over buffers in memory instead of a socket.
"""

from __future__ import annotations

import ssl
import threading
from typing import NamedTuple

_READ_BYTES = 65536


class Unsealed(NamedTuple):
    """What came out of bytes that came."""

    data: bytes
    ended: str = ""
    """Why nothing more comes; empty while the stream goes on."""


class Tls:
    """One connection.

    Args:
        context: whom it trusts.
        host: the name, or the address, that the server's certificate must have.
    """

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._arrived, self._leaving, server_hostname=host)
        self._lock = threading.Lock()  # OpenSSL wants one thread at a time, for both directions
        self.done = False
        """Whether the handshake is over."""

    def shake(self, raw: bytes) -> None:
        """Go on with the handshake, `raw` having come; `leaving` has what is to be sent.

        Raises:
            ssl.SSLError: it cannot be; `leaving` may have an alert for the server all the same.
        """
        with self._lock:
            self._arrived.write(raw)
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                return
            self.done = True

    def seal(self, data: bytes) -> None:
        """Put bytes into records, which `leaving` gives."""
        with self._lock:
            self._object.write(data)

    def leaving(self) -> bytes:
        """Take what is to be sent; all of it must be, in this order."""
        with self._lock:
            return self._leaving.read()

    @property
    def answers(self) -> bool:
        """Whether `leaving` would give anything."""
        return bool(self._leaving.pending)

    def unseal(self, raw: bytes) -> Unsealed:
        """Take bytes of the server, however they were cut."""
        data = bytearray()
        with self._lock:
            self._arrived.write(raw)
            try:
                while some := self._object.read(_READ_BYTES):
                    data += some
            except ssl.SSLWantReadError:
                return Unsealed(bytes(data))
            except ssl.SSLError as error:
                return Unsealed(bytes(data), f"its server breaks TLS ({said(error)})")
        return Unsealed(bytes(data), "its server ended TLS")


def said(error: ssl.SSLError) -> str:
    """Return an error's reason in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason or str(error)).replace("_", " ").lower()
