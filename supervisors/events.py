"""What a supervision tree tells whoever watches it (`on_event`): one frozen record each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable

    from klemheist.actors.runtime import ExitReason


@dataclass(frozen=True, slots=True)
class TreeEvent:
    """Something happened to the child `id` of the supervisor at `path`."""

    path: str
    id: Hashable


@dataclass(frozen=True, slots=True)
class ChildStarted(TreeEvent):
    """It runs, for the first time or after it was asked to."""

    ref: Any


@dataclass(frozen=True, slots=True)
class ChildRestarted(TreeEvent):
    """It runs again; attempt 1 is the first in a row."""

    ref: Any
    attempt: int


@dataclass(frozen=True, slots=True)
class ChildStartFailed(TreeEvent):
    """Its constructor or its `on_start` raised."""

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
    """It did not end in its time and was abandoned; its thread may still hang."""


@dataclass(frozen=True, slots=True)
class RestartIntensityReached(TreeEvent):
    """The restart of `id` was one too many: the supervisor gives up."""


@dataclass(frozen=True, slots=True)
class SupervisorStopped(TreeEvent):
    """The supervisor itself ended; `id` is None."""

    reason: ExitReason
