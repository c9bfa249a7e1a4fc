"""What this thread is doing for the runtime. Nothing else in the runtime is per thread."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .inbox import InlineInbox
    from .worker import Worker


class Here(threading.local):
    """One thread's state."""

    worker: Worker | None = None
    """Set on threads that run turns: the pool's, and those of actors with a thread of their own."""
    running = False
    """Whether this thread is inside a turn of an inline actor."""
    entered: object = None
    """The turn that was entered by `InlineInbox.enter`."""
    inline: Any = None
    """The inline actor whose turn it is."""
    interrupt: BaseException | None = None
    starting_under: object = None

    def __init__(self) -> None:
        self.waiting: deque[InlineInbox] = deque()


HERE: Final = Here()


def in_turn() -> bool:
    """Whether this thread is inside a turn of an inline actor."""
    return HERE.running


def current_actor() -> Any:
    """The pooled or inline actor whose turn this thread runs: what must not wait here.

    None in an actor with a thread of its own, which may, and outside of all turns.
    """
    if HERE.running:
        return HERE.inline
    worker = HERE.worker
    if worker is None or not worker.is_shared or worker.inbox is None:
        return None
    return worker.inbox.actor


def current_ref() -> Any:
    """The ref of the actor whose turn this thread runs, if that is known."""
    worker = HERE.worker
    actor = worker.inbox.actor if worker is not None and worker.inbox is not None else None
    return None if actor is None else actor.actor_ref


def starting_under(supervisor: object) -> None:
    """Say that this thread runs an `on_start` which this supervisor waits for; None: no more."""
    HERE.starting_under = supervisor


def is_starting_under(supervisor: object) -> bool:
    """Whether `supervisor` waits for the `on_start` that this thread is in."""
    return supervisor is not None and HERE.starting_under is supervisor


def interrupt_after_turns(interrupt: BaseException) -> None:
    """Raise `interrupt` in the code that brought this turn, once the turns of this thread end."""
    HERE.interrupt = interrupt
