"""What restart types make of exit reasons: cases 45 to 55 of OTP's supervisor suite."""

from __future__ import annotations

import pytest

from klemheist.actors.runtime import ExitReason
from klemheist.supervisors import Supervisor, child
from klemheist.supervisors.core.errors import StartError
from klemheist.supervisors.tree.dynamic import supervisor

SHUTDOWN = ExitReason.SHUTDOWN
SHUTDOWN_INFO = ExitReason.shutdown("some_info")


def _one(otp, kind, restart):
    sup = otp.start()
    return sup, sup.start_child(otp.worker(kind, restart=restart)).ref


def _is_new(otp, sup, ref):
    [(key, now, sort)] = otp.which(sup)
    return (key, sort) == ("child1", "worker") and now not in (None, ref)


def test_permanent_normal(otp, kind):
    sup, ref = _one(otp, kind, "permanent")
    otp.end(ref, "normal", sup=sup)
    assert _is_new(otp, sup, ref)
    assert otp.counts(sup) == [1, 1, 0, 1]


def test_transient_normal(otp, kind):
    sup, ref = _one(otp, kind, "transient")
    otp.end(ref, "normal", sup=sup)
    assert otp.which(sup) == [("child1", None, "worker")]
    assert otp.counts(sup) == [1, 0, 0, 1]


def test_temporary_normal(otp, kind):
    sup, ref = _one(otp, kind, "temporary")
    otp.end(ref, "normal", sup=sup)
    assert otp.which(sup) == []
    assert otp.counts(sup) == [0, 0, 0, 0]


def test_permanent_shutdown(otp, kind):
    sup, ref = _one(otp, kind, "permanent")
    for reason in (SHUTDOWN, SHUTDOWN_INFO):
        otp.end(ref, reason, sup=sup)
        assert _is_new(otp, sup, ref)
        assert otp.counts(sup) == [1, 1, 0, 1]
        ref = otp.pids(sup)["child1"]


def test_transient_shutdown(otp, kind):
    sup, ref = _one(otp, kind, "transient")
    otp.end(ref, SHUTDOWN, sup=sup)
    assert otp.which(sup) == [("child1", None, "worker")]
    assert otp.counts(sup) == [1, 0, 0, 1]
    ref = sup.restart_child("child1").ref
    otp.end(ref, SHUTDOWN_INFO, sup=sup)
    assert otp.which(sup) == [("child1", None, "worker")]
    assert otp.counts(sup) == [1, 0, 0, 1]


def test_temporary_shutdown(otp, kind):
    sup, ref = _one(otp, kind, "temporary")
    otp.end(ref, SHUTDOWN, sup=sup)
    assert otp.counts(sup) == [0, 0, 0, 0]
    ref = sup.start_child(otp.worker(kind, restart="temporary")).ref
    otp.end(ref, SHUTDOWN_INFO, sup=sup)
    assert otp.which(sup) == []
    assert otp.counts(sup) == [0, 0, 0, 0]


def test_faulty_application_shutdown():
    """A tree stands for the application; the `StartError`s name the path to the cause."""

    def faulty():
        raise LookupError("an_undefined_function")

    inner = supervisor([child(faulty, id="app_faulty_server")], id="app_faulty")
    with pytest.raises(StartError) as caught:
        Supervisor.start([inner])
    assert caught.value.id == "app_faulty"
    cause = caught.value.__cause__
    assert isinstance(cause, StartError)
    assert cause.id == "app_faulty_server"
    assert isinstance(cause.__cause__, LookupError)
    assert "faulty" in [entry.name for entry in _stack(cause.__cause__)]


def _stack(error):
    import traceback

    return traceback.extract_tb(error.__traceback__)


def test_permanent_abnormal(otp, kind):
    sup, ref = _one(otp, kind, "permanent")
    otp.end(ref, "abnormal", sup=sup)
    assert _is_new(otp, sup, ref)
    assert otp.counts(sup) == [1, 1, 0, 1]


def test_transient_abnormal(otp, kind):
    sup, ref = _one(otp, kind, "transient")
    otp.end(ref, "abnormal", sup=sup)
    assert _is_new(otp, sup, ref)
    assert otp.counts(sup) == [1, 1, 0, 1]


def test_temporary_abnormal(otp, kind):
    sup, ref = _one(otp, kind, "temporary")
    otp.end(ref, "abnormal", sup=sup)
    assert otp.which(sup) == []
    assert otp.counts(sup) == [0, 0, 0, 0]


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_temporary_bystander(otp, kind, strategy):
    sup = otp.start(strategy=strategy)
    first = sup.start_child(otp.worker(kind, "child1", shutdown=0.1)).ref
    second = sup.start_child(otp.worker(kind, "child2", restart="temporary", shutdown=0.1)).ref
    otp.end(first, "normal", sup=sup)
    otp.expect_down(second)
    assert otp.still_up(sup)
    assert [key for key, _, _ in otp.which(sup)] == ["child1"]
