"""How a child comes up, or does not (supervision.md 2.1). Functions over the core's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from klemheist.actors.runtime import AskTimeout, ExitReason, Ignore, NameTaken

from . import effects as do
from . import events as told
from . import inputs as got
from . import restarting, stopping
from .entry import ChildState
from .errors import AlreadyStarted, StartError
from .flags import Restart
from .info import Started
from .steps import Cause, Starting

if TYPE_CHECKING:
    from .child import ChildSpec
    from .core import Core
    from .entry import Entry


def begin(core: Core, step: Starting) -> bool:
    """Order one child to start; False if there is nothing to wait for."""
    entry = core.children.get(step.id)
    if entry is None or entry.alive:
        return False
    if entry.state is ChildState.FAILED and step.cause is not Cause.AGAIN:
        return False
    step.entered = True
    restarted = None
    if step.cause is Cause.RESTART:
        restarted = (entry.last_exit or ExitReason.SHUTDOWN, max(entry.failures, 1))
    core.timer_off(entry)
    entry.state, entry.ref, entry.dead, entry.overdue = ChildState.STARTING, None, False, False
    entry.starts += 1
    entry.began_at = core.now
    core.totals.starts += 1
    core.note(told.ChildStarting, entry)
    core.out.append(do.Start(_with_extra_arguments(core, entry.spec), restarted))
    if entry.spec.start_timeout is not None:
        core.timer_on(entry, entry.spec.start_timeout, got.Overdue(step.id, None))
    return True


def started(core: Core, event: got.Started) -> None:
    """Its `on_start` has run."""
    entry = core.children.get(event.id)
    if entry is None or entry.ref is not event.ref:
        return
    core.now_known_as(entry, event.ref if event.made is None else event.made)
    if (
        entry.state is not ChildState.STARTING
    ):  # it is being stopped already: its end is what counts
        if event.made is not None:  # and only its factory has been told
            entry.state = ChildState.RUNNING
            stopping.begin(core, event.id)
        return
    step = entry.lane.current
    assert isinstance(step, Starting)
    core.timer_off(entry)
    took, entry.began_at = core.now - entry.began_at, core.now
    entry.state = ChildState.RUNNING
    if entry.spec.restart is Restart.TEMPORARY and (entry.spec.args or entry.spec.kwargs):
        entry.spec = entry.spec.having(args=(), kwargs={})  # never needed again, and may be large
    if step.cause is Cause.RESTART:
        entry.restarts += 1
        core.totals.restarts += 1
        core.note(told.ChildRestarted, entry, max(entry.failures, 1), took)
    else:
        entry.failures = 0
        core.note(told.ChildStarted, entry, took)
    core.reply(step.reply, Started(entry.ref, event.info))
    core.finish_step(entry.lane)


def failed(core: Core, event: got.StartFailed) -> None:
    """It did not start: it raised, declined, was killed or took too long."""
    entry = core.children.get(event.id)
    if entry is None or entry.ref is not event.ref:
        return
    if entry.state is not ChildState.STARTING:  # stopped while it was starting
        stopping.exited(core, got.Exited(event.id, event.ref, ExitReason.error(event.error)))
        return
    step = entry.lane.current
    assert isinstance(step, Starting)
    core.timer_off(entry)
    entry.ref, entry.state = None, ChildState.STOPPED
    if isinstance(event.error, Ignore):
        core.note(told.ChildIgnored, entry)
        core.forget_if_passing(entry)
        core.reply(step.reply, Started(None))
        core.finish_step(entry.lane)
        return
    failure = failure_of(entry, event.error)
    core.totals.start_failures += 1
    core.note(told.ChildStartFailed, entry, failure.__cause__ or failure)
    _what_follows(core, entry, step, failure)


def failure_of(entry: Entry, error: BaseException) -> StartError | AlreadyStarted:
    """What is told of a child that did not start because of `error`."""
    if entry.overdue:
        error = AskTimeout(f"on_start took longer than {entry.spec.start_timeout} s")
    if isinstance(error, NameTaken):
        message = f"{entry.spec.id!r} did not start, its name is taken: use {error.ref}"
        taken = AlreadyStarted(message, error.ref)
        taken.__cause__ = error
        return taken
    return StartError(entry.spec.id, error)


def _what_follows(
    core: Core, entry: Entry, step: Starting, failure: StartError | AlreadyStarted
) -> None:
    entry.last_exit = ExitReason.error(failure.__cause__ or failure)
    match step.cause:
        case Cause.FIRST:  # no retry at the first start (2.1)
            if not isinstance(failure, StartError):
                failure = StartError(entry.spec.id, failure)
            core.end_with(do.Down(ExitReason.error(failure), failure))
        case Cause.RESTART:  # the rest of the plan is void; the retry continues from here (2.3)
            entry.lane.pass_all()
            restarting.plan_restart(core, entry, retrying=True)
            core.advance(entry.lane)
        case Cause.REQUEST | Cause.AGAIN:
            if step.cause is Cause.REQUEST:
                core.forget(entry)
            core.refuse(step.reply, failure)
            core.finish_step(entry.lane)


def _with_extra_arguments(core: Core, spec: ChildSpec) -> ChildSpec:
    extra = core.spec.extra_arguments
    return spec.having(args=(*extra, *spec.args)) if extra else spec
