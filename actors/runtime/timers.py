"""Timers: call a function at a time. One thread for the whole process, asleep in between.

    timer = TIMERS.call_later(0.5, device.post, device.check)
    timer.cancel()

The thread starts with the first timer and ends when the last one's time has come; `rest()` ends it
at once if none is live. Most timers here are deadlines that get cancelled: cancelling takes no lock
and wakes nobody.
"""

from __future__ import annotations

import heapq
import itertools
import os
import threading
from _thread import allocate_lock
from typing import TYPE_CHECKING, Any, Final

from .callbacks import call_each
from .clock import SYSTEM_CLOCK, Clock, ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable

_FEW: Final = 64
"""Below this many cancelled timers, sweeping them out costs more than they do."""


class Timer:
    """One function to call once. Either it runs or it is cancelled, never both."""

    __slots__ = ("_args", "_claim", "_fn", "_timers", "when")

    def __init__(
        self, timers: Timers, when: float, fn: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        self.when = when
        self._timers = timers
        self._fn: Callable[..., object] | None = fn
        self._args = args
        self._claim = allocate_lock()  # taken once, never given back: by the firing or by cancel()

    @property
    def active(self) -> bool:
        """Whether it is still to come."""
        return not self._claim.locked()

    def cancel(self) -> bool:
        """Prevent the call. True if that was in time; from any thread, any number of times."""
        if not self._claim.acquire(blocking=False):
            return False
        self._fn, self._args = None, ()  # what it held may be large, and the heap keeps the timer
        self._timers._one_cancelled()  # noqa: SLF001  one module, two classes
        return True

    def _fire(self) -> None:
        fn = self._fn
        if fn is None or not self._claim.acquire(blocking=False):
            return
        try:
            fn(*self._args)
        finally:
            self._fn, self._args = None, ()


class Timers:
    """A heap of timers on one clock.

    With the system's clock they run on the timer thread; with a `ManualClock`, in its `advance`.
    Callbacks must not block: they post to a mailbox.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self.clock = clock
        self._numbers = itertools.count()  # timers of one moment run in the order they were made
        self._reset()
        self._manual = isinstance(clock, ManualClock)
        if isinstance(clock, ManualClock):
            clock.attach(self)

    def _reset(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._lock = allocate_lock()  # not taken through the condition: a signal may come in there
        self._changed = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._wakes_at = 0.0
        self._cancelled = 0  # about: threads may miss a count, and only sweeping depends on it

    def call_later(self, delay: float, fn: Callable[..., object], *args: Any) -> Timer:
        """Call `fn(*args)` in `delay` seconds (at once, but not here, where it is not positive)."""
        return self.call_at(self.clock.monotonic() + delay, fn, *args)

    def call_at(self, when: float, fn: Callable[..., object], *args: Any) -> Timer:
        """Call `fn(*args)` when the clock's `monotonic()` reaches `when`."""
        timer = Timer(self, when, fn, args)
        with self._lock:
            heapq.heappush(self._heap, (when, next(self._numbers), timer))
            if self._manual:
                pass
            elif self._thread is None:
                self._start_thread()
            elif when < self._wakes_at:
                self._changed.notify()
            if self._cancelled > _FEW and self._cancelled * 2 > len(self._heap):
                self._sweep()
        return timer

    def rest(self, timeout: float = 1.0) -> bool:
        """End and join the timer thread if no timer is left; True if it is gone."""
        with self._lock:
            self._sweep()
            thread = self._thread
            if thread is None:
                return True
            if self._heap or thread is threading.current_thread():
                return False
            self._changed.notify()
        thread.join(timeout)
        return not thread.is_alive()

    def next_due(self) -> float | None:
        """When the earliest live timer is due (for `ManualClock`)."""
        with self._lock:
            self._drop_cancelled_head()
            return self._heap[0][0] if self._heap else None

    def fire_due(self) -> None:
        """Run on this thread what was due when this was called (for `ManualClock`)."""
        with self._lock:
            due = self._take_due()
        call_each("a timer's callback failed", [timer._fire for timer in due])  # noqa: SLF001  one module, two classes

    def __len__(self) -> int:
        with self._lock:
            return sum(timer.active for _, _, timer in self._heap)

    def _one_cancelled(self) -> None:
        self._cancelled += 1

    def _take_due(self) -> list[Timer]:
        now = self.clock.monotonic()
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        return due

    def _drop_cancelled_head(self) -> None:
        while self._heap and not self._heap[0][2].active:
            heapq.heappop(self._heap)

    def _sweep(self) -> None:
        self._heap = [entry for entry in self._heap if entry[2].active]
        heapq.heapify(self._heap)
        self._cancelled = 0

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name="klemheist-timers", daemon=True)
        self._wakes_at = 0.0  # it looks at the heap before it sleeps: no need to wake it
        thread.start()
        self._thread = thread

    def _run(self) -> None:
        while self._sleep():
            self.fire_due()

    def _sleep(self) -> bool:
        """Wait until something is due. False, and no thread any more, when nothing is left."""
        with self._lock:
            while True:
                if not self._heap:
                    self._thread = None
                    return False
                # A cancelled head is slept for like a live one: ending the thread for each deadline
                # that was met would cost a new thread for the next.
                self._wakes_at = self._heap[0][0]
                delay = self._wakes_at - self.clock.monotonic()
                if delay <= 0:
                    self._wakes_at = 0.0
                    return True
                self._changed.wait(min(delay, threading.TIMEOUT_MAX))


TIMERS: Final = Timers()
"""The process's timers, on the system's clock."""

os.register_at_fork(after_in_child=TIMERS._reset)  # noqa: SLF001  the parent's timers are the parent's
