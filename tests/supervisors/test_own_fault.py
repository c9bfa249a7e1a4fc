"""A bug in the supervisor itself: it crashes as any actor does, and is never deaf."""

from __future__ import annotations

import pytest

import klemheist
from klemheist import DynamicSupervisor, Supervisor, child
from klemheist.testing import Probe, await_idle


class Worker(klemheist.Actor):
    """Crashes when told to."""

    def on_receive(self, message):
        raise message


class Bug(Exception):  # noqa: N818 -- it is one
    """The fault that these tests forge."""


def break_core(ref):
    """Let the next step of a supervisor's core fail."""
    core = ref.actor()._core

    def step(event, now):
        raise Bug

    core.step = step


@pytest.fixture
def tree():
    with Supervisor.start([child(DynamicSupervisor, id="inner")]) as tree:
        yield tree


@pytest.mark.parametrize("by_request", [False, True])
def test_a_supervisor_with_a_bug_crashes_its_children_end_and_it_is_started_anew(tree, by_request):
    broken = tree.child("inner").ref
    worker = broken.start_child(child(Worker)).ref
    break_core(broken)
    with Probe() as probe:
        probe.watch(broken, worker)
        if by_request:
            with pytest.raises((Bug, klemheist.ActorDead)):
                broken.start_child(child(Worker, id="other"), timeout=5)
        else:
            worker.tell(ValueError("told to"))
        probe.expect_down(worker)
        probe.expect_down(broken, reason=Bug)
    await_idle(tree)
    again = tree.child("inner").ref
    assert again is not broken
    assert again.start_child(child(Worker), timeout=5).ref.is_alive()


class Struck(BaseException):
    """What a signal's handler raises, in the midst of whatever the main thread does."""


class StruckOnce(Worker):
    """Is struck in the constructor of its second incarnation."""

    inline = True

    def __init__(self, started):
        super().__init__()
        started.append(self)
        if len(started) == 2:
            raise Struck


def test_what_a_signals_handler_raises_in_a_childs_start_is_the_callers():
    started = []
    with Supervisor.start([child(StruckOnce, started, id="worker")]) as tree:
        with pytest.raises(Struck):
            tree.child("worker").ref.tell(ValueError("told to"))
        await_idle(tree)
        assert tree.child("worker").ref.is_alive()
    assert len(started) == 3
