"""What is asked of a device in one exchange, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple

from .frames import Frame

NO_FRAME: Final = -1
"""The number of a step whose answer holds no frame; frames' are above 0, or far below it."""
KEYBOARD_INTERRUPT: Final = b"KeyboardInterrupt"


class Do(Enum):
    """What a step asks of the device."""

    EXECUTE = auto()
    ENTER = auto()
    INTERRUPT = auto()
    ASK_PASTE = auto()
    SOFT_RESET = auto()
    LEAVE = auto()
    """End a burst."""
    HARD_RESET = auto()
    """The driver's own: reset or reopen the link, then enter."""


class Step(NamedTuple):
    """One exchange with the device; its answer is a `Reply`."""

    do: Do
    line: bytes = b""
    number: int = NO_FRAME
    """The number of the frame that the answer holds."""
    within: float | None = None
    """Seconds until the step is given up; None where the call's own deadline counts."""
    payload: bytes = b""
    """What the code of `line` reads from its standard input; sent with it, without bytes 1 to 4."""
    following: tuple[bytes, ...] = ()
    """Lines after it that end with it as one step, each sent once the one before is accepted."""
    raw: int = 0
    """Bytes that the code writes first of all: they are kept in `Reply.raw`, whatever they are."""


@dataclass(slots=True)
class Reply:
    """What came of a step."""

    ended: bool = False
    """The device is back at its prompt; False means that the time was up."""
    accepted: bool = False
    """`OK` was seen: the command may have run."""
    frame: Frame | None = None
    output: bytes = b""
    """Output of a step without a frame (our own raw commands); else it is streamed."""
    raw: bytearray = field(default_factory=bytearray)
    """The first bytes of output, where the step asked for some."""
    error: bytes = b""
    """What stood between the end marks: the traceback, unless the frame is a value."""
    granted: bool = False
    """The answer to `Do.ASK_PASTE`."""
    rebooted: bool = False
    """`soft reboot` or a friendly prompt was seen: perhaps the interpreter is a new one."""
    interrupted: bool = False
    """A KeyboardInterrupt was seen: attaching stopped a running program."""
    proof: int = NO_FRAME
    """Of a burst's line, where the step was sent as one."""
    before: bytes = b""
    """The end of what came before the prompt that `Do.ENTER` asked for."""


class Outcome(NamedTuple):
    """What `Conversation.feed` found: exactly one of these is set."""

    write: bytes = b""
    output: bytes = b""
    reply: Reply | None = None
    sign: bool = False
    """Out of the blue the device printed what it prints when it boots."""
