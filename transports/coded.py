"""The base of links whose bytes are wrapped by a protocol of the network: WebSocket, Telnet.

A codec, which is pure, wraps and unwraps; this gives it a socket. Opening includes the handshake
and the login, under one deadline.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from klemheist.transports.codec import Taken
from klemheist.transports.errors import LinkError, LinkTimeout
from klemheist.transports.fdlink import CTRL_C, FdLink
from klemheist.transports.link import MAX_UNSENT
from klemheist.transports.tcp import dial

if TYPE_CHECKING:
    from collections.abc import Iterable

    from klemheist.transports.codec import Codec
    from klemheist.transports.link import Receiver
    from klemheist.transports.login import Login
    from klemheist.transports.url import DeviceURL


GREETING_WITHIN = 5.0
"""Seconds from the connection to the end of the login: a few words each way. One of which a byte
was damaged never ends, and waiting longer would keep the device away."""


class Talk:
    """A connection while it is opened: waiting reads and writes, until a deadline."""

    def __init__(self, connection: socket.socket, url: str, deadline: float) -> None:
        self._connection, self.url, self._deadline = connection, url, deadline

    def send(self, data: bytes) -> None:
        """Send all of it. Raises LinkError."""
        try:
            self._connection.settimeout(self._left())
            self._connection.sendall(data)
        except OSError as error:
            raise self._explained(error) from error

    def receive(self) -> bytes:
        """Wait for bytes; none at the end of the stream. Raises LinkError."""
        try:
            self._connection.settimeout(self._left())
            return self._connection.recv(4096)
        except ConnectionError:
            return b""
        except OSError as error:
            raise self._explained(error) from error

    def log_in(self, codec: Codec, login: Login, raw: bytes = b"") -> bytes:
        """Go through a login, `raw` having come already; return what the device said after it."""
        while True:
            taken = codec.decode(raw)
            answer = login.take(taken.data)
            for piece in (taken.reply, *codec.encode(answer)):
                self.send(piece)
            if login.done:
                return login.rest
            raw = b"" if taken.ended else self.receive()
            if not raw:
                raise login.hung_up(taken.ended)

    def _left(self) -> float:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _explained(self, error: OSError) -> LinkError:
        if isinstance(error, TimeoutError):
            return LinkTimeout(f"{self.url}: no answer in time; check that its server is not stuck")
        return LinkError(f"{self.url}: {error.strerror or error}; check that the device is on")


class CodedLink(FdLink):
    """A link over a codec. A subclass gives `_greet`. Offers no reset."""

    _codec: Codec

    def __init__(self, url: DeviceURL) -> None:
        super().__init__(url)
        self._connection: socket.socket | None = None
        self._early = b""
        self._ended = ""

    def _greet(self, talk: Talk) -> bytes:
        """Say what opens the stream, and set `_codec`; return what the device said meanwhile."""
        raise NotImplementedError

    def _connect(self, timeout: float) -> tuple[int, int]:
        deadline = monotonic() + timeout
        connection = dial(self._parsed.target, self.url, timeout)
        deadline = min(deadline, monotonic() + GREETING_WITHIN)
        try:
            self._early = self._greet(Talk(connection, self.url, deadline))
            read_fd = os.dup(connection.fileno())
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return read_fd, read_fd

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _start(self, receiver: Receiver, read_fd: int, write_fd: int) -> None:
        with self._reading:  # what came with the login is delivered before all else
            super()._start(receiver, read_fd, write_fd)
            early, self._early = self._early, b""
            if early:
                super()._deliver(early)

    def write(self, data: bytes) -> None:
        """See `Link.write`."""
        with self._writing:
            if self._live:
                self._put(self._codec.encode(data))

    def interrupt(self) -> None:
        """See `Link.interrupt`; a piece that has begun to go out is not torn."""
        with self._writing:
            if not self._live:
                return
            pieces = self._codec.encode(CTRL_C)
            if not self._unsent:
                self._put(pieces)
                return
            self._unsent.insert(1, pieces[0])
            self._unsent_bytes += len(pieces[0])

    def _put(self, pieces: Iterable[bytes]) -> None:
        """Send whole pieces, or queue them; `_writing` is held."""
        pieces = [piece for piece in pieces if piece]
        if self._unsent_bytes + sum(map(len, pieces)) > MAX_UNSENT:
            raise LinkError(
                f"{self.url} does not read: {self._unsent_bytes} bytes wait; reset the device"
            )
        for piece in pieces:
            waiting = bool(self._unsent)
            sent = 0 if waiting else self._send(piece)
            if sent < len(piece):
                self._queue(piece[sent:])
                if not waiting:
                    self._watch()

    def _read(self) -> bytes:
        return self._unwrap(super()._read())

    def _deliver(self, data: bytes) -> None:
        if plain := self._unwrap(data):
            super()._deliver(plain)

    def _unwrap(self, raw: bytes) -> bytes:
        """Unwrap, and answer. Where the protocol ends the stream, the reading side sees its end."""
        taken = self._codec.decode(raw) if raw else Taken(raw)
        ended = taken.ended
        if taken.reply:
            with self._writing:
                try:
                    self._put((taken.reply,))
                except LinkError:
                    ended = ended or "its server asks, and does not read the answers"
        if ended:
            self._end(ended)
        return taken.data

    def _end(self, why: str) -> None:
        self._ended = self._ended or why
        if self._connection is not None:
            with suppress(OSError):  # it may be gone already
                self._connection.shutdown(socket.SHUT_RDWR)

    def _why_lost(self, error: OSError | None) -> str:
        return f"{self.url} is gone: {self._ended}" if self._ended else super()._why_lost(error)
