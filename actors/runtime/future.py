"""`Future`: a value that is not there yet. What every operation of Klemheist returns.

    later = add.submit(20, 22)
    later.get(timeout=2.0)          # a thread blocks
    await later                     # an asyncio task does; its loop never blocks
    later.add_done_callback(print)

It is a `pykka.Future` made light: no lock is waited on and no event is built until somebody waits.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
from _thread import LockType, allocate_lock
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

import pykka

from .callbacks import call, call_each
from .errors import AskTimeout, FutureCancelled
from .waiting import block_at, block_until, suspend_until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from types import TracebackType

    from .worker import Worker

    Unsubscribe: TypeAlias = Callable[[], None]
    ExcInfo: TypeAlias = tuple[
        type[BaseException] | None, BaseException | None, TracebackType | None
    ]

T = TypeVar("T")
M = TypeVar("M")

_PENDING: Final = 0
_VALUE: Final = 1
_ERROR: Final = 2

_FAILED: Final = "a future's callback failed"
_LATE: Final = "no answer within {} s; give a longer timeout= or cancel()"


class Future(pykka.Future[T]):
    """A value or an exception, given once, from any thread.

    1. It is made, perhaps with `on_cancel`, the function that knows how to stop the work.
    2. Somebody waits: `get`, `await`, `add_done_callback`.
    3. Somebody resolves it: `set`, `set_exception`. Whoever comes later gets False.
    """

    __slots__ = (
        "_callbacks",
        "_get_hook",
        "_get_hook_result",
        "_lock",
        "_on_cancel",
        "_state",
        "_value",
    )

    def __init__(self, *, on_cancel: Callable[[str | None], object] | None = None) -> None:
        # Not super().__init__(): this is made once for each call to a device. The hook result is
        # Pykka's "not yet" marker, which is only looked at where there is a hook.
        self._get_hook = None
        self._lock = allocate_lock()
        self._state = _PENDING
        self._value: Any = None
        self._callbacks: list[Callable[[Future[T]], object]] | LockType | None = None
        self._on_cancel = on_cancel

    def __repr__(self) -> str:
        state = "pending" if self._state == _PENDING else repr(self.exception() or self._value)
        return f"<klemheist.Future {state}>"

    # -- waiting

    def get(self, *, timeout: float | None = None) -> T:
        """The value, waiting up to `timeout` seconds for it (None: as long as it takes).

        Raises:
            AskTimeout: It is not there in time. The work goes on; `cancel()` stops it.
            BaseException: The exception that it was resolved with.
        """
        if self._state == _PENDING:
            if self._get_hook is not None:
                return super().get(timeout=timeout)
            self._wait(timeout)
        if self._state == _ERROR:
            self._raise()
        return cast("T", self._value)

    def done(self) -> bool:
        """Whether there is a value or an exception."""
        return self._state != _PENDING

    def exception(self) -> BaseException | None:
        """The exception it was resolved with; None with a value, and while nothing is there."""
        return cast("BaseException", self._value[0]) if self._state == _ERROR else None

    def cancelled(self) -> bool:
        """Whether it was resolved with a cancellation."""
        return isinstance(self.exception(), concurrent.futures.CancelledError)

    def add_done_callback(self, fn: Callable[[Future[T]], object]) -> Unsubscribe:
        """Call `fn(self)` once when resolved, on the resolving thread; at once if it is.

        Returns:
            A function that takes the callback back; harmless at any time.
        """
        with self._lock:
            if self._state == _PENDING:
                before = self._callbacks
                if isinstance(before, list):
                    before.append(fn)
                else:
                    self._callbacks = [fn] if before is None else [partial(_open, before), fn]
                return partial(self._forget, fn)
        call(_FAILED, fn, self)
        return _nothing

    def __await__(self) -> Generator[Any, None, T]:
        """Wait in an asyncio task, without blocking its loop. Cancelling the task cancels this."""
        try:
            if self._get_hook is not None:
                # Somebody else's blocking function: the loop must not run it.
                loop = asyncio.get_running_loop()
                return (yield from loop.run_in_executor(None, self.get).__await__())
            if self._state == _PENDING:
                yield from suspend_until(self.add_done_callback)
        except asyncio.CancelledError:
            self.cancel("the awaiting task was cancelled")
            raise
        return Future.get(self)  # not a subclass's, which may wait in a way of its own

    __iter__ = __await__

    # -- resolving

    def set(self, value: T | None = None) -> bool:  # type: ignore[override]  # Pykka's is None
        """Give the value. False, and nothing happens, where it was already resolved."""
        with self._lock:  # as in _resolve: most results come this way
            if self._state != _PENDING or self._get_hook is not None:
                return False
            self._value = value
            self._state = _VALUE
            callbacks, self._callbacks, self._on_cancel = self._callbacks, None, None
        if type(callbacks) is LockType:
            callbacks.release()
        elif callbacks is not None:
            self._tell(callbacks)
        return True

    def set_exception(  # type: ignore[override]  # Pykka's returns None and takes no exception
        self, exc_info: BaseException | ExcInfo | None = None
    ) -> bool:
        """Give an exception: itself, a `sys.exc_info()` triple, or the one being handled."""
        error = exc_info if isinstance(exc_info, BaseException) else _error_of(exc_info)
        return self._fail(error)

    def cancel(self, reason: str | None = None) -> bool:
        """Say that the value is not wanted. False where it was already resolved.

        With `on_cancel` the work decides how this resolves (and is asked only once); without, it
        resolves at once with `FutureCancelled`.
        """
        with self._lock:
            if self._state != _PENDING:
                return False
            hook, self._on_cancel = self._on_cancel, _nothing
        if hook is None:
            return self._fail(FutureCancelled(reason or "cancelled"))
        hook(reason)
        return True

    # -- composing; eager, so that the results can be awaited

    def map(self, func: Callable[[T], M]) -> Future[M]:
        """A future of `func(value)`; cancelling it cancels this one.

        `func` runs on the resolving thread, and must be quick.
        """
        if self._get_hook is not None:
            return cast("Future[M]", super().map(func))
        mapped: Future[M] = Future(on_cancel=self.cancel)
        self.add_done_callback(lambda _: mapped._take(lambda: func(self.get())))
        return mapped

    def filter(self, func: Callable[[Any], bool]) -> Future[Iterable[Any]]:
        """A future of the list of items for which `func(item)` is true."""
        return self.map(lambda items: list(filter(func, cast("Iterable[Any]", items))))

    def reduce(self, func: Callable[[Any, Any], Any], *args: Any) -> Future[Any]:
        """A future of `functools.reduce(func, value, *args)`."""
        return self.map(lambda items: reduce(func, cast("Iterable[Any]", items), *args))

    def set_get_hook(self, func: Callable[[float | None], T]) -> None:
        """Let `get` run `func(timeout)` instead (Pykka's seam).

        Raises:
            RuntimeError: It is resolved already.
        """
        if self._state != _PENDING:
            raise RuntimeError("this future is resolved: a get hook would never be called")
        pykka.Future.__init__(self)  # the "not yet" marker is Pykka's secret
        super().set_get_hook(func)

    # -- inside

    def prepare(self) -> LockType:
        """Before it is given to whoever resolves it: the gate at which `get_at` will wait.

        To build it afterwards costs microseconds in which the other thread, which is awake by then,
        must sleep again.
        """
        gate = allocate_lock()
        gate.acquire()
        self._callbacks = gate
        return gate

    def get_at(self, gate: LockType, timeout: float | None, worker: Worker | None) -> T:
        """`get`, at the gate that `prepare` gave, on the thread of `worker`."""
        if self._state == _PENDING:
            try:
                arrived = block_at(gate, timeout, worker)
            except BaseException as error:  # Ctrl-C, or what another signal's handler raised
                self.cancel(f"the wait for it was interrupted by {type(error).__name__}")
                raise
            if not arrived and self._state == _PENDING:
                raise AskTimeout(_LATE.format(timeout))
        if self._state == _ERROR:
            self._raise()
        return cast("T", self._value)

    def _wait(self, timeout: float | None) -> None:
        try:
            arrived = block_until(self.add_done_callback, timeout)
        except BaseException as error:  # as above
            self.cancel(f"the wait for it was interrupted by {type(error).__name__}")
            raise
        if not arrived and self._state == _PENDING:
            raise AskTimeout(_LATE.format(timeout))

    def _raise(self) -> None:
        error, traceback = self._value
        try:  # with its first traceback: each get() would make it longer
            raise error.with_traceback(traceback)
        finally:
            del self, error  # the traceback holds this frame: break the circle

    def _fail(self, error: BaseException) -> bool:
        return self._resolve(_ERROR, (error, error.__traceback__))

    def _resolve(self, state: int, value: Any) -> bool:
        with self._lock:
            if self._state != _PENDING or self._get_hook is not None:
                return False
            self._value = value
            self._state = state
            callbacks, self._callbacks, self._on_cancel = self._callbacks, None, None
        if callbacks is not None:
            self._tell(callbacks)
        return True

    def _tell(self, callbacks: list[Callable[[Future[T]], object]] | LockType) -> None:
        if isinstance(callbacks, list):
            call_each(_FAILED, callbacks, self)
        else:
            callbacks.release()

    def _take(self, compute: Callable[[], T]) -> None:
        try:
            value = compute()
        except BaseException as error:  # noqa: BLE001  it belongs to whoever gets this future
            self.set_exception(error)
        else:
            self.set(value)

    def _forget(self, fn: Callable[[Future[T]], object]) -> None:
        with self._lock:
            if isinstance(self._callbacks, list) and fn in self._callbacks:
                self._callbacks.remove(fn)


def _open(gate: LockType, _: object) -> None:
    gate.release()


def _nothing(*_: object) -> None:
    """The `unsubscribe` of what already ran, the `on_cancel` of what was already cancelled."""


def _error_of(exc_info: ExcInfo | None) -> BaseException:
    error = (exc_info or sys.exc_info())[1]
    if error is None:
        raise TypeError("set_exception() needs an exception outside an except block")
    return error
