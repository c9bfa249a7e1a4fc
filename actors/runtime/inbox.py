"""Mailboxes: what waits for an actor, and which thread runs it next. Here: whichever fills it.

A closed mailbox takes nothing more: whoever asks is told at once, so nobody waits for an answer
that never comes (supervision.md 3.2).
"""

from __future__ import annotations

from _thread import allocate_lock
from collections import deque
from typing import TYPE_CHECKING, Any

from .errors import ActorDead
from .here import HERE, in_turn
from .items import Item, Lost, reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .actor import Actor
    from .ref import ActorRef

__all__ = ["InlineInbox", "in_turn"]


class InlineInbox:
    """A mailbox that is emptied by whichever thread fills it: nobody sleeps, nobody is woken.

    One thread at a time runs the actor; others leave their item and go. A put from inside a turn
    never nests: its actor runs when the turn that this thread is in has ended.
    """

    __slots__ = ("_busy", "_closed", "_items", "_left", "_lock", "actor", "ref")

    def __init__(self, actor: Actor) -> None:
        self.actor: Actor | None = actor
        """Whose it is; None once it has ended."""
        self.ref: ActorRef[Any]
        self._lock = allocate_lock()
        self._items: deque[Item] | None = None  # while nothing waits: empty it takes 760 bytes
        self._closed = False
        self._busy = True  # until the actor has started
        self._left: list[Item] | None = None

    # -- filling it, from any thread

    def put(self, item: Item, /) -> bool:
        """Queue an item and see that it is run. False, and its asker is told, when closed."""
        with self._lock:
            if taken := not self._closed:
                if self._items is None:
                    self._items = deque()
                self._items.append(item)
        if taken:
            self._wake()
        else:
            reject(item, self.ref)
        return taken

    def put_notice(self, item: Item) -> None:
        """Queue news of an end."""
        self.put(item)

    def put_first(self, item: Item, /) -> bool:
        """The system lane: like `put`, before everything that waits (DESIGN 8.21)."""
        with self._lock:
            if taken := not self._closed:
                if self._items is None:
                    self._items = deque()
                self._items.appendleft(item)
        if taken:
            self._wake()
        return taken

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._items

    def __len__(self) -> int:
        return len(self._items or ())

    def get(self) -> Any:
        """Not how items leave."""
        raise NotImplementedError

    # -- its life

    def inherit(self, items: Iterable[Item]) -> None:
        """Take over what an earlier incarnation left; before `begin`."""
        self._items = deque(items) or None

    def begin(self, first: Callable[[], None]) -> None:
        """Run `first` as the first turn, here and now, then what came meanwhile."""
        here = HERE
        nested, here.running = here.running, True
        outer, here.inline = here.inline, self.actor
        try:
            first()
        finally:
            here.running, here.inline = nested, outer
            with self._lock:
                self._busy = False
        self._wake()
        if not nested:
            _bounce()

    def close(self, lost: Lost = ActorDead, *, keep: bool = False) -> None:
        """Take nothing more, and let go of the actor; what waits is rejected, or kept."""
        with self._lock:
            self._closed = True
            left, self._items = self._items or (), None
        actor, self.actor = self.actor, None
        if actor is not None:
            for item in left:
                if type(item) is tuple:
                    actor.post_lost(*item)
        if keep:
            self._left = [item for item in left if type(item) is not tuple]
            return
        for item in left:
            reject(item, self.ref, was_queued=True, lost=lost)

    def abandon(self) -> bool:
        """No thread of ours is in a turn of it: False."""
        return False

    def release(self) -> None:
        """Need those who run it no longer: nobody in particular does."""

    def take_left(self) -> list[Item]:
        """What was kept, once."""
        left, self._left = self._left, None
        return left or []

    @property
    def asker(self) -> Any:
        """Whose answer the turn is to give: not known here."""
        return None

    def busy_for(self) -> float | None:
        """Seconds that the present turn has been running: not known of an inline actor."""
        return None

    # -- emptying it

    def enter(self, turn: object) -> bool:
        """Take a turn here and now, if nobody has one and nothing waits; `leave` ends it.

        A signal's handler may raise at the end of any call, in here too, never between two
        assignments (Ctrl-C waits, see `interrupts.py`; others do not). So `leave` belongs in a
        `finally` around this, and what says that it was entered goes along with what makes it so.

        Args:
            turn: a new object, by which `leave` knows whether this turn was entered at all.
        """
        here = HERE
        if here.running:
            return False
        with self._lock:
            if self._busy or self._items or self._closed:
                return False
            self._busy = here.running = True
            here.entered = turn
            here.inline = self.actor
        return True

    def is_in(self, turn: object) -> bool:
        """Whether `turn` was entered, and is this thread's."""
        return HERE.entered is turn

    def leave(self, turn: object) -> None:
        """End the turn, if it was entered, and run what came meanwhile."""
        here = HERE
        if here.entered is not turn:
            return
        with self._lock:
            self._busy = here.running = False
            here.entered = here.inline = None
        if self._items:
            here.waiting.append(self)
        _bounce()

    def hold(self) -> bool:
        """Keep every thread out until `let_go`, if no turn runs and nothing waits; for tests."""
        with self._lock:
            if self._busy or self._items or self._closed:
                return False
            self._busy = True
        return True

    def let_go(self) -> None:
        """End a `hold`."""
        with self._lock:
            self._busy = False
        self._wake()

    def _wake(self) -> None:
        if self._busy or not self._items:
            return  # who is busy looks again before leaving (both are read and set under the lock)
        HERE.waiting.append(self)
        if not HERE.running:
            _bounce()

    def _run(self) -> None:
        """Turns until the mailbox is empty, unless another thread is at it."""
        mine = handed = False
        try:
            with self._lock:
                if self._busy or not self._items:
                    return
                self._busy = mine = True
                item = self._items[0]
                del self._items[
                    0
                ]  # not popleft(): a Ctrl-C would come at its end, and lose the item
                HERE.inline = self.actor
            while True:
                actor, handed = self.actor, True
                if actor is not None:
                    actor._actor_take(item)  # noqa: SLF001  its mailbox
                else:  # it has ended
                    reject(item, self.ref, was_queued=True)
                with self._lock:
                    if not self._items:
                        self._items, self._busy = None, False
                        return
                    handed = False
                    item = self._items[0]
                    del self._items[0]
        except BaseException:  # a signal between two turns: the next put goes on
            if mine and not handed and self._items is not None:
                self._items.appendleft(item)
            if mine:
                self._busy = False
            raise
        finally:
            if mine:
                HERE.inline = None


def _bounce() -> None:
    """Run what waits on this thread, one actor after the other, until nothing does."""
    here = HERE
    here.running = True
    try:
        while here.waiting:
            here.waiting.popleft()._run()  # noqa: SLF001  one module
    finally:
        here.running = False
    if here.interrupt is not None:
        interrupt, here.interrupt = here.interrupt, None
        raise interrupt
