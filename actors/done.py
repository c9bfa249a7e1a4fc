"""`Done`: says once that an attachment, a session or a device has ended, and why.

    if not session.done.wait(timeout=5.0): ...
    await session.done
    session.done.add_callback(print)

It ends nothing by itself, and a cancelled waiter does not close it: it is only a signal.
"""

from __future__ import annotations

import os
from _thread import RLock
from typing import TYPE_CHECKING, Any, Final

from klemheist.actors.runtime.callbacks import call, call_each
from klemheist.actors.runtime.waiting import block_until, suspend_until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from .scope import Scope


_FAILED: Final = "a callback of Done failed"
_LOCK: Final[Any] = RLock()
"""Guards a moment of every one of them: a lock for each would take 88 bytes. It is held for a few
steps, never while a callback runs; a finaliser that comes by meanwhile may take it once more."""
os.register_at_fork(after_in_child=_LOCK._at_fork_reinit)  # noqa: SLF001 -- as `threading` does


class Done:
    """A latch that closes exactly once, for any threads and any event loops (DONE-002 to DONE-020).

    1. It is open. `wait`, `await` and callbacks wait for its end.
    2. `close(reason)`: the first caller's reason counts, everybody wakes.
    3. It stays closed; waiting on it returns at once. A new life has a new `Done`.
    """

    __slots__ = ("_callbacks", "_closed", "reason")

    def __init__(self) -> None:
        self._callbacks: dict[object, Callable[[Any], object]] | None = None  # until there is one
        self._closed = False
        self.reason: Any = None
        """What the closer gave; None while open."""

    def __repr__(self) -> str:
        return f"<Done {f'closed: {self.reason!r}' if self._closed else 'open'}>"

    def is_set(self) -> bool:
        """Whether it is closed."""
        return self._closed

    def close(self, reason: Any = None) -> bool:
        """Close it. True for the one caller whose `reason` counts.

        Callbacks have run when this returns, here, each guarded from the others.
        """
        with _LOCK:
            if self._closed:
                return False
            self.reason = reason
            self._closed = True
            callbacks, self._callbacks = self._callbacks or {}, None
        call_each(_FAILED, callbacks.values(), reason)
        return True

    def add_callback(self, callback: Callable[[Any], object]) -> Callable[[], None]:
        """Call `callback(reason)` once when this closes; at once if it is closed.

        Returns:
            A function that takes the callback back; harmless at any time.
        """
        key = object()
        with _LOCK:
            if is_open := not self._closed:
                if self._callbacks is None:
                    self._callbacks = {}
                self._callbacks[key] = callback
        if not is_open:
            call(_FAILED, callback, self.reason)
        return lambda: self._forget(key)

    def wait(self, timeout: float | None = None) -> bool:
        """Block this thread until it is closed; False if `timeout` seconds passed first."""
        return self._closed or block_until(self.add_callback, timeout) or self._closed

    def scope(self) -> Scope:
        """Return a group of asyncio tasks that are cancelled when this closes: `async with`."""
        from .scope import Scope  # noqa: PLC0415 -- it needs asyncio, which not everybody does

        return Scope(self)

    async def wait_async(self) -> Any:
        """Wait in an asyncio task, in any loop; the reason. A coroutine, for `asyncio.wait`."""
        return await self

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait in an asyncio task; the reason."""
        if not self._closed:
            yield from suspend_until(self.add_callback)
        return self.reason

    def _forget(self, key: object) -> None:
        with _LOCK:
            if self._callbacks is not None:
                self._callbacks.pop(key, None)
