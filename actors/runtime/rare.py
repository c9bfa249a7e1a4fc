"""Locks of the whole process, for what happens rarely."""

from __future__ import annotations

import os
from threading import RLock
from typing import Any


def rare_lock() -> Any:
    """Return a lock that a forked child finds free, and that who holds it may take again.

    For a collection may come while it is held, and run a finaliser that wants it too. Nothing that
    belongs to each actor's life takes one: threads that take one lock again and again come to hand
    it, and the interpreter with it, to each other each time.
    """
    lock: Any = RLock()
    os.register_at_fork(after_in_child=lock._at_fork_reinit)  # noqa: SLF001  as `threading` does
    return lock
