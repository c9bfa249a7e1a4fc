"""What a supervisor is asked, and what it is given: cases 23 to 28, 75 and 91 to 93."""

from __future__ import annotations

import itertools

import pytest

from klemheist.actors.runtime import Actor, ActorDead, ExitReason, register, unregister
from klemheist.supervisors import (
    BRUTAL_KILL,
    INFINITY,
    ChildSpec,
    DynamicSupervisor,
    Supervisor,
    SupervisorSpec,
    check_child_specs,
    child,
)
from klemheist.supervisors.core.errors import (
    AlreadyPresent,
    AlreadyStarted,
    ChildNotFound,
    ChildRunning,
    InvalidChildSpec,
    InvalidFlags,
    NotSupported,
    SupervisorError,
)
from tests.supervisors.otp.children import Pooled


def refused(code, call, *args):
    """The error of a call that must be refused with OTP's `code`."""
    with pytest.raises(SupervisorError) as caught:
        call(*args)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
    return caught.value


def test_child_adm(otp, kind):
    """Without the checks of hibernation. A dead supervisor answers `ActorDead` (noproc)."""
    spec = otp.worker(kind)
    dead = Supervisor.start()
    dead.shutdown()
    sup = otp.start([spec])
    first = otp.pids(sup)["child1"]
    assert otp.which(sup) == [("child1", first, "worker")]
    assert otp.counts(sup) == [1, 1, 0, 1]
    # start what runs
    assert refused("already_started", sup.start_child, spec).ref is first
    # terminate
    refused("not_found", sup.terminate_child, "hej")
    sup.terminate_child("child1")
    otp.expect_down(first)
    assert otp.which(sup) == [("child1", None, "worker")]
    assert otp.counts(sup) == [1, 0, 0, 1]
    sup.terminate_child("child1")
    refused("already_present", sup.start_child, spec)
    # restart
    second = sup.restart_child("child1").ref
    assert otp.which(sup) == [("child1", second, "worker")]
    assert otp.counts(sup) == [1, 1, 0, 1]
    refused("running", sup.restart_child, "child1")
    refused("not_found", sup.restart_child, "child2")
    # delete
    refused("running", sup.delete_child, "child1")
    refused("not_found", sup.delete_child, "hej")
    sup.terminate_child("child1")
    sup.delete_child("child1")
    refused("not_found", sup.restart_child, "child1")
    assert otp.which(sup) == []
    assert otp.counts(sup) == [0, 0, 0, 0]
    # start
    third = sup.start_child(spec).ref
    assert otp.which(sup) == [("child1", third, "worker")]
    assert otp.counts(sup) == [1, 1, 0, 1]
    # a static supervisor goes by ids
    refused("not_found", sup.terminate_child, third)
    assert otp.counts(sup) == [1, 1, 0, 1]
    for call in (
        lambda: dead.terminate_child("child1"),
        lambda: dead.delete_child("child1"),
        lambda: dead.start_child(spec),
        dead.children,
        dead.count,
    ):
        with pytest.raises(ActorDead):
            call()


def test_child_adm_simple(otp, kind):
    """Without the checks of hibernation."""
    sup = otp.start_simple(otp.worker(kind, "child"))
    assert otp.which(sup) == []
    assert otp.counts(sup) == [1, 0, 0, 0]
    # start
    first = sup.start_child([]).ref
    assert [ref for _, ref, _ in otp.which(sup)] == [first]
    assert otp.counts(sup) == [1, 1, 0, 1]
    second = sup.start_child([]).ref
    assert {ref for _, ref, _ in otp.which(sup)} == {first, second}
    assert otp.counts(sup) == [1, 2, 0, 2]
    # terminate
    refused("simple_one_for_one", sup.terminate_child, "child1")
    assert otp.counts(sup) == [1, 2, 0, 2]
    sup.terminate_child(first)
    assert otp.counts(sup) == [1, 1, 0, 1]
    assert not first.is_alive()
    sup.terminate_child(first)
    assert otp.counts(sup) == [1, 1, 0, 1]
    refused("not_found", sup.terminate_child, otp.probe.ref)
    assert otp.probe.ref.is_alive()
    # neither restart nor delete
    refused("simple_one_for_one", sup.restart_child, "child1")
    refused("simple_one_for_one", sup.delete_child, "child1")


def test_extra_return(otp, kind):
    """A factory returns `(ref, info)`; `kind` is what it starts."""
    sup = otp.start([_with_info(kind)])
    first = otp.pids(sup)["child1"]
    refused("not_found", sup.terminate_child, "hej")
    refused("not_found", sup.delete_child, "hej")
    refused("not_found", sup.restart_child, "hej")
    refused("running", sup.delete_child, "child1")
    refused("running", sup.restart_child, "child1")
    assert otp.which(sup) == [("child1", first, "worker")]
    assert otp.counts(sup) == [1, 1, 0, 1]
    sup.terminate_child("child1")
    otp.expect_down(first)
    assert otp.counts(sup) == [1, 0, 0, 1]
    second, info = sup.restart_child("child1")
    assert info == "extra_return"
    assert otp.which(sup) == [("child1", second, "worker")]
    sup.terminate_child("child1")
    sup.terminate_child("child1")
    sup.delete_child("child1")
    refused("not_found", sup.restart_child, "child1")
    assert otp.counts(sup) == [0, 0, 0, 0]
    third, info = sup.start_child(_with_info(kind))
    assert info == "extra_return"
    assert otp.counts(sup) == [1, 1, 0, 1]
    # it is restarted as any other
    otp.end(third, "abnormal", sup=sup)
    assert otp.pids(sup)["child1"] not in (None, third)
    assert otp.counts(sup) == [1, 1, 0, 1]


def _with_info(kind):
    return child(factory_with_info, kind, "extra_return", id="child1", shutdown=1.0)


def factory_with_info(kind, info):
    """Start a child and say something of it: a factory."""
    return start_as_user_would(kind), info


def start_as_user_would(kind, *args):
    """The ref that a factory returns, of ours or of an unmodified Pykka class."""
    from klemheist.actors.runtime import start_foreign

    return kind.start(*args) if issubclass(kind, Actor) else start_foreign(kind, *args)


def _spec(**fields):
    return ChildSpec(**{"id": "child", "start": Pooled, **fields})


BAD_FIELDS = [
    ({"start": "mfa"}, "invalid_mfa", "mfa"),
    ({"restart": "prmanent"}, "invalid_restart_type", "prmanent"),
    ({"shutdown": -10}, "invalid_shutdown", -10),
    ({"type": "wrker"}, "invalid_child_type", "wrker"),
]


@pytest.mark.parametrize(("fields", "code", "value"), BAD_FIELDS)
def test_child_specs(otp, fields, code, value):
    """Specs are objects that check themselves, so a bad one cannot reach a supervisor.

    OTP's tuples and `modules` are dropped.
    """
    assert refused(code, lambda: _spec(**fields)).value == value
    sup = otp.start()
    refused("invalid_child_spec", sup.start_child, "hej")
    refused("bad_start_spec", check_child_specs, 7)
    for restart, shutdown, sort in itertools.product(
        ["permanent", "transient", "temporary"],
        [0, 1000, INFINITY, BRUTAL_KILL],
        ["supervisor", "worker"],
    ):
        check_child_specs([_spec(restart=restart, shutdown=shutdown, type=sort)])
    twins = [_spec(shutdown=INFINITY), _spec(shutdown=1)]
    assert refused("duplicate_child_name", check_child_specs, twins).value == "child"
    refused("duplicate_child_name", otp.start, twins)
    # a template is exactly one spec, and nothing beside it
    refused("bad_start_spec", lambda: SupervisorSpec(twins[:1], template=twins[1]))
    refused("invalid_child_spec", lambda: DynamicSupervisor.start(template="child"))


def test_child_specs_map(otp):
    """All combinations (without `modules`, and with a missing key for undefined): 480 specs."""
    for fields, code, value in [
        *BAD_FIELDS,
        ({"significant": "maybe"}, "invalid_significant", "maybe"),
    ]:
        assert refused(code, lambda fields=fields: _spec(**fields)).value == value
    refused("missing_id", ChildSpec)
    refused("missing_start", lambda: ChildSpec(id="child"))
    refused("missing_id", lambda: ChildSpec(start=Pooled))
    missing = object()
    for auto, *values in itertools.product(
        [None, "never", "any_significant", "all_significant"],
        [missing, "permanent", "transient", "temporary"],
        [missing, 0, 1000, INFINITY, BRUTAL_KILL],
        [missing, "supervisor", "worker"],
        [missing, True, False],
    ):
        named = zip(("restart", "shutdown", "type", "significant"), values, strict=True)
        fields = {name: value for name, value in named if value is not missing}
        is_significant = fields.get("significant", False)
        is_permanent = fields.get("restart", "permanent") == "permanent"
        if is_significant and is_permanent:
            error = refused("bad_combination", lambda fields=fields: _spec(**fields))
            assert error.value == {"restart": "permanent", "significant": True}
        elif is_significant and auto == "never":
            error = refused("bad_combination", check_child_specs, [_spec(**fields)], auto)
            assert error.value == {"auto_shutdown": "never", "significant": True}
        else:
            check_child_specs([_spec(**fields)], auto)
    refused("duplicate_child_name", check_child_specs, [_spec(), _spec()])
    significant = _spec(restart="transient", significant=True)
    refused("bad_combination", lambda: otp.start([significant], auto_shutdown="never"))


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ({"strategy": "none_for_one"}, "invalid_strategy"),
        ({"max_restarts": INFINITY}, "invalid_intensity"),
        ({"max_restarts": "2"}, "invalid_intensity"),
        ({"period": 0}, "invalid_period"),
        ({"period": INFINITY}, "invalid_period"),
        ({"auto_shutdown": "sometimes"}, "invalid_auto_shutdown"),
    ],
)
def test_sup_flags(otp, flags, code):
    """An unknown flag is refused, where OTP ignores it."""
    assert isinstance(refused(code, lambda: otp.start(**flags)), InvalidFlags)
    assert refused(code, lambda: SupervisorSpec(**flags)).value == next(iter(flags.values()))
    with pytest.raises(InvalidFlags, match=r"silly_flag=True is unknown; use .*strategy"):
        otp.start(silly_flag=True)


def test_get_callback_module(otp):
    """The class of a supervisor stands for its callback module."""

    class Mine(Supervisor):
        def init(self):
            return SupervisorSpec()

    assert otp.start_class(Mine).actor_class is Mine


def test_already_started_outside_supervisor(otp, kind):
    """The name is taken by an actor outside; the error is not wrapped in the child's."""

    def start_named():
        ref = start_as_user_would(kind)
        try:
            register("registered_name", ref)
        except Exception:
            ref.kill()
            raise
        return ref

    register("registered_name", otp.probe.ref)
    sup = otp.start()
    error = refused("already_started", sup.start_child, child(start_named, id="child1"))
    assert isinstance(error, AlreadyStarted)
    assert error.ref is otp.probe.ref
    assert otp.which(sup) == []
    unregister("registered_name")
    assert sup.start_child(child(start_named, id="child1")).ref.is_alive()


def test_which_children(otp, kind):
    sup = otp.start()
    assert otp.which(sup) == []
    with pytest.raises(ChildNotFound):
        sup.child("child1")
    ref = sup.start_child(otp.worker(kind)).ref
    assert otp.which(sup) == [("child1", ref, "worker")]
    assert sup.child("child1").ref is ref
    sup.terminate_child("child1")
    assert otp.which(sup) == [("child1", None, "worker")]
    assert sup.child("child1").ref is None
    sup.delete_child("child1")
    assert otp.which(sup) == []
    with pytest.raises(ChildNotFound):
        sup.child("child1")


def test_which_children_simple_one_for_one(otp, kind):
    """A child's id is its number, where OTP says undefined; it still goes by its ref."""
    sup = otp.start_simple(otp.worker(kind, "child"))
    ref = sup.start_child([]).ref
    assert otp.which(sup) == [(1, ref, "worker")]
    assert sup.child(ref).ref is ref
    for key in ("child", 1):
        with pytest.raises(NotSupported) as caught:
            sup.child(key)
        assert caught.value.code == "simple_one_for_one"
    sup.terminate_child(ref)
    assert otp.which(sup) == []
    with pytest.raises(ChildNotFound):
        sup.child(ref)


def test_errors_are_of_their_own_classes(otp, kind):
    """Not of the suite: code and class say the same."""
    spec = otp.worker(kind)
    sup = otp.start([spec])
    with pytest.raises(ChildRunning):
        sup.restart_child("child1")
    sup.terminate_child("child1")
    with pytest.raises(AlreadyPresent):
        sup.start_child(spec)
    with pytest.raises(InvalidChildSpec):
        sup.start_child(None)
    otp.end(sup, ExitReason.SHUTDOWN)
