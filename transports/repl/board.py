"""`Board`: what is known of a device in this generation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from .frames import COUNTS, status_question

DEFAULT_CREDIT: Final = 60
"""Bytes in flight that every board takes (BASELINES, the fast path, fact 2)."""


@dataclass(slots=True)
class Board:
    """What is known of this generation; procedures fill it in."""

    boot: str = ""
    """The random id of this boot; empty until the agent is installed."""
    count: int = 0
    """How many calls the agent has taken, modulo `COUNTS`."""
    asked: int = 0
    """How many questions for the status were asked."""
    credit: int = DEFAULT_CREDIT
    """Bytes that may be in flight without flow control."""
    paste: bool = False
    cramped: bool = False
    """Its heap is small: what is to fit there must come early."""
    unsent: bool = False
    """There is no agent yet: it comes with the first call, or behind it (`ahead.py`)."""
    ahead: str = ""
    """What tells the agent that comes of the call that went ahead of it."""
    whole: bool = False
    """The agent's second half is there."""
    lacking: int | None = None
    """The count of calls after which the second half is to come, without anybody's need."""
    single: bool = False
    """The port's floats have 32 bits; known once the agent is whole."""
    pieces: str = ""
    """The boot in which pieces of a source may lie on the device that nobody completes."""
    burst: str = ""
    """The boot in which bursts can be begun (`burst.py`)."""
    tried: str = ""
    """The boot in which they were prepared, whether they can still be begun or not."""
    longest: int = 700
    """Bytes of source that one `exec` can take."""
    facts: dict[str, object] = field(default_factory=dict)

    @property
    def is_half(self) -> bool:
        """Whether there was no room for the second half, which collects after every second call."""
        return self.cramped and not self.whole and self.lacking is None

    @property
    def due(self) -> bool:
        """Whether the rest of the agent is to come now: the first call has been served."""
        return bool(self.ahead) or (self.lacking is not None and self.lacking != self.count)

    def will_come(self, boot: str, count: int) -> None:
        """Begin a generation whose agent is sent later."""
        self.boot, self.count = boot, count
        self.unsent, self.ahead, self.whole, self.lacking = True, "", False, None

    def taken(self) -> None:
        """Count one call that the agent took."""
        self.count = (self.count + 1) % COUNTS

    def question(self) -> tuple[int, bytes]:
        """Return the number and the line of a question for the status, never asked before."""
        self.asked += 1
        return status_question(self.asked)
