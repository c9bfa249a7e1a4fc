"""What actors say to each other, and what users may say to sessions and devices (DESIGN 5).

session.ref.tell(Execute("x = 1"))
session.ref.ask(Call("add", (2, 3)), timeout=2.0)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Execute:
    """Run code in the session's namespace; the answer is an expression's value, else None."""

    code: str
    timeout: float | None = None
    """Seconds; None for the session's `call_timeout`."""


@dataclass(frozen=True, slots=True)
class Call:
    """Call a task that the session knows, by name; the answer is its result."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Send Ctrl-C to what the device is running for this session."""


@dataclass(frozen=True, slots=True)
class EndSession:
    """End the session; the answer comes when its cleanup is done."""


@dataclass(frozen=True, slots=True)
class GetStatus:
    """Ask for a snapshot; answered at once, whatever the device is doing."""


@dataclass(frozen=True, slots=True)
class DeviceDown:
    """The session's device is away; calls wait for it, within their deadlines."""

    reason: str


@dataclass(frozen=True, slots=True)
class DeviceUp:
    """The session's device is back."""

    generation: int
    same_boot: bool


@dataclass(frozen=True, slots=True)
class Cleanup:
    """To a tracker: clean one entry up, by the deadline. Idempotent (DESIGN 4)."""

    number: int
    deadline: float
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """From a tracker: an entry is gone, or why it is not."""

    number: int
    error: Exception | None = None
    owed: bool = False
