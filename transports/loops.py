"""Event loops as readers of links: a task that awaits an answer has it read on its loop's thread.

An answer that the I/O thread reads costs two changes of thread. So a link whose calls are awaited
is lent to the loop (`FdLink.lend`), for as long as the calls go on. A loop gets one epoll of ours
among its readers, and keeps it; which links stand in there is changed by any thread. So nobody
touches a loop from outside, and a link that is closed leaves nothing behind in one.
"""

from __future__ import annotations

import select
import sys
from asyncio import get_running_loop
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

_readers: WeakKeyDictionary[AbstractEventLoop, LoopReader | None] = WeakKeyDictionary()
"""Of each loop that links were lent to; None where it cannot read for us."""


class LoopReader:
    """What one event loop reads for us."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._handlers: dict[int, Callable[[], None]] = {}
        self._epoll = select.epoll()
        loop.add_reader(self._epoll.fileno(), self._ready)

    def watch(self, fd: int, handler: Callable[[], None]) -> None:
        """Call `handler()` on the loop's thread whenever `fd` can be read; from any thread."""
        self._handlers[fd] = handler
        self._epoll.register(fd, select.EPOLLIN)

    def unwatch(self, fd: int) -> None:
        """Forget `fd`, which must still be open; a call of its handler may be under way."""
        self._epoll.unregister(fd)
        del self._handlers[fd]

    def _ready(self) -> None:
        for fd, _ in self._epoll.poll(0):
            handler = self._handlers.get(fd)
            if handler is not None:  # else it was taken back just now
                handler()


def running() -> LoopReader | None:
    """Return the reader of the loop that runs on this thread; None where it cannot read for us."""
    loop = get_running_loop()
    try:
        return _readers[loop]
    except KeyError:
        reader = _readers[loop] = _made(loop)
        return reader


def _made(loop: AbstractEventLoop) -> LoopReader | None:
    if sys.platform != "linux":
        return None
    try:
        return LoopReader(loop)
    except NotImplementedError:  # it has no readers
        return None
