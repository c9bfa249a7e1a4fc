"""The sessions of one command line: one on each device that its commands name."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Self

from klemheist import Capabilities, CapabilityError, DeviceReset, Session, SessionManager
from klemheist.actors.device.port import Port
from klemheist.config import Config
from klemheist.transports.sim.interpreter import SIZE, VERSION, is_fetched
from klemheist.transports.url import hide_password

BOOTS = b"MPY: soft reboot"
"""What firmware prints first when it boots anew."""
FOREVER = 1e6
"""Seconds: longer than anybody waits at a terminal, short enough for every clock."""


class Stay:
    """A manager and, once a command needs it, a session; commands joined by `+` share it."""

    def __init__(self, config: Config, *, shown: bool = False) -> None:
        self.config = config
        self.manager = _manager(config, shown=shown)
        self.url = config.url(None)
        self._sessions: dict[str, Session] = {}
        self._wrote = False

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
            tell_fetch(self.url)
            self._sessions[self.url] = self.manager.create_session(self.url)
        return self._sessions[self.url]

    def note_files(self) -> None:
        """Note that files were written, to a board that may not keep them."""
        self._wrote |= self.url.split("?")[0] == "sim:"

    def tell_files_go(self) -> None:
        """Say at the end that what was written to the embedded board without a name goes."""
        if self._wrote:
            print(
                "klemheist: the files of sim: go with this command; give a name, "
                "--device sim:NAME, to keep them",
                file=sys.stderr,
            )

    @property
    def port(self) -> Port:
        """The present device."""
        tell_fetch(self.url)
        return self.manager.device(self.url)

    @property
    def capabilities(self) -> Capabilities:
        """What the present device can do."""
        return self.port.require()

    def execute(self, code: str, *, timeout: float | None = None) -> object:
        """Run code in the session, printing what it prints as it comes, byte for byte."""
        session, output = self.session, Output()
        try:
            return session.execute(code, timeout=timeout or FOREVER, on_output=output)
        except DeviceReset as error:
            output.forget_rest()
            raise DeviceReset(
                f"the code ended with SystemExit or a reset: {self.place} booted anew, and what "
                "was in its memory is gone; leave out sys.exit() to keep it",
                maybe_executed=True,
            ) from error
        finally:
            output.show_rest()


def _manager(config: Config, *, shown: bool) -> SessionManager:
    """Make the manager; `klemheist top` shows it if it is to be `shown`, where there is a way."""
    with suppress(CapabilityError):
        return SessionManager(config.options, status=shown or None)
    return SessionManager(config.options)


class Output:
    """What code prints, shown as it comes; from the words of a soft reset on it is held back."""

    def __init__(self) -> None:
        self._rest = b""

    def __call__(self, data: bytes) -> None:
        """Show it, unless a boot may have begun."""
        begins = data.find(BOOTS) if not self._rest else 0
        if begins < 0:
            show(data)
            return
        show(data[:begins])
        self._rest += data[begins:]

    def forget_rest(self) -> None:
        """Drop what was held back: it was the boot's."""
        self._rest = b""

    def show_rest(self) -> None:
        """Show what was held back: no boot came, so it was the user's."""
        show(self._rest)


def tell_fetch(url: str) -> None:
    """Say what a first command on the embedded board waits for: nothing else shows it."""
    if url.startswith("sim:") and not is_fetched():
        print(
            f"klemheist: fetching MicroPython {VERSION} ({SIZE // 1000} KB) with npm, once; "
            "this may take a minute",
            file=sys.stderr,
        )


def show(data: bytes) -> None:
    """Write bytes of the device to standard output, at once."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
