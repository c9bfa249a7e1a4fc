"""What a supervisor answers about its children."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable

    from klemheist.actors.runtime import ExitReason

    from .child import ChildSpec, ChildType
    from .steps import ChildState, Entry


class StartedChild(NamedTuple):
    """What `start_child` and `restart_child` give back."""

    ref: Any
    """The running child; None if it declined to start (`Ignore`)."""
    info: Any = None
    """What its factory had to say (no factories yet)."""


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """One child as it stands now."""

    id: Hashable
    ref: Any
    """None while it does not run."""
    state: ChildState
    type: ChildType
    spec: ChildSpec
    restarts: int
    """How often its supervisor has restarted it."""
    last_exit: ExitReason | None
    next_attempt_in: float | None
    """Seconds to the next restart, where one is waited for."""


@dataclass(frozen=True, slots=True)
class ChildCount:
    """How many children there are (OTP's count_children)."""

    specs: int
    active: int
    supervisors: int
    workers: int


def info_of(entry: Entry, now: float) -> ChildInfo:
    """The child of `entry`, at `now` (monotonic seconds)."""
    due = entry.next_attempt_at
    return ChildInfo(
        id=entry.spec.id,
        ref=entry.ref if entry.alive else None,
        state=entry.state,
        type=entry.spec.kind,
        spec=entry.spec,
        restarts=entry.restarts,
        last_exit=entry.last_exit,
        next_attempt_in=None if due is None else max(due - now, 0.0),
    )
