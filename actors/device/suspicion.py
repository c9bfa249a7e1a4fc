"""A friendly prompt in the middle of a call: did the board boot, or does the code print one?

A board that boots by itself (`machine.reset()`, a watchdog) leaves raw mode and says so only with its
banner and `>>> `; the call would wait until its deadline. So the prompt is asked: Ctrl-A makes it
answer with the raw banner, while a running program takes no notice (DESIGN 7).
"""

from __future__ import annotations

from typing import Final

from klemheist.transports.repl.machine import BANNER

QUESTION: Final = b"\x01"


class Suspicion:
    """Whether the board has booted under a call; pure."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail: bytes | None = None

    def rise(self) -> bytes:
        """Begin to suspect; return what to ask the board."""
        self._tail = b""
        return QUESTION

    def confirmed(self, output: bytes) -> bool:
        """Take output, however it is cut; True once it holds the answer."""
        if self._tail is None:
            return False
        recent = self._tail + output
        self._tail = recent[-len(BANNER) :]
        return BANNER in recent

    def clear(self) -> None:
        """The call is over."""
        self._tail = None
