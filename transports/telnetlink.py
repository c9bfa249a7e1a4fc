"""`telnet://[user[:password]@]host[:port]`: a board behind a Telnet server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from klemheist.transports.coded import CodedLink
from klemheist.transports.errors import LinkAccessDenied
from klemheist.transports.login import TelnetLogin, asks
from klemheist.transports.telnet import TelnetCodec

if TYPE_CHECKING:
    from klemheist.transports.coded import Talk
    from klemheist.transports.errors import LinkError
    from klemheist.transports.url import DeviceURL

_PROMPT_WITHIN = 1024
"""Bytes: a prompt for a login comes first or never."""


class TelnetLink(CodedLink):
    """One connection. With a login in the URL it waits for the prompts; else it is open at once."""

    def __init__(self, url: DeviceURL) -> None:
        super().__init__(url)
        self._codec = TelnetCodec()
        self._first = bytearray()
        self._denied = False

    def _greet(self, talk: Talk) -> bytes:
        url = self._parsed
        if not url.user and not url.password:
            return b""
        login = TelnetLogin(self.url, url.user, url.password)
        self._first += bytes(_PROMPT_WITHIN)  # from here on a prompt is the device's own text
        return talk.log_in(self._codec, login, talk.receive())

    def _unwrap(self, raw: bytes) -> bytes:
        data = super()._unwrap(raw)
        if len(self._first) < _PROMPT_WITHIN and data:
            self._first += data
            if asks(bytes(self._first)):
                self._first += bytes(_PROMPT_WITHIN)
                self._denied = True
                self._end("it asks for a login")
        return data

    def _loss(self, error: OSError | None) -> LinkError:
        if self._denied:
            return LinkAccessDenied(f"{self.url} asks for a login; write {TelnetLogin.example}")
        return super()._loss(error)
