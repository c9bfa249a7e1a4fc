"""A friendly prompt in the middle of a call: did the board boot, or does the code print one?

A board that boots by itself (`machine.reset()`, a watchdog) leaves raw mode and says so only with
its banner and `>>> `; the call would wait until its deadline. So the prompt is asked: Ctrl-A makes
it answer with the raw banner, while a running program takes no notice (DESIGN 7).
"""

from __future__ import annotations

from klemheist.transports.repl.machine import BANNER


class Suspicion:
    """Whether the board has booted under a call; pure."""

    __slots__ = ("_tail", "is_confirmed")

    def __init__(self) -> None:
        self._tail: bytes | None = None
        self.is_confirmed = False
        """Whether the board has answered."""

    def rise(self) -> None:
        """Begin to suspect: the board is asked (`Conversation.ask`)."""
        self._tail = b""

    def hear(self, output: bytes) -> None:
        """Take output, however it is cut."""
        if self._tail is not None:
            recent = self._tail + output
            self.is_confirmed = self.is_confirmed or BANNER in recent
            self._tail = recent[-len(BANNER) :]

    def clear(self) -> None:
        """The call is over."""
        self._tail = None
        self.is_confirmed = False
