"""The sessions of one command line: one on each device that its commands name."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Self

from klemheist import Capabilities, CapabilityError, Session, SessionManager
from klemheist.config import Config
from klemheist.transports.url import hide_password

FOREVER = 1e6
"""Seconds: longer than anybody waits at a terminal, short enough for every clock."""


class Stay:
    """A manager and, once a command needs it, a session; commands joined by `+` share it."""

    def __init__(self, config: Config, *, shown: bool = False) -> None:
        self.config = config
        self.manager = _manager(config, shown=shown)
        self.url = config.url(None)
        self._sessions: dict[str, Session] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.manager.close()

    def at(self, device: str | None) -> Self:
        """Go on with a device: by name, by URL, or the one before."""
        if device is not None:
            self.url = self.config.url(device)
        return self

    @property
    def place(self) -> str:
        """The present device's URL, as it may be shown."""
        return hide_password(self.url)

    @property
    def session(self) -> Session:
        """The session on the present device."""
        if self.url not in self._sessions:
            self._sessions[self.url] = self.manager.create_session(self.url)
        return self._sessions[self.url]

    @property
    def capabilities(self) -> Capabilities:
        """What the present device can do."""
        return self.manager.device(self.url).require()

    def execute(self, code: str, *, timeout: float | None = None) -> object:
        """Run code in the session, printing what it prints as it comes, byte for byte."""
        return self.session.execute(code, timeout=timeout or FOREVER, on_output=show)


def _manager(config: Config, *, shown: bool) -> SessionManager:
    """Make the manager; `klemheist top` shows it if it is to be `shown`, where there is a way."""
    with suppress(CapabilityError):
        return SessionManager(config.options, status=shown or None)
    return SessionManager(config.options)


def show(data: bytes) -> None:
    """Write bytes of the device to standard output, at once."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
