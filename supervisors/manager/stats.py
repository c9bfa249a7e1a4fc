"""Sessions in numbers."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT: Final = 1_000
"""Creation times that are kept for the median."""


@dataclass(frozen=True, slots=True)
class SessionStats:
    """A manager's sessions (SES-109)."""

    active_session_count: int
    total_session_count: int
    max_session_count: int


@dataclass(frozen=True, slots=True)
class PerformanceStats:
    """What creating sessions has taken, in seconds (SES-018)."""

    sessions_created: int
    creation_median: float
    creation_longest: float
    resources_registered: dict[str, int]


class PerformanceMonitor:
    """Counts and times what a manager does (SES-126); what a subclass raises is only logged."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self.created = 0
        self._times: deque[float] = deque(maxlen=KEPT)
        self._longest = 0.0
        self._registered: Counter[str] = Counter()
        self._lock = threading.Lock()

    def record_session_creation(self, duration: float) -> None:
        """Count one session, whose creation took `duration` seconds."""
        if self.enabled:
            with self._lock:
                self.created += 1
                self._times.append(duration)
                self._longest = max(self._longest, duration)

    def record_resource_registration(self, resource_type: str) -> None:
        """Count one registered resource."""
        if self.enabled:
            with self._lock:
                self._registered[resource_type] += 1

    def snapshot(self) -> PerformanceStats:
        """Return the numbers."""
        with self._lock:
            return PerformanceStats(
                self.created,
                median(self._times) if self._times else 0.0,
                self._longest,
                dict(self._registered),
            )


def measured(record: Callable[..., object], value: Any) -> None:
    """Tell a monitor, which may be the user's own: what it raises is logged and costs no more."""
    try:
        record(value)
    except Exception as error:  # noqa: BLE001 -- what was measured has happened all the same
        logger.warning("{} failed: {!r}", getattr(record, "__qualname__", record), error)
