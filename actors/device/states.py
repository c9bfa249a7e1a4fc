"""The life of a device as one table (DESIGN 2: losing a link is a state, not a crash)."""

from __future__ import annotations

from enum import Enum, StrEnum, auto
from typing import Final


class DeviceState(StrEnum):
    """Where a device stands; `status` shows the value."""

    NEW = "new"
    OPENING = "opening"
    ATTACHING = "attaching"
    UP = "up"
    RECOVERING = "recovering"
    DOWN = "down"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class Happening(Enum):
    """What moves a device from state to state."""

    OPEN = auto()
    OPENED = auto()
    NOT_OPENED = auto()
    ATTACHED = auto()
    UNREACHABLE = auto()
    TROUBLE = auto()
    RECOVERED = auto()
    LOST = auto()
    GIVE_UP = auto()
    STOP = auto()
    CLOSED = auto()


D, H = DeviceState, Happening

LIFE: Final[dict[tuple[DeviceState, Happening], DeviceState]] = {
    (D.NEW, H.OPEN): D.OPENING,
    (D.DOWN, H.OPEN): D.OPENING,
    (D.OPENING, H.OPENED): D.ATTACHING,
    (D.OPENING, H.NOT_OPENED): D.DOWN,
    (D.ATTACHING, H.ATTACHED): D.UP,
    (D.ATTACHING, H.TROUBLE): D.RECOVERING,
    (D.ATTACHING, H.UNREACHABLE): D.DOWN,
    (D.ATTACHING, H.LOST): D.DOWN,
    (D.UP, H.TROUBLE): D.RECOVERING,
    (D.UP, H.LOST): D.DOWN,
    (D.RECOVERING, H.RECOVERED): D.UP,
    (D.RECOVERING, H.UNREACHABLE): D.DOWN,
    (D.RECOVERING, H.LOST): D.DOWN,
    (D.DOWN, H.GIVE_UP): D.FAILED,
    **{(state, H.STOP): D.STOPPING for state in DeviceState if state is not D.STOPPED},
    (D.STOPPING, H.LOST): D.STOPPING,
    (D.STOPPING, H.CLOSED): D.STOPPED,
}
