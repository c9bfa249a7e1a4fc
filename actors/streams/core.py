"""What a stream is made of: a buffer, a lock, and who is to be woken. Nothing here ever waits."""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from klemheist.actors.buffer import (
    DEFAULT_CAPACITY,
    Buffer,
    BufferStatistics,
    Kind,
    Overflow,
    Put,
)
from klemheist.actors.runtime.callbacks import call
from klemheist.actors.runtime.future import Future

from .errors import StreamClosed

T = TypeVar("T")

_CLOSED: Final = Put.CLOSED  # looked up once: as much of a `put` as the deque's append


class StreamCore(Generic[T]):
    """The part of a stream that answers at once: see `Stream`."""

    def __init__(
        self,
        capacity: int = DEFAULT_CAPACITY,
        *,
        kind: Kind | str = Kind.FIFO,
        overflow: Overflow | str = Overflow.DROP_OLDEST,
        max_capacity: int | None = None,
        dropped: Callable[[int], T] | None = None,
    ) -> None:
        self._buffer: Buffer[T] = Buffer(
            capacity, kind=kind, overflow=overflow, max_capacity=max_capacity, mark=dropped
        )
        self._reader: Future[None] | None = None
        self._writers: dict[Future[None], None] = {}  # in the order they came
        self._consumer: Callable[[T], object] | None = None
        self._delivering = False
        self._lock = allocate_lock()
        self._closed = False
        self._error: BaseException | None = None

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._buffer)} of {self._buffer.capacity}"
        return f"<{type(self).__name__} {state}>"

    @property
    def dropped(self) -> int:
        """Items dropped since the beginning."""
        return self._buffer.dropped

    @property
    def closed(self) -> bool:
        """Whether it takes nothing more."""
        return self._closed

    def __len__(self) -> int:
        """How many items wait for the consumer."""
        return len(self._buffer)

    def __bool__(self) -> bool:
        """An empty stream is a stream."""
        return True

    def statistics(self) -> BufferStatistics:
        """Return what its buffer has seen."""
        with self._lock:
            return self._buffer.statistics()

    def offer(self, item: T) -> Put:
        """Add an item if that needs no waiting; say what became of it. Never raises."""
        with self._lock:
            if self._closed:
                return _CLOSED
            outcome = self._buffer.put(item)
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.set(None)
        if self._consumer is not None:
            self._deliver()
        return outcome

    def on_writable(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call `callback()` once when there is room or the stream is closed; at once if so now.

        It runs on the thread that makes the room and must not block. There may be none left by the
        time of the next `put`.

        Returns:
            A function that takes the callback back.
        """
        room = self._when_writable()
        room.add_done_callback(lambda _: callback())
        return lambda: self._forget(room)

    def close(self, error: BaseException | None = None) -> None:
        """End the stream: what is in it can still be taken. Idempotent.

        Args:
            error: what the consumer gets in the end; `StreamClosed` by default.
        """
        with self._lock:
            if not self._closed:
                self._closed, self._error = True, error
            waiting = [*self._writers]
            self._writers.clear()
            if self._reader is not None:
                waiting.append(self._reader)
            self._reader = None
        for future in waiting:
            future.set(None)

    def deliver(self, fn: Callable[[T], object]) -> None:
        """Let `fn(item)` be the consumer: for what is there, here, and for what comes.

        It runs on the producers' threads, in order and never twice at once; others leave their
        item to the one who is at it. It must not block. An exception of its is logged.
        """
        self._consumer = fn
        self._deliver()

    # -- inside

    def _next(self) -> T | Waiting:
        with self._lock:
            try:
                item = self._buffer.take()
            except LookupError:
                return self._nothing_yet()
            writers = self._room_made() if self._writers else ()
        for writer in writers:
            writer.set(None)
        return item

    def _nothing_yet(self) -> Waiting:
        if self._closed:
            raise (StreamClosed if self._error is None else self._error) from None
        if self._reader is None or self._reader.done():
            self._reader = Future()
        return Waiting(self._reader)

    def _room_made(self) -> tuple[Future[None], ...]:
        """All who wait for room: one of them alone might have gone away without taking it."""
        if self._buffer.is_full:
            return ()
        writers = tuple(self._writers)
        self._writers.clear()
        return writers

    def _when_writable(self) -> Future[None]:
        room: Future[None] = Future()
        with self._lock:
            if not self._closed and self._buffer.is_full:
                self._writers[room] = None
                return room
        room.set(None)
        return room

    def _forget(self, room: Future[None]) -> None:
        with self._lock:
            self._writers.pop(room, None)

    def _deliver(self) -> None:
        while True:
            with self._lock:
                if self._delivering or not self._buffer.ready:
                    return
                self._delivering = True
            try:
                self._hand_over()
            finally:
                self._delivering = False

    def _hand_over(self) -> None:
        fn = self._consumer
        assert fn is not None
        while True:
            with self._lock:
                if not self._buffer.ready:
                    return
                item = self._buffer.take()
                writers = self._room_made() if self._writers else ()
            for writer in writers:
                writer.set(None)
            call(f"the consumer of {self} failed", fn, item)


class Waiting:
    """Says that nothing is there yet; `future` is resolved when that may have changed."""

    __slots__ = ("future",)

    def __init__(self, future: Future[None]) -> None:
        self.future = future
