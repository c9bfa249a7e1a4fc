"""The life of a session as one table."""

from __future__ import annotations

from enum import Enum, StrEnum, auto
from typing import Final


class SessionStatus(StrEnum):
    """Where a session stands."""

    CREATING = "creating"
    ACTIVE = "active"
    RECOVERING = "recovering"
    ENDING = "ending"
    ENDED = "ended"
    FAULTED = "faulted"


class Turn(Enum):
    """What moves a session."""

    CREATED = auto()
    DOWN = auto()
    UP = auto()
    FAULT = auto()
    END = auto()
    CLEANED = auto()


S, T = SessionStatus, Turn

LIFE: Final[dict[tuple[SessionStatus, Turn], SessionStatus]] = {
    (S.CREATING, T.CREATED): S.ACTIVE,
    (S.CREATING, T.END): S.ENDING,
    (S.ACTIVE, T.DOWN): S.RECOVERING,
    (S.RECOVERING, T.DOWN): S.RECOVERING,
    (S.RECOVERING, T.UP): S.ACTIVE,
    (S.ACTIVE, T.UP): S.ACTIVE,
    (S.CREATING, T.FAULT): S.FAULTED,
    (S.ACTIVE, T.FAULT): S.FAULTED,
    (S.RECOVERING, T.FAULT): S.FAULTED,
    (S.ACTIVE, T.END): S.ENDING,
    (S.RECOVERING, T.END): S.ENDING,
    (S.FAULTED, T.END): S.ENDING,
    (S.ENDING, T.CLEANED): S.ENDED,
}

LIVE: Final = frozenset({S.ACTIVE, S.RECOVERING})
"""The states in which calls are taken."""
