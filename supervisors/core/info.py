"""What a supervisor answers about its children."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable

    from klemheist.actors.runtime import ExitReason

    from .child import ChildSpec, ChildType
    from .entry import ChildState, Entry
    from .totals import Totals


class Started(NamedTuple):
    """What `start_child` and `restart_child` give back."""

    ref: Any
    """The running child; None if it declined to start (`Ignore`)."""
    info: Any = None
    """What its factory had to say, where it returned `(ref, info)`."""


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """One child as it stands now."""

    id: Hashable
    ref: Any
    """None while it does not run; also while it is being started."""
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


@dataclass(frozen=True, slots=True)
class ChildStatistics:
    """What happened to one child so far."""

    starts: int
    """How often a start was tried."""
    restarts: int
    """How often it was restarted and came up."""
    crashes: int
    """How often it ended by a fault."""


@dataclass(frozen=True, slots=True)
class SupervisorStatistics:
    """What happened under one supervisor so far, children that are forgotten included."""

    starts: int
    restarts: int
    start_failures: int
    crashes: int
    kills: int
    """How many children did not start or end in their time and were abandoned."""
    children: dict[Hashable, ChildStatistics]
    """Of the children that it knows now, by their ids."""


def statistics_of(totals: Totals, children: dict[Hashable, Entry]) -> SupervisorStatistics:
    """The counts as they stand."""
    return SupervisorStatistics(
        starts=totals.starts,
        restarts=totals.restarts,
        start_failures=totals.start_failures,
        crashes=totals.crashes,
        kills=totals.kills,
        children={
            key: ChildStatistics(entry.starts, entry.restarts, entry.crashes)
            for key, entry in children.items()
        },
    )


def info_of(entry: Entry, now: float) -> ChildInfo:
    """The child of `entry`, at `now` (monotonic seconds)."""
    due = entry.next_attempt_at
    return ChildInfo(
        id=entry.spec.id,
        ref=entry.running,
        state=entry.state,
        type=entry.spec.kind,
        spec=entry.spec,
        restarts=entry.restarts,
        last_exit=entry.last_exit,
        next_attempt_in=None if due is None else max(due - now, 0.0),
    )
