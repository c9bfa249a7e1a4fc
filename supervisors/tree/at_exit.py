"""Trees that nobody ended before the interpreter does: they are ended then (DESIGN 8.18)."""

from __future__ import annotations

import atexit
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from klemheist.actors.runtime import ExitReason

if TYPE_CHECKING:
    from klemheist.actors.runtime import ActorRef

EXIT_WITHIN: Final = 10.0
"""Seconds for all trees together; what has not ended by then is abandoned."""

_roots: Final[dict[ActorRef[Any], None]] = {}


def note_root(ref: ActorRef[Any]) -> None:
    """A tree of its own has started."""
    _roots[ref] = None


def forget_root(ref: ActorRef[Any]) -> None:
    """It has ended."""
    _roots.pop(ref, None)


def end_all(within: float = EXIT_WITHIN) -> None:
    """End all trees in order, the newest first.

    Args:
        within: Seconds; then the rest is killed.
    """
    deadline = time.monotonic() + within
    for ref in reversed(list(_roots)):
        ref.exit(ExitReason.SHUTDOWN)
        try:
            ref.ended.get(timeout=max(deadline - time.monotonic(), 0.0))
        except TimeoutError:
            ref.kill()


# Children may need threads to end, and from Python 3.12 on none can be started once `atexit` runs.
# The threading module's own hook comes before; it has no public name. Managers register later, so
# theirs runs first.
_register: Any = getattr(threading, "_register_atexit", atexit.register)
_register(end_all)
os.register_at_fork(after_in_child=_roots.clear)  # its parent's trees are its parent's to end
