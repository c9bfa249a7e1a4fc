"""Streams: what flows to one consumer, bounded, without ever holding up its source.

A stream is a passive locked object with one owner, who closes it, and one consumer. Full, it drops
the oldest, counts them, and says so in the stream itself (DESIGN 3.1).
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from threading import Lock
from typing import Final, Generic, TypeVar

from klemheist.actors.runtime.future import Future

T = TypeVar("T")

DEFAULT_CAPACITY: Final = 1024


class StreamClosed(Exception):  # noqa: N818 -- the end of a stream, as StopIteration is
    """The stream was closed and everything in it was taken."""


class Stream(Generic[T]):
    """A bounded queue of items; iterate over it, from a thread or with `async for`.

    Args:
        capacity: items kept for a consumer that is behind.
        dropped: makes the item that stands where `n` items were dropped; None for no mark.
    """

    def __init__(
        self, capacity: int = DEFAULT_CAPACITY, *, dropped: Callable[[int], T] | None = None
    ) -> None:
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._mark = dropped
        self._missed = 0
        self._waiting: Future[None] | None = None
        self._lock = Lock()
        self._closed = False
        self.dropped = 0
        """Items dropped since the beginning."""

    def put(self, item: T) -> None:
        """Add an item; never blocks. On a closed stream it does nothing."""
        with self._lock:
            if self._closed:
                return
            if len(self._items) >= self._capacity:
                self._items.popleft()
                self.dropped += 1
                self._missed += 1
            self._items.append(item)
            waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.set(None)

    def close(self) -> None:
        """End the stream: what is in it can still be taken, then `StreamClosed`. Idempotent."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.set(None)

    def get(self, *, timeout: float | None = None) -> T:
        """Take the next item, waiting up to `timeout` seconds.

        Raises:
            StreamClosed: the stream has ended.
            AskTimeout: nothing came in time.
        """
        while True:
            waiting = self._next()
            if not isinstance(waiting, _Waiting):
                return waiting
            waiting.future.get(timeout=timeout)

    def __iter__(self) -> Iterator[T]:
        """Iterate until the stream is closed."""
        while True:
            try:
                yield self.get()
            except StreamClosed:
                return

    async def __aiter__(self) -> AsyncIterator[T]:
        """Iterate until the stream is closed, without blocking the loop."""
        while True:
            try:
                waiting = self._next()
            except StreamClosed:
                return
            if isinstance(waiting, _Waiting):
                await waiting.future
            else:
                yield waiting

    def __enter__(self) -> Stream[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next(self) -> T | _Waiting:
        with self._lock:
            if self._missed and self._mark is not None:
                missed, self._missed = self._missed, 0
                return self._mark(missed)
            if self._items:
                return self._items.popleft()
            if self._closed:
                raise StreamClosed
            if self._waiting is None or self._waiting.done():
                self._waiting = Future()
            return _Waiting(self._waiting)


class _Waiting:
    """Says that nothing is there yet; `future` is resolved when that may have changed."""

    __slots__ = ("future",)

    def __init__(self, future: Future[None]) -> None:
        self.future = future
