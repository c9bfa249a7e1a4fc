"""What follows the end of a child (supervision.md 2.2 to 2.5). Functions over the core's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from klemheist.actors.runtime import ExitReason

from . import events as told
from . import inputs as got
from .entry import ChildState
from .flags import AutoShutdown, Directive
from .policy import must_restart, next_delay, was_steady
from .steps import Cause, Starting, Step, Stopping
from .strategy import affected

if TYPE_CHECKING:
    from collections.abc import Hashable

    from .core import Core
    from .entry import Entry


def ended_by_itself(core: Core, entry: Entry, event: got.Exited) -> None:
    """A child that nobody stopped has ended."""
    reason = event.reason
    entry.ended(event)
    entry.ref, entry.dead = None, False
    entry.state = ChildState.STOPPED
    if reason.is_abnormal:
        entry.crashes += 1
        core.totals.crashes += 1
    core.note(told.ChildExited, entry, reason)
    if core.closing:
        return
    directive = entry.spec.directive_for(reason.exception)
    if directive is Directive.ESCALATE:
        core.give_up(reason)
    elif directive is not Directive.STOP and must_restart(entry.spec.restart, reason):
        if was_steady(entry, core.now, core.window.period):
            entry.failures = 0
        plan_restart(core, entry)
    else:
        core.discard_messages(entry)
        core.forget_if_passing(entry)
        if _ends_the_supervisor(core, entry):
            core.note(told.AutoShutdownReached, entry)
            core.give_up(ExitReason.SHUTDOWN)


def _ends_the_supervisor(core: Core, entry: Entry) -> bool:
    if not entry.spec.significant:
        return False
    match core.spec.auto_shutdown:
        case AutoShutdown.NEVER:
            return False
        case AutoShutdown.ANY_SIGNIFICANT:
            return True
        case AutoShutdown.ALL_SIGNIFICANT:
            others = core.children.values()
            return not any(other.spec.significant and other.holds_on for other in others)


def plan_restart(core: Core, entry: Entry, *, retrying: bool = False) -> None:
    """Restart a child: now, after its backoff, or as a message to oneself after a failed try."""
    key = entry.spec.id
    delay = next_delay(entry, core.rand)
    if delay is None:
        entry.state = ChildState.FAILED
        core.discard_messages(entry)
        core.note(told.ChildFailed, entry, entry.last_exit or ExitReason.SHUTDOWN)
        return
    entry.failures += 1
    entry.state = ChildState.RESTARTING
    core.note(told.ChildRestarting, entry, entry.failures, delay)
    if entry.spec.backoff is None and not retrying:
        retry(core, key)
    else:
        entry.next_attempt_at = core.now + delay if delay > 0 else None
        core.timer_on(entry, delay, got.Retry(key))


def retry(core: Core, key: Hashable) -> None:
    """Restart a child and whom its restart concerns, or give up where that is once too often."""
    entry = core.children.get(key)
    if entry is None or entry.state is not ChildState.RESTARTING or core.closing:
        return  # it was terminated meanwhile, or started with a group
    if entry.spec.backoff is None and not core.window.add(core.now):
        entry.state = ChildState.STOPPED
        core.note(told.RestartIntensityReached, entry)
        core.give_up(ExitReason.SHUTDOWN)
        return
    group = affected(core.spec.strategy, core.children, key)
    stops: list[Step] = [Stopping({other}) for other in reversed(group) if other != key]
    starts = [Starting(other, Cause.RESTART) for other in group]
    core.run(entry.lane, [*stops, *starts])
