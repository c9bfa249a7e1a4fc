"""Long operations written as one generator: it yields futures and goes on with their values.

    @operation
    def create(self, url):
        port = yield self._device(url)
        yield port.ready
        return Session(port)

The call returns a `Future` at once. No thread waits: each step runs on whichever thread resolved
the future before it, so it must not block. Cancelling the operation's future cancels what it waits
for and raises `FutureCancelled` in the generator, which may clean up and yield further futures.
"""

from __future__ import annotations

import functools
import threading
from _thread import allocate_lock
from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from klemheist.actors.runtime.errors import FutureCancelled
from klemheist.actors.runtime.future import Future
from klemheist.transports.repl.values import ArgumentError

if TYPE_CHECKING:
    from klemheist.actors.session.resources import CancelToken

P = ParamSpec("P")
R = TypeVar("R")
Steps = Generator[Future[Any], Any, R]


def operation(steps: Callable[P, Steps[R]]) -> Callable[P, Future[R]]:
    """Turn a generator function into one that returns a future."""

    @functools.wraps(steps)
    def start(*args: P.args, **kwargs: P.kwargs) -> Future[R]:
        return Operation(steps(*args, **kwargs)).future

    return start


class Operation:
    """One run of an operation's generator."""

    __slots__ = (
        "_behalf",
        "_cancelled",
        "_lock",
        "_running",
        "_steps",
        "_waits_for",
        "_wake",
        "future",
    )

    def __init__(self, steps: Steps[Any]) -> None:
        self._behalf = getattr(BEHALF, "of", None)
        self._steps = steps
        self._waits_for: Future[Any] | None = None
        self._wake: deque[Future[Any]] = deque()
        self._lock = allocate_lock()
        self._running = False
        self._cancelled: str | None = None
        self.future: Future[Any] = Future(on_cancel=self._cancel)
        self._go(_START)

    def _go(self, ready: Future[Any]) -> None:
        """Go on, and on for as long as the next future is there already: no recursion."""
        with self._lock:
            self._wake.append(ready)
            if self._running:
                return  # whoever runs it looks again, under the lock, before leaving
            self._running = True
        while (next_ready := self._next()) is not None:
            self._step(next_ready)

    def _next(self) -> Future[Any] | None:
        with self._lock:
            if not self._wake:
                self._running = False
                return None
            return self._wake.popleft()

    def _step(self, ready: Future[Any]) -> None:
        outer = getattr(BEHALF, "of", None)
        BEHALF.of = self._behalf
        try:
            self._run(ready)
        finally:
            BEHALF.of = outer

    def _run(self, ready: Future[Any]) -> None:
        error = ready.exception()
        if self._cancelled is not None:
            error, self._cancelled = FutureCancelled(self._cancelled), None
        try:
            if error is not None:
                waits_for = self._steps.throw(error)
            else:
                waits_for = self._steps.send(None if ready is _START else ready.get())
        except StopIteration as end:
            self._waits_for = None
            self.future.set(end.value)
        except BaseException as failure:  # noqa: BLE001 -- it belongs to whoever gets the future
            self._waits_for = None
            self.future.set_exception(failure)
        else:
            self._waits_for = waits_for
            waits_for.add_done_callback(self._go)

    def _cancel(self, reason: str | None) -> None:
        self._cancelled = reason or "cancelled"
        waits_for = self._waits_for
        if waits_for is not None:
            waits_for.cancel(reason)


def cancellable(begin: Callable[[], Future[R]], cancel: CancelToken | None) -> Future[R]:
    """Begin an operation, unless its token is cancelled; cancel it when the token is.

    Raises:
        ArgumentError: `cancel` is no token; nothing was begun.
    """
    if cancel is not None and not callable(getattr(cancel, "on_cancel", None)):
        raise ArgumentError(f"cancel={cancel!r}: give a klemheist.CancelToken, or None")
    if cancel is not None and cancel.cancelled:
        refused: Future[R] = Future()
        refused.cancel(cancel.reason)
        return refused
    future = begin()
    if cancel is not None:
        undo = cancel.on_cancel(lambda reason: future.cancel(str(reason)))
        future.add_done_callback(lambda _: undo())
    return future


def shielded(future: Future[R]) -> Future[R]:
    """Return a future that follows another; cancelling it leaves the other alone."""
    follower: Future[R] = Future()
    copy_to(follower, future)
    return follower


def copy_to(follower: Future[Any], future: Future[Any]) -> None:
    """Resolve `follower` as `future` is resolved."""

    def copy(done: Future[Any]) -> None:
        error = done.exception()
        if error is None:
            follower.set(done.get())
        else:
            follower.set_exception(error)

    future.add_done_callback(copy)


BEHALF: Final = threading.local()
"""`of`: for whom this thread works. An operation's steps work for whom it was begun, whichever
thread they run on: one that cleans up may come by while it waits for something else."""

_START: Final[Future[Any]] = Future()
_START.set(None)
