"""A restart that keeps failing holds nobody up: cases 74 and 80 to 82 of OTP's supervisor suite.

OTP's child sleeps in its failing `init`; here it waits until the test has seen the attempt.
"""

from __future__ import annotations

import pytest

from klemheist.actors.runtime import ExitReason
from klemheist.supervisors import BRUTAL_KILL
from klemheist.supervisors.core.errors import AlreadyPresent, ChildRestarting, NotSupported
from tests.supervisors.otp.children import FailsWhile


def _hang(otp, play, ref):
    """The child dies, and its first restart is being tried."""
    play.failing = True
    otp.end(ref, "abnormal")
    play.wait_for_try()


def _during_the_next_try(play, *calls):
    """Ask something that has its turn between two attempts; what the answers are."""
    answers = [call(block=False) for call in calls]
    play.fail()
    play.wait_for_try()
    return answers


def _release(play):
    play.failing = False
    play.fail()


def test_hanging_restart_loop(otp, kind):
    play = FailsWhile()
    sup = otp.start(max_restarts=8, period=10)
    spec = otp.worker(kind, play=play, shutdown=BRUTAL_KILL)
    first = sup.start_child(spec).ref
    _hang(otp, play, first)
    _is_refused(sup, play, spec)
    assert otp.which(sup) == [("child1", "restarting", "worker")]
    assert otp.counts(sup) == [1, 0, 0, 1]
    # it can be terminated
    terminated = sup.terminate_child("child1", block=False)
    play.fail()
    terminated.get(timeout=5)
    assert otp.which(sup) == [("child1", None, "worker")]
    play.failing = False
    second = sup.restart_child("child1").ref
    # and the supervisor shut down
    _hang(otp, play, second)
    otp.shut_down(sup)
    _release(play)


def _is_refused(sup, play, spec):
    answers = _during_the_next_try(
        play,
        lambda **how: sup.start_child(spec, **how),
        lambda **how: sup.restart_child(spec.id, **how),
        lambda **how: sup.delete_child(spec.id, **how),
    )
    for answer, error in zip(
        answers, (AlreadyPresent, ChildRestarting, ChildRestarting), strict=True
    ):
        with pytest.raises(error):
            answer.get(timeout=5)


def test_hanging_restart_loop_rest_for_one(otp, kind):
    play = FailsWhile()
    sup = otp.start(max_restarts=8, period=10, strategy="rest_for_one")
    specs = [
        otp.worker(kind, f"child{n}", each, shutdown=BRUTAL_KILL)
        for n, each in enumerate([None, play, None], 1)
    ]
    first, second, _ = (sup.start_child(spec).ref for spec in specs)
    _hang(otp, play, second)
    _is_refused(sup, play, specs[1])
    assert otp.which(sup) == [
        ("child3", None, "worker"),
        ("child2", "restarting", "worker"),
        ("child1", first, "worker"),
    ]
    assert otp.counts(sup) == [3, 1, 0, 3]
    terminated = sup.terminate_child("child2", block=False)
    play.fail()
    terminated.get(timeout=5)
    assert otp.which(sup) == [
        ("child3", None, "worker"),
        ("child2", None, "worker"),
        ("child1", first, "worker"),
    ]
    play.failing = False
    second = sup.restart_child("child2").ref
    _hang(otp, play, second)
    otp.shut_down(sup)
    _release(play)


def test_hanging_restart_loop_simple(otp, kind):
    play = FailsWhile()
    template = otp.worker(kind, play=play, shutdown=BRUTAL_KILL)
    sup = otp.start_simple(template, max_restarts=8, period=10)
    first = sup.start_child([]).ref
    _hang(otp, play, first)
    for call in (sup.restart_child, sup.delete_child):
        with pytest.raises(NotSupported) as caught:
            call("child1")
        assert caught.value.code == "simple_one_for_one"
    assert [ref for _, ref, _ in otp.which(sup)] == ["restarting"]
    assert otp.counts(sup) == [1, 0, 0, 1]
    terminated = sup.terminate_child(first, block=False)  # by its old ref
    play.fail()
    terminated.get(timeout=5)
    assert otp.which(sup) == []
    play.failing = False
    second = sup.start_child([]).ref
    _hang(otp, play, second)
    otp.shut_down(sup)
    _release(play)


def test_count_restarting_children(otp, kind):
    play = FailsWhile()
    template = otp.worker(kind, play=play, shutdown=BRUTAL_KILL)
    sup = otp.start_simple(template, max_restarts=20, period=10)
    refs = []
    for n in range(4):
        assert otp.counts(sup) == [1, n, 0, n]
        if n < 3:
            refs.append(sup.start_child([]).ref)
    for ref in refs:
        otp.end(ref, "abnormal", sup=sup)
    assert otp.counts(sup) == [1, 3, 0, 3]
    first, second, third = otp.pids(sup).values()
    _hang(otp, play, first)
    _hang(otp, play, second)
    assert otp.counts(sup) == [1, 1, 0, 3]
    _release(play)
    play.fail()
    otp.settle(sup)
    assert otp.counts(sup) == [1, 3, 0, 3]
    sup.terminate_child(third)
    assert otp.counts(sup) == [1, 2, 0, 2]
    for left, ref in enumerate(otp.pids(sup).values()):
        sup.terminate_child(ref)
        assert otp.counts(sup) == [1, 1 - left, 0, 1 - left]
    otp.end(sup, ExitReason.SHUTDOWN)
