"""One timer for all deadlines of a device; an idle device has none."""

from __future__ import annotations

from collections.abc import Callable

from klemheist.actors.runtime.timers import Timer, Timers


class Watch:
    """Calls `check` at the earliest moment that was asked for.

    Most deadlines never pass. So asking for a later moment than the one that is set costs a
    comparison, and nothing is cancelled when a call ends: `check` looks what is still due.
    """

    __slots__ = ("_at", "_check", "_timer", "_timers", "now")

    def __init__(self, timers: Timers, check: Callable[[], object]) -> None:
        self.now = timers.clock.monotonic
        self._timers = timers
        self._check = check
        self._timer: Timer | None = None
        self._at = 0.0

    def by(self, when: float) -> None:
        """See that `check` is called at `when` at the latest."""
        if self._timer is not None:
            if self._at <= when:
                return
            self._timer.cancel()
        self._at = when
        self._timer = self._timers.call_at(when, self._check)

    def fired(self) -> None:
        """Say that `check` is running: the next `by` sets a new timer."""
        self._timer = None

    def stop(self) -> None:
        """Ask for nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
