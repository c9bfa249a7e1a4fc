"""How supervisors and children start: cases 1 to 15 of OTP's supervisor suite."""

from __future__ import annotations

import math

import pytest

from klemheist.actors.runtime import ExitReason, Ignore
from klemheist.supervisors import BRUTAL_KILL, ChildSpec, Supervisor, SupervisorSpec, child
from klemheist.supervisors.core.errors import (
    ChildNotFound,
    InitError,
    InvalidChildSpec,
    NotSupported,
    StartError,
)
from tests.supervisors.otp.children import FailsLater, IgnoresFirst, Pooled


class Callback(Supervisor):
    """A supervisor whose `init` does what it is told, as the suite's own callback module."""

    def init(self, result):
        if isinstance(result, Exception):
            raise result
        return result


def test_sup_start_normal(otp):
    sup = otp.start()
    otp.shut_down(sup)


def test_sup_start_ignore_init(otp):
    """`start_with()` gives None."""
    assert otp.start_class(Callback, Ignore()) is None


def test_sup_start_ignore_child(otp, kind):
    sup = otp.start()
    assert sup.start_child(otp.worker(kind, "child1", IgnoresFirst())).ref is None
    second = sup.start_child(otp.worker(kind, "child2")).ref
    assert otp.which(sup) == [("child2", second, "worker"), ("child1", None, "worker")]
    assert otp.counts(sup) == [2, 1, 0, 2]


def test_sup_start_ignore_temporary_child(otp, kind):
    sup = otp.start(
        [
            otp.worker(kind, "child1", IgnoresFirst(), restart="temporary"),
            otp.worker(kind, "child2", restart="temporary"),
        ]
    )
    assert [(key, ref is not None) for key, ref, _ in otp.which(sup)] == [("child2", True)]
    assert otp.counts(sup) == [1, 1, 0, 1]


def test_sup_start_ignore_temporary_child_start_child(otp, kind):
    sup = otp.start()
    first = otp.worker(kind, "child1", IgnoresFirst(), restart="temporary")
    assert sup.start_child(first).ref is None
    second = sup.start_child(otp.worker(kind, "child2", restart="temporary")).ref
    assert otp.which(sup) == [("child2", second, "worker")]
    assert otp.counts(sup) == [1, 1, 0, 1]


def test_sup_start_ignore_temporary_child_start_child_simple(otp, kind):
    _ignored_ones_are_not_kept(otp, kind, "temporary")


def test_sup_start_ignore_permanent_child_start_child_simple(otp, kind):
    sup = _ignored_ones_are_not_kept(otp, kind, "permanent")
    otp.shut_down(sup)


def _ignored_ones_are_not_kept(otp, kind, restart):
    sup = otp.start_simple(otp.worker(kind, "child1", IgnoresFirst(), restart=restart))
    assert sup.start_child([]).ref is None
    second = sup.start_child([]).ref
    assert [(ref, sort) for _, ref, sort in otp.which(sup)] == [(second, "worker")]
    assert otp.counts(sup) == [1, 1, 0, 1]
    return sup


def test_sup_start_error_return(otp):
    """A TypeError of ours: what `init` may return is known."""
    with pytest.raises(InitError) as caught:
        otp.start_class(Callback, "invalid")
    assert caught.value.code == "bad_return"
    assert isinstance(caught.value, TypeError)


def test_sup_start_fail(otp):
    """The exception of `init` is chained, its traceback with it."""
    failure = ZeroDivisionError("in init")
    with pytest.raises(InitError) as caught:
        otp.start_class(Callback, failure)
    assert caught.value.__cause__ is failure
    assert failure.__traceback__ is not None


def test_sup_start_child_returns_error(otp):
    """A factory raises, or returns something that is no actor of ours."""
    sup = otp.start()
    failure = RuntimeError("reason")
    for factory, cause in ((_raising(failure), failure), (lambda: "error_reason", None)):
        with pytest.raises(StartError) as caught:
            sup.start_child(child(factory, id="child1"))
        assert caught.value.id == "child1"
        assert caught.value.__cause__ is cause or isinstance(caught.value.__cause__, TypeError)
    assert otp.which(sup) == []


def _raising(error):
    def factory():
        raise error

    return factory


def test_sup_start_restart_child_returns_error(otp, kind):
    sup = otp.start([otp.worker(kind, "child1", FailsLater())])
    sup.terminate_child("child1")
    with pytest.raises(StartError) as caught:
        sup.restart_child("child1")
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert otp.which(sup) == [("child1", None, "worker")]


def test_sup_start_child_returns_error_simple(otp):
    """`StartError` in both kinds of supervisor; its `__cause__` is the bare reason."""
    sup = otp.start_simple(child(lambda make: make(), id="child1"))
    failure = RuntimeError("reason")
    with pytest.raises(StartError) as caught:
        sup.start_child([_raising(failure)])
    assert caught.value.__cause__ is failure
    with pytest.raises(StartError):
        sup.start_child([lambda: "error_reason"])
    assert otp.which(sup) == []


def test_sup_start_map(otp, pooled):
    """Without OTP's `modules`, which only its release handler reads."""
    specs = [
        ChildSpec(id="child1", start=pooled),
        ChildSpec(id="child2", start=pooled, shutdown=BRUTAL_KILL),
        ChildSpec(id="child3", start=pooled, type="supervisor"),
    ]
    sup = otp.start(specs)
    fields = [
        (spec.id, spec.start, spec.restart, spec.patience, spec.kind)
        for spec in (sup.child_spec(key) for key in ("child1", "child2", "child3"))
    ]
    assert fields == [
        ("child1", pooled, "permanent", 5.0, "worker"),
        ("child2", pooled, "permanent", BRUTAL_KILL, "worker"),
        ("child3", pooled, "permanent", math.inf, "supervisor"),
    ]
    with pytest.raises(ChildNotFound) as caught:
        sup.child_spec("child4")
    assert caught.value.code == "not_found"
    otp.shut_down(sup)


def test_sup_start_map_simple(otp, pooled):
    """Each child has a number for an id, where OTP says undefined."""
    template = ChildSpec(id="template", start=pooled, restart="temporary")
    sup = otp.start_simple(template)
    refs = [sup.start_child([]).ref for _ in range(3)]
    for ref in refs:
        spec = sup.child_spec(ref)
        assert (spec.start, spec.restart, spec.kind) == (pooled, "temporary", "worker")
        assert (spec.patience, spec.significant) == (5.0, False)
    with pytest.raises(ChildNotFound):
        sup.child_spec(otp.probe.ref)
    with pytest.raises(NotSupported):
        sup.child_spec("template")
    otp.shut_down(sup)


def test_sup_start_map_faulty_specs(otp):
    """An unknown key is refused, where OTP ignores it."""
    for fields, code in (
        ({"start": Pooled}, "missing_id"),
        ({"id": "child2"}, "missing_start"),
    ):
        with pytest.raises(InvalidChildSpec) as caught:
            otp.start([ChildSpec(**fields)])
        assert caught.value.code == code
    with pytest.raises(InvalidChildSpec, match=r"silly_flag=True is unknown; use id, "):
        ChildSpec(id="child3", start=Pooled, silly_flag=True)
    with pytest.raises(InvalidChildSpec) as caught:
        otp.start(["child4"])
    assert (caught.value.code, caught.value.value) == ("invalid_child_spec", "child4")


def test_a_callback_module_starts_what_its_init_returns(otp, pooled):
    """Not of the suite: the way that its refusals above leave open."""
    sup = otp.start_class(Callback, SupervisorSpec([otp.worker(pooled)]))
    assert otp.counts(sup) == [1, 1, 0, 1]
    assert otp.start_class(Callback, SupervisorSpec()).reason is None
    otp.end(sup, ExitReason.SHUTDOWN)
