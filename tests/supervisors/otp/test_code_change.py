"""Other flags and specs at run time: cases 83 to 86 of OTP's supervisor suite.

`reconfigure()` stands for the change of code, and a specification that is wrong cannot be made at
all: what OTP's supervisor refuses, `SupervisorSpec` does. OTP's `ignore` is not to call it.
"""

from __future__ import annotations

import pytest

from klemheist.supervisors import BRUTAL_KILL, ChildSpec, SupervisorSpec, child
from klemheist.supervisors.core.errors import InvalidChildSpec, InvalidFlags


def _refused(code, make):
    with pytest.raises(InvalidChildSpec) as caught:
        make()
    assert caught.value.code == code


def _change(otp, kind, make):
    """The body of both forms: `make` gives a spec."""
    sup = otp.start(max_restarts=0, period=1)
    assert otp.which(sup) == []
    sup.reconfigure(SupervisorSpec(max_restarts=1, period=3))
    assert (sup.snapshot().max_restarts, sup.snapshot().period) == (1, 3)
    _refused("missing_start", lambda: ChildSpec(id="faulty_child"))
    # children are added, and not started
    sup.reconfigure(SupervisorSpec([make("child1", 2.0), make("child2", BRUTAL_KILL)]))
    assert [ref for _, ref, _ in otp.which(sup)] == [None, None]
    first, second = (sup.restart_child(key).ref for key in ("child1", "child2"))
    assert [key for key, _, _ in otp.which(sup)] == ["child2", "child1"]
    assert sup.child_spec("child1").shutdown == 2.0
    # one is changed, one is not mentioned, one is new
    sup.reconfigure(SupervisorSpec([make("child1", 1.0), make("child3", BRUTAL_KILL)]))
    assert otp.which(sup) == [
        ("child2", second, "worker"),
        ("child3", None, "worker"),
        ("child1", first, "worker"),
    ]
    assert sup.child_spec("child1").shutdown == 1.0
    # what is wrong changes nothing
    _refused("invalid_intensity", lambda: SupervisorSpec(max_restarts="faulty"))
    _refused("bad_start_spec", lambda: sup.reconfigure(SupervisorSpec(max_children=1)))
    assert len(sup.children()) == 3
    otp.shut_down(sup)


def test_code_change(otp, kind):
    """Adapted: `reconfigure()` is the upgrade, `child()` stands for OTP's tuple form.

    The faulty flags and specs that OTP's supervisor refuses cannot be made; `ignore`, which changes
    nothing there, is not to call it.
    """
    _change(otp, kind, lambda key, shutdown: child(kind, id=key, shutdown=shutdown))


def test_code_change_map(otp, kind):
    """Adapted as `code_change`; the spec's own constructor stands for OTP's map form."""
    _change(otp, kind, lambda key, shutdown: ChildSpec(id=key, start=kind, shutdown=shutdown))


def _change_simple(otp, kind, make):
    sup = otp.start_simple(make("child1", BRUTAL_KILL), max_restarts=0, period=1)
    sup.reconfigure(SupervisorSpec(template=make("child1", 1.0)))
    ref = sup.start_child([]).ref
    assert sup.child_spec(ref).shutdown == 1.0
    both = [make("child1", BRUTAL_KILL), make("child2", BRUTAL_KILL)]
    _refused("bad_start_spec", lambda: SupervisorSpec(both[:1], template=both[1]))
    with pytest.raises(InvalidFlags) as caught:
        sup.reconfigure(SupervisorSpec())
    assert caught.value.code == "bad_start_spec"
    with pytest.raises(InvalidFlags):
        sup.reconfigure(SupervisorSpec(both))
    assert otp.still_up(sup, ref)
    otp.shut_down(sup)


def test_code_change_simple(otp, kind):
    """Adapted: `reconfigure()` is the upgrade, and the template is what there must be one of.

    Two of them, OTP's faulty case, cannot be said; children beside a template, and no template, are
    refused in its place.
    """
    _change_simple(otp, kind, lambda key, shutdown: child(kind, id=key, shutdown=shutdown))


def test_code_change_simple_map(otp, kind):
    """Adapted as `code_change_simple`; the spec's own constructor stands for OTP's map form."""
    _change_simple(
        otp, kind, lambda key, shutdown: ChildSpec(id=key, start=kind, shutdown=shutdown)
    )
