"""A call's line, sent ahead of its call: what the short way (`short.py`) writes and reads.

Most calls find an idle device and are answered within a few hundred microseconds. Such a call needs
no queue, no procedure and no future. What takes longer, or is answered by anything else than a
value, becomes a call as any other while it runs: the line is the first step of its procedure then,
and nothing is sent twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from klemheist.transports.repl.conversation import Conversation
from klemheist.transports.repl.frames import Frame, FrameKind
from klemheist.transports.repl.lines import step_of
from klemheist.transports.repl.steps import Outcome

if TYPE_CHECKING:
    from .call import Call

MakeCall = Callable[[], "Call"]
"""Makes the call that goes on with a line which was sent: the first step of its procedure."""


class Express:
    """One line at the prompt, and what has come of it; `BurstLine` is its like in a burst.

    Args:
        talk: the conversation with the device.
        line: the number of the call, and the line itself.
    """

    __slots__ = ("_line", "_number", "_outcomes", "_talk", "answer", "is_clear")

    def __init__(self, talk: Conversation, line: tuple[int, bytes]) -> None:
        self._talk = talk
        self._number, self._line = line
        self._outcomes: list[Outcome] = []
        self.answer: int | Frame | None = None
        """The call's value, or the frame of it, once that is there."""
        self.is_clear = False
        """Whether something came; where that is no answer, an ordinary call understands it."""

    def begin(self) -> bytes:
        """Begin; return the bytes to send."""
        return self._talk.begin(step_of(self._line, self._number))

    def take(self, data: bytes) -> bool:
        """Take what came; return whether it is clear what that is."""
        self._outcomes = outcomes = self._talk.feed(data)
        if not outcomes:
            return False
        self.is_clear = True
        reply = outcomes[0].reply
        frame = None if reply is None or len(outcomes) > 1 else reply.frame
        if frame is not None and frame.kind is FrameKind.VALUE:
            self.answer = frame
        return True

    def joined(self) -> list[Outcome]:
        """Be a step of an ordinary call from now on; return what has come of it so far."""
        return self._outcomes
