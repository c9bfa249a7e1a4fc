"""Whether and when a child is started again (supervision.md 2.2 and 2.10). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .flags import Restart

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist.actors.runtime import ExitReason

    from .entry import Entry


def must_restart(restart: Restart, reason: ExitReason) -> bool:
    """The table of restart type against exit reason."""
    if restart is Restart.TRANSIENT:
        return reason.is_abnormal
    return restart is Restart.PERMANENT


def was_steady(entry: Entry, now: float, period: float) -> bool:
    """Whether the child ran long enough for its failures in a row to begin anew.

    Without a backoff that is the supervisor's `period`.
    """
    backoff = entry.spec.backoff
    return now - entry.began_at >= (period if backoff is None else backoff.steady_after())


def next_delay(entry: Entry, rand: Callable[[], float]) -> float | None:
    """Seconds to the next attempt; None where the child's own budget is used up."""
    backoff = entry.spec.backoff
    if backoff is None:
        return 0.0
    if backoff.max_restarts is not None and entry.failures >= backoff.max_restarts:
        return None
    return backoff.delay(entry.failures, rand)
