"""How a DynamicSupervisor ends its children: all of them at its own end, or one by request."""

from __future__ import annotations

import threading

import pytest

from klemheist import BRUTAL_KILL, INFINITY, DynamicSupervisor, ExitReason
from klemheist.supervisors.core.errors import ChildNotFound
from klemheist.testing import ManualClock, Probe
from tests.supervisors.elixir.workers import (
    Hanging,
    Sleepy,
    Starter,
    Stubborn,
    ThreadSleepy,
    assert_kill,
    counted,
    started,
    worker,
)

OOPS = ExitReason.shutdown("oops")


@pytest.fixture(params=[Sleepy, ThreadSleepy])
def sleepy(request):
    """A child on the pool, and one on a thread of its own."""
    return request.param


@pytest.fixture
def supervisor():
    return DynamicSupervisor.start()


def ends_with(supervisor, reasons, *specs):
    """Start the children, end the supervisor, and see each child end with its reason."""
    with Probe() as probe:
        refs = [started(supervisor, spec) for spec in specs]
        probe.watch(supervisor, *refs)
        supervisor.exit(ExitReason.SHUTDOWN)
        for ref, reason in zip(refs, reasons, strict=True):
            probe.expect_down(ref, reason=reason)
        probe.expect_down(supervisor, reason=ExitReason.SHUTDOWN)


def three(*start, **spec):
    return [worker(*start, **spec) for _ in range(3)]


# -- terminate/2 ----------------------------------------------------------------------------------


def test_terminate_2_terminates_children_with_brutal_kill(supervisor, sleepy):
    ends_with(supervisor, [ExitReason.KILLED] * 3, *three(sleepy, shutdown=BRUTAL_KILL))


def test_terminate_2_terminates_children_with_infinity_shutdown(supervisor, sleepy):
    ends_with(supervisor, [ExitReason.SHUTDOWN] * 3, *three(sleepy, shutdown=INFINITY))


def test_terminate_2_terminates_children_with_infinity_shutdown_and_abnormal_reason(supervisor):
    """Adapted: a child that traps exits is one whose `on_stop` raises `Exit`."""
    ends_with(supervisor, [OOPS] * 3, *three(Stubborn, OOPS, shutdown=INFINITY))


def test_terminate_2_terminates_children_with_integer_shutdown(supervisor, sleepy):
    ends_with(supervisor, [ExitReason.SHUTDOWN] * 3, *three(sleepy, shutdown=1))


def test_terminate_2_terminates_children_with_integer_shutdown_and_abnormal_reason(supervisor):
    """Adapted: as with infinity."""
    ends_with(supervisor, [OOPS] * 3, *three(Stubborn, OOPS, shutdown=1))


def test_terminate_2_terminates_children_with_expired_integer_shutdown(sleepy):
    """Adapted: the second hangs in `on_stop`; the clock is moved by hand; killed is abandoned."""
    clock, gate = ManualClock(), threading.Event()
    supervisor = DynamicSupervisor.start(clock=clock)
    with Probe() as probe:
        specs = [
            worker(sleepy, shutdown=1),
            worker(Hanging, gate, shutdown=1),
            worker(sleepy, shutdown=1),
        ]
        one, two, three = (started(supervisor, spec) for spec in specs)
        supervisor.exit(ExitReason.SHUTDOWN)
        probe.expect_down(one, reason=ExitReason.SHUTDOWN)
        probe.expect_down(three, reason=ExitReason.SHUTDOWN)
        assert not two.ended.done()
        clock.advance(1)
        probe.expect_down(two, reason=ExitReason.KILLED)
        probe.expect_down(supervisor, reason=ExitReason.SHUTDOWN)
    gate.set()


def test_terminate_2_terminates_children_with_permanent_restart_and_normal_reason(supervisor):
    """Adapted: as with infinity."""
    normal = ExitReason.NORMAL
    specs = three(Stubborn, normal, shutdown=INFINITY, restart="permanent")
    ends_with(supervisor, [normal] * 3, *specs)


def test_terminate_2_terminates_with_mixed_children(supervisor, sleepy):
    ends_with(
        supervisor,
        [ExitReason.SHUTDOWN, ExitReason.KILLED],
        worker(sleepy, shutdown=INFINITY),
        worker(sleepy, shutdown=BRUTAL_KILL),
    )


# -- terminate_child/2 ----------------------------------------------------------------------------


def terminates(supervisor, spec, reason):
    with supervisor, Probe() as probe:
        ref = started(supervisor, spec)
        probe.watch(ref)
        supervisor.terminate_child(ref, timeout=5)
        probe.expect_down(ref, reason=reason)
        with pytest.raises(ChildNotFound):
            supervisor.terminate_child(ref, timeout=5)
        assert counted(supervisor) == {"workers": 0, "active": 0}


def test_terminate_child_2_terminates_child_with_brutal_kill(supervisor, sleepy):
    terminates(supervisor, worker(sleepy, shutdown=BRUTAL_KILL), ExitReason.KILLED)


def test_terminate_child_2_terminates_child_with_integer_shutdown(supervisor, sleepy):
    terminates(supervisor, worker(sleepy, shutdown=1), ExitReason.SHUTDOWN)


def test_terminate_child_2_terminates_restarting_child():
    with DynamicSupervisor.start(max_restarts=100_000) as supervisor:
        failing = Starter("ok2", "error")
        ref = started(supervisor, worker(failing))
        assert_kill(ref, ExitReason.SHUTDOWN)
        failing.expect("ok2", "error")
        supervisor.terminate_child(ref, timeout=5)
        with pytest.raises(ChildNotFound):
            supervisor.terminate_child(ref, timeout=5)
        assert counted(supervisor) == {"workers": 0, "active": 0}
