"""A friendly prompt in the middle of a call: did the board boot, or does the code print one?

A board that boots by itself (`machine.reset()`, a watchdog) leaves raw mode and says so only with
its banner and `>>> `; the call would wait until its deadline. So the prompt is asked: Ctrl-A makes
it answer with the raw banner, while a running program takes no notice (DESIGN 7).

What reads like the text of a boot is held back for a moment, and given out if it was none: the
output of a call ends where that of its code did.
"""

from __future__ import annotations

import re
from typing import Final

from klemheist.transports.repl.marks import BANNER, REBOOT

HELD_WITHIN: Final = 0.25
"""Seconds that output is held back, unless the board has answered that it booted."""
MOST_HELD: Final = 2048
_GREETINGS: Final = (b"MPY: " + REBOOT, b"MicroPython v", b"Adafruit CircuitPython ")
_BOOT: Final = re.compile(
    rb"(\r?\n)?\x00*(?:%s)" % b"|".join(map(re.escape, _GREETINGS)),
)
"""The first words of a boot; the smallest board sends a zero before them."""
_BEGINNINGS: Final = frozenset(
    (b"\0" + greeting)[start:end]
    for greeting in _GREETINGS
    for start in (0, 1)
    for end in range(start + 1, len(greeting) + 1)
)
_FIRST: Final = frozenset(each[0] for each in _BEGINNINGS)
_LONGEST: Final = max(map(len, _BEGINNINGS))


class Suspicion:
    """Whether the board has booted under a call; pure."""

    __slots__ = ("_asked", "_believed", "_held", "_line_ended", "_since", "_tail", "is_confirmed")

    def __init__(self) -> None:
        self._tail: bytes | None = None
        self._asked = False
        self._line_ended = True
        self._held = b""
        self._since = 0.0
        self._believed = False
        self.is_confirmed = False
        """Whether the board has answered."""

    def rise(self) -> None:
        """Begin to suspect: the board is asked (`Conversation.ask`)."""
        self._tail, self._asked = b"", True

    def hear(self, output: bytes, now: float) -> bytes:
        """Take output, however it is cut; return what of it is to be given out now."""
        if self._tail is not None:
            recent = self._tail + output
            self.is_confirmed = self.is_confirmed or BANNER in recent
            self._tail = recent[-len(BANNER) :]
        if not self._held:
            self._since = now
        output, self._held = self._held + output, b""
        at = 0 if self._asked or self._believed else _begin(output, after_line=self._line_ended)
        if len(output) - at > MOST_HELD:
            at = len(output)
        output, self._held = output[:at], output[at:]
        if output:
            self._line_ended = output.endswith(b"\n")
        return output

    def believe(self) -> None:
        """It has booted, as it seems; whoever asks the agent finds out, and then calls `clear`."""
        self.is_confirmed, self._believed = False, True

    def settle(self, now: float) -> bytes:
        """Return what was held back for long enough."""
        if not self._held or self._believed or now - self._since < HELD_WITHIN:
            return b""
        held, self._held, self._asked = self._held, b"", False
        return held

    def clear(self) -> bytes:
        """The call is over; return what was held back, which is no output if the board booted."""
        held, self._held = self._held, b""
        self._tail = None
        self.is_confirmed = self._believed = self._asked = False
        self._line_ended = True
        return held


def _begin(output: bytes, *, after_line: bool) -> int:
    """Return where the text of a boot begins, or may begin; its length where it does not.

    Args:
        output: the text.
        after_line: whether what was given out before it ended a line, or there was none: else a
            line end right before the boot is that of the code's own line.
    """
    is_there = any(greeting in output for greeting in _GREETINGS)  # far quicker than the pattern
    if is_there and (found := _BOOT.search(output)) is not None:
        start = found.start()
        ended = output[start - 1 : start] == b"\n" if start else after_line
        return start if ended or found[1] is None else found.end(1)
    size = len(output)
    tail = output[-_LONGEST:]
    for at in range(len(tail)):
        if tail[at] in _FIRST and tail[at:] in _BEGINNINGS:
            return size - len(tail) + at
    return size
