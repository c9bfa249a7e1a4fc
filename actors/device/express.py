"""The short way of a call: written, answered and read on the caller's thread, in one turn.

Most calls find an idle device and are answered within a few hundred microseconds. Such a call needs
no queue, no future and no change of thread. What takes longer, or is answered by anything else than
a value, becomes a call as any other while it runs: nothing is sent twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from klemheist.actors.runtime.future import Future
from klemheist.transports.link import DRIVE_SECONDS, Link
from klemheist.transports.repl.conversation import Conversation, Outcome
from klemheist.transports.repl.frames import Frame, FrameKind
from klemheist.transports.repl.lines import step_of

if TYPE_CHECKING:
    from .call import Call

MakeCall = Callable[[], "Call"]
"""Makes the call that goes on with a line which was sent: the first step of its procedure."""


class Express:
    """One call on the short way."""

    __slots__ = ("_adopt", "_handle", "_line", "_number", "_talk", "frame", "future")

    def __init__(
        self,
        talk: Conversation,
        line: tuple[int, bytes],
        adopt: Callable[[], Future[Any]],
        handle: Callable[[Outcome], object],
    ) -> None:
        self._talk = talk
        self._number, self._line = line
        self._adopt = adopt
        self._handle = handle
        self.frame: Frame | None = None
        """The answer, where it was a value and in time."""
        self.future: Future[Any] | None = None
        """Where the answer will be otherwise."""

    def run(self, link: Link) -> bool:
        """Make the call; False where the link cannot do it, and nothing was sent."""
        sent = link.exchange(self._begin, self._take, DRIVE_SECONDS)
        if sent and self.frame is None:
            self._become_ordinary()
        return sent

    def _begin(self) -> bytes:
        return self._talk.begin(step_of(self._line, self._number))

    def _take(self, data: bytes) -> bool:
        outcomes = self._talk.feed(data)
        if not outcomes:
            return False
        reply = outcomes[0].reply
        if (
            reply is not None
            and len(outcomes) == 1
            and reply.frame is not None
            and reply.frame.kind is FrameKind.VALUE
        ):
            self.frame = reply.frame
            return True
        self._become_ordinary()
        for outcome in outcomes:
            self._handle(outcome)
        return True

    def _become_ordinary(self) -> Future[Any]:
        if self.future is None:
            self.future = self._adopt()
        return self.future
