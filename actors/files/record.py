"""What was done with a device's files, kept for whoever looks for a fault later (SES-074)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

MOST_KEPT: Final = 200
"""Operations that are kept; the oldest go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOperation:
    """One operation on a device's files, as it ended."""

    kind: str
    """`read`, `write`, `list`, `stat`, `remove`, `rename`, `mkdir`, `walk` or `sync`."""
    path: str
    size: int = 0
    """Bytes that went one way or the other."""
    error: str = ""
    """Why it failed, in one line; empty where it did not."""
    ended_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class FileLog:
    """The last operations of a session, oldest first."""

    __slots__ = ("_kept", "on_operation")

    def __init__(self) -> None:
        self._kept: deque[FileOperation] | None = None  # most sessions do nothing with files
        self.on_operation: Callable[[FileOperation], object] = _nobody
        """Told of each, on the turn that ended it: it must not block."""

    def add(self, operation: FileOperation) -> None:
        """Keep one, and tell."""
        if self._kept is None:
            self._kept = deque(maxlen=MOST_KEPT)
        self._kept.append(operation)
        self.on_operation(operation)

    @property
    def operations(self) -> tuple[FileOperation, ...]:
        """What is kept."""
        return tuple(self._kept or ())


def _nobody(_: FileOperation) -> None:
    """Stands where nobody listens."""
