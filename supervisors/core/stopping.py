"""How a child is ended (supervision.md 2.7). Functions over the core's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import effects as do
from . import events as told
from . import inputs as got
from .entry import ChildState
from .flags import BRUTAL_KILL, INFINITY
from .steps import Stopping

if TYPE_CHECKING:
    from collections.abc import Hashable

    from .core import Core


def begin_all(core: Core, step: Stopping) -> None:
    """Order some children to end; those to wait for stay in the step.

    Where they are many, all that have the same time to end in share one timer.
    """
    together = len(step.ids) > 1
    step.ids = {key for key in step.ids if begin(core, key, with_timer=not together)}
    if not together:
        return
    for patience in {core.children[key].spec.patience for key in step.ids}:
        if patience is not BRUTAL_KILL and patience != INFINITY:
            deadline = got.AllOverdue(float(patience))
            core.out.append(do.Arm(deadline, deadline.patience, deadline))


def begin(core: Core, key: Hashable, *, with_timer: bool = True) -> bool:
    """Order one child to end; False if there is nothing to wait for."""
    entry = core.children.get(key)
    if entry is None:
        return False
    if not entry.alive:
        core.timer_off(entry)
        core.put_down(entry)
        return False
    if entry.state is ChildState.STOPPING:
        return True
    entry.state = ChildState.STOPPING
    core.timer_off(entry)
    patience = entry.spec.patience
    if patience is BRUTAL_KILL:
        core.out.append(do.Kill(key, entry.ref))
        return True
    core.out.append(do.Stop(key, entry.ref))
    if patience != INFINITY and with_timer:
        core.timer_on(entry, float(patience), got.Overdue(key, entry.ref))
    return True


def exited(core: Core, event: got.Exited) -> None:
    """A child has ended: as it was told to, or by itself."""
    entry = core.children.get(event.id)
    if entry is None or entry.ref is not event.ref:
        return
    if entry.state is not ChildState.STOPPING:
        entry.dead = True
        core.in_turn(event)
        return
    core.timer_off(entry)
    entry.ended(event)
    core.put_down(entry)
    core.note(told.ChildTerminated, entry, event.reason)
    step = entry.lane.current
    if isinstance(step, Stopping):
        step.ids.discard(event.id)
    core.advance(entry.lane)


def time_is_up(core: Core, event: got.Overdue | got.AllOverdue) -> None:
    """One child, or all with the same time to end in, have used it up."""
    if isinstance(event, got.Overdue):
        overdue(core, event)
        return
    step = core.main.current
    for key in tuple(step.ids) if isinstance(step, Stopping) else ():
        entry = core.children[key]
        if entry.spec.patience == event.patience:
            overdue(core, got.Overdue(key, entry.ref))


def overdue(core: Core, event: got.Overdue) -> None:
    """The child has not started, or ended, in its time: abandon it."""
    entry = core.children.get(event.id)
    if entry is None or entry.ref is None:
        return
    starting = entry.state is ChildState.STARTING
    if starting or (entry.state is ChildState.STOPPING and entry.ref is event.ref):
        entry.overdue = True
        core.totals.kills += 1
        core.note(told.ChildKilled, entry)
        core.out.append(do.Kill(event.id, entry.ref))
