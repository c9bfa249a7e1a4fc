"""`ReadyQueue`: what waits for a thread of the pool, and the threads that wait for it.

A thread with nothing to do sleeps in a read of a pipe. Whoever has something for it writes a byte,
and `os.write` gives up the interpreter's lock meanwhile: the thread that wakes finds it free. With
a lock in the pipe's place it would wake, find the interpreter taken, and sleep again until the
other blocks: two more changes of thread in each question, which on one core are most of it.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .scheduled import ScheduledInbox

_TOKEN: Final = b"\0"
_NONE: Final = -1
"""Instead of a descriptor, before the first thread."""


class ReadyQueue:
    """First in, first out, any thread to any thread.

    Each byte in the pipe is for one thread that was entered as asleep: there are hardly ever more
    bytes than threads, so that a write does not block.
    """

    __slots__ = ("_asleep", "_items", "_read", "_write")

    def __init__(self) -> None:
        self._items: deque[ScheduledInbox | None] = deque()
        self._asleep: list[None] = []
        self._read = self._write = _NONE

    def open(self) -> None:
        """Make the pipe, before the first thread comes; again does nothing.

        Raises:
            OSError: The process has no descriptor left.
        """
        if self._read == _NONE:
            self._read, self._write = os.pipe()

    def close(self) -> None:
        """Give the pipe back; only while there is no thread."""
        read, write = self._read, self._write
        self._read = self._write = _NONE
        for end in (read, write):
            if end != _NONE:
                with suppress(OSError):  # who makes a daemon closes all descriptors
                    os.close(end)

    def forget(self) -> None:
        """In a forked child: drop what waits, and the pipe, whose bytes are the parent's."""
        self._items.clear()
        self._asleep.clear()
        self.close()

    def put(self, item: ScheduledInbox | None) -> None:
        """Append `item` and wake a thread, if one sleeps."""
        self._items.append(item)
        if self._asleep:
            self._wake()

    def get(self) -> ScheduledInbox | None:
        """Take the first; sleep while there is none."""
        items = self._items
        while True:
            try:
                return items.popleft()
            except IndexError:
                self._sleep()

    def take(self) -> ScheduledInbox | None:
        """Take the first without waiting.

        Raises:
            IndexError: There is none.
        """
        return self._items.popleft()

    def waiting(self) -> tuple[ScheduledInbox | None, ...]:
        """What waits."""
        return tuple(self._items)

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._items

    def _wake(self) -> None:
        try:
            self._asleep.pop()
            os.write(self._write, _TOKEN)
        except IndexError:
            return  # somebody else has woken it
        except BaseException:  # Ctrl-C, between the two: one byte too many wakes somebody in vain
            os.write(self._write, _TOKEN)
            raise

    def _sleep(self) -> None:
        self.open()  # a child that was forked in a turn comes here with no pipe
        self._asleep.append(None)
        if self._items:  # it came before we were entered, and nobody may have been woken for it
            try:
                self._asleep.pop()
            except IndexError:
                pass  # we are being woken: the byte is ours to take
            else:
                return
        os.read(self._read, 1)
