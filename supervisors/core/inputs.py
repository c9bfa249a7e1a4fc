"""What goes into a supervisor's core: what happened, and what is asked for. All of it is data.

A `ref` is opaque to the core; a `reply` is a future that the driver resolves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Hashable

    from klemheist.actors.runtime import ExitReason

    from .child import ChildSpec
    from .supervisor_spec import SupervisorSpec


# -- what happened


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
    """Its `on_start` has run, or its factory."""

    id: Hashable
    ref: Any
    made: Any = None
    """Whom the factory started; `ref` was the factory's own."""
    info: Any = None


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
    hangs: bool = False
    """Whether it was abandoned and its code still holds a thread."""


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
class AllOverdue:
    """The time to end in is up for all children that have so many seconds: one timer for them."""

    patience: float


# -- what is asked for


@dataclass(frozen=True, slots=True)
class Incarnation:
    """Stands for the id where a child is named by its ref."""

    ref: Any
    gone: bool
    """Whether that actor has ended."""


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
class StartFromTemplate:
    """Add a child as the template says, with these arguments after the template's."""

    args: tuple[Any, ...]
    reply: Any = None
    id: Hashable = None


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
class Reconfigure:
    """Take over other flags and specs; nobody is started or stopped for it."""

    spec: SupervisorSpec
    reply: Any = None
    id: Hashable = None


@dataclass(frozen=True, slots=True)
class Shutdown:
    """End all children, then the supervisor."""

    reason: ExitReason


Request: TypeAlias = (
    StartChild | StartFromTemplate | RestartChild | TerminateChild | DeleteChild | Reconfigure
)
Event: TypeAlias = (
    Begin
    | Spawned
    | Started
    | StartFailed
    | Exited
    | Retry
    | Overdue
    | AllOverdue
    | Request
    | Shutdown
)
