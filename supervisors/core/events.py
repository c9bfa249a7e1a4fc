"""What a supervision tree tells whoever watches it (`events()`): one frozen record each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable

    from klemheist.actors.runtime import ExitReason


@dataclass(frozen=True, slots=True)
class TreeEvent:
    """Something happened to the child `id` of the supervisor at `path`."""

    path: str
    id: Hashable
    ref: Any = field(default=None, kw_only=True, compare=False)
    """The incarnation that it is about, where there is one."""
    incarnation: int = field(default=0, kw_only=True, compare=False)
    """Which one that is: 1 is the first that was tried."""
    seq: int = field(default=0, kw_only=True, compare=False)
    """The event's number among those of its supervisor, from 1, without gaps."""
    monotonic: float = field(default=0.0, kw_only=True, compare=False)
    """When, in seconds of the supervisor's clock."""
    time: float = field(default=0.0, kw_only=True, compare=False)
    """When, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class ChildStarting(TreeEvent):
    """It is about to be started; `ref` is still the last incarnation's."""


@dataclass(frozen=True, slots=True)
class ChildStarted(TreeEvent):
    """It runs, for the first time or because it was asked for."""

    took: float
    """Seconds that it took."""


@dataclass(frozen=True, slots=True)
class ChildRestarted(TreeEvent):
    """It runs again; attempt 1 is the first in a row."""

    attempt: int
    took: float


@dataclass(frozen=True, slots=True)
class ChildStartFailed(TreeEvent):
    """Its constructor, its `on_start` or its factory raised."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class ChildIgnored(TreeEvent):
    """It declined to start, by raising `Ignore`."""


@dataclass(frozen=True, slots=True)
class ChildExited(TreeEvent):
    """It ended by itself."""

    reason: ExitReason


@dataclass(frozen=True, slots=True)
class ChildRestarting(TreeEvent):
    """It is started again in `delay` seconds."""

    attempt: int
    delay: float


@dataclass(frozen=True, slots=True)
class ChildFailed(TreeEvent):
    """It has used up the budget of its backoff and stays down (DESIGN 2)."""

    reason: ExitReason


@dataclass(frozen=True, slots=True)
class ChildTerminated(TreeEvent):
    """Its supervisor ended it."""

    reason: ExitReason


@dataclass(frozen=True, slots=True)
class ChildKilled(TreeEvent):
    """It did not start or end in its time and was abandoned; its code may still hang (a zombie)."""


@dataclass(frozen=True, slots=True)
class RestartIntensityReached(TreeEvent):
    """The restart of `id` was one too many: the supervisor gives up."""


@dataclass(frozen=True, slots=True)
class AutoShutdownReached(TreeEvent):
    """The significant child `id` has ended, and with it the supervisor (see `AutoShutdown`)."""


@dataclass(frozen=True, slots=True)
class SupervisorStopped(TreeEvent):
    """The supervisor itself ended; `id` is None."""

    reason: ExitReason
