"""Calls that wait: first in first out within a session, round robin between sessions, bounded."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klemheist.actors.device import call as call_module
from klemheist.actors.device.call import MOST_WAITING, Call, FairQueue
from klemheist.actors.device.intake import Intake
from klemheist.actors.device.port import Port
from klemheist.actors.errors import CallCancelled, QueueFull, StaleHandle
from klemheist.actors.runtime.future import Future
from klemheist.transports.errors import LinkLost, LinkTimeout

OWNERS = st.sampled_from("abc")


def call(owner="a", *, deadline=10.0, **more) -> Call:
    made = Call(lambda board: iter(()), owner, deadline, **more)
    made.future = Future()
    return made


def drained(queue) -> list[Call]:
    return list(iter(queue.take, None))


@given(st.lists(OWNERS, max_size=40))
def test_within_a_session_calls_come_out_in_the_order_they_went_in(owners):
    queue, lanes = FairQueue(), defaultdict(list)
    for owner in owners:
        one = call(owner)
        queue.put(one)
        lanes[owner].append(one)
    assert len(queue) == len(owners)
    out = drained(queue)
    for owner, lane in lanes.items():
        assert [each for each in out if each.owner == owner] == lane
    assert not queue


@given(st.lists(OWNERS, max_size=40))
def test_no_session_has_a_second_turn_while_another_waits_for_its_first(owners):
    queue = FairQueue()
    for owner in owners:
        queue.put(call(owner))
    left = {owner: owners.count(owner) for owner in set(owners)}
    waited = dict.fromkeys(left, 0)
    for each in drained(queue):
        left[each.owner] -= 1
        waited[each.owner] = 0
        for other in waited:
            if other != each.owner and left[other]:
                waited[other] += 1
                assert waited[other] < len(waited)


class Model:
    """What a fair queue should be, in the simplest words."""

    def __init__(self):
        self.lanes, self.turns = {}, []

    def put(self, one, *, first=False):
        if one.owner not in self.lanes:
            self.lanes[one.owner] = []
            self.turns.append(one.owner)
        lane = self.lanes[one.owner]
        lane.insert(0 if first else len(lane), one)

    def remove(self, one):
        self.lanes[one.owner].remove(one)
        self._tidy(one.owner)

    def skip(self, owner, count):
        del self.lanes[owner][:count]
        self._tidy(owner)

    def take(self):
        if not self.turns:
            return None
        owner = self.turns.pop(0)
        one = self.lanes[owner].pop(0)
        self.turns.append(owner)
        self._tidy(owner)
        return one

    def _tidy(self, owner):
        if not self.lanes[owner]:
            del self.lanes[owner]
            self.turns.remove(owner)


@given(st.lists(st.tuples(st.sampled_from(["put", "back", "take", "skip", "remove"]), OWNERS)))
def test_any_mix_of_operations_does_what_the_model_does(steps):
    queue, model, known = FairQueue(), Model(), []
    for what, owner in steps:
        match what:
            case "put" | "back":
                known.append(call(owner))
                (queue.put if what == "put" else queue.put_back)(known[-1])
                model.put(known[-1], first=what == "back")
            case "take":
                taken = queue.take()
                assert taken is model.take()
                known = [each for each in known if each is not taken]
            case "skip" if owner in model.lanes:
                skipped = model.lanes[owner][: len(known) // 2]
                queue.skip(owner, len(skipped))
                model.skip(owner, len(skipped))
                known = [each for each in known if each not in skipped]
            case "remove" if known:
                one = known.pop(len(known) // 2)
                assert queue.remove(one)
                assert not queue.remove(one)
                model.remove(one)
        assert set(map(id, queue)) == set(map(id, known))


def test_a_full_lane_refuses_and_others_are_not_touched(monkeypatch):
    monkeypatch.setattr(call_module, "MOST_WAITING", 2)
    queue = FairQueue()
    for _ in range(2):
        queue.put(call("a"))
    with pytest.raises(QueueFull, match="take some results first"):
        queue.put(call("a"))
    queue.put(call("b"))
    assert len(queue) == 3
    assert MOST_WAITING >= 100


# -- what each caller is told ----------------------------------------------------------------------


@pytest.fixture
def intake() -> Intake:
    return Intake(Port("sim:", lambda: pytest.fail("nothing is opened here"), {}))


def error_of(one: Call) -> BaseException | None:
    assert one.future.done()
    return one.future.exception()


def test_a_deadline_that_passes_in_the_queue_says_that_nothing_was_sent(intake):
    one = call(deadline=1.0)
    intake.admit(one)
    assert intake.expire(1.0, lambda: pytest.fail("there is nothing to recover")) is False
    error = error_of(one)
    assert isinstance(error, LinkTimeout)
    assert error.maybe_executed is False
    assert error.recovery is None


def test_a_deadline_that_passes_under_way_interrupts_and_brings_the_recovery(intake):
    one = call(deadline=1.0)
    intake.admit(one)
    intake.take(0.0)
    assert intake.expire(1.0, lambda: "the recovery") is True
    assert error_of(one).maybe_executed is True
    assert error_of(one).recovery == "the recovery"


def test_a_call_for_another_boot_is_stale_and_never_sent(intake):
    one = call(generation=3)
    intake.admit(one)
    assert intake.take(0.0) is None
    assert isinstance(error_of(one), StaleHandle)


def test_a_call_of_unknown_fate_is_not_sent_again(intake):
    one = call()
    intake.admit(one)
    intake.take(0.0)
    intake.lose(LinkLost, "gone")
    assert error_of(one).maybe_executed is True
    assert intake.take(0.0) is None


def test_an_idempotent_call_is_sent_again_before_its_session_s_others_and_not_for_ever(intake):
    one, other = call(idempotent=True), call()
    intake.admit(one)
    intake.admit(other)
    for _ in range(call_module.MOST_TRIES):
        assert intake.take(0.0) is one
        intake.lose(LinkLost, "gone")
    assert isinstance(error_of(one), LinkLost)
    assert intake.take(0.0) is other


def test_when_all_is_lost_only_what_was_under_way_may_have_been_executed(intake):
    running, waiting = call(idempotent=True), call("b")
    intake.admit(running)
    intake.take(0.0)
    intake.admit(waiting)
    intake.lose_all(LinkLost, "gone")
    assert error_of(running).maybe_executed is True
    assert error_of(waiting).maybe_executed is False


@pytest.mark.parametrize("running", [True, False])
def test_a_cancelled_call_says_whether_it_had_begun(intake, running):
    one = call()
    intake.admit(one)
    if running:
        intake.take(0.0)
    assert intake.cancel(one, "enough") is running
    assert isinstance(error_of(one), CallCancelled)
    assert error_of(one).maybe_executed is running
    assert intake.take(0.0) is None


@given(st.lists(st.floats(0, 100), max_size=10))
def test_the_next_deadline_is_the_earliest(deadlines):
    intake = Intake(Port("sim:", lambda: pytest.fail("nothing is opened here"), {}))
    for deadline in deadlines:
        intake.admit(call(deadline=deadline))
    assert intake.next_deadline() == min(deadlines, default=None)
