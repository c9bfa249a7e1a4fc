"""What restarts takes its children down first: here it is a supervisor that gives up."""

from __future__ import annotations

import threading

import pytest

from klemheist import ExitReason, Supervisor, child, supervisor
from klemheist.supervisors.core.errors import StartError
from klemheist.testing import ManualClock, Probe, await_idle
from tests.supervisors.pekko.target import Exc1, Target, backoff


class Slow(Target):
    """Stops when the gate is open."""

    dispatcher = "thread"

    def __init__(self, probe, gate):
        super().__init__(probe)
        self.gate = gate

    def on_stop(self):
        self.gate.wait(20)
        super().on_stop()


@pytest.fixture
def probe():
    with Probe() as probe:
        yield probe


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


def crash_target(parent):
    """Have the parent's target fail, which is once too often."""
    parent.child("target").ref.tell(Exc1())


def stops_children(probe, gate, **spec):
    """A parent gives up; its two slow children are waited for before it is started again."""
    others, clock = Probe(), ManualClock()
    children = [
        *(child(Slow, others.ref, gate, id=name) for name in ("slow 1", "slow 2")),
        child(Target, probe.ref, id="target"),
    ]
    parent = supervisor(children, id="parent", max_restarts=0, **spec)
    with others, Supervisor.start([parent], clock=clock) as tree:
        probe.expect("started")
        first = tree.child("parent").ref
        slow = [first.child(name).ref for name in ("slow 1", "slow 2")]
        crash_target(first)
        probe.expect("failed")
        await_idle(probe.ref)
        assert tree.child("parent").ref is first
        gate.set()
        for ref in slow:
            others.expect_down(ref, reason=ExitReason.SHUTDOWN)
        others.expect_down(first, reason=ExitReason.SHUTDOWN)
        clock.advance(0.01, between=lambda: await_idle(tree))
        probe.expect("started")
        again = tree.handle("parent").wait_ready(5)
        assert again is not first
        assert not {again.child(name).ref for name in ("slow 1", "slow 2")} & set(slow)


def test_stop_children_when_restarting(probe, gate):
    """Adapted: children belong to a supervisor; its failure is that it gives up."""
    stops_children(probe, gate)


def test_stop_children_when_backoff(probe, gate):
    """Adapted: as above, and the supervisor has a backoff."""
    stops_children(probe, gate, backoff=backoff(0.01))


def stops_children_of_first_setup(probe, **spec):
    """A child that was up is stopped where a later one does not start; nothing is tried again."""
    children = [child(Target, probe.ref, id="child1"), child(Target, probe.ref, [True], id="2")]
    with pytest.raises(StartError) as caught:
        Supervisor.start([supervisor(children, id="parent", **spec)])
    assert isinstance(caught.value.__cause__, StartError)
    for expected in ("started", "start failed", "stopped"):
        probe.expect(expected)
    probe.expect_nothing()


def test_stop_children_when_restart_with_limit_from_exception_in_first_setup(probe):
    """Adapted: a first start that fails is the starter's to deal with (OTP), not tried again."""
    stops_children_of_first_setup(probe, max_restarts=10)


def test_stop_children_when_backoff_from_exception_in_first_setup(probe):
    """Adapted: as above, with a backoff, which concerns restarts alone."""
    stops_children_of_first_setup(probe, backoff=backoff(0.01))


def stops_children_of_later_setup(probe, **spec):
    """A restart that fails half way stops what it has started, then all start anew."""
    clock, ones = ManualClock(), Probe()
    children = [
        child(Target, ones.ref, id="child1"),
        child(Target, probe.ref, [False, True, False], id="target"),
    ]
    parent = supervisor(children, id="parent", max_restarts=0, **spec)
    with ones, Supervisor.start([parent], clock=clock, max_restarts=10) as tree:
        probe.expect("started")
        crash_target(tree.child("parent").ref)
        probe.expect("failed")
        clock.advance(1.0, between=lambda: await_idle(tree))
        for expected in ("start failed", "started"):
            probe.expect(expected)
        tree.handle("parent").wait_ready(5)
        for expected in ("started", "stopped", "started", "stopped", "started"):
            ones.expect(expected)
        ones.expect_nothing(tree)
        probe.expect_nothing(tree)


def test_stop_children_when_restart_with_limit_from_exception_in_later_setup(probe):
    """Adapted: as `stop children when restarting`."""
    stops_children_of_later_setup(probe)


def test_stop_children_when_backoff_from_exception_in_later_setup(probe):
    """Adapted: as `stop children when backoff`."""
    stops_children_of_later_setup(probe, backoff=backoff(0.01))
