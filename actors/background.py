"""Work that blocks (opening and closing links, callables of users), off every actor's turn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from klemheist.actors.runtime.future import Future

T = TypeVar("T")


def in_background(work: Callable[[], T], *, name: str) -> Future[T]:
    """Run `work` on a daemon thread of its own; the future gets what it returns or raises.

    A thread for each piece of work: there are few, each may block for seconds, and none may keep
    another waiting.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001 -- it belongs to whoever gets the future
            future.set_exception(error)
        else:
            future.set(value)

    threading.Thread(target=run, name=f"klemheist-{name}", daemon=True).start()
    return future
