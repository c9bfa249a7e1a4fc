"""Serial ports through pyserial, which only this file imports.

A real port on POSIX is a descriptor and goes through the I/O thread. What has none (pyserial's own
URL handlers, Windows ports) is pumped by two threads (`pump.py`). `ports.py` finds the port at each
opening; `profiles.py` knows what its control lines do.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import serial

from klemheist.transports.errors import LinkError
from klemheist.transports.fdlink import FdLink
from klemheist.transports.link import Reset
from klemheist.transports.portfaults import explained
from klemheist.transports.ports import Finder
from klemheist.transports.profiles import DOWN, HELD, PULSE, UP, Lines, profile_of, steps
from klemheist.transports.pump import PumpLink
from klemheist.transports.url import DEFAULT_BAUDRATE

if TYPE_CHECKING:
    from klemheist.transports.identity import PortInfo
    from klemheist.transports.url import DeviceURL

_POLL_SECONDS = 0.1
"""How long a pumped read may take to notice a close where the handler cannot cancel it."""

_WRITE_SECONDS = 5.0
"""A pumped port that takes no byte for so long is lost."""


_CONTROL = ("dtr", "rts")
"""Options of the URL that are no settings of pyserial's."""


def create_serial_link(url: DeviceURL, finder: Finder | None = None) -> PortLink | HandlerLink:
    """Make the link of a port: by descriptor where the system has them.

    Args:
        url: a `serial` or `usb` URL.
        finder: knows the device from earlier openings.
    """
    finder = finder or Finder(url)
    return PortLink(url, finder) if os.name == "posix" else WindowsLink(url, finder)


class _Board:
    """A port that was found and opened: its control lines, and what they can do."""

    def __init__(self, url: DeviceURL, info: PortInfo) -> None:
        self.profile = profile_of(info.vid, info.pid)
        self.resets = (Reset.SIGNAL,) if self.profile.resets else ()
        options = dict(url.options)
        self._wanted = Lines(
            **{name: options[name] == "1" if name in options else True for name in _CONTROL}
        )
        self._now = UP
        self._port: Any = None

    def take(self, port: Any, now: Lines) -> None:
        """Have the lines as the URL asks; the port was opened with them as `now`."""
        self._port, self._now = port, now
        self._move(self._wanted)

    def reset(self) -> None:
        """Reset the board and let it run; takes as long as the pulse."""
        if self.profile.breaks:
            self._port.send_break(PULSE)
            return
        self._move(HELD)
        time.sleep(PULSE)  # the pulse itself; it runs in the background
        self._move(DOWN)

    def leave(self) -> None:
        """Lower the lines in the order that resets nothing, before the system drops them."""
        with suppress(OSError):  # unplugged
            self._move(DOWN)

    def _move(self, then: Lines) -> None:
        try:
            for line, up in steps(self._now, then):
                setattr(self._port, line, up)
        except OSError as error:
            if error.errno not in {errno.ENOTTY, errno.EINVAL}:  # a pseudo-terminal has no lines
                raise
        self._now = then


class _Found:
    """A link to a port that is found anew at each opening, and whose lines may reset the board."""

    resets: tuple[Reset, ...] = ()
    url: str

    def __init__(self, url: DeviceURL, finder: Finder | None = None) -> None:
        super().__init__(url)  # type: ignore[call-arg]  # the link that this is mixed into
        self._finder = finder or Finder(url)
        self._board: _Board | None = None

    def _is(self, info: PortInfo, board: _Board) -> None:
        """Keep what was opened."""
        self._finder.opened(info)
        self._board, self.resets = board, board.resets

    def _leave(self) -> None:
        board, self._board = self._board, None
        if board is not None:
            board.leave()

    def reset(self, kind: Reset) -> None:
        """See `Link.reset`: by control lines, where the adapter is one that has them."""
        board = self._board
        if kind not in self.resets or board is None:
            offered = ", ".join(self.resets) or "none"
            raise LinkError(f"{self.url} has no reset by {kind.value}; it offers {offered}")
        try:
            board.reset()
        except OSError as error:
            raise LinkError(f"{self.url} could not be reset: {error}; is it plugged in?") from error


class PortLink(_Found, FdLink):
    """A real port, held exclusively."""

    _port: serial.Serial | None = None

    def _connect(self, timeout: float) -> tuple[int, int]:
        del timeout  # opening a port does not wait
        info = self._finder.find()
        board = _Board(self._parsed, info)
        try:
            port = serial.Serial(info.device, exclusive=True, timeout=0, **_settings(self._parsed))
            self._port = port
            _tell_nothing_from_end(port.fileno())
            board.take(port, UP)
            fds = os.dup(port.fileno()), os.dup(port.fileno())  # copies: the port closes its own
        except (OSError, ValueError) as error:  # SerialException is an OSError
            self._disconnect()
            raise explained(self.url, info.device, error) from error
        self._is(info, board)
        return fds

    def _disconnect(self) -> None:
        self._leave()
        port, self._port = self._port, None
        if port is not None:
            port.close()

    def _why_lost(self, error: OSError | None) -> str:
        del error  # it says no more than: gone
        return f"{self.url} is gone: unplugged, or closed at its other end"


class HandlerLink(PumpLink):
    """`rfc2217://`, `loop://` and `spy://`."""

    def _connect(self, timeout: float) -> Any:
        del timeout  # the handlers have timeouts of their own
        return self._opened_port(self._parsed.target)

    def _opened_port(self, name: str, **more: Any) -> Any:
        try:
            return serial.serial_for_url(
                name,
                timeout=_POLL_SECONDS,
                write_timeout=_WRITE_SECONDS,
                **_settings(self._parsed),
                **more,
            )
        except (OSError, ValueError) as error:
            raise explained(self.url, name, error) from error


class WindowsLink(_Found, HandlerLink):
    """A real port of a system without descriptors for it."""

    def _connect(self, timeout: float) -> Any:
        del timeout
        info = self._finder.find()
        board = _Board(self._parsed, info)
        port = self._opened_port(info.device, do_not_open=True)
        # Some drivers raise the two lines at different times: opened with both down, they rise in
        # the order that resets nothing.
        port.dtr = port.rts = False
        try:
            port.open()
            board.take(port, DOWN)
        except (OSError, ValueError) as error:
            port.close()
            raise explained(self.url, info.device, error) from error
        self._is(info, board)
        return port

    def close(self) -> None:
        """See `Link.close`."""
        self._leave()
        super().close()


def _tell_nothing_from_end(fd: int) -> None:
    """Have a read of a port that has nothing fail, as everywhere else.

    As pyserial sets it up (VMIN 0) it returns no bytes, which means the end: a thread that comes to
    read what another one has just read would take the port for unplugged.
    """
    import termios  # noqa: PLC0415 -- POSIX alone has it

    attributes = termios.tcgetattr(fd)
    attributes[6][termios.VMIN] = 1
    termios.tcsetattr(fd, termios.TCSANOW, attributes)


def _settings(url: DeviceURL) -> dict[str, Any]:
    """Translate the URL's options, which `parse_url` has checked, into pyserial's."""
    options = {name: text for name, text in url.options if name not in _CONTROL}
    settings: dict[str, Any] = {"baudrate": int(options.pop("baudrate", DEFAULT_BAUDRATE))}
    convert = {"bytesize": int, "parity": str, "stopbits": float}
    for name, text in options.items():
        settings[name] = convert.get(name, partial(str.__eq__, "1"))(text)
    return settings
