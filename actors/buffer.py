"""The one buffer under everything that flows: streams, conversation edges (DESIGN 8.23).

    buffer = Buffer(2, overflow="drop_oldest")
    for n in range(3):
        buffer.put(n)
    assert (buffer.take(), buffer.take(), buffer.dropped) == (1, 2, 1)

Pure: no lock, no clock, nobody waits. Whoever shares one between threads holds a lock of their own.
Bounded mailboxes keep what a buffer does not know apart: see `runtime/mailbox.py`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

DEFAULT_CAPACITY: Final = 1024


class Kind(StrEnum):
    """What a buffer keeps."""

    FIFO = "fifo"
    """Everything, in order."""
    LATEST = "latest"
    """The newest item alone: a new one takes its place, whatever the overflow policy."""


class Overflow(StrEnum):
    """What becomes of an item that finds the buffer full."""

    BLOCK = "block"
    """It is not taken, and its sender may wait: `WOULD_BLOCK`."""
    DROP_NEW = "drop_new"
    """It is dropped: `DROPPED`."""
    DROP_OLDEST = "drop_oldest"
    """The oldest is dropped in its favour: `TAKEN`."""
    ERROR = "error"
    """It is not taken, and that is an error: `FULL`."""
    RESIZE = "resize"
    """The buffer grows to twice its capacity, up to `max_capacity`; from there on `FULL`."""


class Put(StrEnum):
    """What became of an item."""

    TAKEN = "taken"
    DROPPED = "dropped"
    WOULD_BLOCK = "would_block"
    FULL = "full"
    CLOSED = "closed"
    """What holds the buffer takes nothing more; the buffer itself never says this."""


_TAKEN: Final = Put.TAKEN  # looked up once: it is half of what a `put` costs


@dataclass(frozen=True, slots=True)
class BufferStatistics:
    """What a buffer has seen."""

    length: int
    """Items in it now."""
    capacity: int
    """How many it holds before its policy applies; `resize` makes it grow."""
    peak: int
    """The most items that were ever in it."""
    dropped: int
    """Items that were lost to `drop_new` or `drop_oldest`."""
    replaced: int
    """Items that gave way to a newer one in a buffer of kind `latest`."""


class Buffer(Generic[T]):
    """A bounded queue with a policy for when it is full.

    Args:
        capacity: how many items it holds.
        kind: `fifo`, or `latest` for the newest alone.
        overflow: what a full one does.
        max_capacity: how far `resize` may go; eight times the capacity by default.
        mark: makes what `take` gives where `n` items in a row were dropped; None for no mark.

    Raises:
        ValueError: an argument makes no sense.
    """

    __slots__ = (
        "_gaps",
        "_head",
        "_items",
        "_mark",
        "_peak",
        "capacity",
        "dropped",
        "kind",
        "max_capacity",
        "overflow",
        "replaced",
    )

    def __init__(
        self,
        capacity: int = DEFAULT_CAPACITY,
        *,
        kind: Kind | str = Kind.FIFO,
        overflow: Overflow | str = Overflow.DROP_OLDEST,
        max_capacity: int | None = None,
        mark: Callable[[int], T] | None = None,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity={capacity}: a buffer holds at least 1")
        self.kind = _known(Kind, kind, "kind")
        self.overflow = _known(Overflow, overflow, "overflow")
        self.capacity = 1 if self.kind is Kind.LATEST else capacity
        self.max_capacity = 8 * capacity if max_capacity is None else max_capacity
        if self.max_capacity < capacity:
            raise ValueError(f"max_capacity={max_capacity}: it is below the capacity, {capacity}")
        self.dropped = 0
        self.replaced = 0
        self._mark = mark
        self._items: deque[T] = deque()
        self._peak = 0
        self._head = 0  # how many items have left: the number of the oldest one in here
        self._gaps: deque[tuple[int, int]] = deque()  # before item number a, n are missing

    def __len__(self) -> int:
        """How many items are in it; marks are none."""
        return len(self._items)

    @property
    def ready(self) -> bool:
        """Whether there is something to take: an item, or the mark of dropped ones."""
        return bool(self._items or self._gaps)

    @property
    def is_full(self) -> bool:
        """Whether the policy decides about the next item."""
        return len(self._items) >= self.capacity and self.kind is Kind.FIFO

    def put(self, item: T) -> Put:
        """Add an item, if there is room or the policy makes some; say what became of it."""
        if len(self._items) < self.capacity:
            self._items.append(item)
            return _TAKEN
        if self.kind is Kind.LATEST:
            self._items[0] = item
            self.replaced += 1
            return Put.TAKEN
        return self._put_when_full(item)

    def take(self) -> T:
        """Remove and return the oldest item, or the mark that stands before it.

        Raises:
            LookupError: nothing is there.
        """
        if self._gaps and self._gaps[0][0] == self._head and self._mark is not None:
            return self._mark(self._gaps.popleft()[1])
        length = len(self._items)
        if length > self._peak:  # noqa: PLR1730 -- max() costs as much as the rest of this
            self._peak = length
        item = self._items.popleft()  # of an empty deque: IndexError, which is the LookupError
        self._head += 1
        return item

    def clear(self) -> list[T]:
        """Remove everything, marks too; return the items."""
        self._peak = max(self._peak, len(self._items))
        self._head += len(self._items)
        left = list(self._items)
        self._items.clear()
        self._gaps.clear()
        return left

    def statistics(self) -> BufferStatistics:
        """Return what it has seen."""
        length = len(self._items)
        peak = max(self._peak, length)
        return BufferStatistics(length, self.capacity, peak, self.dropped, self.replaced)

    def _put_when_full(self, item: T) -> Put:
        match self.overflow:
            case Overflow.BLOCK:
                return Put.WOULD_BLOCK
            case Overflow.ERROR:
                return Put.FULL
            case Overflow.RESIZE:
                return self._put_and_grow(item)
            case Overflow.DROP_NEW:
                self._note_newest_dropped()
                return Put.DROPPED
            case Overflow.DROP_OLDEST:
                self._peak = self.capacity
                self._items.popleft()
                self._items.append(item)
                self._note_oldest_dropped()
                return Put.TAKEN

    def _put_and_grow(self, item: T) -> Put:
        if self.capacity >= self.max_capacity:
            return Put.FULL
        self.capacity = min(2 * self.capacity, self.max_capacity)
        self._items.append(item)
        return Put.TAKEN

    def _note_oldest_dropped(self) -> None:
        self.dropped += 1
        missing = 1
        if self._gaps and self._gaps[0][0] == self._head:
            missing += self._gaps.popleft()[1]
        self._head += 1
        if self._mark is not None:
            self._gaps.appendleft((self._head, missing))

    def _note_newest_dropped(self) -> None:
        self.dropped += 1
        if self._mark is None:
            return
        end = self._head + len(self._items)
        missing = self._gaps.pop()[1] if self._gaps and self._gaps[-1][0] == end else 0
        self._gaps.append((end, missing + 1))


E = TypeVar("E", bound=StrEnum)


def _known(kinds: type[E], value: str, name: str) -> E:
    try:
        return kinds(value)
    except ValueError:
        raise ValueError(f"{name}={value!r}: use one of {', '.join(kinds)}") from None
