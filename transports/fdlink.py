"""The base of all links over file descriptors: sockets, pipes, terminals.

The short path of a call: `write` hands the bytes to the system on the caller's thread, and the I/O
thread hands what comes back straight to the receiver. Only what the system does not take at once
waits in a queue, which the I/O thread flushes.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING
from weakref import WeakSet

from loguru import logger

from klemheist.transports import reactor
from klemheist.transports.errors import LinkError, LinkLost
from klemheist.transports.lease import Lease
from klemheist.transports.link import DRIVE_SECONDS, MAX_UNSENT
from klemheist.transports.spin import GLANCE, Spin

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist.transports.link import Receiver, Reset
    from klemheist.transports.url import DeviceURL

READ_BYTES = 65536
"""As much as a pipe holds: one read empties it."""

CTRL_C = b"\x03"

_opened: WeakSet[FdLink] = WeakSet()


class FdLink:
    """A link over descriptors. A subclass gives `_connect`, and `_disconnect` for what it holds.

    Its life: created; `open` connects and registers with the I/O thread; then bytes flow, until
    `close`, or until the peer ends it, when `lost` is told once and `close` still frees all.

    `close` waits for a callback that is under way, since none may come afterwards: the caller must
    not hold a lock that its own callbacks take.
    """

    resets: tuple[Reset, ...] = ()
    boots: bool = False

    def __init__(self, url: DeviceURL) -> None:
        self._parsed = url
        self._read_fd = self._write_fd = -1
        self._receiver: Receiver | None = None
        self._reactor: reactor.Reactor | None = None
        self._lease: Lease | None = None
        self._reading = threading.RLock()  # held in callbacks; re-entrant: they may close
        self._writing = threading.Lock()
        self._poll: select.poll | None = None
        self._spin, self._glance = Spin(), Spin(GLANCE)
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._live = self._opened = False

    @property
    def url(self) -> str:
        """The normalised URL."""
        return self._parsed.key

    def _connect(self, timeout: float) -> tuple[int, int]:
        """Open, and return descriptors for reading and writing, which may be the same one.

        This object owns them from then on. Raises LinkError, leaving nothing open.
        """
        raise NotImplementedError

    def _disconnect(self) -> None:
        """Free what `_connect` made besides the descriptors; called once, after they are closed."""

    def forget(self) -> None:
        """In a forked child: close our copies, and say nothing to anybody; the parent goes on."""
        self._live = False
        self._reactor = None
        for fd in {self._read_fd, self._write_fd}:
            with suppress(OSError):  # it was being closed, or is not open yet
                os.close(fd)

    def open(self, receiver: Receiver, *, timeout: float = 10.0) -> None:
        """See `Link.open`."""
        if self._opened:
            raise LinkError(f"{self.url}: this link was opened before; create a new one")
        self._start(receiver, *self._connect(timeout))

    def _start(self, receiver: Receiver, read_fd: int, write_fd: int) -> None:
        """Own the descriptors, and have them read."""
        self._opened = True
        _opened.add(self)
        # Two descriptors always: waiting to write is then a registration of its own.
        self._read_fd = read_fd
        self._write_fd = os.dup(read_fd) if write_fd == read_fd else write_fd
        for fd in (self._read_fd, self._write_fd):
            os.set_blocking(fd, False)
        if hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(self._read_fd, select.POLLIN)
        self._receiver = receiver
        self._live = True
        self._reactor = reactor.acquire()
        self._lease = Lease(self._reactor, self._read_fd, self._ready)
        self._lease.begin()

    def write(self, data: bytes) -> None:
        """See `Link.write`."""
        with self._writing:
            if not self._live:
                return
            if self._unsent:
                self._queue(data)
                return
            sent = self._send(data)
            if sent < len(data):
                self._queue(data[sent:])
                self._watch()

    def interrupt(self) -> None:
        """See `Link.interrupt`."""
        with self._writing:
            if not self._live:
                return
            if not self._unsent and self._send(CTRL_C):
                return
            waiting = bool(self._unsent)
            self._unsent.appendleft(CTRL_C)
            self._unsent_bytes += 1
            if not waiting:
                self._watch()

    def drive(self, done: Callable[[], bool], window: float = DRIVE_SECONDS) -> None:
        """Read and deliver on the calling thread until `done()`, or for `window` seconds.

        For a caller that waits for an answer anyhow: two changes of thread less, which is most of
        what a link costs. It may return early; whatever happens, the I/O thread goes on afterwards.
        Not for a callback.
        """
        lease, poll, taker = self._lease, self._poll, object()
        if lease is None or poll is None:
            return
        try:
            if not lease.take_over(taker):
                return  # perhaps another caller drives, and delivers for both
            end = monotonic() + window
            while not done() and self._live and (left := end - monotonic()) > 0:
                if poll.poll(left * 1000):
                    with self._reading:
                        self._readable()
        finally:  # whatever happened, somebody reads on
            try:
                lease.give_back(taker)
            except BaseException:  # a signal's handler raised in there
                lease.give_back(taker)
                raise

    def lend(self, *, soon: bool = False) -> None:
        """See `Link.lend`."""
        if self._lease is not None:
            self._lease.lend(soon=soon)

    def exchange(
        self, begin: Callable[[], bytes], take: Callable[[bytes], bool], window: float
    ) -> bool:
        """See `Link.exchange`."""
        lease, poll, taker = self._lease, self._poll, object()
        if lease is None or poll is None or (not window and self._glance.is_resting()):
            return False
        try:
            if not lease.take_over(taker):
                return False
            with self._reading:  # after a callback that is under way, and ends at once
                self.write(begin())
                spin = self._spin if window else self._glance
                end = monotonic() + (window or GLANCE)
                while self._live and (left := end - monotonic()) > 0:
                    if not (spin.wait(poll) or (window and poll.poll(left * 1000))):
                        break
                    data = self._read()
                    if not data or take(data):
                        break
        finally:  # as in `drive`; the I/O thread sees an end of the stream again, and tells
            try:
                lease.give_back(taker)
            except BaseException:  # a signal's handler raised in there
                lease.give_back(taker)
                raise
        return True

    def _read(self) -> bytes:
        try:
            return os.read(self._read_fd, READ_BYTES)
        except OSError:
            return b""

    def reset(self, kind: Reset) -> None:
        """See `Link.reset`: a link over descriptors has no control lines."""
        raise LinkError(f"{self.url} has no reset by {kind.value}; it offers {_names(self.resets)}")

    def close(self) -> None:
        """See `Link.close`."""
        self._live = False  # a callback under way is the last one
        with self._reading:
            owned = self._opened and self._reactor is not None
            reactor_, self._reactor = self._reactor, None
            if not owned or reactor_ is None:
                return
            with self._writing:
                self._live = False
                self._forget(reactor_)
                self._unsent.clear()
                self._unsent_bytes = 0
                os.close(self._read_fd)
                os.close(self._write_fd)
            self._receiver = None
        try:  # the child first: the I/O thread may take a moment to end
            self._disconnect()
        finally:
            reactor.release(reactor_)

    def _send(self, data: bytes) -> int:
        try:
            return os.write(self._write_fd, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # the link is lost: the reading side finds out, and why, and tells

    def _queue(self, data: bytes) -> None:
        if self._unsent_bytes + len(data) > MAX_UNSENT:
            raise LinkError(
                f"{self.url} does not read: {self._unsent_bytes} bytes wait; reset the device"
            )
        self._unsent.append(bytes(data))
        self._unsent_bytes += len(data)

    def _watch(self) -> None:
        assert self._reactor is not None
        self._reactor.register(self._write_fd, reactor.WRITE, self._writable)

    def _writable(self) -> None:
        with self._writing:
            if not self._live or self._reactor is None:
                return
            while self._unsent:
                chunk = self._unsent.popleft()
                sent = self._send(chunk)
                self._unsent_bytes -= sent
                if sent < len(chunk):
                    self._unsent.appendleft(chunk[sent:])
                    return
            self._reactor.unregister(self._write_fd)

    def _ready(self) -> None:
        """In the I/O thread or a loop, neither of which waits: who has the lock reads or closes."""
        if self._reading.acquire(blocking=False):
            try:
                self._readable()
            finally:
                self._reading.release()

    def _readable(self) -> None:
        """Read once, and deliver; `_reading` is held."""
        if not self._live:  # who closes it waits for the lock: be told no more, else it waits long
            if self._lease is not None:
                self._lease.end()
            return
        try:
            data = os.read(self._read_fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)
            return
        if data:
            self._deliver(data)
        else:
            self._lose(None)

    def _deliver(self, data: bytes) -> None:
        assert self._receiver is not None
        try:
            self._receiver.received(data)
        except Exception:  # noqa: BLE001 - a receiver's bug must not stop the link
            logger.bind(device=self.url).exception(
                "a link's receiver failed; the bytes it was given are lost"
            )

    def _lose(self, error: OSError | None) -> None:
        """Stop, and tell; the descriptors stay open until `close`: it frees all at once."""
        assert self._reactor is not None
        assert self._receiver is not None
        with self._writing:
            self._live = False
            self._forget(self._reactor)
        lost = self._loss(error)
        lost.__cause__ = error
        self._receiver.lost(lost)

    def _forget(self, reactor_: reactor.Reactor) -> None:
        if self._lease is not None:
            self._lease.end()
        reactor_.unregister(self._write_fd)

    def _loss(self, error: OSError | None) -> LinkError:
        return LinkLost(self._why_lost(error))

    def _why_lost(self, error: OSError | None) -> str:
        """One line; a subclass knows more."""
        reason = error.strerror if error is not None and error.strerror else "closed by its peer"
        return f"{self.url} is gone: {reason}"


def _after_fork() -> None:
    for link in tuple(_opened):
        link.forget()


os.register_at_fork(after_in_child=_after_fork)


def _names(resets: tuple[Reset, ...]) -> str:
    return ", ".join(reset.value for reset in resets) or "none"
