"""Carries out the cleanup plan of a session: one message at a time, each under its deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from klemheist.actors.errors import ResourceCleanupError
from klemheist.actors.messages import Cleaned, Cleanup
from klemheist.actors.operation import Steps, operation, shielded
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.runtime.future import Future
from klemheist.actors.runtime.timers import TIMERS

from .ledger import Act, Entry, EntryKind, cleanup_plan
from .threads_hung import step_back

if TYPE_CHECKING:
    from .core import SessionCore
    from .holdings import Holdings

SLACK: Final = 0.25
"""Seconds that the sender waits longer than the tracker, so that the tracker's word comes first."""
LEAST: Final = 0.05
"""Seconds that even the last of many cleanups gets."""
AFTER_STEP: Final = 1.0
"""Seconds that are kept for the cleanups when a step of a thread goes on; at most half of all."""
TELL_AGAIN: Final = 0.5
"""Seconds after which an unanswered message is sent again: the tracker may have been restarted."""
SOONEST: Final = 0.02
"""The same where there is little time: half of what is left, but no less than this."""


class Cleanups:
    """Sends `Cleanup` to the trackers and collects their `Cleaned`."""

    __slots__ = ("_core", "_waiting")

    def __init__(self, core: Holdings) -> None:
        self._core = core
        self._waiting: dict[int, Future[Cleaned]] = {}

    def report(self, message: Cleaned) -> None:
        """Take a tracker's word."""
        waiting = self._waiting.pop(message.number, None)
        if waiting is not None:
            waiting.set(message)

    @operation
    def run(self, timeout: float) -> Steps[list[Cleaned]]:
        """Clean everything that is held, in the order of the plan; the future never fails."""
        plan = cleanup_plan(self._core.held())
        ends = SYSTEM_CLOCK.monotonic() + timeout
        threads = [entry.held for entry in plan if entry.kind is EntryKind.THREAD]
        if threads:  # a step that does not come back would keep all of them waiting
            grace = min(self._core.options.thread_grace, max(timeout - AFTER_STEP, timeout / 2))
            yield step_back(cast("SessionCore", self._core), threads, grace, ends)
        cleaned: list[Cleaned] = []
        for index, entry in enumerate(plan):
            now = SYSTEM_CLOCK.monotonic()
            share = self._share(entry, ends - now, len(plan) - index)
            cleaned.append((yield self._clean(entry, now + share)))
        return cleaned

    def _share(self, entry: Entry, left: float, count: int) -> float:
        """Return the seconds for one of `count` cleanups; a thread has its grace while there is."""
        share = left / count
        if entry.kind is EntryKind.THREAD:  # what has not stopped may cost the device a reset
            share = max(share, min(self._core.options.thread_grace, left))
        return max(LEAST, share)

    def one(self, kind: EntryKind, key: str) -> Future[Cleaned]:
        """Clean one entry up now, within the session's limit; one that is not held is clean."""
        entry = self._core.ledger.find(kind, key)
        if entry is None:
            clean: Future[Cleaned] = Future()
            clean.set(Cleaned(0))
            return clean
        limit = self._core.options.resource_cleanup_timeout
        return self._clean(entry, SYSTEM_CLOCK.monotonic() + limit)

    def _clean(self, entry: Entry, deadline: float) -> Future[Cleaned]:
        """Have one entry cleaned up; whoever wants the same meanwhile gets the same answer."""
        fresh: Future[Cleaned] = Future()
        waiting = self._waiting.setdefault(entry.number, fresh)
        if waiting is not fresh:
            return shielded(waiting)
        overdue = TIMERS.call_at(deadline + SLACK, self._overdue, entry)
        waiting.add_done_callback(lambda _: overdue.cancel())
        self._tell(entry, deadline)
        return shielded(waiting)

    def _tell(self, entry: Entry, deadline: float) -> None:
        """Tell the tracker, and tell it again while it does not answer: it may have crashed."""
        if entry.number not in self._waiting:
            return
        spawn = self._core.spawn
        tracker = spawn.find(entry.kind) if spawn is not None else None
        if tracker is not None:
            tracker.actor_ref.tell(Cleanup(entry.number, deadline))
        now = SYSTEM_CLOCK.monotonic()
        again = now + max(SOONEST, min(TELL_AGAIN, (deadline - now) / 2))
        if again < deadline and (waiting := self._waiting.get(entry.number)) is not None:
            timer = TIMERS.call_at(again, self._tell, entry, deadline)
            waiting.add_done_callback(lambda _: timer.cancel())

    def _overdue(self, entry: Entry) -> None:
        if entry.number in self._waiting:
            owed = self._core.owe_late(entry)
            self._core.ledger.act(entry, Act.OWE if owed else Act.FAIL)
            late = TimeoutError(f"{entry.kind} {entry.key}: its cleanup did not end in time")
            self.report(Cleaned(entry.number, late, owed))


def failures(cleaned: list[Cleaned]) -> ResourceCleanupError | None:
    """Return the one error that holds all that failed (SES-102)."""
    errors = [each.error for each in cleaned if each.error is not None]
    if not errors:
        return None
    owed = sum(each.owed for each in cleaned)
    text = f"{len(errors)} of {len(cleaned)} cleanups failed"
    return ResourceCleanupError(f"{text}, {owed} of them owed" if owed else text, errors)
