"""The mailbox of an actor whose class is not ours: its own, with a system lane and an end."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from .bridge import STOP, Envelope, is_stop
from .errors import ActorDead
from .items import Item, Lost, reject
from .orphans import end
from .ownthread import Killed, KilledAbroad, interrupt
from .worker import ZOMBIES, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .ref import ActorRef

_WAKE: Final[Any] = Envelope(None)
"""Lets the actor's thread out of its sleep, to look at the system lane."""


class ForeignThread(Worker):
    """The thread that the class made for its actor."""

    __slots__ = ()

    def abandon(self, inbox: Any) -> bool:
        """Leave the thread to its turn, after one attempt to break that off."""
        thread = self.thread
        if thread is None or thread is threading.current_thread() or self.inbox is None:
            return False
        ZOMBIES.add(self, inbox.ref)
        if not self.is_busy() or not thread.is_alive():  # it has just ended
            ZOMBIES.discard(self)
            return False
        interrupt(thread, KilledAbroad)
        return True


class _Orphaned:
    """What an actor's own mailbox becomes where its thread is not."""

    def __init__(self, inner: Any, inbox: ForeignInbox) -> None:
        self._inner = inner
        self._inbox = inbox

    def put(self, item: Any) -> None:
        """Queue an item, for who closes the mailbox to reject."""
        self._inner.put(item)
        end(self._inbox.actor)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class ForeignInbox:
    """Wraps the mailbox that the class made for itself; its thread sleeps in that one's `get`."""

    def __init__(self, inner: Any) -> None:
        self.actor: Any = None
        self.ref: ActorRef[Any]
        self.thread = ForeignThread()
        self.reply: Any = None
        """Who waits for the answer to what is being handled."""
        self._inner = inner
        self._held: deque[Item] = deque()
        self._system: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._closed = False
        self._left: list[Item] | None = None

    def put(self, item: Item, /) -> bool:
        """Queue an item. False, and its asker is told, when closed."""
        self._inner.put(item if type(item) in (Envelope, tuple) else Envelope(item))
        if self._closed:
            for each in self._drain():
                reject(each, self.ref)
        return not self._closed

    put_notice = put

    def put_first(self, item: tuple[Callable[..., object], tuple[Any, ...]]) -> bool:
        """The system lane: before everything that waits. What it orders ends the actor."""
        self._system.append(item)
        self._inner.put(_WAKE)
        return not self._closed

    def get(self) -> Any:
        """For the actor's thread: the next item, waiting for it."""
        self.reply, self.thread.inbox = None, None
        while True:
            if self._closed:
                raise Killed
            if self._system:
                fn, args = self._system.popleft()
                fn(*args)
                return self._handed(Envelope(STOP))
            item = self._held.popleft() if self._held else self._inner.get()
            if item is _WAKE:
                continue
            if self._system:
                self._held.append(item)
            elif type(item) is tuple:
                item[0](*item[1])
            else:
                return self._handed(item)

    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._closed or not len(self)

    def __len__(self) -> int:
        size = getattr(self._inner, "qsize", None)
        waiting = size() if size is not None else int(not self._inner.empty())
        return len(self._held) + waiting

    def inherit(self, items: Iterable[Item]) -> None:
        """Take over what an earlier incarnation left; before its thread starts."""
        for item in items:
            self.put(item)

    def close(self, lost: Lost = ActorDead, *, keep: bool = False) -> None:
        """Take nothing more, and let go of the actor; what waits is rejected, or kept."""
        self._closed = True
        left = self._drain()
        self.actor = None
        if keep:
            self._left = left
            return
        for item in left:
            reject(item, self.ref, was_queued=True, lost=lost)

    def take_left(self) -> list[Item]:
        """What was kept, once."""
        left, self._left = self._left, None
        return left or []

    def orphan(self) -> None:
        """In a forked child, which has not its thread: whoever puts something in ends the actor."""
        self._inner = _Orphaned(self._inner, self)

    def abandon(self) -> bool:
        """Leave its thread to the turn that it is in."""
        return self.thread.abandon(self)

    def busy_for(self) -> float | None:
        """Seconds that the present turn has been running; None if it sleeps."""
        running = self.thread.is_busy() and not self._closed
        return max(time.monotonic() - self.thread.since, 0.0) if running else None

    def release(self) -> None:
        """Need those who run it no longer: its thread ends by itself."""

    def _handed(self, item: Item) -> Item:
        self.reply = None if is_stop(item.message) else item.reply_to
        if is_stop(item.message) and item.reply_to is not None:
            stopping = item.reply_to
            self.ref.ended.add_done_callback(lambda _: stopping.set(None))
        self.thread.since = time.monotonic()
        self.thread.inbox = self  # type: ignore[assignment]  # only its identity counts
        if self._closed:  # who kills it looks at `reply` after closing it
            reject(item, self.ref, was_queued=True)
            raise Killed
        return item

    def _drain(self) -> list[Item]:
        """Take out what waits, once it is closed.

        The actor's thread may sleep: among what is taken may be what was to wake it.
        """
        items, get = [], getattr(self._inner, "get_nowait", self._inner.get)
        while self._held or not self._inner.empty():
            try:
                item = self._held.popleft() if self._held else get()
            except (queue.Empty, IndexError):
                break  # somebody else was faster
            if item is not _WAKE:
                items.append(item)
        self._inner.put(_WAKE)
        return items
