"""How often one may fail, and what else a failure may mean."""

from __future__ import annotations

import pytest

from klemheist import ExitReason, Supervisor, child
from klemheist.actors.runtime import ActorDead
from klemheist.supervisors.core.errors import StartError
from klemheist.supervisors.core.flags import Directive
from klemheist.testing import ManualClock, Probe, await_idle
from tests.supervisors.pekko.target import Exc1, Target, fail, tree_of


@pytest.fixture
def probe():
    with Probe() as probe:
        yield probe


def test_stop_when_strategy_is_stop(probe):
    """Adapted: the strategy by exception is the child's `on_error`."""
    with tree_of(probe, on_error={Exc1: Directive.STOP}) as tree:
        fail(tree, probe)
        assert tree.child("target").state == "stopped"
        probe.expect_nothing(tree)


def test_stop_at_first_exception_when_restart_retries_limit_is_0(probe):
    """Adapted: the limit is the supervisor's, which ends with the child."""
    tree = tree_of(probe, max_restarts=0)
    fail(tree, probe)
    probe.expect_down(tree, reason=ExitReason.SHUTDOWN)


def test_stop_when_restart_limit_is_hit(probe):
    """Adapted: as above."""
    tree = tree_of(probe, max_restarts=2, clock=ManualClock())
    for _ in range(2):
        fail(tree, probe)
        probe.expect("started")
    fail(tree, probe)
    probe.expect_down(tree, reason=ExitReason.SHUTDOWN)
    probe.expect_nothing()


def test_reset_fixed_limit_after_timeout(probe):
    """Adapted: OTP's window slides, so the two failures are forgotten one after the other."""
    clock = ManualClock()
    with tree_of(probe, max_restarts=2, period=0.5, clock=clock) as tree:
        tree.handle("target").tell("increment")
        for _ in range(2):
            fail(tree, probe)
            probe.expect("started")
        clock.advance(0.55)
        fail(tree, probe)
        probe.expect("started")
        assert tree.handle("target").ask("state", timeout=5) == 0


def test_resume_when_handled_exception(probe):
    """Adapted: as `stop when strategy is stop`."""
    with tree_of(probe, on_error={Exc1: Directive.RESUME}) as tree:
        target = tree.handle("target").ref
        target.tell("increment")
        target.tell(Exc1())
        assert target.ask("state", timeout=5) == 1
        probe.expect_nothing(tree)


def test_fail_instead_of_restart_when_deferred_factory_throws(probe):
    """OTP's rule too: a first start is not tried again."""
    with pytest.raises(StartError) as caught:
        Supervisor.start([child(Target, probe.ref, [True])])
    assert isinstance(caught.value.__cause__, Exc1)
    probe.expect("start failed")
    probe.expect_nothing()


def test_restart_withlimit_when_deferred_factory_throws(probe):
    """Adapted: at a restart, since a first start is not tried again."""
    with tree_of(probe, failing=[False, True, False], max_restarts=3) as tree:
        fail(tree, probe)
        probe.expect("start failed")
        probe.expect("started")
        await_idle(tree)
        assert tree.child("target").state == "running"


def test_fail_after_more_than_limit_in_restart_withlimit_when_deferred_factory_throws(probe):
    """Adapted: as above; each try counts in the supervisor's limit."""
    tree = tree_of(probe, failing=[False, *[True] * 20], max_restarts=2)
    handle = tree.handle("target")
    handle.tell(Exc1())
    for expected in ("failed", "start failed", "start failed"):
        probe.expect(expected)
    probe.expect_down(tree, reason=ExitReason.SHUTDOWN)
    probe.expect_nothing()
    with pytest.raises(ActorDead):
        handle.tell("late")
