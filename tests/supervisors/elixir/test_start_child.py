"""What `start_child` takes, and what it answers."""

from __future__ import annotations

import pytest

import klemheist
from klemheist import BRUTAL_KILL, ChildSpec, DynamicSupervisor, ExitReason, child
from klemheist.supervisors.core.errors import InvalidChildSpec, MaxChildren, StartError
from klemheist.testing import Probe
from tests.supervisors.elixir.workers import (
    WHATEVER,
    Sleepy,
    Starter,
    assert_kill,
    counted,
    sleepy_worker,
    started,
    worker,
)


@pytest.fixture
def supervisor():
    with DynamicSupervisor.start() as supervisor:
        yield supervisor


@pytest.fixture
def patient():
    """One that restarts as often as it must."""
    with DynamicSupervisor.start(max_restarts=100_000) as supervisor:
        yield supervisor


class Calling(klemheist.Actor):
    """Calls what it is given, and stays."""

    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def on_start(self):
        self.fn()


# -- specs ----------------------------------------------------------------------------------------


def test_start_child_2_supports_old_child_spec(supervisor):
    """Adapted: there is no form before `ChildSpec`; here with every field of OTP's tuple."""
    spec = ChildSpec(id="task", start=Sleepy, restart="temporary", shutdown=5.0, type="worker")
    assert started(supervisor, spec).is_alive()


def test_start_child_2_supports_new_child_spec_as_tuple(supervisor):
    """Adapted: `child()` with options."""
    assert started(supervisor, child(Sleepy, restart="temporary")).is_alive()


def test_start_child_2_supports_new_child_spec(supervisor):
    assert started(supervisor, child(Sleepy)).is_alive()


def test_start_child_2_supports_extra_arguments():
    with Probe() as parent:
        extra = (lambda: parent.ref.tell("from child"),)
        with DynamicSupervisor.start(extra_arguments=extra) as supervisor:
            started(supervisor, worker(Calling, restart="temporary"))
            parent.expect("from child")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"id": None}, "missing_id"),
        ({"start": None}, "missing_start"),
        ({"start": 2}, "invalid_mfa"),
        ({"args": "bar"}, "invalid_mfa"),
        ({"shutdown": -1}, "invalid_shutdown"),
        ({"significant": True}, "bad_combination"),
        ({"significant": True, "restart": "transient"}, "bad_combination"),
    ],
)
def test_start_child_2_with_invalid_child_spec(supervisor, fields, code):
    """Adapted: a spec is checked when it is made; only what depends on the supervisor, here."""
    with pytest.raises(InvalidChildSpec) as caught:
        supervisor.start_child(ChildSpec(**{"id": 1, "start": Sleepy} | fields))
    assert caught.value.code == code
    with pytest.raises(InvalidChildSpec) as caught:
        supervisor.start_child({})
    assert caught.value.code == "invalid_child_spec"


def test_start_child_2_with_different_returns(supervisor):
    """Adapted: a factory raises where Elixir's returns an error; ignoring gives no ref."""
    ref, info = supervisor.start_child(worker(Starter("ok3")))
    assert (ref.ask("", timeout=5), info) == ("awake", "extra")
    assert started(supervisor, worker(Starter("ok2"))).is_alive()
    assert supervisor.start_child(worker(Starter("ignore"))).ref is None
    for plan, cause in {"error": RuntimeError, "unknown": TypeError}.items():
        with pytest.raises(StartError) as caught:
            supervisor.start_child(worker(Starter(plan)))
        assert isinstance(caught.value.__cause__, cause)
    assert counted(supervisor) == {"workers": 2, "active": 2}


def test_start_child_2_with_throw_error_exit(supervisor):
    """Adapted: Python has one way to raise; `SystemExit` is the exit."""
    for plan, cause in {"throw": RuntimeError, "exit": SystemExit}.items():
        with pytest.raises(StartError) as caught:
            supervisor.start_child(worker(Starter(plan)))
        assert isinstance(caught.value.__cause__, cause)
        assert caught.value.__cause__.__traceback__ is not None
    assert counted(supervisor) == {"workers": 0, "active": 0}


def test_start_child_2_with_max_children():
    with DynamicSupervisor.start(max_children=0) as supervisor, pytest.raises(MaxChildren):
        supervisor.start_child(sleepy_worker())


@pytest.mark.parametrize("shutdown", [0, 1])
def test_start_child_2_with_valid_shutdown(supervisor, shutdown):
    assert_kill(started(supervisor, sleepy_worker(shutdown=shutdown)), ExitReason.SHUTDOWN)


def test_start_child_2_with_invalid_valid_shutdown():
    for wrong in (-1, "soon", True):
        with pytest.raises(InvalidChildSpec) as caught:
            sleepy_worker(shutdown=wrong)
        assert caught.value.code == "invalid_shutdown"
    assert sleepy_worker(shutdown=BRUTAL_KILL).patience is BRUTAL_KILL


# -- restarts -------------------------------------------------------------------------------------


def test_start_child_2_temporary_child_is_not_restarted_regardless_of_reason(supervisor):
    for reason in (ExitReason.SHUTDOWN, WHATEVER):
        assert_kill(started(supervisor, sleepy_worker(restart="temporary")), reason)
        assert counted(supervisor) == {"workers": 0, "active": 0}


def test_start_child_2_transient_child_is_restarted_unless_normal_shutdown_shutdown(supervisor):
    for reason in (ExitReason.SHUTDOWN, ExitReason.shutdown("signal")):
        assert_kill(started(supervisor, sleepy_worker(restart="transient")), reason)
        assert counted(supervisor) == {"workers": 0, "active": 0}
    assert_kill(started(supervisor, sleepy_worker(restart="transient")), WHATEVER)
    assert counted(supervisor) == {"workers": 1, "active": 1}


def test_start_child_2_permanent_child_is_restarted_regardless_of_reason(patient):
    reasons = (ExitReason.SHUTDOWN, ExitReason.shutdown("signal"), WHATEVER)
    for count, reason in enumerate(reasons, 1):
        assert_kill(started(patient, sleepy_worker(restart="permanent")), reason)
        assert counted(patient) == {"workers": count, "active": count}


def test_start_child_2_child_is_restarted_with_different_values(patient):
    """Adapted: one that fails again and again is starting or restarting, whenever one looks."""

    def restarted(what):
        start = Starter("ok2", what)
        child = started(patient, worker(start))
        assert patient.child(child).ref is child
        assert_kill(child, ExitReason.SHUTDOWN)
        start.expect("ok2", what)

    restarted("ok2")
    assert counted(patient) == {"workers": 1, "active": 1}
    restarted("ok3")
    assert counted(patient) == {"workers": 2, "active": 2}
    restarted("ignore")
    assert counted(patient) == {"workers": 2, "active": 2}
    restarted("error")
    assert counted(patient, settled=False) == {"workers": 3, "active": 2}
    assert patient.children()[-1].state in ("restarting", "starting")
    restarted("unknown")
    assert counted(patient, settled=False) == {"workers": 4, "active": 2}


def test_start_child_2_restarting_on_init_children_counted_in_max_children():
    with DynamicSupervisor.start(max_children=1, max_restarts=100_000) as supervisor:
        failing = Starter("ok2", "error")
        assert_kill(started(supervisor, worker(failing)), ExitReason.SHUTDOWN)
        failing.expect("ok2", "error")
        assert counted(supervisor, settled=False) == {"workers": 1, "active": 0}
        with pytest.raises(MaxChildren):
            supervisor.start_child(sleepy_worker())


def test_start_child_2_restarting_on_exit_children_counted_in_max_children():
    with DynamicSupervisor.start(max_children=1, max_restarts=100_000) as supervisor:
        assert_kill(started(supervisor, sleepy_worker()), ExitReason.SHUTDOWN)
        assert counted(supervisor) == {"workers": 1, "active": 1}
        with pytest.raises(MaxChildren):
            supervisor.start_child(sleepy_worker())


def test_start_child_2_restarting_a_child_with_extra_arguments_successfully_restarts_child():
    with Probe() as parent:
        extra = (lambda: parent.ref.tell("from child"),)
        with DynamicSupervisor.start(extra_arguments=extra) as supervisor:
            child = started(supervisor, worker(Calling, restart="transient"))
            parent.expect("from child")
            assert counted(supervisor) == {"workers": 1, "active": 1}
            assert_kill(child, WHATEVER)
            parent.expect("from child")
            assert counted(supervisor) == {"workers": 1, "active": 1}


def test_start_child_2_child_is_restarted_when_trying_again():
    with DynamicSupervisor.start(max_restarts=2) as supervisor:
        start = Starter("ok2", "error", "ok2")
        assert_kill(started(supervisor, worker(start)), ExitReason.SHUTDOWN)
        assert counted(supervisor) == {"workers": 1, "active": 1}
        assert start.calls == ["ok2", "error", "ok2"]


def test_start_child_2_child_triggers_maximum_restarts():
    supervisor = DynamicSupervisor.start(max_restarts=1)
    start = Starter("ok2", "error")
    with Probe() as probe:
        probe.watch(supervisor)
        assert_kill(started(supervisor, worker(start)), ExitReason.SHUTDOWN)
        probe.expect_down(supervisor, reason=ExitReason.SHUTDOWN)
    assert start.calls == ["ok2", "error"]


def test_start_child_2_child_triggers_maximum_intensity_when_trying_again():
    supervisor = DynamicSupervisor.start(max_restarts=10)
    start = Starter("ok2", "error")
    with Probe() as probe:
        probe.watch(supervisor)
        assert_kill(started(supervisor, worker(start)), ExitReason.SHUTDOWN)
        probe.expect_down(supervisor, reason=ExitReason.SHUTDOWN)
    assert start.calls == ["ok2", *["error"] * 10]
