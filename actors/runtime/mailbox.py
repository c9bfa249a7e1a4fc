"""What waits for an actor, and what happens to what finds no room.

class Slow(Actor):
    mailbox = Bounded(100, overflow="drop_oldest")

Orders from outside (exit, kill) and news of ends never wait for room.

`Bounded` has a ring of its own and not `actors.buffer.Buffer`, under all else that flows. What
needs no room stands here between the messages, in one order with them, and does not count; and what
is dropped is a dead letter, so it must be known. A buffer knows neither. Kept beside one, with the
number of the message that it stands before, it makes a `put` a fifth to a half slower.
"""

from __future__ import annotations

import bisect
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

_FIRST, _BY_KEY, _LAST = range(3)
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

    A request to stop, and calls that the actor posts to itself, come before all others. A message
    whose key does not compare with those that wait is refused in its sender: `InvalidArgument`.
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
    """A list in order of priority, and of arrival within one.

    No heap: that compares when it gives, too late to refuse what does not compare.
    """

    def __init__(self, key: Callable[[Any], Any]) -> None:
        self._key = key
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._entries: list[Any] = []
        self._taken = 0  # so many at the front have left

    def put(self, item: Any, /) -> None:
        if _needs_no_room(item):
            self._insert((_FIRST, None, next(self._numbers), item))
            return
        key = self._key(item.message if isinstance(item, Envelope) else item)
        try:
            self._insert((_BY_KEY, key, next(self._numbers), item))
        except Exception as error:
            raise refused("key", key, "it must compare with those of the others") from error

    def force(self, item: Any) -> None:
        """Add an item whatever its key: after all others where that does not compare."""
        try:
            self.put(item)
        except Exception:  # noqa: BLE001  somebody's key
            self._insert((_LAST, None, next(self._numbers), item))

    def get_nowait(self) -> Any:
        with self._lock:
            entry = self._entries[self._taken]
            self._entries[self._taken] = None
            self._taken += 1
            if self._taken * 2 > len(self._entries):
                del self._entries[: self._taken]
                self._taken = 0
        return entry[-1]

    def empty(self) -> bool:
        return len(self._entries) == self._taken

    def qsize(self) -> int:
        with self._lock:
            return len(self._entries) - self._taken

    def _insert(self, entry: tuple[int, Any, int, Any]) -> None:
        with self._lock:  # all comparing comes before anything moves
            bisect.insort(self._entries, entry, lo=self._taken)


def _needs_no_room(item: Any) -> bool:
    kind = type(item)
    return kind is tuple or kind is Notice or (kind is Envelope and is_stop(item.message))
