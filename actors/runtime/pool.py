"""The pool: a few threads that run the turns of all actors which have none of their own.

It starts with the first such actor and ends with the last one, or with the last tree. A turn that
waits for a future, or does not end, does not hold up the others: a spare thread takes its place.
"""

from __future__ import annotations

import os
import threading
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, Final

from loguru import logger

from .here import HERE
from .ready import ReadyQueue
from .timers import TIMERS
from .worker import ZOMBIES, Worker

if TYPE_CHECKING:
    from .scheduled import ScheduledInbox
    from .timers import Timer

MOST_SPARES: Final = 256
"""Threads beyond the pool's size, where turns block; then the others wait."""
PATIENCE: Final = 0.02
"""Seconds that the queue may stand still before a spare thread is added."""
_QUIET_TICKS: Final = 10
"""Looks that find everybody idle before the watch ends: it must not begin anew for each message."""


class PoolWorker(Worker):
    """One thread of the pool."""

    __slots__ = ("is_out", "pool")

    is_shared: ClassVar[bool] = True

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self.pool = pool
        self.is_out = False
        """Whether its turn blocks, so that it does not count; guarded by the pool's lock."""

    def before_wait(self) -> None:
        """Let another thread stand in for this one."""
        self.waiting += 1
        if self.waiting == 1:
            self.pool._waits(self)  # noqa: SLF001  one module

    def after_wait(self) -> None:
        """Take the place back."""
        self.waiting -= 1
        if self.waiting == 0:
            self.pool._goes_on(self)  # noqa: SLF001  one module

    def abandon(self, inbox: ScheduledInbox) -> bool:
        """Leave the thread to `inbox` and put another in its place."""
        return self.pool._abandon(self, inbox)  # noqa: SLF001  one module


class Pool:
    """Threads that take actors from one queue, a batch of turns at a time.

    Args:
        size: How many run turns at once; those that wait do not count.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._ready = ReadyQueue()
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._workers: set[PoolWorker] = set()
        self._shares: list[None] = []  # changed without the lock: threads would queue for it
        self._waiting = 0  # workers whose turn waits, or does not end
        self._leaves = 0  # Nones in the queue: whoever takes one may go
        self._ending: list[threading.Thread] = []
        self._short = True  # whether there are fewer workers than there should be
        self._watch: Timer | None = None
        self._seen = 0
        self._quiet = 0

    # -- for actors and trees

    def submit(self, inbox: ScheduledInbox) -> None:
        """Have the turns of `inbox` run, after those that were submitted before."""
        self._ready.put(inbox)
        if not self._workers:
            self._revive()

    def enter(self) -> None:
        """Take a share: the pool lives while anybody holds one."""
        self._shares.append(None)
        if not self._workers:
            self._revive()

    def leave(self) -> None:
        """Give a share back. With the last, the threads end as soon as their turns do."""
        self._shares.pop()
        if self._shares:
            return
        with self._lock:
            if self._shares:
                return
            self._trim()
            watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()

    def rest(self, timeout: float = 1.0) -> bool:
        """Join the threads if no share is left; True if they are gone. Not from a turn."""
        with self._lock:
            if self._shares:
                return False
            threads = [w.thread for w in self._workers if w.thread is not None] + self._ending
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(timeout)
        with self._lock:
            while self._leaves and not self._workers and not self._shares:
                self._ready.take()  # meant for a worker that was left to a killed actor
                self._leaves -= 1
            if not self._workers and not self._shares and not any(t.is_alive() for t in threads):
                self._ready.close()
        return not any(thread.is_alive() for thread in threads)

    @property
    def threads(self) -> int:
        """How many threads there are, without those left to killed actors."""
        with self._lock:
            return len(self._workers)

    def is_idle(self) -> bool:
        """Whether no turn runs and none is ready to."""
        with self._lock:
            return self._ready.empty() and all(w.inbox is None for w in self._workers)

    # -- the threads

    def _revive(self) -> None:
        """The first has come; or in a forked child: actors that were idle go on, on new threads."""
        with self._lock:
            if self._shares and not self._workers:
                self._add_worker()

    def _add_worker(self) -> None:
        self._ready.open()
        worker = PoolWorker(self)
        name = f"klemheist-worker-{len(self._workers) + 1}"
        thread = threading.Thread(target=self._work, args=(worker,), name=name, daemon=True)
        worker.thread = thread
        self._workers.add(worker)
        self._short = len(self._workers) - self._waiting < self.size
        thread.start()

    def _work(self, worker: PoolWorker) -> None:
        HERE.worker = worker
        get, empty = self._ready.get, self._ready.empty
        while True:
            inbox = get()
            if inbox is None:
                if self._may_leave(worker):
                    return
                continue
            worker.inbox = inbox
            if self._watch is None or (self._short and not empty()):
                self._got_busy()
            worker.since = monotonic()
            worker.turns += 1
            try:
                inbox.run(worker)
            except BaseException:  # noqa: BLE001  a bug of ours: it must not cost the others a thread
                logger.exception("the turns of {} broke off", inbox.ref)
            worker.inbox = inbox = None
            if worker.marked and self._settle(worker):
                return

    def _wanted(self) -> int:
        return self.size + min(self._waiting, MOST_SPARES) if self._shares else 0

    def _trim(self) -> None:
        for _ in range(len(self._workers) - self._leaves - self._wanted()):
            self._leaves += 1
            self._ready.put(None)

    def _may_leave(self, worker: PoolWorker) -> bool:
        with self._lock:
            self._leaves -= 1
            if len(self._workers) <= self._wanted():
                return False
            self._workers.discard(worker)
            if len(self._workers) < self._wanted():
                self._workers.add(worker)  # who took a share meanwhile saw this thread, and waits
                return False
            self._short = True
            self._ending = [thread for thread in self._ending if thread.is_alive()]
            self._ending.append(threading.current_thread())
            return True

    def _got_busy(self) -> None:
        with self._lock:
            if not self._shares:
                return
            self._short = len(self._workers) - self._waiting < self.size
            if self._short and not self._ready.empty():
                self._add_worker()
            if self._watch is None:
                self._quiet = 0
                self._watch = TIMERS.call_later(PATIENCE, self._look)

    # -- turns that block

    def _waits(self, worker: PoolWorker) -> None:
        with self._lock:
            if worker.abandoned or worker.is_out:
                return
            worker.is_out = True
            self._waiting += 1
            if len(self._workers) <= self._waiting and self._waiting < MOST_SPARES:
                self._add_worker()

    def _goes_on(self, worker: PoolWorker) -> None:
        with self._lock:
            self._back(worker)

    def _look(self) -> None:
        """Add a thread if something waits and nothing has moved since the last look."""
        with self._lock:
            if self._watch is None:
                return
            turns = sum(worker.turns for worker in self._workers)
            busy = [worker for worker in self._workers if worker.inbox is not None]
            stuck = turns == self._seen and not self._ready.empty()
            self._seen = turns
            if stuck and self._waiting < MOST_SPARES:
                self._stand_in(busy)
            self._quiet = 0 if busy or not self._ready.empty() else self._quiet + 1
            done = self._quiet > _QUIET_TICKS or not self._shares
            self._watch = None if done else TIMERS.call_later(PATIENCE, self._look)

    def _stand_in(self, busy: list[PoolWorker]) -> None:
        for worker in busy:
            worker.marked = True
            if not worker.is_out and worker.inbox is not None:  # else it may not have seen the mark
                worker.is_out = True
                self._waiting += 1
        if self._waiting >= MOST_SPARES:
            logger.warning("{} turns block: use dispatcher = 'thread' for such actors", MOST_SPARES)
        self._add_worker()

    def _abandon(self, worker: PoolWorker, inbox: ScheduledInbox) -> bool:
        with self._lock:
            if worker.inbox is not inbox or worker.thread is threading.current_thread():
                return False
            worker.abandoned = worker.marked = True
            if worker.inbox is not inbox:  # it has just ended, and may not have seen the mark
                worker.abandoned = False
                return False
            if worker.is_out:
                worker.is_out = False
                self._waiting -= 1
            self._workers.discard(worker)
            ZOMBIES.add(worker, inbox.ref)
            if self._shares and len(self._workers) <= self._waiting:
                self._add_worker()
            self._short = True
        return True

    def _settle(self, worker: PoolWorker) -> bool:
        """The turn has ended after all. True if the thread is to end."""
        with self._lock:
            worker.marked = False
            if worker.abandoned:
                ZOMBIES.discard(worker)
                return True
            self._back(worker)
        return False

    def _back(self, worker: PoolWorker) -> None:
        if worker.is_out:
            worker.is_out = False
            self._waiting -= 1
            self._trim()


def _size() -> int:
    wanted = os.environ.get("KLEMHEIST_WORKERS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    return min(4, os.cpu_count() or 1)


POOL: Final = Pool(_size())
"""The process's pool."""


def _after_fork() -> None:
    """A forked child has none of our threads, and perhaps a lock that nobody will release.

    Actors that were idle go on; whose turn was under way, or next, has it in the parent.
    """
    here = threading.current_thread()
    theirs = [worker.inbox for worker in POOL._workers if worker.thread is not here]  # noqa: SLF001  one module
    for inbox in (*theirs, *POOL._ready.waiting()):  # noqa: SLF001  one module
        if inbox is not None and inbox.is_taken():
            inbox.orphan()
    shares = POOL._shares  # noqa: SLF001  one module
    POOL._ready.forget()  # noqa: SLF001  one module
    POOL._reset()  # noqa: SLF001  one module
    POOL._shares = shares  # noqa: SLF001  one module


os.register_at_fork(after_in_child=_after_fork)
