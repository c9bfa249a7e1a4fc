"""When the end of a child ends its supervisor: cases 58 to 71 of OTP's supervisor suite.

Where OTP waits a second to see that nothing happens, here the tree is let come to rest.
"""

from __future__ import annotations

import pytest

from klemheist.actors.runtime import ExitReason
from klemheist.supervisors import DynamicSupervisor, SupervisorSpec
from klemheist.supervisors.core.errors import InvalidChildSpec, InvalidFlags
from klemheist.supervisors.tree.dynamic import supervisor

MODES = ["never", "any_significant", "all_significant"]


def _children(otp, kind, *significant, restart):
    return [
        otp.worker(kind, f"child{n}", restart=restart, significant=each)
        for n, each in enumerate(significant, 1)
    ]


def _started(otp, kind, *significant, restart, **flags):
    """A supervisor of intensity 5, and the refs of its children."""
    sup = otp.start(max_restarts=5, **flags)
    specs = _children(otp, kind, *significant, restart=restart)
    return sup, [sup.start_child(spec).ref for spec in specs]


@pytest.mark.parametrize("mode", MODES)
def test_nonsignificant_temporary(otp, kind, mode):
    sup = otp.start(auto_shutdown=mode)
    [spec] = _children(otp, kind, False, restart="temporary")
    ref = sup.start_child(spec).ref
    sup.terminate_child("child1")
    otp.expect_down(ref)
    assert otp.still_up(sup)
    for how in ("kill", "abnormal", "normal"):
        otp.end(sup.start_child(spec).ref, how, sup=sup)
        assert otp.still_up(sup)
    otp.shut_down(sup)


@pytest.mark.parametrize("mode", MODES)
def test_nonsignificant_transient(otp, kind, mode):
    sup, [ref] = _started(otp, kind, False, restart="transient", auto_shutdown=mode)
    sup.terminate_child("child1")
    otp.expect_down(ref)
    assert otp.still_up(sup)
    sup.restart_child("child1")
    for how in ("kill", "abnormal", "normal"):
        otp.end(otp.pids(sup)["child1"], how, sup=sup)
        assert otp.still_up(sup)
    otp.shut_down(sup)


def test_significant_temporary(otp, kind):
    flags = {"restart": "temporary", "auto_shutdown": "any_significant"}
    sup, [first, second, third] = _started(otp, kind, True, True, False, **flags)
    sup.terminate_child("child1")
    otp.expect_down(first)
    otp.settle(sup)
    assert otp.still_up(sup, second, third)
    for how in ("kill", "abnormal", "normal"):
        sup, [first, *others] = _started(otp, kind, True, True, False, **flags)
        otp.end(first, how)
        otp.expect_down(*others, sup)
    flags["auto_shutdown"] = "all_significant"
    sup, [first, second, third] = _started(otp, kind, True, True, False, **flags)
    otp.end(first, "normal", sup=sup)
    assert otp.still_up(sup, second, third)
    otp.end(second, "normal")
    otp.expect_down(third, sup)


def test_significant_transient(otp, kind):
    flags = {"restart": "transient", "auto_shutdown": "any_significant"}
    sup, [first, second, third] = _started(otp, kind, True, True, False, **flags)
    sup.terminate_child("child1")
    otp.expect_down(first)
    otp.settle(sup)
    assert otp.still_up(sup, second, third)
    sup.restart_child("child1")
    for how in ("kill", "abnormal"):  # it is restarted
        otp.end(otp.pids(sup)["child1"], how, sup=sup)
        assert otp.still_up(sup, second, third)
    otp.end(otp.pids(sup)["child1"], "normal")
    otp.expect_down(second, third, sup)
    flags["auto_shutdown"] = "all_significant"
    sup, [first, second, third] = _started(otp, kind, True, True, False, **flags)
    otp.end(first, "normal", sup=sup)
    assert otp.still_up(sup, second, third)
    otp.end(second, ExitReason.shutdown("done"))
    otp.expect_down(third, sup)


def test_significant_simple(otp, kind):
    """Refused, as in OTP's present releases; the first with `significant` allowed it."""
    template = otp.worker(kind, restart="temporary", significant=True)
    for mode in MODES[1:]:
        with pytest.raises(InvalidFlags) as caught:
            otp.start_simple(template, auto_shutdown=mode)
        assert caught.value.code == "bad_combination"
        assert caught.value.value == {"auto_shutdown": mode, "strategy": "simple_one_for_one"}
    with pytest.raises(InvalidChildSpec) as caught:
        DynamicSupervisor.start(template=template)
    assert caught.value.code == "bad_combination"


@pytest.mark.parametrize("mode", MODES[1:])
@pytest.mark.parametrize(
    ("strategy", "stopped"), [("one_for_one", ""), ("one_for_all", "13"), ("rest_for_one", "3")]
)
def test_significant_bystander(otp, kind, strategy, stopped, mode):
    flags = {"restart": "transient", "strategy": strategy, "auto_shutdown": mode}
    sup, refs = _started(otp, kind, True, False, True, **flags)
    otp.end(refs[1], "kill", sup=sup)
    for n in (1, 3):
        if str(n) in stopped:
            otp.expect_down(refs[n - 1])
        else:
            assert otp.still_up(refs[n - 1])
    assert otp.still_up(sup)
    otp.shut_down(sup)


@pytest.mark.parametrize("significant", [True, False])
def test_significant_escalation(otp, kind, significant):
    sup = otp.start(auto_shutdown="any_significant")
    inner = supervisor(
        [],
        id="sup1",
        auto_shutdown="any_significant",
        restart="transient",
        significant=significant,
    )
    middle = sup.start_child(inner).ref
    [spec] = _children(otp, kind, True, restart="transient")
    otp.end(middle.start_child(spec).ref, "normal")
    otp.expect_down(middle)
    if significant:
        otp.expect_down(sup)
    else:
        otp.settle(sup)
        assert otp.still_up(sup)
        otp.shut_down(sup)


def _upgraded(otp, kind, before, after, running=2):
    """A supervisor whose mode is changed while children run."""
    sup = otp.start(auto_shutdown=before)
    specs = _children(otp, kind, True, True, restart="transient")
    if before == "never":
        _refuses(sup, specs[0])
        running = 0
    refs = [sup.start_child(spec).ref for spec in specs[:running]]
    sup.reconfigure(SupervisorSpec(auto_shutdown=after))
    otp.settle(sup)
    assert otp.still_up(sup, *refs)
    refs += [sup.start_child(spec).ref for spec in specs[running:] if after != "never"]
    return sup, specs, refs


def _refuses(sup, spec):
    with pytest.raises(InvalidChildSpec) as caught:
        sup.start_child(spec)
    assert caught.value.code == "bad_combination"


def _upgrade_to_any(otp, kind, before):
    sup, _, [first, second] = _upgraded(otp, kind, before, "any_significant")
    otp.end(first, "normal")
    otp.expect_down(second, sup)


def _upgrade_to_all(otp, kind, before):
    sup, _, [first, second] = _upgraded(otp, kind, before, "all_significant")
    otp.end(first, "normal", sup=sup)
    assert otp.still_up(sup, second)
    otp.end(second, "normal")
    otp.expect_down(sup)


def _upgrade_to_never(otp, kind, before):
    sup, specs, [first] = _upgraded(otp, kind, before, "never", running=1)
    _refuses(sup, specs[1])
    otp.end(first, "normal", sup=sup)
    assert otp.still_up(sup)
    again = sup.restart_child("child1").ref
    otp.shut_down(sup)
    otp.expect_down(again)


def test_significant_upgrade_never_any(otp, kind):
    """`reconfigure()` stands for the change of code."""
    _upgrade_to_any(otp, kind, "never")


def test_significant_upgrade_any_never(otp, kind):
    """`reconfigure()` stands for the change of code."""
    _upgrade_to_never(otp, kind, "any_significant")


def test_significant_upgrade_never_all(otp, kind):
    """`reconfigure()` stands for the change of code."""
    _upgrade_to_all(otp, kind, "never")


def test_significant_upgrade_all_never(otp, kind):
    """`reconfigure()` stands for the change of code."""
    _upgrade_to_never(otp, kind, "all_significant")


def test_significant_upgrade_any_all(otp, kind):
    """`reconfigure()` stands for the change of code."""
    _upgrade_to_all(otp, kind, "any_significant")


def test_significant_upgrade_all_any(otp, kind):
    """`reconfigure()` stands for the change of code."""
    _upgrade_to_any(otp, kind, "all_significant")


def test_significant_upgrade_child(otp, kind):
    """`reconfigure()` stands for the change of code; a wrong spec cannot even be made."""
    [plain] = _children(otp, kind, False, restart="transient")
    [significant] = _children(otp, kind, True, restart="transient")
    sup = otp.start([plain])
    with pytest.raises(InvalidChildSpec):
        SupervisorSpec([significant], auto_shutdown="never")
    assert otp.still_up(sup)
    otp.shut_down(sup)

    sup = otp.start([plain], auto_shutdown="any_significant")
    ref = otp.pids(sup)["child1"]
    sup.reconfigure(SupervisorSpec([significant], auto_shutdown="any_significant"))
    assert otp.pids(sup)["child1"] is ref
    otp.end(ref, "normal")
    otp.expect_down(sup)

    sup = otp.start([significant], auto_shutdown="any_significant")
    sup.reconfigure(SupervisorSpec([plain], auto_shutdown="any_significant"))
    otp.end(otp.pids(sup)["child1"], "normal", sup=sup)
    assert otp.still_up(sup)
    otp.shut_down(sup)
