"""How a thread or an asyncio task waits for a callback. The only two places that wait.

Both take `subscribe`: a function that registers a callback of one argument, calls it at once if
the event is past, and returns how to unregister it.
"""

from __future__ import annotations

from _thread import allocate_lock
from typing import TYPE_CHECKING, Any, TypeAlias

from .here import HERE

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator

    Subscribe: TypeAlias = Callable[[Callable[[Any], object]], Callable[[], None]]


def block_until(subscribe: Subscribe, timeout: float | None) -> bool:
    """Block this thread until the callback; False if `timeout` seconds passed first.

    A bare lock is the cheapest thing that Python can sleep on. Signals get through. On a thread of
    the pool another one takes its place meanwhile.
    """
    gate = allocate_lock()
    gate.acquire()
    unsubscribe = subscribe(lambda _: gate.release())
    worker = HERE.worker
    if worker is not None:
        worker.before_wait()
    try:
        return gate.acquire(timeout=-1 if timeout is None else max(timeout, 0.0))
    finally:
        if worker is not None:
            worker.after_wait()
        unsubscribe()


def suspend_until(subscribe: Subscribe) -> Generator[Any, None, None]:
    """Suspend this asyncio task until the callback, whichever thread brings it.

    The loop is never blocked, a cancelled task leaves nothing registered, and a loop that is closed
    by the time of the callback is left in peace.
    """
    import asyncio  # noqa: PLC0415  who awaits has it; who does not need not pay for it

    loop = asyncio.get_running_loop()
    woken: asyncio.Future[None] = loop.create_future()

    def call(_: Any) -> None:
        try:
            loop.call_soon_threadsafe(_wake, woken)
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
