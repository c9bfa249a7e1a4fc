from __future__ import annotations

import threading

import pytest

from klemheist.actors.runtime import ActorDead, ExitReason, ManualClock, WouldDeadlock
from klemheist.supervisors.core import events as told
from klemheist.supervisors.core.child import Backoff, child
from klemheist.supervisors.core.errors import (
    AlreadyPresent,
    AlreadyStarted,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    InvalidFlags,
    StartError,
    SupervisorError,
)
from klemheist.supervisors.tree.supervisor import Supervisor


@pytest.mark.parametrize(
    ("strategy", "renewed"),
    [("one_for_one", "b"), ("one_for_all", "abc"), ("rest_for_one", "bc")],
)
def test_a_crash_renews_whom_the_strategy_says(strategy, renewed, worker, script, tools):
    specs = [child(worker, name, script, id=name) for name in "abc"]
    with Supervisor.start(specs, strategy=strategy) as tree:
        before = {name: tools.number(tree, name) for name in "abc"}
        del script.lines[:]
        tools.crash(tree, "b")
        last = tree.handle(renewed[-1])
        while (ref := last.wait_ready(5)).ask(0, timeout=5) == before[renewed[-1]]:
            ref.ended.get(timeout=5)  # it is about to be stopped
        after = {name: tools.number(tree, name) for name in "abc"}
        assert "".join(name for name in "abc" if before[name] != after[name]) == renewed
        stops = [line for line in script.lines if line.startswith("stop")]
        assert stops == [f"stop {name}" for name in reversed(renewed) if name != "b"]
        starts = [line for line in script.lines if line.startswith("start")]
        assert starts == [f"start {name}" for name in renewed]


def test_one_restart_too_many_ends_the_tree_with_shutdown(worker, script, tools):
    specs = [child(worker, name, script, id=name) for name in "ab"]
    tree = Supervisor.start(specs, max_restarts=2, period=60)
    for _ in range(3):
        tools.crash(tree, "a")
    assert tree.ended.get(timeout=5) is ExitReason.SHUTDOWN
    assert script.lines[-1] == "stop b"
    with pytest.raises(ActorDead):
        tree.children()


def test_restarts_that_are_far_enough_apart_never_end_it(script, tools):
    clock = ManualClock()
    tree = Supervisor.start(
        [child(tools.Worker, "a", script, id="a")], max_restarts=1, period=1.0, clock=clock
    )
    for _ in range(4):
        clock.advance(1.1)
        tools.crash(tree, "a")
    assert tree.child("a").restarts == 4
    tree.shutdown()


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("reason", ["normal", "shutdown", "info", "killed"])
def test_what_follows_an_end(restart, reason, worker, script, tools):
    with Supervisor.start([child(worker, "a", script, id="a", restart=restart)]) as tree:
        ref = tree.child("a").ref
        if reason == "killed":
            ref.kill()
        else:
            given = {"normal": ExitReason.NORMAL, "info": ExitReason.shutdown(1)}
            ref.tell(given.get(reason, ExitReason.SHUTDOWN))
        ref.ended.get(timeout=5)
        if restart == "permanent" or (restart == "transient" and reason == "killed"):
            assert tree.handle("a").wait_ready(5) is not ref
            return
        _settle(tree)
        if restart == "temporary":
            assert tree.children() == []
        else:
            info = tree.child("a")
            assert (info.state, info.ref) == ("stopped", None)
            assert info.last_exit.is_normal
            assert tree.restart_child("a").ref.is_alive()


def test_a_child_that_does_not_start_stops_those_before_it(worker, script):
    script.plans["b"] = ["fail"]
    with pytest.raises(StartError) as caught:
        Supervisor.start([child(worker, name, script, id=name) for name in "abc"])
    assert caught.value.id == "b"
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert script.lines == ["start a", "stop a"]


def test_a_constructor_that_raises_is_a_start_failure(tools):
    with pytest.raises(StartError) as caught:
        Supervisor.start([child(tools.Worker, id="too few arguments")])
    assert isinstance(caught.value.__cause__, TypeError)


def test_a_failing_restart_is_retried_as_a_message_until_the_window_is_full(script, tools):
    events = []
    script.plans["a"] = [None, "fail", "fail"]
    spec = child(tools.Worker, "a", script, id="a")
    with Supervisor.start([spec], max_restarts=3, on_event=events.append) as tree:
        tools.crash(tree, "a")
        assert tree.handle("a").wait_ready(5).is_alive()
        assert tree.snapshot().restarts_in_window == 3
        failures = [event for event in events if isinstance(event, told.ChildStartFailed)]
        assert len(failures) == 2
        attempts = [event.attempt for event in events if isinstance(event, told.ChildRestarted)]
        assert attempts == [3]
    script.plans["a"] = [None, "fail", "fail", "fail"]
    tree = Supervisor.start([spec], max_restarts=3)
    tools.crash(tree, "a")
    assert tree.ended.get(timeout=5) is ExitReason.SHUTDOWN


def test_rest_for_one_goes_on_from_the_child_that_failed(script, tools):
    specs = [child(tools.Worker, name, script, id=name) for name in "abc"]
    script.plans["b"] = [None, "fail"]
    with Supervisor.start(specs, strategy="rest_for_one") as tree:
        del script.lines[:]
        tools.crash(tree, "a")
        _settle(tree)
        starts = [line for line in script.lines if line.startswith("start")]
        assert starts == ["start a", "start b", "start c"]


def test_one_for_all_begins_anew_when_a_sibling_fails(script, tools):
    specs = [child(tools.Worker, name, script, id=name) for name in "abc"]
    script.plans["b"] = [None, "fail"]
    with Supervisor.start(specs, strategy="one_for_all") as tree:
        del script.lines[:]
        tools.crash(tree, "a")
        _settle(tree)
        assert [line for line in script.lines if "restart" not in line] == [
            "stop c",
            "stop b",
            "start a",
            "stop a",
            "start a",
            "start b",
            "start c",
        ]


def test_backoff_delays_and_does_not_count_in_the_window(script, tools):
    clock = ManualClock()
    backoff = Backoff(min=1, max=4, jitter=0, reset_after=100)
    spec = child(tools.Worker, "a", script, id="a", backoff=backoff)
    tree = Supervisor.start([spec], max_restarts=0, clock=clock)
    for delay in (1, 2, 4, 4):
        tools.crash(tree, "a")
        info = tree.child("a")
        assert (info.state, info.next_attempt_in) == ("restarting", delay)
        with pytest.raises(ChildRestarting):
            tree.restart_child("a")
        clock.advance(delay)
        assert tree.child("a").state == "running"
    clock.advance(100)
    tools.crash(tree, "a")
    assert tree.child("a").next_attempt_in == 1
    tree.shutdown()


def test_a_backoffs_own_budget_fails_the_child_and_not_its_supervisor(script, tools):
    clock, events = ManualClock(), []
    backoff = Backoff(min=1, max=1, jitter=0, reset_after=100, max_restarts=2)
    specs = [
        child(tools.Worker, "a", script, id="a", backoff=backoff),
        child(tools.Worker, "b", script, id="b"),
    ]
    tree = Supervisor.start(specs, clock=clock, on_event=events.append)
    for _ in range(3):
        tools.crash(tree, "a")
        clock.advance(1)
    assert tree.child("a").state == "failed"
    with pytest.raises(ChildNotFound, match="failed for good"):
        tree.handle("a").ask("anybody?")
    assert tree.child("b").state == "running"
    assert any(isinstance(event, told.ChildFailed) for event in events)
    assert tree.restart_child("a").ref.is_alive()
    tree.shutdown()


def test_terminating_a_restarting_child_cancels_its_restart(script, tools):
    clock = ManualClock()
    spec = child(tools.Worker, "a", script, id="a", backoff=Backoff(min=1, jitter=0))
    tree = Supervisor.start([spec], clock=clock)
    tools.crash(tree, "a")
    tree.terminate_child("a")
    clock.advance(10)
    assert tree.child("a").state == "stopped"
    tree.shutdown()


def test_a_child_that_ignores_is_kept_unless_temporary(script, tools):
    script.plans = {"a": ["ignore"], "b": ["ignore"]}
    specs = [
        child(tools.Worker, "a", script, id="a"),
        child(tools.Worker, "b", script, id="b", restart="temporary"),
    ]
    with Supervisor.start(specs) as tree:
        assert [(info.id, info.ref) for info in tree.children()] == [("a", None)]


def test_requests_are_refused_with_otps_codes(script, tools):
    spec = child(tools.Worker, "a", script, id="a")
    with Supervisor.start() as tree:
        ref = tree.start_child(spec).ref
        for error, call in (
            (AlreadyStarted, lambda: tree.start_child(spec)),
            (ChildRunning, lambda: tree.restart_child("a")),
            (ChildRunning, lambda: tree.delete_child("a")),
            (ChildNotFound, lambda: tree.terminate_child("b")),
            (ChildNotFound, lambda: tree.child("b")),
            (ChildNotFound, lambda: tree.handle("b").wait_ready(1)),
        ):
            with pytest.raises(error) as caught:
                call()
            assert isinstance(caught.value, SupervisorError)
        assert not hasattr(caught.value, "ref")
        tree.terminate_child("a")
        tree.terminate_child("a")
        assert ref.reason is ExitReason.SHUTDOWN
        with pytest.raises(AlreadyPresent):
            tree.start_child(spec)
        tree.delete_child("a")
        assert tree.count().specs == 0
        script.plans["a"] = ["fail"]
        with pytest.raises(StartError):
            tree.start_child(spec)
        assert tree.children() == []


def test_a_start_that_takes_too_long_is_killed(script, tools):
    script.plans["a"] = ["hang"]
    with Supervisor.start() as tree:
        with pytest.raises(StartError) as caught:
            tree.start_child(child(tools.ThreadWorker, "a", script, id="a", start_timeout=0.05))
        assert isinstance(caught.value.__cause__, TimeoutError)


def test_asking_ones_own_supervisor_from_on_start_is_refused(worker, script):
    class Nosy(worker):
        def on_start(self):
            tree.start_child(child(worker, "x", script, id="x"))

    tree = Supervisor.start()
    with tree, pytest.raises(StartError) as caught:
        tree.start_child(child(Nosy, "n", script, id="n"), timeout=5)
    assert isinstance(caught.value.__cause__, WouldDeadlock)


def test_an_inner_supervisor_that_gives_up_is_restarted_by_the_outer_one(script, tools):
    from klemheist.supervisors.tree.dynamic import supervisor

    inner = supervisor([child(tools.Worker, "a", script, id="a")], id="in", max_restarts=0)
    with Supervisor.start([inner]) as tree:
        first = tree.child("in").ref
        tools.crash(first, "a")
        assert first.ended.get(timeout=5) is ExitReason.SHUTDOWN
        second = tree.handle("in").wait_ready(5)
        assert second is not first
        assert second.child("a").state == "running"


def test_a_waiting_ask_follows_the_child_to_its_next_incarnation(script, tools):
    clock = ManualClock()
    spec = child(tools.Worker, "a", script, id="a", backoff=Backoff(min=1, jitter=0))
    tree = Supervisor.start([spec], clock=clock)
    tools.crash(tree, "a")
    with pytest.raises(ChildRestarting):
        tree.handle("a").ask("number", timeout=0.01)
    ready = tree.actor().ready("a")
    clock.advance(1)
    assert ready.get(timeout=5) is tree.handle("a").ref
    tree.shutdown()


def test_killing_a_supervisor_kills_everything_under_it(worker, script):
    from klemheist.supervisors.tree.dynamic import supervisor

    inner = supervisor([child(worker, "a", script, id="a")], id="in")
    tree = Supervisor.start([inner])
    leaf = tree.child("in").ref.child("a").ref
    tree.kill()
    assert leaf.ended.get(timeout=5) is ExitReason.KILLED
    assert tree.reason is ExitReason.KILLED


def test_wrong_flags_are_refused_and_leave_nothing():
    before = threading.active_count()
    for flags in ({"strategy": "best"}, {"max_restarts": -1}, {"period": 0}):
        with pytest.raises(InvalidFlags):
            Supervisor.start(**flags)
    assert threading.active_count() == before


def _settle(tree):
    """A request is served after everything that was queued before it."""
    for _ in range(3):
        with pytest.raises(ChildNotFound):
            tree.terminate_child("nobody")
