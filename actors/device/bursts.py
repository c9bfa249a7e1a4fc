"""When calls come in bursts, and one call of a burst on its caller's thread.

A burst begins with calls that follow each other closely, and ends soon after them: a device in its
loop does nothing else. Some boards use all their time there, others collect no garbage.
"""

from __future__ import annotations

from typing import Any, Final

from klemheist.actors.runtime.future import Future
from klemheist.transports.link import DRIVE_SECONDS, Link
from klemheist.transports.repl.burst import (
    ENTER,
    LAST_COUNT,
    MOST_ENTRIES,
    burst_line,
)
from klemheist.transports.repl.conversation import Board, Outcome
from klemheist.transports.repl.frames import MARK, FrameKind, find_short, parse, short_answer
from klemheist.transports.repl.lines import step_of
from klemheist.transports.repl.procedures import one_line

from .express import Express

ENOUGH: Final = 8
"""Calls in quick succession before a burst."""
PAUSE: Final = 0.01
"""Seconds between two calls that end the succession."""
LONGEST: Final = 0.1
"""Seconds that a burst lasts at most: then the device has its prompt, and what runs there."""
_BEGINNING: Final = len(ENTER) + 1


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
    """Return the call's proof and line, if it can be part of a burst."""
    if entry >= MOST_ENTRIES or board.count >= LAST_COUNT:
        return None
    if one_line(board, entry, plain) is None:  # if it takes long it becomes that line's call
        return None
    line = burst_line(entry, plain, board.count)
    room = board.credit - (_BEGINNING if beginning else 0)
    return line if len(line[1]) < room else None


class BurstCall(Express):
    """One call of a burst; see `Express` for what becomes of those that take longer."""

    __slots__ = ("_seen", "value")

    value: int | None
    """The answer, where it came in its short form; else see `frame`."""

    def run(self, link: Link) -> bool:
        """See `Express.run`."""
        self._seen, self.value = b"", None
        sent = link.exchange(self._begin, self._take, DRIVE_SECONDS)
        if sent and self.value is None and self.frame is None:
            self._become_ordinary()
        return sent

    def _begin(self) -> bytes:
        return self._talk.begin_line(self._line)

    def _take(self, data: bytes) -> bool:
        self._seen = seen = self._seen + data if self._seen else data
        answer = seen[2:] if seen[:2] == b"OK" else seen
        if answer[-1:] == MARK and (value := short_answer(answer, self._number)) is not None:
            self.value = value
        elif (found := find_short(answer, self._number)) is not None:
            if found[1:] != (0, len(answer)):
                return True
            self.frame = found[0]
        elif not MARK.startswith(answer[:1]):  # output, or the end of the burst
            return True
        else:
            frame, size = parse(answer, self._number)
            if frame is None or size != len(answer) or frame.kind is not FrameKind.VALUE:
                return size < 0
            self.frame = frame
        self._talk.end_line(begun=seen[:2] == b"OK")
        return True

    def _become_ordinary(self) -> Future[Any]:
        """Have the burst ended behind the call: its end tells that of the call, as ever."""
        if self.future is None:
            talk, step = self._talk, step_of(self._line, self._number)
            leave = talk.join(step, self._number)
            self.future = self._adopt()
            self._handle(Outcome(write=leave))
            for outcome in talk.feed(self._seen) if self._seen else ():
                self._handle(outcome)
        return self.future
