"""The base of links through TLS: what `CodedLink` wraps goes through `Tls` last.

What waits to be sent is sealed when its turn has come, not before: records have an order, and an
interrupt may still overtake what is not sealed.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from klemheist.transports.coded import CodedLink, Talk
from klemheist.transports.errors import LinkError
from klemheist.transports.tls import Tls, said
from klemheist.transports.url import split_host_port

if TYPE_CHECKING:
    from collections.abc import Iterable

    from klemheist.transports.url import DeviceURL


class SealedTalk(Talk):
    """A conversation through TLS, over one that is not."""

    def __init__(self, below: Talk, tls: Tls) -> None:
        self._below, self._tls, self.url = below, tls, below.url

    def shake(self) -> None:
        """Do the handshake. Raises LinkError."""
        raw = b""
        while not self._tls.done:
            try:
                self._tls.shake(raw)
            except ssl.SSLError as error:
                with suppress(LinkError):  # the server is told why, if it still listens
                    self._below.send(self._tls.leaving())
                raise _refused(self.url, error) from error
            self._below.send(self._tls.leaving())
            if not self._tls.done and not (raw := self._below.receive()):
                raise LinkError(f"{self.url} hung up; check that its server speaks TLS there")

    def send(self, data: bytes) -> None:
        """See `Talk.send`."""
        self._tls.seal(data)
        self._below.send(self._tls.leaving())

    def receive(self) -> bytes:
        """See `Talk.receive`."""
        while raw := self._below.receive():
            data, ended = self._tls.unseal(raw)
            if data or ended:
                return data
        return b""


class SealedLink(CodedLink):
    """A link over a codec over TLS; mixed in before the class that gives the codec."""

    def __init__(self, url: DeviceURL) -> None:
        super().__init__(url)
        self._sealed = b""
        self._watched = False
        self._tls: Tls | None = None

    def _greet(self, talk: Talk) -> bytes:
        host, _ = split_host_port(self._parsed.target, self.url)
        self._tls = Tls(_context(self.url, self._parsed.option("ca", "")), host)
        sealed = SealedTalk(talk, self._tls)
        sealed.shake()
        return super()._greet(sealed)

    def _send(self, data: bytes) -> int:
        """Take all, or nothing while what was sealed before still waits; `_writing` is held."""
        assert self._tls is not None
        if not self._flush():
            return 0
        self._tls.seal(data)
        self._flush()
        return len(data)

    def _flush(self) -> bool:
        """Send what is sealed; True where nothing of it is left. `_writing` is held."""
        assert self._tls is not None
        self._sealed += self._tls.leaving()
        if self._sealed:
            self._sealed = self._sealed[super()._send(self._sealed) :]
        return not self._sealed

    def _put(self, pieces: Iterable[bytes]) -> None:
        super()._put(pieces)
        if self._sealed:
            self._watch()

    def _watch(self) -> None:
        if not self._watched:
            self._watched = True
            super()._watch()

    def _writable(self) -> None:
        with self._writing:
            if not self._live or self._reactor is None:
                return
            while self._flush() and self._unsent:
                chunk = self._unsent.popleft()
                self._unsent_bytes -= self._send(chunk)
            if not self._sealed:
                self._watched = False
                self._reactor.unregister(self._write_fd)

    def _unwrap(self, raw: bytes) -> bytes:
        assert self._tls is not None
        data, ended = self._tls.unseal(raw)
        if self._tls.answers:  # as to a new key
            with self._writing:
                if self._live and not self._flush():
                    self._watch()
        plain = super()._unwrap(data)
        if ended:
            self._end(ended)
        return plain


def _context(url: str, authorities: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authorities or None)
    except OSError as error:  # an SSLError is one
        reason = said(error) if isinstance(error, ssl.SSLError) else error.strerror
        raise LinkError(
            f"{url}: ca={authorities}: {reason}; give a PEM file of certificates to trust"
        ) from error


def _refused(url: str, error: ssl.SSLError) -> LinkError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return LinkError(
            f"{url}: its certificate is refused ({said(error)}); correct the host, or trust "
            "its issuer with ?ca=FILE"
        )
    return LinkError(f"{url}: no TLS with what answers there ({said(error)}); ws:// goes without")
