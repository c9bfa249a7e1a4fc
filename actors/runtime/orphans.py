"""Actors whose thread stayed in the process that this one was forked from.

A forked child has the forking thread and no other. An actor with a thread of its own, and one whose
turn was under way, will not run here again: it is dead in this process, and lives on in the other.
It is ended when somebody turns to it, and not at the fork: most forked children have other things
to do than to restart what their parent's supervisors look after.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

from .errors import ActorDead
from .exits import ExitReason

if TYPE_CHECKING:
    from .worker import Worker


class Dispatches(Protocol):
    """What an orphan leaves when it ends."""

    def leave(self) -> None:
        """One actor less needs it."""
        ...


class Inbox(Protocol):
    """The mailbox of an actor that has a thread of its own."""

    def orphan(self) -> None:
        """Have its actor end as soon as somebody turns to it."""
        ...


class Orphanage:
    """In the place of the dispatcher of an actor whose thread is not here: it ends the actor."""

    __slots__ = ("_before",)

    def __init__(self, before: Dispatches) -> None:
        self._before = before

    def enter(self) -> None:
        """Nobody comes here to live."""

    def leave(self) -> None:
        """Give back what the actor had a share of."""
        self._before.leave()

    def submit(self, inbox: Any, /) -> None:
        """Instead of its turns: its end."""
        end(inbox.actor)


OWN: Final[dict[Worker, Inbox]] = {}
"""The threads that are one actor's alone, and whose."""


def end(actor: Any) -> None:
    """End an actor whose thread is not in this process."""
    if actor is not None:
        error = ActorDead(f"{actor}: its thread is not in this forked process")
        actor._actor_gone(ExitReason.error(error))  # noqa: SLF001  its other half


def _after_fork() -> None:
    here = threading.current_thread()
    for worker, inbox in tuple(OWN.items()):
        if worker.thread is not here:
            del OWN[worker]
            worker.inbox = None
            inbox.orphan()


os.register_at_fork(after_in_child=_after_fork)
