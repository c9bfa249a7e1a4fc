"""`Worker`: a thread that runs turns, and what is known of it from outside."""

from __future__ import annotations

import time
from _thread import allocate_lock
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    import threading

    from .scheduled import ScheduledInbox


class Worker:
    """One thread that runs turns; at most one actor's at a time."""

    __slots__ = ("abandoned", "inbox", "marked", "since", "thread", "turns", "waiting")

    is_shared: ClassVar[bool] = False
    """Whether others wait for this thread while a turn blocks it."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None
        self.inbox: ScheduledInbox | None = None
        self.since = 0.0
        self.turns = 0
        self.waiting = 0
        """How many waits its turn is in: a callback that runs in one may wait again."""
        self.marked = False
        """Whether something is to be settled when the turn ends."""
        self.abandoned = False

    def take(self, inbox: ScheduledInbox) -> None:
        """Run a batch of turns."""
        self.inbox = inbox
        self.since = time.monotonic()
        self.turns += 1
        inbox.run(self)
        self.inbox = None

    def is_busy(self) -> bool:
        """Whether it runs turns just now."""
        return self.inbox is not None

    def before_wait(self) -> None:
        """The turn is about to block on a future."""

    def after_wait(self) -> None:
        """The turn goes on."""

    def abandon(self, inbox: ScheduledInbox) -> bool:
        """Leave the thread to the turn of `inbox` that it is in. False if it is in none."""
        raise NotImplementedError


class Zombies:
    """Threads that a killed actor's code still holds."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._held: dict[Worker, Any] = {}

    def add(self, worker: Worker, ref: Any) -> None:
        """`worker` is held by the code of `ref`'s actor."""
        with self._lock:
            self._held[worker] = ref

    def discard(self, worker: Worker) -> None:
        """The code has ended."""
        with self._lock:
            self._held.pop(worker, None)

    def refs(self) -> list[Any]:
        """Whose code it is, the longest held first."""
        with self._lock:
            return list(self._held.values())


ZOMBIES: Final = Zombies()


def zombies() -> list[Any]:
    """The refs of killed actors whose code still runs, each holding a thread until it ends."""
    return ZOMBIES.refs()
