"""The supervisor's mind: an event and the time in, effects out. No thread, clock or actor here.

It follows OTP's supervisor (supervision.md 2.1 to 2.7): what runs is a plan of steps, each waited
for without blocking; requests queue behind the plan, a shutdown replaces it (DESIGN 8.22). A static
supervisor has one plan; in a dynamic one each child has its own, so none waits for another.

Here are the state, the way of an event to its room, and the plans. The rooms are `starting`,
`stopping`, `restarting`, `requests` and `reconfiguring`: functions over this state.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from . import effects as do
from . import inputs as got
from . import reconfiguring, requests, restarting, starting, stopping
from .entry import ChildState, Entry
from .flags import Restart
from .intensity import RestartWindow
from .steps import Cause, Lane, Saying, Starting, Step, Stopping, stop_plan
from .totals import Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from klemheist.actors.runtime import ExitReason

    from .child import ChildSpec
    from .events import TreeEvent
    from .supervisor_spec import SupervisorSpec


_NOT_NOW: Final[Any] = ()
"""Stands for the orders of the present event while there is none: it takes no order."""


class Core:
    """Who runs, who is to run, and what to do next.

    Args:
        spec: The flags and the first children.
        dynamic: Whether children have nothing to do with each other.
        rand: Jitter for backoffs, from 0 to 1.
    """

    def __init__(
        self,
        spec: SupervisorSpec,
        *,
        dynamic: bool = False,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self.path = ""
        self.wall_offset = 0.0
        """Seconds from monotonic to wall time."""
        self.spec = spec
        self.dynamic = dynamic
        self.rand = rand
        self.window = RestartWindow(spec.max_restarts, spec.period)
        self.totals = Totals()
        self.closing = False
        """It is about to end: nothing is restarted any more, and requests are refused."""
        self.now = 0.0
        self.out: list[do.Effect] = _NOT_NOW
        """What the present event orders."""
        self._ending = False
        self.main = Lane()
        self._by_ref: dict[Any, Hashable] | None = {} if dynamic else None
        self.children: dict[Hashable, Entry] = {}
        """In start order."""
        for each in spec.children:
            self.add(each)

    @property
    def template(self) -> ChildSpec | None:
        """What all children are, in a simple_one_for_one."""
        return self.spec.template

    def step(self, event: got.Event, now: float) -> list[do.Effect]:
        """Take in one event at `now` (monotonic seconds); what must be done about it, in order."""
        self.now, self.out = now, []
        match event:
            case got.Begin():
                firsts: list[Step] = [Starting(key, Cause.FIRST) for key in self.children]
                self.run(self.main, [*firsts, Saying((do.Up(),))])
            case got.Spawned(key, ref):
                self.children[key].ref = ref
            case got.Started():
                starting.started(self, event)
            case got.StartFailed():
                starting.failed(self, event)
            case got.Exited():
                stopping.exited(self, event)
            case got.Overdue() | got.AllOverdue():
                stopping.time_is_up(self, event)
            case got.Shutdown(reason):
                if not self._ending:
                    self.end_with(do.Down(reason))
            case got.Retry():
                self.in_turn(event)
            case _:
                requests.arrived(self, event)
        orders, self.out = self.out, _NOT_NOW  # an empty list would take 56 bytes till the next
        return orders

    # -- plans

    def new_lane(self) -> Lane:
        """Where the plans of a new child go."""
        return Lane() if self.dynamic else self.main

    def in_turn(self, event: got.Event) -> None:
        """Deal with an event now, or when the plan that it concerns is done."""
        entry = self.children.get(getattr(event, "id", None))
        lane = self.new_lane() if entry is None else entry.lane
        if lane.steps:
            lane.wait(event)
        else:
            self._deal(event)

    def run(self, lane: Lane, steps: list[Step]) -> None:
        """Begin a plan."""
        lane.plan(steps)
        self.advance(lane)

    def advance(self, lane: Lane) -> None:
        """Go through the plan as far as nothing must be waited for, then to what waited for it."""
        while (step := lane.current) is not None:
            if not self._enter(step):
                return
            lane.pass_step()
        while (event := lane.next_waiting()) is not None:
            self._deal(event)

    def finish_step(self, lane: Lane) -> None:
        """The present step is done."""
        lane.pass_step()
        self.advance(lane)

    def _enter(self, step: Step) -> bool:
        """Begin a step, once; whether it is done."""
        match step:
            case Saying(effects):
                self.out.extend(effects)
                return True
            case Starting():
                return not step.entered and not starting.begin(self, step)
            case Stopping():
                if not step.entered:
                    step.entered = True
                    stopping.begin_all(self, step)
                return not step.ids

    def _deal(self, event: got.Event) -> None:
        match event:
            case got.Exited(key, ref):
                entry = self.children.get(key)
                if entry is not None and entry.ref is ref:  # else a step has dealt with it
                    restarting.ended_by_itself(self, entry, event)
            case got.Retry(key):
                restarting.retry(self, key)
            case got.Reconfigure():
                reconfiguring.reconfigure(self, event)
            case _:
                requests.carry_out(self, event)

    # -- the end

    def give_up(self, reason: ExitReason) -> None:
        """Begin the supervisor's own end."""
        self.closing = True
        self.out.append(do.GiveUp(reason))

    def end_with(self, down: do.Down) -> None:
        """End all children, then the supervisor. What was going on is dropped.

        Whoever waited for it is told by the driver.
        """
        self.closing = self._ending = True
        for entry in self.children.values():
            entry.lane = self.main
        self.main.drop()
        stops = stop_plan(list(self.children), together=self.dynamic)
        self.run(self.main, [*stops, Saying((down,))])

    # -- children

    def add(self, spec: ChildSpec) -> Entry:
        """A new child, the last in start order."""
        entry = self.children[spec.id] = Entry(spec, self.new_lane())
        return entry

    def forget(self, entry: Entry) -> None:
        """The child is no more."""
        self.discard_messages(entry)
        self.children.pop(entry.spec.id, None)
        if self._by_ref is not None:
            self._by_ref.pop(entry.known_as, None)

    def forget_if_passing(self, entry: Entry) -> None:
        """A child that is down is kept only where it can be started again."""
        if self.dynamic or entry.spec.restart is Restart.TEMPORARY:
            self.forget(entry)

    def now_known_as(self, entry: Entry, ref: Any) -> None:
        """The child has a new incarnation. Until then it goes by the last one's ref."""
        entry.ref = ref
        if self._by_ref is not None:
            self._by_ref.pop(entry.known_as, None)
            self._by_ref[ref] = entry.spec.id
        entry.known_as = ref

    def id_of(self, ref: Any) -> Hashable:
        """Which child of a dynamic supervisor was last known by this ref; None if none was."""
        return None if self._by_ref is None else self._by_ref.get(ref)

    def put_down(self, entry: Entry) -> None:
        """A child that its supervisor ended: down, or forgotten."""
        entry.ref, entry.dead = None, False
        self.discard_messages(entry)
        if entry.state is not ChildState.FAILED:
            entry.state = ChildState.STOPPED
        self.forget_if_passing(entry)

    def discard_messages(self, entry: Entry) -> None:
        """What its last incarnation left unhandled is not for a next one."""
        if entry.spec.keeps_messages:
            self.out.append(do.Discard(entry.spec.id))

    # -- small words

    def timer_on(self, entry: Entry, delay: float, event: got.Event) -> None:
        """Report `event` in `delay` seconds: the child's only timer."""
        entry.timed = True
        self.out.append(do.Arm(entry.spec.id, delay, event))

    def timer_off(self, entry: Entry) -> None:
        """The child's timer is not needed."""
        entry.next_attempt_at = None
        if entry.timed:
            entry.timed = False
            self.out.append(do.Disarm(entry.spec.id))

    def note(self, kind: type[TreeEvent], entry: Entry, *words: Any) -> None:
        """Tell whoever watches."""
        event = kind(
            self.path,
            entry.spec.id,
            *words,
            ref=entry.ref or entry.known_as,
            incarnation=entry.starts,
            seq=self.totals.next_event(),
            monotonic=self.now,
            time=self.now + self.wall_offset,
        )
        self.out.append(do.Note(event))

    def reply(self, to: Any, value: object) -> None:
        """Answer a request."""
        if to is not None:
            self.out.append(do.Reply(to, value))

    def refuse(self, to: Any, error: BaseException) -> None:
        """Answer a request with an error."""
        if to is not None:
            self.out.append(do.Refuse(to, error))
