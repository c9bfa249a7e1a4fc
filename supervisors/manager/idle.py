"""Sessions that nobody uses any more are ended: one timer for all of a manager's (SES-084)."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Final

from klemheist.actors.runtime import TIMERS
from klemheist.actors.runtime.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist.actors.runtime import Timer
    from klemheist.actors.session.core import SessionCore

OFTEN: Final = 64
"""How often in one limit it looks at most: a session may live a 64th of it longer."""
AT_ONCE: Final = 16
"""Sessions that are ended in a row: others need the timer thread too."""


class IdleWatch:
    """Ends sessions that were not used for too long.

    Args:
        live: gives the sessions that take calls.
        limit: seconds; each session's own limit is this one.
    """

    def __init__(self, live: Callable[[], list[SessionCore]], limit: float) -> None:
        self._live = live
        self._limit = limit
        self._timer: Timer | None = None
        self._closed = False
        self._lock = threading.Lock()

    def watch(self) -> None:
        """See that somebody looks, now that there is a session."""
        if self._timer is None:
            self._look_in(self._limit)

    def close(self) -> None:
        """Look no more."""
        self._closed = True
        self._stop()

    def look(self) -> None:
        """End those whose time is up, and look again when the next one's may be."""
        self._stop()  # before it is seen who is there: who comes later makes a timer of its own
        now = SYSTEM_CLOCK.monotonic()
        left = {core: core.idle_left(now) for core in self._live()}
        over = [core for core, seconds in left.items() if seconds <= 0]
        for core in over[:AT_ONCE]:
            limit = core.options.default_session_timeout
            core.report.warning("session was not used for {} s and is ended", limit)
            core.why = f"not used for {limit} s"
            core.end()
        if len(over) > AT_ONCE:
            self._look_in(0.0)
        else:
            soonest = min((seconds for seconds in left.values() if seconds > 0), default=math.inf)
            self._look_in(max(soonest, self._limit / OFTEN))

    def _look_in(self, delay: float) -> None:
        """Look in so many seconds, if not sooner; never, where nobody's time may come."""
        with self._lock:
            if self._closed or delay == math.inf:
                return
            when = SYSTEM_CLOCK.monotonic() + delay
            if self._timer is None or self._timer.when > when:
                self._cancel()
                self._timer = TIMERS.call_at(when, self.look)

    def _stop(self) -> None:
        with self._lock:
            self._cancel()

    def _cancel(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
