"""When calls come in bursts, and the line of one.

A burst begins with calls that follow each other closely, and ends soon after them: a device in its
loop does nothing else. Some boards use all their time there, others collect no garbage.
"""

from __future__ import annotations

from typing import Final

from klemheist.transports.repl.board import Board
from klemheist.transports.repl.burst import (
    ENTER,
    LAST_COUNT,
    MOST_ENTRIES,
    burst_line,
)
from klemheist.transports.repl.conversation import Conversation
from klemheist.transports.repl.frames import MARK, FrameKind, find_short, parse, short_answer
from klemheist.transports.repl.lines import step_of
from klemheist.transports.repl.steps import Outcome

from .express import Express

ENOUGH: Final = 8
"""Calls in quick succession before a burst."""
PAUSE: Final = 0.01
"""Seconds between two calls that end the succession."""
LONGEST: Final = 0.1
"""Seconds that a burst lasts at most: then the device has its prompt, and what runs there."""
_BEGINNING: Final = len(ENTER) + 1
_LONGER: Final = 11
"""Bytes by which the line of a tuple is longer at the prompt, at most; an integer's fits anyhow."""


class Bursts:
    """Whether to begin a burst, and when to end it; no clock of its own."""

    __slots__ = ("_began", "_last", "_quick")

    def __init__(self) -> None:
        self._began = self._last = 0.0
        self._quick = 0

    def due(self, now: float) -> bool:
        """Take note of a call at `now`; return whether enough of them came quickly."""
        if now - self._last > PAUSE:
            self._quick = 0
        self._quick += 1
        self._last = now
        return self.wanted

    @property
    def wanted(self) -> bool:
        """Whether the calls of late came quickly."""
        return self._quick > ENOUGH

    def broken(self) -> None:
        """A call took longer: no burst before others have been quick."""
        self._quick = 0

    def begun(self, now: float) -> None:
        """A burst begins."""
        self._began = now

    def is_over(self, now: float) -> bool:
        """Whether the burst under way is to be ended."""
        return now - self._last > PAUSE or now - self._began > LONGEST


def line_of(
    board: Board, entry: int, plain: tuple[object, ...], *, beginning: bool
) -> tuple[int, bytes] | None:
    """Return the call's proof and line, if it can be part of a burst.

    The line that the call has at the prompt must fit as well: if it takes long it becomes that one.
    """
    if entry >= MOST_ENTRIES or board.count >= LAST_COUNT:
        return None
    line = burst_line(entry, plain, board.count)
    longest = len(line[1]) + max(_LONGER, _BEGINNING if beginning else 0)
    return line if longest < board.credit else None


class BurstLine(Express):
    """One line of a burst, which it begins where there is none."""

    __slots__ = ("_seen",)

    def __init__(self, talk: Conversation, line: tuple[int, bytes]) -> None:
        super().__init__(talk, line)
        self._seen = b""

    def begin(self) -> bytes:
        """See `Express.begin`."""
        return self._talk.begin_line(self._line)

    def take(self, data: bytes) -> bool:
        """See `Express.take`."""
        self._seen = seen = self._seen + data if self._seen else data
        begun = seen[:2] == b"OK"
        answer = seen[2:] if begun else seen
        if answer[-1:] == MARK and (value := short_answer(answer, self._number)) is not None:
            self.answer = value
        elif (found := find_short(answer, self._number)) is not None:
            if found[1:] == (0, len(answer)):
                self.answer = found[0]
        elif MARK.startswith(answer[:1]):  # else output, or the end of the burst
            frame, size = parse(answer, self._number)
            if size == 0:
                return False
            if frame is not None and size == len(answer) and frame.kind is FrameKind.VALUE:
                self.answer = frame
        self.is_clear = True
        if self.answer is not None:
            if not begun and self._talk.unanswered:  # its `OK` got lost: nobody knows what else did
                self.answer = None
            else:
                self._talk.end_line(begun=begun)
        return True

    def joined(self) -> list[Outcome]:
        """See `Express.joined`. The burst ends behind the call: its end tells that of the call."""
        talk = self._talk
        leave = Outcome(write=talk.join(step_of(self._line, self._number), self._number))
        return [leave, *talk.feed(self._seen)] if self._seen else [leave]
