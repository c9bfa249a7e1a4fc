"""Mailboxes: what waits for an actor, and which thread runs it next. Here: whichever fills it.

A closed mailbox takes nothing more: whoever asks is told at once, so nobody waits for an answer
that never comes (supervision.md 3.2).
"""

from __future__ import annotations

from collections import deque
from itertools import repeat, starmap
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from .errors import ActorDead
from .here import HERE, in_turn
from .items import Item, Lost, emptied, reject
from .rare import rare_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .actor import Actor
    from .ref import ActorRef

__all__ = ["InlineInbox", "in_turn"]


_RARELY: Final = rare_lock()
"""Held for a moment where a mailbox is closed, or filled after that, and for the system lane."""


class InlineInbox:
    """A mailbox that is emptied by whichever thread fills it: nobody sleeps, nobody is woken.

    One thread at a time runs the actor; others leave their item and go. A put from inside a turn
    never nests: its actor runs when the turn that this thread is in has ended.

    Whoever runs it has taken its token, which lies in `_free` otherwise, and looks at the queue
    again after putting it back; whoever puts something in looks for the token afterwards. One of
    them sees the other, so nothing is left lying, and no thread ever waits for another: with a lock
    in the token's place, threads that fill one mailbox hand each other the lock and the
    interpreter with each item.

    The token and what waits are taken by statements without a call. At the end of any call a
    signal's handler may raise (Ctrl-C waits, see `interrupts.py`), between two such statements
    never.
    """

    __slots__ = ("_closed", "_free", "_left", "_queue", "_system", "actor", "ref")

    def __init__(self, actor: Actor) -> None:
        self.actor: Actor | None = actor
        """Whose it is; None once it has ended."""
        self.ref: ActorRef[Any]
        self._queue: SimpleQueue[Item] = SimpleQueue()
        self._system: deque[Item] | None = None
        self._free: list[None] = []  # no token until the actor has started
        self._closed = False
        self._left: list[Item] | None = None

    # -- filling it, from any thread

    def put(self, item: Item, /) -> bool:
        """Queue an item and see that it is run. False, and its asker is told, when closed."""
        self._queue.put(item)
        if self._closed and self._take_back(item):
            reject(item, self.ref)
            return False
        self._wake()
        return True

    def put_notice(self, item: Item) -> None:
        """Queue news of an end."""
        self.put(item)

    def put_first(self, item: Item, /) -> bool:
        """The system lane: like `put`, before everything that waits (DESIGN 8.21)."""
        with _RARELY:
            lane: deque[Item] = deque()  # before the look: a finaliser may come here meanwhile
            if self._system is None:
                self._system = lane
            self._system.append(item)
        self._wake()
        return not self._closed

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._system and self._queue.empty()

    def __len__(self) -> int:
        return self._queue.qsize() + len(self._system or ())

    def get(self) -> Any:
        """Not how items leave."""
        raise NotImplementedError

    # -- its life

    def inherit(self, items: Iterable[Item]) -> None:
        """Take over what an earlier incarnation left; before `begin`."""
        for item in items:
            self._queue.put(item)

    def begin(self, first: Callable[[], None]) -> None:
        """Run `first` as the first turn, here and now, then what came meanwhile."""
        here = HERE
        nested, here.running = here.running, True
        outer, here.inline = here.inline, self.actor
        try:
            first()
        finally:
            here.running, here.inline = nested, outer
            self._free.append(None)
        self._wake()
        if not nested:
            _bounce()

    def close(self, lost: Lost = ActorDead, *, keep: bool = False) -> None:
        """Take nothing more, and let go of the actor; what waits is rejected, or kept."""
        self._closed = True
        actor, self.actor = self.actor, None
        with _RARELY:
            left = [*emptied(self._system), *self._waiting()]
        if keep:
            self._left = [item for item in left if type(item) is not tuple]
            left = [item for item in left if type(item) is tuple]
        if actor is not None:
            _lose(left, actor, self.ref, lost)

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

        `leave` belongs in a `finally` around this.

        Args:
            turn: a new object, by which `leave` knows whether this turn was entered at all.
        """
        here = HERE
        if here.running or not self.empty():
            return False
        try:
            del self._free[0]
        except IndexError:
            return False
        if self._closed:  # only now: it may have ended in the turn before
            self._free.append(None)
            return False
        here.running = True
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
        here.running = False
        here.entered = here.inline = None
        self._free.append(None)
        if not self.empty():
            here.waiting.append(self)
        _bounce()

    def hold(self) -> bool:
        """Keep every thread out until `let_go`, if no turn runs and nothing waits; for tests."""
        if self._closed or not self.empty():
            return False
        try:
            del self._free[0]
        except IndexError:
            return False
        return True

    def let_go(self) -> None:
        """End a `hold`."""
        self._free.append(None)
        if not self.empty():
            self._wake()

    def _wake(self) -> None:
        if not self._free:
            return  # who has the token looks again
        HERE.waiting.append(self)
        if not HERE.running:
            _bounce()

    def _run(self) -> None:
        """Turns until the mailbox is empty, unless another thread is at it."""
        while not self._closed and not self.empty():
            try:
                del self._free[0]
            except IndexError:
                return
            try:
                HERE.inline = self.actor
                self._turns()
            finally:
                HERE.inline = None
                self._free.append(None)

    def _turns(self) -> None:
        queue, item = self._queue, None
        take = starmap(queue.get_nowait, repeat(()))
        while (actor := self.actor) is not None:
            system = self._system
            if system:
                item = system[0]
                del system[0]
            elif queue.empty():
                return
            else:
                try:
                    for item in take:  # noqa: B007  not a call: see above
                        break
                except Empty:
                    return  # a killer was faster
            if self._closed:  # by a killer, who did not see the item
                _lose([item], actor, self.ref)
                return
            actor._actor_take(item)  # noqa: SLF001  its mailbox

    # -- what comes too late

    def _take_back(self, item: Item) -> bool:
        """Whether `item`, put into a closed mailbox, was still there; others' are left to them."""
        with _RARELY:
            waiting = list(self._waiting())
            place = next((n for n, each in enumerate(waiting) if each is item), None)
            if place is not None:
                del waiting[place]
            for each in waiting:
                self._queue.put(each)
        return place is not None

    def _waiting(self) -> Iterator[Item]:
        while True:
            try:
                yield self._queue.get_nowait()
            except Empty:
                return


def _lose(items: list[Item], actor: Actor, ref: ActorRef[Any], lost: Lost = ActorDead) -> None:
    """Tell of what waited for `actor`, which has ended."""
    for item in items:
        if type(item) is tuple:
            actor.post_lost(*item)
        else:
            reject(item, ref, was_queued=True, lost=lost)


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
