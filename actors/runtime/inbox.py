"""Mailboxes: what waits for an actor, and which thread runs it next.

An item is a Pykka `Envelope` or a bare call, `(fn, args)`. A closed mailbox takes nothing more:
whoever asks is told at once, so nobody waits for an answer that never comes (supervision.md 3.2).
"""

from __future__ import annotations

import queue
import threading
from _thread import allocate_lock
from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from .bridge import Envelope, is_stop
from .errors import ActorDead

if TYPE_CHECKING:
    from collections.abc import Callable

    Item: TypeAlias = Envelope[Any] | tuple[Callable[..., object], tuple[Any, ...]]


class Inbox:
    """A mailbox that any thread may fill and that closes for good."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._items: deque[Item] = deque()
        self._closed = False

    def put(self, item: Item, /) -> bool:
        """Queue an item and see that it is run. False, and its asker is told, when closed."""
        with self._lock:
            if taken := not self._closed:
                self._items.append(item)
        if taken:
            self._wake()
        else:
            reject(item)
        return taken

    def put_first(self, item: Item, /) -> bool:
        """The system lane: like `put`, before everything that waits (DESIGN 8.21)."""
        with self._lock:
            if taken := not self._closed:
                self._items.appendleft(item)
        if taken:
            self._wake()
        return taken

    def close(self) -> None:
        """Take nothing more; what waits is rejected."""
        with self._lock:
            self._closed = True
            left, self._items = self._items, deque()
        for item in left:
            reject(item, was_queued=True)

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._items

    def __len__(self) -> int:
        return len(self._items)

    def get(self) -> Any:
        """Not how items leave: the base class is abstract in this."""
        raise NotImplementedError

    def _wake(self) -> None:
        raise NotImplementedError


class ThreadInbox(Inbox):
    """The mailbox of an actor with a thread of its own, which sleeps in `get`."""

    def __init__(self) -> None:
        super().__init__()
        self._tokens: queue.SimpleQueue[None] = queue.SimpleQueue()  # one for each item, and one

    def get(self) -> Item | None:
        """The next item, waiting for it; None once closed."""
        self._tokens.get()
        with self._lock:
            return self._items.popleft() if self._items else None

    def close(self) -> None:
        """Close, and let the thread out of `get`."""
        super().close()
        self._wake()

    def _wake(self) -> None:
        self._tokens.put(None)


class _Here(threading.local):
    """This thread's trampoline."""

    running = False
    interrupt: KeyboardInterrupt | None = None
    starting_under: object = None

    def __init__(self) -> None:
        self.waiting: deque[InlineInbox] = deque()


_here = _Here()


class InlineInbox(Inbox):
    """A mailbox that is emptied by whichever thread fills it: nobody sleeps, nobody is woken.

    One thread at a time runs the actor; others leave their item and go. A put from inside a turn
    never nests: its actor runs when the turn that this thread is in has ended.
    """

    def __init__(self) -> None:
        super().__init__()
        self._busy = True  # until the actor has started
        self.take: Callable[[Item], None] = _nobody

    def begin(self, take: Callable[[Item], None], first: Callable[[], None]) -> None:
        """Run `first` as the first turn, here and now, then what came meanwhile."""
        self.take = take
        nested, _here.running = _here.running, True
        try:
            first()
        finally:
            _here.running = nested
            with self._lock:
                self._busy = False
        self._wake()
        if not nested:
            _bounce()

    def enter(self) -> bool:
        """Take a turn here and now, if nobody has one and nothing waits; `leave` ends it."""
        if _here.running:
            return False
        with self._lock:
            if self._busy or self._items or self._closed:
                return False
            self._busy = True
        _here.running = True
        return True

    def leave(self) -> None:
        """End a turn that `enter` took, and run what came meanwhile."""
        with self._lock:
            self._busy = False
        if self._items:
            _here.waiting.append(self)
        _bounce()

    def close(self) -> None:
        """Close, and let go of the actor."""
        super().close()
        self.take = _nobody

    def _wake(self) -> None:
        if self._busy or not self._items:
            return  # who is busy looks again before leaving (both are read and set under the lock)
        _here.waiting.append(self)
        if not _here.running:
            _bounce()

    def _run(self) -> None:
        """Turns until the mailbox is empty, unless another thread is at it."""
        with self._lock:
            if self._busy or not self._items:
                return
            self._busy = True
            item = self._items.popleft()
        try:
            while True:
                self.take(item)
                with self._lock:
                    if not self._items:
                        self._busy = False
                        return
                    item = self._items.popleft()
        except BaseException:  # a signal between two turns: the next put goes on
            self._busy = False
            raise


def _bounce() -> None:
    """Run what waits on this thread, one actor after the other, until nothing does."""
    here = _here
    here.running = True
    try:
        while here.waiting:
            here.waiting.popleft()._run()  # noqa: SLF001  one module
    finally:
        here.running = False
    if here.interrupt is not None:
        interrupt, here.interrupt = here.interrupt, None
        raise interrupt


def in_turn() -> bool:
    """Whether this thread is inside a turn of an inline actor."""
    return _here.running


def starting_under(supervisor: object) -> None:
    """Say that this thread runs an `on_start` which this supervisor waits for; None: no more."""
    _here.starting_under = supervisor


def is_starting_under(supervisor: object) -> bool:
    """Whether `supervisor` waits for the `on_start` that this thread is in."""
    return supervisor is not None and _here.starting_under is supervisor


def interrupt_after_turns(interrupt: KeyboardInterrupt) -> None:
    """Raise `interrupt` in the code that brought this turn, once the turns of this thread end."""
    _here.interrupt = interrupt


def reject(item: Item, *, was_queued: bool = False) -> None:
    """Tell the asker of `item`, if there is one, that nobody will answer."""
    if not isinstance(item, Envelope) or item.reply_to is None:
        return
    if was_queued and is_stop(item.message):
        item.reply_to.set(None)  # it did stop
    else:
        error = ActorDead("the actor stopped before it handled the message; look it up again")
        cast("Any", item.reply_to).set_exception(error)


def _nobody(item: Item) -> None:
    """Stands where a dead actor stood."""
    reject(item, was_queued=True)
