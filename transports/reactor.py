"""One daemon thread that waits for all file descriptors of the process (BASELINES.md, fact 7).

It starts with the first descriptor and ends, and is joined, with the last. A handler must not
block; what it raises is logged and the loop goes on.
"""

from __future__ import annotations

import os
import select
import selectors
import socket
import sys
import threading
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from collections.abc import Callable

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE

LOOK_SECONDS = 0.02
"""How often it looks after what is lent to loops; while nothing is, it sleeps without an end."""

_JOIN_SECONDS = 5.0
_lock = threading.Lock()
_current: Reactor | None = None


class Reactor:
    """One run of the I/O thread. Descriptors are added and removed from any thread.

    Changing the set while the thread waits is safe: epoll and kqueue see it at once, so the wake-up
    socket serves the end of the loop only (and systems that have neither).
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()
        for end in (self._wake_read, self._wake_write):
            end.setblocking(False)  # noqa: FBT003 - the socket module's signature
        self._soon: deque[Callable[[], object]] = deque()
        self._selector.register(self._wake_read, READ, self._woken)
        # The selector's own epoll, under a descriptor of its own: `selectors` cannot say "nothing".
        self._epoll = _epoll_of(self._selector)
        self._users = 0
        self._ended = False
        self._lent: list[Callable[[float], bool]] = []
        self._lending = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="klemheist-io", daemon=True)

    def register(self, fd: int, events: int, handler: Callable[[], None]) -> None:
        """Call `handler()` on the I/O thread whenever `fd` is ready."""
        self._selector.register(fd, events, handler)
        self._wake_blind()

    def unregister(self, fd: int) -> None:
        """Forget `fd`, which must still be open; a call of its handler may be under way."""
        with suppress(KeyError):
            self._selector.unregister(fd)

    def pause(self, fd: int) -> bool:
        """Leave the reading of `fd` to the caller, who calls `resume`; False where it cannot be."""
        if self._epoll is None:
            return False
        with suppress(FileNotFoundError):  # a Ctrl-C may have come between this and what it is for
            self._epoll.unregister(fd)
        return True

    def resume(self, fd: int) -> None:
        """Wait for `fd` again; what came in between is seen at once."""
        if self._epoll is not None:
            with suppress(FileExistsError):
                self._epoll.register(fd, select.EPOLLIN)

    def look_after(self, is_over: Callable[[float], bool]) -> None:
        """Call `is_over(now)` on the I/O thread every `LOOK_SECONDS`, until it returns True."""
        with self._lending:
            first = not self._lent
            self._lent.append(is_over)
        if first:
            self._wake()  # it sleeps without an end

    def _look(self) -> None:
        now = monotonic()
        over = [is_over for is_over in tuple(self._lent) if _says(is_over, now)]
        with self._lending:  # not around the calls: who lends holds a lock that they take
            for is_over in over:  # the older one, where it has come again meanwhile
                self._lent.remove(is_over)

    def inside(self) -> bool:
        """Whether this is the I/O thread."""
        return threading.get_ident() == self._thread.ident

    def _run(self) -> None:
        ready = self._selector.select
        while not self._ended:
            for key, _ in ready(LOOK_SECONDS if self._lent else None):
                try:
                    key.data()
                except BaseException:  # noqa: BLE001 - whatever a receiver raises: others go on
                    logger.exception("a link's receiver failed; the bytes it was given are lost")
            if self._lent:
                self._look()
        self._woken()  # what was asked for while it ended
        self._close()

    def _close(self) -> None:
        self._selector.close()
        if self._epoll is not None:
            self._epoll.close()
        self._wake_read.close()
        self._wake_write.close()

    def forget(self) -> None:
        """In a forked child: leave what is the parent's; closing ends nothing but our copies."""
        self._ended = True
        self._close()
        self._epoll = None

    def soon(self, fn: Callable[[], object]) -> bool:
        """Call `fn()` on the I/O thread; False where it ends. It takes no lock: see `soon`."""
        if self._ended:
            return False
        self._soon.append(fn)
        self._wake()
        return True

    def _woken(self) -> None:
        with suppress(BlockingIOError):
            self._wake_read.recv(4096)
        while self._soon:
            try:
                self._soon.popleft()()
            except BaseException:  # noqa: BLE001 - as for a receiver: the others have their turn
                logger.exception("a finaliser's work failed")

    def _wake(self) -> None:
        with suppress(OSError):  # it is awake anyhow, or has ended
            self._wake_write.send(b"\0")

    def _wake_blind(self) -> None:
        if isinstance(self._selector, selectors.SelectSelector):
            self._wake()

    def _end(self) -> None:
        self._ended = True
        self._wake()
        if not self.inside():
            self._thread.join(_JOIN_SECONDS)


def _says(is_over: Callable[[float], bool], now: float) -> bool:
    try:
        return is_over(now)
    except BaseException:  # noqa: BLE001 - as for a receiver; what fails is looked after no more
        logger.exception("looking after a link that is lent failed")
        return True


def _epoll_of(selector: selectors.BaseSelector) -> select.epoll | None:
    if sys.platform == "linux" and isinstance(selector, selectors.EpollSelector):
        return select.epoll.fromfd(os.dup(selector.fileno()))
    return None


def acquire() -> Reactor:
    """Take a share in the I/O thread, starting it where there is none."""
    global _current  # noqa: PLW0603 - one thread for each process is the point
    with _lock:
        if _current is None:
            _current = Reactor()
            _current._thread.start()  # noqa: SLF001 - same module
        _current._users += 1  # noqa: SLF001 - same module
        return _current


def release(reactor: Reactor) -> None:
    """Give a share back; with the last one the thread ends and is joined, unless it is this one."""
    global _current  # noqa: PLW0603 - see above
    with _lock:
        reactor._users -= 1  # noqa: SLF001 - same module
        if reactor._users:  # noqa: SLF001 - same module
            return
        _current = None
    reactor._end()  # noqa: SLF001 - same module


def soon(fn: Callable[[], object]) -> bool:
    """Call `fn()` on the I/O thread; takes no lock, so that a finaliser may.

    Returns:
        False where there is no such thread, for no link is open, and nothing will be called.
    """
    reactor = _current
    return reactor is not None and reactor.soon(fn)


def _after_fork() -> None:
    """A forked child has no such thread, and shares the set of descriptors with its parent."""
    global _current  # noqa: PLW0603 - see above
    _lock._at_fork_reinit()  # type: ignore[attr-defined]  # noqa: SLF001 - as `threading` does
    if _current is not None:
        _current.forget()
        _current = None


os.register_at_fork(after_in_child=_after_fork)
