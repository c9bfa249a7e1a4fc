"""How a thread or an asyncio task waits for a callback. The only two places that wait.

Both take `subscribe`: a function that registers a callback of one argument, calls it at once if
the event is past, and returns how to unregister it.
"""

from __future__ import annotations

from _thread import TIMEOUT_MAX, LockType, allocate_lock, get_ident
from asyncio import get_running_loop
from typing import TYPE_CHECKING, Any, TypeAlias

from klemheist.transports.loops import is_awake

from .here import HERE
from .interrupts import interruptible

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator

    from .worker import Worker

    Subscribe: TypeAlias = Callable[[Callable[[Any], object]], Callable[[], None]]


def block_until(subscribe: Subscribe, timeout: float | None) -> bool:
    """Block this thread until the callback; False if `timeout` seconds passed first.

    A bare lock is the cheapest thing that Python can sleep on. Signals get through.
    """
    gate = allocate_lock()
    gate.acquire()
    unsubscribe = subscribe(lambda _: gate.release())
    try:
        return block_at(gate, timeout, HERE.worker)
    finally:
        unsubscribe()


@interruptible
def block_at(gate: LockType, timeout: float | None, worker: Worker | None) -> bool:
    """Block this thread, which is `worker`'s, until the gate is released.

    False if `timeout` seconds passed first. A worker of the pool has another take its place.
    """
    if worker is not None:
        worker.before_wait()
    try:
        return gate.acquire(timeout=-1 if timeout is None else min(max(0.0, timeout), TIMEOUT_MAX))
    finally:
        if worker is not None:
            worker.after_wait()


def suspend_until(subscribe: Subscribe) -> Generator[Any, None, None]:
    """Suspend this asyncio task until the callback, whichever thread brings it.

    The loop is never blocked, a cancelled task leaves nothing registered, and a loop that is closed
    by the time of the callback is left in peace.
    """
    loop = get_running_loop()
    woken: asyncio.Future[None] = loop.create_future()
    here = get_ident()

    def call(_: Any) -> None:
        try:
            if get_ident() != here or not is_awake(here):
                loop.call_soon_threadsafe(_wake, woken)
            elif not woken.done():  # it has read what was waited for by itself
                woken.set_result(None)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    unsubscribe = subscribe(call)
    try:
        yield from woken
    except BaseException:
        unsubscribe()
        raise


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
