"""The supervisor's mind: an event and the time in, effects out. No thread, clock or actor here.

It follows OTP's supervisor (supervision.md 2.1 to 2.7): what runs is a plan of steps, each waited
for without blocking; requests queue behind the plan, a shutdown replaces it (DESIGN 8.22). A static
supervisor has one plan; in a dynamic one each child has its own, so none waits for another.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from klemheist.actors.runtime import ExitReason, Ignore

from . import effects as do
from . import events as told
from .child import BRUTAL_KILL, INFINITY, ChildSpec, Restart
from .info import StartedChild
from .policy import must_restart, next_delay, was_steady
from .requests import failure_of, refusal_of
from .steps import (
    Begin,
    Cause,
    ChildState,
    DeleteChild,
    Entry,
    Event,
    Exited,
    Lane,
    Overdue,
    Request,
    RestartChild,
    Retry,
    Saying,
    Shutdown,
    Spawned,
    StartChild,
    Started,
    StartFailed,
    Starting,
    Stopping,
    TerminateChild,
    stop_plan,
)
from .strategy import Strategy, affected

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from .errors import StartError
    from .intensity import RestartWindow


class Core:
    """Who runs, who is to run, and what to do next."""

    def __init__(
        self,
        children: Iterable[ChildSpec],
        *,
        strategy: Strategy,
        window: RestartWindow,
        dynamic: bool = False,
        max_children: int | None = None,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self.path = ""
        self.strategy = strategy
        self.window = window
        self.dynamic = dynamic
        self.max_children = max_children
        self.closing = False
        """It is about to end: nothing is restarted any more, and requests are refused."""
        self._ending = False
        self._rand = rand
        self._main = Lane()
        self.children = {spec.id: Entry(spec, self._new_lane()) for spec in children}
        self._now = 0.0
        self._out: list[do.Effect] = []

    def step(self, event: Event, now: float) -> list[do.Effect]:
        """Take in one event at `now` (monotonic seconds); what must be done about it, in order."""
        self._now = now
        self._out = []
        match event:
            case Begin():
                firsts = [Starting(key, Cause.FIRST) for key in self.children]
                self._run(self._main, [*firsts, Saying((do.Up(),))])
            case Spawned(key, ref):
                self.children[key].ref = ref
            case Started():
                self._started(event)
            case StartFailed():
                self._start_failed(event)
            case Exited():
                self._exited(event)
            case Overdue():
                self._overdue(event)
            case Shutdown(reason):
                self._shut_down(reason)
            case _:
                self._in_turn(event)
        return self._out

    # -- plans

    def _new_lane(self) -> Lane:
        return Lane() if self.dynamic else self._main

    def _in_turn(self, event: Exited | Retry | Request) -> None:
        """Deal with an event now, or when the plan that it concerns is done."""
        entry = self.children.get(event.id)
        lane = self._new_lane() if entry is None else entry.lane
        if lane.steps:
            lane.waiting.append(event)
        else:
            self._deal(event)

    def _deal(self, event: Event) -> None:
        match event:
            case Exited(key, ref, reason):
                entry = self.children.get(key)
                if entry is not None and entry.ref is ref:  # else a step has dealt with it
                    self._ended_by_itself(entry, reason)
            case Retry(key):
                self._retry(key)
            case StartChild() | RestartChild() | TerminateChild() | DeleteChild():
                self._request(event)

    def _run(self, lane: Lane, steps: Iterable[Starting | Stopping | Saying]) -> None:
        lane.steps.extend(steps)
        self._advance(lane)

    def _advance(self, lane: Lane) -> None:
        while lane.steps:
            if not self._enter(lane.steps[0]):
                return
            lane.steps.popleft()
        while lane.waiting and not lane.steps:
            self._deal(lane.waiting.popleft())

    def _enter(self, step: Starting | Stopping | Saying) -> bool:
        """Begin a step, once; whether it is done."""
        match step:
            case Saying(effects):
                self._out.extend(effects)
                return True
            case Starting():
                return not step.entered and not self._begin_start(step)
            case Stopping():
                if not step.entered:
                    step.entered = True
                    step.ids = {key for key in step.ids if self._begin_stop(key)}
                return not step.ids

    def _finish_step(self, entry: Entry) -> None:
        entry.lane.steps.popleft()
        self._advance(entry.lane)

    # -- starting

    def _begin_start(self, step: Starting) -> bool:
        entry = self.children.get(step.id)
        if (
            entry is None
            or entry.alive
            or (entry.state is ChildState.FAILED and step.cause is not Cause.AGAIN)
        ):
            return False
        step.entered = True
        restarted = None
        if step.cause is Cause.RESTART:
            restarted = (entry.last_exit or ExitReason.SHUTDOWN, max(entry.failures, 1))
        self._timer_off(entry)
        entry.state, entry.ref, entry.dead, entry.overdue = ChildState.STARTING, None, False, False
        self._out.append(do.Start(entry.spec, restarted))
        if entry.spec.start_timeout is not None:
            event = Overdue(step.id, None)
            self._out.append(do.Arm(step.id, entry.spec.start_timeout, event))
        return True

    def _started(self, event: Started) -> None:
        entry = self.children.get(event.id)
        if entry is None or entry.ref is not event.ref or entry.state is not ChildState.STARTING:
            return  # it is being stopped already: its end is what counts
        step = entry.lane.steps[0]
        assert isinstance(step, Starting)
        self._timer_off(entry)
        entry.state, entry.started_at = ChildState.RUNNING, self._now
        if step.cause is Cause.RESTART:
            entry.restarts += 1
            attempt = max(entry.failures, 1)
            self._note(told.ChildRestarted(self.path, event.id, event.ref, attempt))
        else:
            entry.failures = 0
            self._note(told.ChildStarted(self.path, event.id, event.ref))
        self._reply(step.reply, StartedChild(event.ref))
        self._finish_step(entry)

    def _start_failed(self, event: StartFailed) -> None:
        entry = self.children.get(event.id)
        if entry is None or entry.ref is not event.ref:
            return
        if entry.state is not ChildState.STARTING:  # stopped while it was starting
            self._exited(Exited(event.id, event.ref, ExitReason.error(event.error)))
            return
        step = entry.lane.steps[0]
        assert isinstance(step, Starting)
        self._timer_off(entry)
        entry.ref, entry.state = None, ChildState.STOPPED
        if isinstance(event.error, Ignore):
            self._note(told.ChildIgnored(self.path, event.id))
            self._forget_if_passing(entry)
            self._reply(step.reply, StartedChild(None))
            self._finish_step(entry)
            return
        failure = failure_of(entry, event.error)
        self._note(told.ChildStartFailed(self.path, event.id, failure.cause))
        self._start_failure(entry, step, failure)

    def _start_failure(self, entry: Entry, step: Starting, failure: StartError) -> None:
        entry.last_exit = ExitReason.error(failure.cause)
        match step.cause:
            case Cause.FIRST:  # no retry at the first start (2.1)
                self._end_with(do.Down(ExitReason.error(failure), failure))
            case Cause.RESTART:  # the rest of the plan is void; the retry continues from here (2.3)
                entry.lane.steps.clear()
                self._restart(entry, retrying=True)
                self._advance(entry.lane)
            case Cause.REQUEST | Cause.AGAIN:
                if step.cause is Cause.REQUEST:
                    del self.children[step.id]
                self._refuse(step.reply, failure)
                self._finish_step(entry)

    # -- ends

    def _exited(self, event: Exited) -> None:
        entry = self.children.get(event.id)
        if entry is None or entry.ref is not event.ref:
            return
        if entry.state is not ChildState.STOPPING:
            entry.dead = True
            self._in_turn(event)
            return
        self._timer_off(entry)
        entry.last_exit = event.reason
        self._put_down(entry)
        self._note(told.ChildTerminated(self.path, event.id, event.reason))
        for step in entry.lane.steps:
            if isinstance(step, Stopping):
                step.ids.discard(event.id)
        self._advance(entry.lane)

    def _ended_by_itself(self, entry: Entry, reason: ExitReason) -> None:
        entry.ref, entry.dead, entry.last_exit = None, False, reason
        entry.state = ChildState.STOPPED
        self._note(told.ChildExited(self.path, entry.spec.id, reason))
        if self.closing:
            return
        if must_restart(entry.spec.restart, reason):
            if was_steady(entry, self._now, self.window.period):
                entry.failures = 0
            self._restart(entry)
        else:
            self._forget_if_passing(entry)

    def _restart(self, entry: Entry, *, retrying: bool = False) -> None:
        key = entry.spec.id
        delay = next_delay(entry, self._rand)
        if delay is None:
            entry.state = ChildState.FAILED
            reason = entry.last_exit or ExitReason.SHUTDOWN
            self._note(told.ChildFailed(self.path, key, reason))
            return
        entry.failures += 1
        entry.state = ChildState.RESTARTING
        self._note(told.ChildRestarting(self.path, key, entry.failures, delay))
        if entry.spec.backoff is None and not retrying:
            self._retry(key)
        else:
            entry.next_attempt_at = self._now + delay
            self._out.append(do.Arm(key, delay, Retry(key)))

    def _retry(self, key: Hashable) -> None:
        entry = self.children.get(key)
        if entry is None or entry.state is not ChildState.RESTARTING or self.closing:
            return  # it was terminated meanwhile, or started with a group
        if entry.spec.backoff is None and not self.window.add(self._now):
            self._give_up(entry)
            return
        group = affected(self.strategy, list(self.children), key)
        stops = [Stopping({other}) for other in reversed(group) if other != key]
        starts = [Starting(other, Cause.RESTART) for other in group]
        self._run(entry.lane, [*stops, *starts])

    def _give_up(self, entry: Entry) -> None:
        self.closing = True
        entry.state = ChildState.STOPPED
        self._note(told.RestartIntensityReached(self.path, entry.spec.id))
        self._out.append(do.GiveUp(ExitReason.SHUTDOWN))

    # -- stopping

    def _begin_stop(self, key: Hashable) -> bool:
        """Order one child to end; False if there is nothing to wait for."""
        entry = self.children.get(key)
        if entry is None:
            return False
        if not entry.alive:
            self._timer_off(entry)
            self._put_down(entry)
            return False
        if entry.state is not ChildState.STOPPING:
            entry.state = ChildState.STOPPING
            self._timer_off(entry)
            patience = entry.spec.patience
            if patience is BRUTAL_KILL:
                self._out.append(do.Kill(entry.ref))
            else:
                self._out.append(do.Stop(entry.ref))
                if patience != INFINITY:
                    self._out.append(do.Arm(key, float(patience), Overdue(key, entry.ref)))
        return True

    def _overdue(self, event: Overdue) -> None:
        entry = self.children.get(event.id)
        if entry is None or entry.ref is None:
            return
        starting = entry.state is ChildState.STARTING
        if starting or (entry.state is ChildState.STOPPING and entry.ref is event.ref):
            entry.overdue = True
            self._note(told.ChildKilled(self.path, event.id))
            self._out.append(do.Kill(entry.ref))

    def _put_down(self, entry: Entry) -> None:
        """A child that its supervisor ended: down, or forgotten."""
        entry.ref, entry.dead = None, False
        if entry.state is not ChildState.FAILED:
            entry.state = ChildState.STOPPED
        self._forget_if_passing(entry)

    def _forget_if_passing(self, entry: Entry) -> None:
        if self.dynamic or entry.spec.restart is Restart.TEMPORARY:
            self.children.pop(entry.spec.id, None)

    def _shut_down(self, reason: ExitReason) -> None:
        if not self._ending:
            self._end_with(do.Down(reason))

    def _end_with(self, down: do.Down) -> None:
        self.closing = self._ending = True
        stops = stop_plan(list(self.children), together=self.dynamic)
        self._replace_plans([*stops, Saying((down,))])

    def _replace_plans(self, steps: list[Starting | Stopping | Saying]) -> None:
        """Drop what was going on, and what waited for it. Who asked is told by the driver."""
        for entry in self.children.values():
            entry.lane = self._main
        self._main.steps.clear()
        self._main.waiting.clear()
        self._run(self._main, steps)

    # -- requests

    def _request(self, request: Request) -> None:
        refusal = refusal_of(request, self)
        if refusal is not None:
            self._refuse(request.reply, refusal)
            return
        entry = self.children.get(request.id)
        match request:
            case StartChild(spec):
                entry = self.children[request.id] = Entry(spec, self._new_lane())
                self._run(entry.lane, [Starting(request.id, Cause.REQUEST, request.reply)])
            case RestartChild(key) if entry is not None:
                self._run(entry.lane, [Starting(key, Cause.AGAIN, request.reply)])
            case TerminateChild(key) if entry is not None:
                said = Saying((do.Reply(request.reply, None),))
                self._run(entry.lane, [Stopping({key}), said])
            case _:
                del self.children[request.id]
                self._reply(request.reply, None)

    # -- small words

    def _timer_off(self, entry: Entry) -> None:
        entry.next_attempt_at = None
        self._out.append(do.Disarm(entry.spec.id))

    def _note(self, event: told.TreeEvent) -> None:
        self._out.append(do.Note(event))

    def _reply(self, to: object, value: object) -> None:
        if to is not None:
            self._out.append(do.Reply(to, value))

    def _refuse(self, to: object, error: BaseException) -> None:
        if to is not None:
            self._out.append(do.Refuse(to, error))
