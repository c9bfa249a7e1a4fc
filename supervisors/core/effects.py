"""What the supervisor's core orders, and `Supervisor` carries out. All of it is data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Hashable

    from klemheist.actors.runtime import ExitReason

    from .child import ChildSpec
    from .events import TreeEvent
    from .inputs import Event


@dataclass(frozen=True, slots=True)
class Start:
    """Spawn the child; then report `Spawned`, and `Started` or `StartFailed`."""

    spec: ChildSpec
    restarted: tuple[ExitReason, int] | None
    """What `on_restart` is told."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Tell it to end with reason shutdown; then report `Exited`."""

    id: Hashable
    ref: Any


@dataclass(frozen=True, slots=True)
class Kill:
    """Abandon it; then report `Exited` (or `StartFailed`)."""

    id: Hashable
    ref: Any


@dataclass(frozen=True, slots=True)
class Discard:
    """The messages that the child left are nobody's: refuse them."""

    id: Hashable


@dataclass(frozen=True, slots=True)
class Arm:
    """Report `event` in `delay` seconds: the child's only timer. 0 is a message to oneself."""

    id: Hashable
    delay: float
    event: Event


@dataclass(frozen=True, slots=True)
class Disarm:
    """Forget the child's timer."""

    id: Hashable


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer a request."""

    to: Any
    value: Any


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer a request with an error."""

    to: Any
    error: BaseException


@dataclass(frozen=True, slots=True)
class Up:
    """All first children have started."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Too many restarts: begin the supervisor's own end."""

    reason: ExitReason


@dataclass(frozen=True, slots=True)
class Down:
    """Nothing runs any more: end, with an error where the first start failed."""

    reason: ExitReason
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Tell whoever watches."""

    event: TreeEvent


Effect: TypeAlias = (
    Start | Stop | Kill | Discard | Arm | Disarm | Reply | Refuse | Up | GiveUp | Down | Note
)
