"""What the control lines of an adapter do to the board behind it: one table by VID and PID. Pure.

Two lines, and two old uses of them:

1. A board with native USB talks only to who has DTR up: its firmware takes that for "somebody
   listens".
2. The usual circuit of an ESP32 or ESP8266 board behind a UART adapter: RTS up with DTR down holds
   the chip in reset; DTR up with RTS down holds its boot strap, which counts when a reset ends.
   Both up or both down do nothing.

So nothing may pass over "RTS up, DTR down" by accident: DTR rises first and RTS falls first
(`steps`), at opening, closing and in between. Systems raise both lines when a port is opened, which
serves both uses; lines are changed only where the URL asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

PULSE: Final = 0.1
"""Seconds that the reset line is held, or the break: as long as the chip maker's own tool does."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Where the two lines stand; True is up (asserted)."""

    dtr: bool
    rts: bool


UP: Final = Lines(dtr=True, rts=True)
DOWN: Final = Lines(dtr=False, rts=False)
HELD: Final = Lines(dtr=False, rts=True)
"""Holds a board with the auto-reset circuit in reset."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of adapter."""

    name: str
    pulse: bool = False
    """The lines reset the board, where it has the auto-reset circuit."""
    breaks: bool = False
    """A break on the line resets the board."""

    @property
    def resets(self) -> bool:
        """Whether a hard reset is offered."""
        return self.pulse or self.breaks


PLAIN: Final = Profile("serial port")
_NATIVE: Final = Profile("native USB")
"""No reset: some ports jump to their bootloader when opened at 1200 baud, which is no reset."""

_BY_PRODUCT: Final[dict[tuple[int, int], Profile]] = {
    (0x303A, 0x1001): Profile("Espressif USB-Serial-JTAG", pulse=True),  # it acts the circuit
    (0x0D28, 0x0204): Profile("DAPLink", breaks=True),  # micro:bit and other mbed boards
}
_BY_VENDOR: Final[dict[int, Profile]] = {
    0x10C4: Profile("CP210x", pulse=True),
    0x1A86: Profile("CH34x", pulse=True),
    0x0403: Profile("FTDI", pulse=True),
    0x067B: Profile("PL2303", pulse=True),
    0x2E8A: _NATIVE,  # Raspberry Pi
    0x239A: _NATIVE,  # Adafruit
    0x303A: _NATIVE,  # Espressif, by TinyUSB
    0xF055: _NATIVE,  # MicroPython's own
    0x16C0: _NATIVE,  # Teensy
    0x2341: _NATIVE,  # Arduino
}


def profile_of(vid: int | None, pid: int | None) -> Profile:
    """Return what is known of an adapter; nothing is expected of one that is not known."""
    if vid is None:
        return PLAIN
    return _BY_PRODUCT.get((vid, pid or 0)) or _BY_VENDOR.get(vid, PLAIN)


def steps(now: Lines, then: Lines) -> Iterator[tuple[str, bool]]:
    """Yield the changes from `now` to `then`, one line at a time: DTR rises first, RTS falls first.

    >>> list(steps(UP, DOWN))
    [('rts', False), ('dtr', False)]
    """
    changes = {"dtr": (now.dtr, then.dtr), "rts": (now.rts, then.rts)}
    order = ("dtr", "rts") if then.dtr else ("rts", "dtr")
    for line in order:
        was, wanted = changes[line]
        if was != wanted:
            yield line, wanted
