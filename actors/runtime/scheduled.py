"""`ScheduledInbox`: the mailbox of an actor whose turns run on a worker's thread.

Its gate is a lock that is held from the moment the actor is given to a worker until the worker
finds nothing left to do. Whoever puts something in looks at the gate afterwards, and the worker
looks at the queue after opening the gate: one of them sees the other, so nothing is left lying.
"""

from __future__ import annotations

import contextvars
import time
from _thread import allocate_lock
from collections import deque
from queue import Empty
from typing import TYPE_CHECKING, Any, Final, Protocol

from .bridge import Envelope
from .items import SPECIAL, Item, Lost, emptied, reject
from .orphans import Orphanage
from .rare import rare_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .actor import Actor
    from .mailbox import Queue
    from .ref import ActorRef
    from .worker import Worker

THROUGHPUT: Final = 64
"""Messages in a row before another actor has its turn."""

_AHEAD: Final = rare_lock()


class Dispatcher(Protocol):
    """Who runs turns: the pool, or the actor's own thread."""

    def enter(self) -> None:
        """One more actor needs it."""
        ...

    def leave(self) -> None:
        """One actor less does."""
        ...

    def submit(self, inbox: ScheduledInbox, /) -> None:
        """Run the turns of `inbox`, after those that wait already."""
        ...


class ScheduledInbox:
    """Any thread fills it; a worker empties it, a batch at a time; it closes for good."""

    __slots__ = (
        "_ahead",
        "_closed",
        "_context",
        "_dispatcher",
        "_gate",
        "_left",
        "_queue",
        "_system",
        "actor",
        "attentive",
        "begun",
        "current",
        "ref",
        "worker",
    )

    def __init__(self, actor: Actor, queue: Queue) -> None:
        self.actor: Actor | None = actor
        """Whose it is; None once it has ended."""
        self.ref: ActorRef[Any]
        self.worker: Worker | None = None
        """Who runs it just now."""
        self.current: Any = None
        """The item of the turn, for `stash` and for who kills the actor."""
        self.begun = False
        """Whether `on_start` has had its turn."""
        self.attentive = False
        """Whether something is to be seen to after each message."""
        self._queue = queue
        self._gate = allocate_lock()
        self._gate.acquire()  # until the actor is started
        self._dispatcher: Dispatcher | None = None
        self._system: list[tuple[Callable[..., object], tuple[Any, ...]]] | None = None
        self._ahead: deque[Item] | None = None
        self._context: contextvars.Context | None = None
        self._closed = False
        self._left: list[Item] | None = None

    # -- filling it, from any thread

    def put(self, item: Item, /) -> bool:
        """Queue an item and see that it is run. False, and its asker is told, when closed.

        Raises:
            MailboxFull: It is bounded, and there is no room.
        """
        self._queue.put(item)
        if self._closed:
            self._reject_all(was_queued=False)
            return False
        gate = self._gate
        if not gate.locked() and gate.acquire(False):  # noqa: FBT003  a keyword costs time here
            dispatcher = self._dispatcher
            if dispatcher is not None:
                dispatcher.submit(self)
        return True

    def put_notice(self, item: Item) -> None:
        """Queue what needs no room: news of an end."""
        getattr(self._queue, "force", self._queue.put)(item)
        if self._closed:
            self._reject_all(was_queued=False)
        else:
            self._wake()

    def put_first(self, item: tuple[Callable[..., object], tuple[Any, ...]]) -> bool:
        """The system lane: before everything that waits (DESIGN 8.21)."""
        with _AHEAD:
            if self._system is None:
                self._system = []
            self._system.append(item)
        if not self._closed:
            self._wake()
        return not self._closed

    def put_back(self, items: Iterable[Item]) -> None:
        """Put items before all others that wait, in their order. On the actor's own turn."""
        ahead = self._ahead
        if ahead is None:
            ahead = self._ahead = deque()
        ahead.extendleft(reversed(list(items)))
        self.reject_late(ahead)

    def reject_late(self, items: deque[Item]) -> None:
        """Where a killer has closed this meanwhile, nobody handles `items` any more."""
        if self._closed:
            for item in emptied(items):
                reject(item, self.ref, was_queued=True)

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._ahead and self._queue.empty()

    def __len__(self) -> int:
        return self._queue.qsize() + (len(self._ahead) if self._ahead else 0)

    def get(self) -> Any:
        """Not how items leave."""
        raise NotImplementedError

    # -- its life

    def inherit(self, items: Iterable[Item]) -> None:
        """Take over what an earlier incarnation left; before `begin`."""
        for item in items:
            getattr(self._queue, "force", self._queue.put)(item)

    def begin(self, dispatcher: Dispatcher, *, at_once: bool) -> None:
        """Give it to those who run it. With `at_once` there is no first turn to wait for."""
        dispatcher.enter()
        self._dispatcher = dispatcher
        if not at_once:
            dispatcher.submit(self)
            return
        self.begun = True
        self._gate.release()
        if not self._is_done():
            self._wake()

    def is_taken(self) -> bool:
        """Whether a worker has it, or is to take it up next."""
        return self._gate.locked()

    def orphan(self) -> None:
        """In a forked child, where its thread is not: whoever puts something in ends the actor."""
        self.worker = None
        self._gate = allocate_lock()
        if self._dispatcher is not None:
            self._dispatcher = Orphanage(self._dispatcher)

    def abandon(self) -> bool:
        """Leave the thread that is in a turn of it, if there is one, to that turn."""
        worker = self.worker
        return worker is not None and worker.abandon(self)

    def release(self) -> None:
        """Need those who run it no longer."""
        dispatcher, self._dispatcher = self._dispatcher, None
        if dispatcher is not None:
            dispatcher.leave()

    def close(self, lost: Lost, *, keep: bool = False) -> None:
        """Take nothing more; what waits is rejected, or kept for the next incarnation."""
        actor, self.actor = self.actor, None
        if keep and not self._closed:
            self._closed = True
            self._left = [*emptied(self._ahead), *_stash(actor)]
            while (item := self._pop()) is not None:
                self._left.append(item)
        else:
            self._closed = True
            self._reject_all(lost=lost)
            for item in _stash(actor):
                reject(item, self.ref, was_queued=True, lost=lost)

    def take_left(self) -> list[Item]:
        """What was kept, once."""
        left, self._left = self._left, None
        return left or []

    @property
    def asker(self) -> Any:
        """Whose answer the turn is to give, if anybody's."""
        item = self.current
        return item.reply_to if type(item) is Envelope else None

    def busy_for(self) -> float | None:
        """Seconds since a worker took it up; None if none has it."""
        worker = self.worker
        return None if worker is None or self._closed else max(time.monotonic() - worker.since, 0.0)

    def hold(self) -> bool:
        """Keep every worker out until `let_go`, if no turn runs and nothing waits; for tests."""
        if not self._gate.acquire(blocking=False):
            return False
        if self._is_done() and not self._closed:
            return True
        self.let_go()
        return False

    def let_go(self) -> None:
        """End a `hold`."""
        self._gate.release()
        if not self._is_done():
            self._wake()

    # -- emptying it, on a worker

    def run(self, worker: Worker) -> None:
        """Turns, until nothing waits or others should have theirs."""
        actor = self.actor
        if actor is None:
            return
        context = self._context
        if context is None:
            context = self._context = contextvars.Context()
        while True:
            self.worker = worker
            try:
                more = context.run(self._turns, actor)
            except (Empty, IndexError):
                more = False  # a killer was faster
            self.worker = self.current = None
            if self._closed:
                return
            if more:
                self._run_soon()
                return
            self._gate.release()
            if self._is_done() or not self._gate.acquire(blocking=False):
                return

    def _turns(self, actor: Actor) -> bool:
        """A batch of turns. False when nothing waits any more."""
        queue = self._queue
        get, empty = queue.get_nowait, queue.empty
        if not self.begun:
            self.begun = True
            actor._actor_begin()  # noqa: SLF001  its other half
        for _ in range(THROUGHPUT):
            if self._system or self._ahead:
                item = self._first()
                if item is None:
                    return False
            elif empty():
                return False
            else:
                item = get()
            self.current = item
            if self._closed:  # who kills it looks at `current` after closing it
                reject(item, self.ref, was_queued=True)
                return False
            kind = type(item)
            try:
                if kind in SPECIAL:
                    SPECIAL[kind](actor, item)
                else:
                    actor.on_receive(item)
            except BaseException as error:  # noqa: BLE001  the actor's loop
                actor._actor_failed(error, item.reply_to if kind is Envelope else None)  # noqa: SLF001  its other half
            if self.attentive:
                actor._actor_saw(item)  # noqa: SLF001  its other half
        return True

    def _first(self) -> Item:
        """What comes before the queue; None where nothing comes any more."""
        if self._system:
            return self._system.pop(0)
        ahead = self._ahead
        try:
            return None if ahead is None else ahead.popleft()
        except IndexError:
            return None  # a killer was faster

    def _is_done(self) -> bool:
        return self._queue.empty() and not self._system and not self._ahead

    def _wake(self) -> None:
        if not self._gate.locked() and self._gate.acquire(blocking=False):
            self._run_soon()

    def _run_soon(self) -> None:
        dispatcher = self._dispatcher
        if dispatcher is not None:
            dispatcher.submit(self)

    def _pop(self) -> Any:
        try:
            return self._queue.get_nowait()
        except (Empty, IndexError):
            return None

    def _reject_all(self, *, was_queued: bool = True, lost: Lost | None = None) -> None:
        for item in emptied(self._ahead):
            reject(item, self.ref, was_queued=was_queued, lost=lost)
        while (item := self._pop()) is not None:
            reject(item, self.ref, was_queued=was_queued, lost=lost)


def _stash(actor: Actor | None) -> Iterator[Item]:
    return emptied(None if actor is None else actor._actor_stash)  # noqa: SLF001  its other half
