"""`Entry`: one child, as its supervisor knows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from klemheist.actors.runtime import ExitReason

    from .child import ChildSpec
    from .inputs import Exited
    from .steps import Lane


MOST_KILLED: Final = 8
"""How many abandoned incarnations of a child are remembered, to count those that still hang."""


class ChildState(StrEnum):
    """Where a child stands."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    """Its backoff's budget is used up."""


@dataclass(slots=True)
class Entry:
    """One child. A `ref` is opaque here."""

    spec: ChildSpec
    lane: Lane
    state: ChildState = ChildState.STOPPED
    ref: Any = None
    """The incarnation that starts, runs or is being stopped."""
    known_as: Any = None
    """The incarnation that it was last known by."""
    dead: bool = False
    """It has ended, and that still waits to be dealt with."""
    overdue: bool = False
    timed: bool = False
    """A timer runs for it."""
    failures: int = 0
    """In a row."""
    starts: int = 0
    restarts: int = 0
    crashes: int = 0
    began_at: float = 0.0
    """When its last start began, or was over."""
    last_exit: ExitReason | None = None
    next_attempt_at: float | None = None
    killed: tuple[Any, ...] = ()
    """The last incarnations that were abandoned while they held a thread."""

    def ended(self, exited: Exited) -> None:
        """Note how its incarnation ended."""
        self.last_exit = exited.reason
        if exited.hangs:
            self.killed = (*self.killed, self.ref)[-MOST_KILLED:]

    @property
    def alive(self) -> bool:
        """Whether there is something to stop."""
        return self.ref is not None and not self.dead

    @property
    def running(self) -> Any:
        """The incarnation that runs, or is being stopped; None where none does."""
        return self.ref if self.alive and self.state is not ChildState.STARTING else None

    @property
    def holds_on(self) -> bool:
        """Whether it still counts as there: alive, its end not dealt with yet, or coming back."""
        return self.ref is not None or self.state is ChildState.RESTARTING
