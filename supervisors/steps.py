"""What goes into the supervisor's core, and the plans it makes of it. All of it is data.

A `ref` is opaque to the core; a `reply` is a future that the driver resolves.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Hashable

    from klemheist.actors.runtime import ExitReason

    from .child import ChildSpec
    from .effects import Effect


# -- events: what happened, and what is asked for


@dataclass(frozen=True, slots=True)
class Begin:
    """Start the children that the supervisor was given."""


@dataclass(frozen=True, slots=True)
class Spawned:
    """The child exists; whether it starts is still to come."""

    id: Hashable
    ref: Any


@dataclass(frozen=True, slots=True)
class Started:
    """Its `on_start` has run."""

    id: Hashable
    ref: Any


@dataclass(frozen=True, slots=True)
class StartFailed:
    """It did not start: an exception, or `Ignore`."""

    id: Hashable
    ref: Any
    error: BaseException


@dataclass(frozen=True, slots=True)
class Exited:
    """A started child has ended."""

    id: Hashable
    ref: Any
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class Retry:
    """Time to start it again."""

    id: Hashable


@dataclass(frozen=True, slots=True)
class Overdue:
    """The time for its start or its end is up."""

    id: Hashable
    ref: Any


@dataclass(frozen=True, slots=True)
class StartChild:
    """Add a child and start it."""

    spec: ChildSpec
    reply: Any = None

    @property
    def id(self) -> Hashable:
        """The new child's id."""
        return self.spec.id


@dataclass(frozen=True, slots=True)
class RestartChild:
    """Start a child that is down."""

    id: Hashable
    reply: Any = None


@dataclass(frozen=True, slots=True)
class TerminateChild:
    """End a child and keep its spec, unless it is temporary or the supervisor dynamic."""

    id: Hashable
    reply: Any = None


@dataclass(frozen=True, slots=True)
class DeleteChild:
    """Forget a child that is down."""

    id: Hashable
    reply: Any = None


@dataclass(frozen=True, slots=True)
class Shutdown:
    """End all children, then the supervisor."""

    reason: ExitReason


Request: TypeAlias = StartChild | RestartChild | TerminateChild | DeleteChild
Event: TypeAlias = (
    Begin | Spawned | Started | StartFailed | Exited | Retry | Overdue | Request | Shutdown
)


# -- plans: what the core is in the middle of


class Cause(Enum):
    """Why a child is being started, which decides what its failure means."""

    FIRST = auto()
    REQUEST = auto()
    AGAIN = auto()
    RESTART = auto()


@dataclass(slots=True)
class Starting:
    """One child is being started."""

    id: Hashable
    cause: Cause
    reply: Any = None
    entered: bool = False


@dataclass(slots=True)
class Stopping:
    """Some children are being ended, together."""

    ids: set[Hashable]
    entered: bool = False


@dataclass(slots=True)
class Saying:
    """Effects whose turn comes when the steps before them are done."""

    effects: tuple[Effect, ...]


@dataclass(slots=True)
class Lane:
    """Steps that are done one after the other, and the events that wait for their end."""

    steps: deque[Starting | Stopping | Saying] = field(default_factory=deque)
    waiting: deque[Event] = field(default_factory=deque)


def stop_plan(keys: list[Hashable], *, together: bool) -> list[Stopping]:
    """How all children end: at once, or one by one, the last started first."""
    return [Stopping(set(keys))] if together else [Stopping({key}) for key in reversed(keys)]


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
    """One child, as the core knows it."""

    spec: ChildSpec
    lane: Lane
    state: ChildState = ChildState.STOPPED
    ref: Any = None
    dead: bool = False
    """It has ended, and that still waits to be dealt with."""
    overdue: bool = False
    failures: int = 0
    """In a row."""
    restarts: int = 0
    started_at: float = 0.0
    last_exit: ExitReason | None = None
    next_attempt_at: float | None = None

    @property
    def alive(self) -> bool:
        """Whether there is something to stop."""
        return self.ref is not None and not self.dead
