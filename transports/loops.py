"""Event loops as readers of links: a task that awaits an answer has it read on its loop's thread.

An answer that the I/O thread reads costs two changes of thread. So a link whose calls are awaited
is lent to the loop (`lease.py`), while the calls go on. For that time the loop has one epoll of
ours among its readers; which links stand in there is changed by any thread. So a link can be taken
back from a loop that is stuck, and one that is closed leaves no number of its own in a loop.
"""

from __future__ import annotations

import select
import sys
import weakref
from _thread import get_ident
from asyncio import get_running_loop
from typing import TYPE_CHECKING

from klemheist.transports.wakeful import Wakeful

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

_readers: weakref.WeakKeyDictionary[AbstractEventLoop, LoopReader | None]
_readers = weakref.WeakKeyDictionary()
"""Of each loop that links are lent to; None where it cannot read for us."""

_awake: set[int] = set()
"""The threads whose loops are in their readers of ours."""


class LoopReader:
    """What one event loop reads for us.

    It is made on the loop's thread, and closed there once nothing is left to be read; or anywhere,
    where the loop was closed before.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._handlers: dict[int, Callable[[], None]] = {}
        self._epoll = select.epoll()
        self._wakeful = Wakeful()
        loop.add_reader(self._epoll.fileno(), self._ready)

    def watch(self, fd: int, handler: Callable[[], None]) -> None:
        """Call `handler()` on this thread, which is the loop's, whenever `fd` can be read."""
        self._handlers[fd] = handler
        self._epoll.register(fd, select.EPOLLIN)

    def unwatch(self, fd: int) -> None:
        """Forget `fd`, which must still be open; a call of its handler may be under way."""
        self._epoll.unregister(fd)
        del self._handlers[fd]

    def stay_awake(self) -> None:
        """Keep the loop, whose thread this is, from sleeping for a moment: an answer is near."""
        loop = self._loop()
        if loop is not None:
            self._wakeful.begin(loop)

    def rest(self) -> None:
        """Leave the loop, if there is nothing to read for it just now; from any thread."""
        loop = self._loop()
        try:
            if loop is not None:
                loop.call_soon_threadsafe(self._leave)
                return
        except RuntimeError:  # it is closed
            pass
        if not self._handlers:
            self._epoll.close()

    def _leave(self) -> None:
        loop = get_running_loop()
        if not self._handlers and _readers.get(loop) is self:
            del _readers[loop]
            loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _ready(self) -> None:
        self._wakeful.came()
        here = get_ident()
        _awake.add(here)
        try:
            for fd, _ in self._epoll.poll(0):
                handler = self._handlers.get(fd)
                if handler is not None:  # else it was taken back just now
                    handler()
        finally:
            _awake.discard(here)


def is_awake(thread: int) -> bool:
    """Whether the loop of that thread reads for us just now, and goes on by itself afterwards.

    Not so where a signal's handler runs in a loop that sleeps: that one must be woken.
    """
    return thread in _awake


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
