"""`Publisher`: what happens, to each who wants to know, each with a stream of their own.

    publisher = Publisher()
    with publisher.subscribe(ChildExited) as exits:
        publisher.publish(event)
        assert exits.get(timeout=1.0) is event

A publisher has no thread and waits for nobody: a subscriber who is behind loses what its policy
says, or its subscription.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from klemheist.actors.buffer import DEFAULT_CAPACITY, Kind, Overflow, Put
from klemheist.actors.runtime.check import is_type, refused

from .stream import Stream

T = TypeVar("T")


class Subscription(Stream[T]):
    """One subscriber's stream; closing it unsubscribes.

    Take from it as from any stream: iterate, `async for`, `get`, `aget`; or give a function to
    `deliver`. With the policies `error` and `resize`, one that is full is closed: its consumer gets
    `StreamFull` after what is in it.
    """

    def __init__(
        self,
        capacity: int = DEFAULT_CAPACITY,
        *,
        types: tuple[type, ...] = (),
        leave: Callable[[Subscription[T]], object] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(capacity, **options)
        self.types = types
        """Only instances of these are wanted; empty for all."""
        self._leave = leave

    def close(self, error: BaseException | None = None) -> None:
        """Unsubscribe. What is in the stream can still be taken. Idempotent."""
        super().close(error)
        leave, self._leave = self._leave, None
        if leave is not None:
            leave(self)

    def fail_when_full(self) -> None:
        """Close it because there was no room for an item that its policy may not drop."""
        self.close(self._full())


class Publisher(Generic[T]):
    """Gives each item to all subscriptions, from any thread, without waiting for any.

    It is true where somebody listens: who has to make an item only for it can ask first.
    """

    __slots__ = ("_closed", "_lock", "changed", "subscriptions")

    def __init__(self) -> None:
        self.subscriptions: tuple[Subscription[T], ...] = ()
        """Those there are; the tuple is replaced, never changed, so that reading needs no lock."""
        self.changed: Callable[[], object] = _nobody
        """Called when a subscription has come or gone: a source may rest while nobody listens."""
        self._lock = allocate_lock()
        self._closed = False

    def __bool__(self) -> bool:
        """Whether anybody listens."""
        return bool(self.subscriptions)

    def __len__(self) -> int:
        """How many subscriptions there are."""
        return len(self.subscriptions)

    def publish(self, item: T) -> None:
        """Give `item` to everybody who wants it. Never blocks and never raises."""
        for subscription in self.subscriptions:
            if subscription.types and not isinstance(item, subscription.types):
                continue
            if subscription.offer(item) is Put.FULL:
                subscription.fail_when_full()

    def subscribe(
        self,
        *types: type,
        buffer: int = DEFAULT_CAPACITY,
        overflow: Overflow | str = Overflow.DROP_OLDEST,
        kind: Kind | str = Kind.FIFO,
        max_capacity: int | None = None,
        dropped: Callable[[int], T] | None = None,
    ) -> Subscription[T]:
        """Return a stream of what is published from now on.

        Args:
            types: the classes that are wanted; none for everything.
            buffer: how many items are kept for a subscriber who is behind.
            overflow: what becomes of more: see `Overflow`; `block` is refused.
            kind: `fifo`, or `latest` for the newest alone.
            max_capacity: how far `resize` may go.
            dropped: makes the item that stands where `n` items were dropped.

        Raises:
            InvalidArgument: a type is no class.
            ValueError: the policy is `block`, for which the source would have to wait; or an
                argument makes no sense.
        """
        for each in types:
            if not is_type(each):  # else whoever publishes would meet it
                raise refused("types", each, "use classes")
        if overflow == Overflow.BLOCK:
            raise ValueError("overflow='block': a source waits for nobody; use drop_oldest")
        subscription: Subscription[T] = Subscription(
            buffer,
            types=types,
            leave=self._left,
            overflow=overflow,
            kind=kind,
            max_capacity=max_capacity,
            dropped=dropped,
        )
        with self._lock:
            if not self._closed:
                self.subscriptions = (*self.subscriptions, subscription)
        if self._closed:
            subscription.close()
        else:
            self.changed()
        return subscription

    def close(self) -> None:
        """End all subscriptions, after what is in them; later ones end at once."""
        with self._lock:
            self._closed = True
            subscriptions, self.subscriptions = self.subscriptions, ()
        for subscription in subscriptions:
            subscription.close()

    def _left(self, gone: Subscription[T]) -> None:
        with self._lock:
            self.subscriptions = tuple(each for each in self.subscriptions if each is not gone)
        self.changed()


def _nobody() -> None:
    """Stands where nobody wants to know."""
