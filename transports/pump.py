"""The base of links without a descriptor to wait for: one thread reads, one writes.

The port object is pyserial's (`read`, `in_waiting`, `write`, `close`); it is not imported here.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from loguru import logger

from klemheist.transports.errors import LinkError, LinkLost
from klemheist.transports.link import MAX_UNSENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist.transports.link import Receiver, Reset
    from klemheist.transports.url import DeviceURL

_READ_BYTES = 65536
_WRITE_BYTES = 1024
"""Written at a time: an interrupt overtakes all but this."""
_JOIN_SECONDS = 2.0
_CTRL_C = b"\x03"


class PumpLink:
    """A link over a blocking port object. A subclass gives `_connect`."""

    resets: tuple[Reset, ...] = ()
    boots: bool = False

    def __init__(self, url: DeviceURL) -> None:
        self._parsed = url
        self._port: Any = None
        self._receiver: Receiver | None = None
        self._delivering = threading.RLock()  # held in callbacks; re-entrant: they may close
        self._changed = threading.Condition()
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._live = self._opened = False
        self._threads: tuple[threading.Thread, ...] = ()

    @property
    def url(self) -> str:
        """The normalised URL."""
        return self._parsed.key

    def _connect(self, timeout: float) -> Any:
        """Open and return the port object. Raises LinkError, leaving nothing open."""
        raise NotImplementedError

    def open(self, receiver: Receiver, *, timeout: float = 10.0) -> None:
        """See `Link.open`."""
        if self._opened:
            raise LinkError(f"{self.url}: this link was opened before; create a new one")
        self._port = self._connect(timeout)
        self._opened = self._live = True
        self._receiver = receiver
        self._threads = tuple(
            threading.Thread(target=run, name=f"klemheist-{role}", daemon=True)
            for role, run in (("read", self._read), ("write", self._write))
        )
        for thread in self._threads:
            thread.start()

    def write(self, data: bytes) -> None:
        """See `Link.write`."""
        with self._changed:
            if not self._live:
                return
            if self._unsent_bytes + len(data) > MAX_UNSENT:
                raise LinkError(
                    f"{self.url} does not read: {self._unsent_bytes} bytes wait; reset the device"
                )
            pieces = range(0, len(data), _WRITE_BYTES)
            self._unsent.extend(bytes(data[at : at + _WRITE_BYTES]) for at in pieces)
            self._unsent_bytes += len(data)
            self._changed.notify()

    def interrupt(self) -> None:
        """See `Link.interrupt`."""
        with self._changed:
            if self._live:
                self._unsent.appendleft(_CTRL_C)
                self._unsent_bytes += 1
                self._changed.notify()

    def exchange(
        self,
        begin: Callable[[], bytes],  # noqa: ARG002 - see Link.exchange
        take: Callable[[bytes], bool],  # noqa: ARG002 - as above
        window: float,  # noqa: ARG002 - as above
    ) -> bool:
        """See `Link.exchange`: the reading thread cannot be paused."""
        return False

    def lend(self, *, soon: bool = False) -> None:
        """See `Link.lend`: a blocking port cannot be read by a loop."""

    def drive(self, done: Callable[[], bool], window: float = 0.0) -> None:
        """See `FdLink.drive`: here the two threads do all, and this returns at once."""

    def reset(self, kind: Reset) -> None:
        """See `Link.reset`: no control lines are used."""
        raise LinkError(f"{self.url} has no reset by {kind.value}; it offers none")

    def close(self) -> None:
        """See `Link.close`."""
        with self._changed:
            self._live = False
            self._changed.notify_all()
        with self._delivering:  # a callback under way is the last one
            port, self._port = self._port, None
            if port is None:
                return
            for name in ("cancel_read", "cancel_write"):
                with suppress(Exception):  # not every handler has them; all have timeouts
                    getattr(port, name)()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_JOIN_SECONDS)
        with suppress(Exception):  # it may be gone already
            port.close()
        self._receiver = None

    def _read(self) -> None:
        port = self._port
        while self._live:
            try:
                data = port.read(min(port.in_waiting or 1, _READ_BYTES))
            except Exception as error:  # noqa: BLE001 - handlers raise what their transport does
                self._lose(error)
                return
            if data:
                self._deliver(bytes(data))

    def _deliver(self, data: bytes) -> None:
        with self._delivering:
            if not self._live or self._receiver is None:
                return
            try:
                self._receiver.received(data)
            except BaseException:  # noqa: BLE001 - a receiver's bug must not end the link
                logger.bind(device=self.url).exception(
                    "a link's receiver failed; the bytes it was given are lost"
                )

    def _write(self) -> None:
        port = self._port
        while (data := self._next()) is not None:
            try:
                port.write(data)
            except Exception as error:  # noqa: BLE001 - handlers raise what their transport does
                self._lose(error)
                return

    def _next(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._unsent or not self._live)
            if not self._live:
                return None
            data = self._unsent.popleft()
            self._unsent_bytes -= len(data)
            return data

    def _lose(self, error: Exception) -> None:
        with self._delivering:
            with self._changed:
                if not self._live:
                    return
                self._live = False
                self._changed.notify_all()
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            lost = LinkLost(f"{self.url} is gone: {reason}")
            lost.__cause__ = error
            if self._receiver is not None:
                self._receiver.lost(lost)
