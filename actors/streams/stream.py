"""`Stream`: a passive locked object between whoever produces and one consumer.

stream = Stream(100, overflow="drop_oldest")
stream.put(1)
stream.close()
assert list(stream) == [1]

It has no thread. Its owner closes it; closing wakes everybody.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from klemheist.actors.buffer import DEFAULT_CAPACITY, Kind, Overflow, Put
from klemheist.actors.runtime.errors import AskTimeout
from klemheist.actors.runtime.future import Future
from klemheist.actors.runtime.here import current_actor

from .core import StreamCore, Waiting
from .errors import StreamClosed, StreamFull, WouldBlock

if TYPE_CHECKING:
    from klemheist.actors.runtime import ActorRef

T = TypeVar("T")
R = TypeVar("R")

PUT_TIMEOUT: Final = 5.0
"""Seconds that a `put` waits by default: OTP's number for a call that nobody thought about."""

_TAKEN: Final = Put.TAKEN  # an enum's member costs as much to look up as the deque to append to
_SETTLED: Final = (Put.DROPPED, Put.CLOSED)


@dataclass(frozen=True, slots=True)
class Writable:
    """Sent once to an actor that `WouldBlock`: there is room in `stream`, or it was closed."""

    stream: Stream[Any]


class Stream(StreamCore[T]):
    """A bounded queue of items; iterate over it, from a thread or with `async for`.

    1. Producers `put`, from any thread; what a full stream does, its policy says.
    2. One consumer takes: `get`, `aget`, iteration, or a function given to `deliver`.
    3. The owner closes it. What is in it can still be taken, then `StreamClosed`.

    Args:
        capacity: items kept for a consumer that is behind.
        kind: `fifo`, or `latest` for the newest item alone.
        overflow: what a full stream does: `drop_oldest`, `drop_new`, `error`, `resize` (up to
            `max_capacity`, then as `error`), or `block` (the producer waits).
        max_capacity: how far `resize` may go.
        put_timeout: seconds that a `put` waits under `block` when it does not say.
        dropped: makes the item that stands where `n` items were dropped; None for no mark.

    Raises:
        ValueError: an argument makes no sense.
    """

    def __init__(
        self,
        capacity: int = DEFAULT_CAPACITY,
        *,
        kind: Kind | str = Kind.FIFO,
        overflow: Overflow | str = Overflow.DROP_OLDEST,
        max_capacity: int | None = None,
        put_timeout: float = PUT_TIMEOUT,
        dropped: Callable[[int], T] | None = None,
    ) -> None:
        super().__init__(
            capacity, kind=kind, overflow=overflow, max_capacity=max_capacity, dropped=dropped
        )
        self._put_timeout = put_timeout
        self._promised: set[ActorRef[Any]] = set()  # actors that a Writable is on its way to

    # -- producing

    def put(self, item: T, *, timeout: float | None = None) -> Put:
        """Add an item. Waits for room only under the policy `block`, up to `timeout` seconds.

        Returns:
            What became of it: `TAKEN`, `DROPPED`, or `CLOSED` for a stream that takes no more.

        Raises:
            StreamFull: the stream is full and its policy says that this is an error.
            AskTimeout: there was no room in time; the item was not taken.
            WouldBlock: there is no room, and this is the turn of an actor that shares its thread:
                it gets one `Writable` when there is some.
        """
        outcome = self.offer(item)
        if outcome is _TAKEN or outcome in _SETTLED:
            return outcome
        if outcome is Put.FULL:
            raise self._full()
        actor = current_actor()
        if actor is not None:
            self._promise(actor.actor_ref)
            raise WouldBlock(f"{self} is full; put the item again at its Writable")
        deadline = time.monotonic() + (self._put_timeout if timeout is None else timeout)
        while outcome is Put.WOULD_BLOCK:
            room = self._when_writable()
            try:
                self._wait(room, deadline, "no room")
            finally:
                self._forget(room)
            outcome = self.offer(item)
        return outcome

    async def aput(self, item: T, *, timeout: float | None = None) -> Put:
        """Add an item as `put` does, waiting without blocking the loop.

        Raises:
            StreamFull: as `put`.
            AskTimeout: as `put`.
        """
        outcome = self.offer(item)
        if outcome is Put.WOULD_BLOCK:
            seconds = self._put_timeout if timeout is None else timeout
            outcome = await self._within(seconds, "no room", self._put_when_writable(item))
        if outcome is Put.FULL:
            raise self._full()
        return outcome

    # -- consuming

    def get(self, *, timeout: float | None = None) -> T:
        """Take the next item, waiting up to `timeout` seconds (None: until the stream is closed).

        Raises:
            StreamClosed: the stream has ended.
            AskTimeout: nothing came in time.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while isinstance(found := self._next(), Waiting):
            self._wait(found.future, deadline, "nothing")
        return found

    async def aget(self, *, timeout: float | None = None) -> T:
        """Take the next item as `get` does, waiting without blocking the loop.

        Raises:
            StreamClosed: the stream has ended.
            AskTimeout: nothing came in time.
        """
        return await self._within(timeout, "nothing", self._anext())

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
                yield await self._anext()
            except StreamClosed:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- inside

    async def _anext(self) -> T:
        while isinstance(found := self._next(), Waiting):
            await found.future
        return found

    async def _put_when_writable(self, item: T) -> Put:
        while (outcome := self.offer(item)) is Put.WOULD_BLOCK:
            room = self._when_writable()
            try:
                await room
            finally:
                self._forget(room)
        return outcome

    def _promise(self, actor: ActorRef[Any]) -> None:
        """Send `actor` one `Writable` when there is room: one, however often it tries till then."""
        with self._lock:
            is_new = actor not in self._promised
            self._promised.add(actor)
        if is_new:
            self.on_writable(lambda: self._keep_promise(actor))

    def _keep_promise(self, actor: ActorRef[Any]) -> None:
        with self._lock:
            self._promised.discard(actor)
        if actor.is_alive():  # news need no room: its mailbox may be full of what waits for it
            actor.actor_inbox.put_notice(Writable(self))

    def _wait(self, future: Future[None], deadline: float | None, what: str) -> None:
        try:
            future.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        except AskTimeout:
            raise AskTimeout(f"{what} in {self} in time; give a longer timeout=") from None

    async def _within(self, seconds: float | None, what: str, waiting: Awaitable[R]) -> R:
        import asyncio  # noqa: PLC0415 -- who awaits has it; who does not need not pay for it

        try:
            async with asyncio.timeout(seconds):
                return await waiting
        except TimeoutError:
            raise AskTimeout(f"{what} in {self} in time; give a longer timeout=") from None

    def _full(self) -> StreamFull:
        return StreamFull(f"{self} is full: its consumer is behind")
