"""The life of a session manager as one table (SES-003, SES-044 to SES-049)."""

from __future__ import annotations

from enum import Enum, StrEnum, auto
from typing import Final


class ManagerState(StrEnum):
    """SES-003."""

    INACTIVE = "Inactive"
    ACTIVE = "Active"
    SHUTDOWN = "Shutdown"
    DISPOSED = "Disposed"


class Move(Enum):
    """What moves a manager."""

    CREATE = auto()
    """A session was created."""
    SHUT_DOWN = auto()
    CLEANED = auto()
    DISPOSE = auto()
    """It has to go at once, whatever is left."""


M = ManagerState

LIFE: Final[dict[tuple[ManagerState, Move], ManagerState]] = {
    (M.INACTIVE, Move.CREATE): M.ACTIVE,
    (M.ACTIVE, Move.CREATE): M.ACTIVE,
    (M.ACTIVE, Move.SHUT_DOWN): M.SHUTDOWN,
    (M.INACTIVE, Move.SHUT_DOWN): M.SHUTDOWN,
    (M.SHUTDOWN, Move.CLEANED): M.DISPOSED,
    (M.DISPOSED, Move.CLEANED): M.DISPOSED,
    **{(state, Move.DISPOSE): M.DISPOSED for state in ManagerState},
}
"""Every other move is refused."""
