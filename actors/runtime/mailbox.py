"""What waits for an actor, and what happens to what finds no room.

class Slow(Actor):
    mailbox = Bounded(100, overflow="drop_oldest")

Orders from outside (exit, kill) and news of ends never wait for room.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import deque
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

from .bridge import Envelope, is_stop
from .check import is_count, is_seconds, refused
from .errors import MailboxFull
from .signals import Notice

if TYPE_CHECKING:
    from collections.abc import Callable

Overflow: TypeAlias = Literal["error", "drop_new", "drop_oldest", "block"]

_NOTHING: Final = object()
_POLICIES: Final = ("error", "drop_new", "drop_oldest", "block")


class Queue(Protocol):
    """What a mailbox keeps its items in: `queue.SimpleQueue` is one. One thread at a time takes."""

    def put(self, item: Any, /) -> object:
        """Add an item."""
        ...

    def get_nowait(self) -> Any:
        """Take the next one; raises `queue.Empty` where there is none."""
        ...

    def empty(self) -> bool:
        """Whether nothing waits."""
        ...

    def qsize(self) -> int:
        """How many wait."""
        ...


@dataclass(frozen=True, slots=True)
class Unbounded:
    """First in, first out, as many as come."""

    def queue(self, drop: Callable[[Any], object]) -> Queue:  # noqa: ARG002  drops nothing
        """A new queue."""
        return SimpleQueue()


@dataclass(frozen=True, slots=True)
class Bounded:
    """First in, first out, at most `capacity` messages.

    Args:
        capacity: How many may wait.
        overflow: What becomes of a message that finds no room: `error` raises `MailboxFull` in the
            sender, `drop_new` drops it, `drop_oldest` drops the one that has waited longest,
            `block` lets the sender wait. What is dropped is a dead letter; its asker is told.
        timeout: Seconds that `block` waits; then it is an error.

    Raises:
        InvalidArgument: One of them makes no sense.
    """

    capacity: int
    overflow: Overflow = "error"
    timeout: float = 5.0

    def __post_init__(self) -> None:
        if not is_count(self.capacity):
            raise refused("capacity", self.capacity, "use 1 or more: one message needs room")
        if self.overflow not in _POLICIES:
            raise refused("overflow", self.overflow, f"use one of {', '.join(_POLICIES)}")
        if not is_seconds(self.timeout):
            raise refused("timeout", self.timeout, "use seconds")

    def queue(self, drop: Callable[[Any], object]) -> Queue:
        """A new queue; `drop` is called with each item that it drops."""
        return _BoundedQueue(self, drop)


@dataclass(frozen=True, slots=True)
class Priority:
    """The message with the smallest `key(message)` first; of equal ones, the first in.

    A request to stop, and calls that the actor posts to itself, come before all others.
    """

    key: Callable[[Any], Any]

    def __post_init__(self) -> None:
        if not callable(self.key):
            raise refused("key", self.key, "use a function of the message")

    def queue(self, drop: Callable[[Any], object]) -> Queue:  # noqa: ARG002  drops nothing
        """A new queue."""
        return _PriorityQueue(self.key)


Mailbox: TypeAlias = Unbounded | Bounded | Priority


class _BoundedQueue:
    """A ring that counts its messages and leaves the actor's own calls uncounted."""

    def __init__(self, bound: Bounded, drop: Callable[[Any], object]) -> None:
        self._bound = bound
        self._drop = drop
        self._items: deque[Any] = deque()
        self._counted = 0
        self._lock = threading.Lock()  # not taken through the condition: see `Timers`
        self._room = threading.Condition(self._lock)

    def put(self, item: Any, /) -> None:
        if _needs_no_room(item):
            self.force(item)
            return
        with self._lock:
            full = self._counted >= self._bound.capacity
            if full and self._bound.overflow == "block":
                full = not self._wait_for_room()
            taken, dropped = self._when_full(item) if full else (True, _NOTHING)
            if taken:
                self._items.append(item)
                self._counted += 1
        if dropped is not _NOTHING:
            self._drop(dropped)

    def force(self, item: Any) -> None:
        """Add an item whether there is room or not."""
        with self._lock:
            self._items.append(item)
            self._counted += not _needs_no_room(item)

    def get_nowait(self) -> Any:
        with self._lock:
            item = self._items.popleft()
            if not _needs_no_room(item):
                self._counted -= 1
                self._room.notify()
            return item

    def empty(self) -> bool:
        return not self._items

    def qsize(self) -> int:
        return len(self._items)

    def _wait_for_room(self) -> bool:
        bound = self._bound
        return self._room.wait_for(lambda: self._counted < bound.capacity, bound.timeout)

    def _when_full(self, item: Any) -> tuple[bool, Any]:
        """Whether `item` is taken, and what is dropped: perhaps the same object as it."""
        match self._bound.overflow:
            case "drop_new":
                return False, item
            case "drop_oldest":
                oldest = next(n for n, each in enumerate(self._items) if not _needs_no_room(each))
                dropped = self._items[oldest]
                del self._items[oldest]
                self._counted -= 1
                return True, dropped
        raise MailboxFull(f"{self._bound.capacity} messages wait already: send less")


class _PriorityQueue:
    """A heap, kept in order of arrival within one priority."""

    def __init__(self, key: Callable[[Any], Any]) -> None:
        self._key = key
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._heap: list[tuple[int, Any, int, Any]] = []

    def put(self, item: Any, /) -> None:
        if _needs_no_room(item):
            entry = (0, 0, next(self._numbers), item)
        else:
            message = item.message if isinstance(item, Envelope) else item
            entry = (1, self._key(message), next(self._numbers), item)
        with self._lock:
            heapq.heappush(self._heap, entry)

    def get_nowait(self) -> Any:
        with self._lock:
            return heapq.heappop(self._heap)[-1]

    def empty(self) -> bool:
        return not self._heap

    def qsize(self) -> int:
        return len(self._heap)


def _needs_no_room(item: Any) -> bool:
    kind = type(item)
    return kind is tuple or kind is Notice or (kind is Envelope and is_stop(item.message))
