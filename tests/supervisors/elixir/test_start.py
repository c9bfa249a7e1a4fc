"""How a DynamicSupervisor is started, named and reconfigured."""

from __future__ import annotations

import pytest

from klemheist import (
    DynamicSupervisor,
    Ignore,
    Supervisor,
    SupervisorRef,
    child,
)
from klemheist.actors.runtime.names import whereis
from klemheist.supervisors.core.errors import AlreadyStarted, InitError, InvalidFlags, MaxChildren
from klemheist.supervisors.core.supervisor_spec import SupervisorSpec
from klemheist.testing import ManualClock, Probe
from tests.supervisors.elixir.workers import Sleepy, counted, sleepy_worker, started


class Simple(DynamicSupervisor):
    """Is what its argument says."""

    def init(self, what):
        if isinstance(what, Exception):
            raise what
        return SupervisorSpec(**what) if isinstance(what, dict) else what


WRONG = [
    ({"strategy": "unknown"}, "invalid_strategy"),
    ({"max_restarts": -1}, "invalid_intensity"),
    ({"period": 0}, "invalid_period"),
    ({"max_children": -1}, "invalid_max_children"),
]


def test_can_be_supervised_directly():
    """`child(DynamicSupervisor)` is its child spec."""
    spec = child(DynamicSupervisor, kwargs={"name": "dyn_sup_spec_test"})
    with Supervisor.start([spec]):
        assert whereis("dyn_sup_spec_test").children() == []


def test_multiple_supervisors_can_be_supervised_and_identified_with_simple_child_spec():
    """Adapted: there is one registry and no `:via`; ids come from the specs, not from names."""
    children = [
        child(DynamicSupervisor, id=name, kwargs={"name": name})
        for name in ("simple_name", "global_name", "via_name")
    ]
    with Supervisor.start(children) as supsup:
        no_name = supsup.start_child(child(DynamicSupervisor)).ref
        for name in ("simple_name", "global_name", "via_name"):
            assert whereis(name) is supsup.child(name).ref
            assert whereis(name).children() == []
        assert no_name.children() == []
        with pytest.raises(AlreadyStarted) as caught:
            supsup.start_child(child(DynamicSupervisor))
        assert caught.value.ref is no_name


def test_use_2_generates_child_spec_1():
    """Adapted: a spec is made by `child()` where it is wanted, not by the class."""
    spec = child(Simple, "hello")
    assert (spec.id, spec.start, spec.args, spec.kind) == (
        "Simple",
        Simple,
        ("hello",),
        "supervisor",
    )
    custom = child(Simple, "hello", id="id", restart="temporary", shutdown=float("inf"))
    assert (custom.id, custom.restart, custom.patience) == ("id", "temporary", float("inf"))


def test_init_1_set_default_options():
    spec = SupervisorSpec()
    assert (spec.strategy, spec.max_restarts, spec.period) == ("one_for_one", 3, 5.0)
    assert (spec.max_children, spec.extra_arguments) == (None, ())


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        *WRONG,
        ({"extra_arguments": -1}, "invalid_extra_arguments"),
        ({"auto_shutdown": "whatever"}, "invalid_auto_shutdown"),
        ({"template": child(Sleepy), "auto_shutdown": "any_significant"}, "bad_combination"),
    ],
)
def test_start_link_3_with_non_ok_init(flags, code):
    """Adapted: `auto_shutdown` is refused only with a template: ours has children with flags."""
    with pytest.raises(InitError) as caught:
        Simple.start_with(flags)
    assert caught.value.__cause__.code == code
    with pytest.raises(InitError) as caught:
        Simple.start_with("unknown")
    assert caught.value.code == "bad_return"
    assert Simple.start_with(Ignore()) is None


def test_start_link_3_with_registered_process():
    """Adapted: nobody is linked to it unless they say so; its kind is told by its ref."""
    ref = Simple.start_with({}, name="registered")
    with Probe() as probe:
        probe.watch(ref)
        assert whereis("registered") is ref
        assert isinstance(ref, SupervisorRef)
        ref.shutdown(timeout=5)
        probe.expect_down(ref, reason="shutdown")
    assert whereis("registered") is None


def test_start_link_3_with_spawn_opt():
    """Adapted: what can be chosen of how a supervisor runs is its clock."""
    clock = ManualClock(1000.0)
    with DynamicSupervisor.start(clock=clock) as supervisor:
        assert supervisor.actor().timers.clock is clock


def test_start_link_3_sets_initial_call_to_the_same_as_a_regular_supervisor():
    """Adapted: both are supervisors to whoever looks at their ref or class."""
    with Supervisor.start() as regular, DynamicSupervisor.start() as dynamic:
        for ref in (regular, dynamic):
            assert isinstance(ref, SupervisorRef)
            assert issubclass(ref.actor_class, Supervisor)


@pytest.mark.parametrize(("flags", "code"), WRONG)
def test_code_change_3_with_non_ok_init(flags, code):
    """Adapted: `reconfigure()` is the upgrade; a spec that is wrong cannot even be made."""
    with Simple.start({}) as supervisor:
        with pytest.raises(InvalidFlags) as caught:
            supervisor.reconfigure(SupervisorSpec(**flags))
        assert caught.value.code == code
        with pytest.raises((InvalidFlags, TypeError)):
            supervisor.reconfigure("unknown")
        assert started(supervisor, sleepy_worker()).ask("", timeout=5) == "awake"


def test_code_change_3_with_ok_init():
    with Simple.start({}) as supervisor:
        started(supervisor, sleepy_worker())
        assert counted(supervisor) == {"workers": 1, "active": 1}
        supervisor.reconfigure(SupervisorSpec(max_children=1))
        assert counted(supervisor) == {"workers": 1, "active": 1}
        with pytest.raises(MaxChildren):
            supervisor.start_child(sleepy_worker())
