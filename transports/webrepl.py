"""`ws://host[:port]/?password=…`: MicroPython's WebREPL, its REPL channel only.

Files go through the REPL like all else: WebREPL's own transfer runs while programs do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from klemheist.transports.coded import CodedLink
from klemheist.transports.errors import LinkBusy, LinkError
from klemheist.transports.login import WebReplLogin
from klemheist.transports.websocket import WebSocketCodec, new_key, refusal, request

if TYPE_CHECKING:
    from klemheist.transports.coded import Talk

MAX_HEAD = 8 * 1024
"""Bytes of an answer to the handshake; a board's has some hundred."""


class WebReplLink(CodedLink):
    """One connection to a WebREPL, logged in. A soft reset of the board ends it."""

    def _greet(self, talk: Talk) -> bytes:
        url = self._parsed
        key = new_key()
        talk.send(request(url.target, key))
        head, rest = self._head(talk)
        if why := refusal(head, key):
            raise LinkError(f"{self.url}: {why}; check the host, the port, and that WebREPL runs")
        self._codec = WebSocketCodec()
        login = WebReplLogin(self.url, url.user, url.password)
        login.example = f"{url.scheme}://:PASSWORD@host"
        return talk.log_in(self._codec, login, rest)

    def _head(self, talk: Talk) -> tuple[bytes, bytes]:
        """Receive the answer's head; return it and what came after it."""
        text = b""
        while b"\r\n\r\n" not in text:
            more = talk.receive()
            text += more
            if not text:
                raise LinkBusy(f"{self.url} hung up without a word; is another client connected?")
            if not more or len(text) > MAX_HEAD or not b"HTTP/".startswith(text[:5]):
                break  # what there is tells why
        head, _, rest = text.partition(b"\r\n\r\n")
        return head, rest
