"""Syncs of one device take turns: a manifest that two wrote at once would not be true."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from klemheist.actors.errors import CallCancelled, QueueFull
from klemheist.actors.runtime.future import Future
from klemheist.actors.runtime.timers import TIMERS
from klemheist.transports.errors import LinkTimeout
from klemheist.transports.repl.board import Board

MOST_WAITING: Final = 64
"""Syncs that wait for their turn on one device."""


class Turns:
    """Who may sync now, and who waits; first come, first served."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: deque[Future[None]] = deque()
        """The first has its turn."""

    def take(self, path: str, within: float) -> Future[None]:
        """Ask for a turn; `leave` must follow, whatever came of it.

        Args:
            path: what errors are about.
            within: seconds after which it is not waited for any longer.

        Raises:
            QueueFull: too many wait.
        """

        def cancelled(reason: str | None) -> None:
            text = f"sync {path} was cancelled: {reason or 'it is not wanted any more'}"
            turn.set_exception(CallCancelled(text, maybe_executed=False))

        turn: Future[None] = Future(on_cancel=cancelled)
        with self._lock:
            if len(self._line) > MOST_WAITING:
                raise QueueFull(f"{MOST_WAITING} syncs wait for this device; wait for some of them")
            self._line.append(turn)
            first = self._line[0] is turn
        if first:
            turn.set(None)
        else:
            text = f"sync {path}: for {within} s another sync has had this device; try again"
            timer = TIMERS.call_later(within, turn.set_exception, LinkTimeout(text))
            turn.add_done_callback(lambda _: timer.cancel())
        return turn

    def leave(self, turn: Future[None]) -> None:
        """Give a turn back, or wait for it no longer; the next in the line has it."""
        turn.cancel()
        with self._lock:
            self._line.remove(turn)
            first = self._line[0] if self._line else None
        if first is not None:
            first.set(None)


def turns_on(board: Board) -> Turns:
    """Return the turns of a device; they outlive its boots."""
    turns = board.facts.setdefault("syncs", Turns())
    assert isinstance(turns, Turns)
    return turns
