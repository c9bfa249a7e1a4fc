from __future__ import annotations

import pytest

from klemheist.actors.runtime import ExitReason, ManualClock
from klemheist.supervisors.core.child import Backoff, child
from klemheist.supervisors.core.errors import (
    AlreadyStarted,
    ChildNotFound,
    InvalidChildSpec,
    InvalidFlags,
    MaxChildren,
)
from klemheist.supervisors.core.info import ChildCount
from klemheist.supervisors.tree.dynamic import DynamicSupervisor


def test_children_come_and_go_and_ids_are_free_again(worker, script, tools):
    with DynamicSupervisor.start() as tree:
        for n in range(3):
            tree.start_child(child(worker, str(n), script, id=n))
        assert tree.count() == ChildCount(3, 3, 0, 3)
        with pytest.raises(AlreadyStarted) as caught:
            tree.start_child(child(worker, "1", script, id=1))
        assert caught.value.ref is tree.child(1).ref
        tree.terminate_child(1)
        assert [info.id for info in tree.children()] == [0, 2]
        tree.start_child(child(worker, "1", script, id=1))
        with pytest.raises(ChildNotFound):
            tree.terminate_child("nobody")


def test_a_crash_restarts_only_that_child_with_its_own_arguments(worker, script, tools):
    with DynamicSupervisor.start() as tree:
        for name in "ab":
            tree.start_child(child(worker, name, script, id=name))
        other = tools.number(tree, "b")
        old = tools.crash(tree, "a")
        assert tree.handle("a").wait_ready(5) is not old
        assert tools.number(tree, "b") == other
        assert "restart a 1" in script.lines


def test_a_transient_child_that_is_done_is_forgotten(worker, script):
    with DynamicSupervisor.start() as tree:
        ref = tree.start_child(child(worker, "a", script, id="a", restart="transient")).ref
        ref.tell(ExitReason.NORMAL)
        ref.ended.get(timeout=5)
        assert tree.children() == []


def test_one_that_ignores_is_never_stored(script, tools):
    script.plans["a"] = ["ignore"]
    with DynamicSupervisor.start() as tree:
        assert tree.start_child(child(tools.Worker, "a", script, id="a")).ref is None
        assert tree.children() == []


def test_max_children(script, tools):
    with DynamicSupervisor.start(max_children=1) as tree:
        tree.start_child(child(tools.Worker, "a", script, id="a"))
        with pytest.raises(MaxChildren):
            tree.start_child(child(tools.Worker, "b", script, id="b"))


def test_a_child_that_takes_long_to_start_or_end_keeps_nobody_waiting(script, tools):
    script.plans["slow"] = ["hang"]
    with DynamicSupervisor.start() as tree:
        slow = tree.start_child(child(tools.ThreadWorker, "slow", script, id="slow"), block=False)
        gone = tree.terminate_child("slow", block=False)
        assert tree.start_child(child(tools.Worker, "a", script, id="a"), timeout=5).ref
        tree.terminate_child("a", timeout=5)
        assert not slow.done()
        script.gate.set()
        assert slow.get(timeout=5).ref
        gone.get(timeout=5)


def test_one_childs_budget_is_its_own(script, tools):
    clock = ManualClock()
    tree = DynamicSupervisor.start(clock=clock, max_restarts=0)
    backoff = Backoff(min=1, max=1, jitter=0, reset_after=100, max_restarts=1)
    for name in "ab":
        tree.start_child(child(tools.Worker, name, script, id=name, backoff=backoff))
    for _ in range(2):
        tools.crash(tree, "a")
        clock.advance(1)
    assert [info.state for info in tree.children()] == ["failed", "running"]
    tree.terminate_child("a")
    assert [info.id for info in tree.children()] == ["b"]
    tree.shutdown()


def test_what_only_other_supervisors_have_is_refused_and_not_forgotten(worker):
    with pytest.raises(InvalidFlags, match="a dynamic supervisor has only one_for_one"):
        DynamicSupervisor.start(strategy="one_for_all")
    with pytest.raises(InvalidFlags, match=r"start them with start_child\(\)"):
        DynamicSupervisor.start(children=[child(worker)])


def test_the_arguments_of_a_template_are_a_list(worker, script):
    with (
        DynamicSupervisor.start(template=child(worker)) as tree,
        pytest.raises(InvalidChildSpec, match="where there is a template, a list of arguments"),
    ):
        tree.start_child("a")
