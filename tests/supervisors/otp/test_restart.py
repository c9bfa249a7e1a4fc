"""Whom a restart concerns, and when it is too often: cases 29 to 44 of OTP's supervisor suite.

The clock stands still, so that every restart is in the window; where time must pass, it is moved.
"""

from __future__ import annotations

import gc
import weakref

import pytest
from loguru import logger

from klemheist.actors.runtime import ExitReason
from klemheist.supervisors import BRUTAL_KILL, child
from tests.supervisors.otp.children import Asked, Asks, FailsLater, IgnoresLater, SlowStop
from tests.supervisors.otp.test_api import factory_with_info


def test_multiple_restarts(otp, kind):
    sup = otp.start(max_restarts=1, period=1)
    ref = sup.start_child(otp.worker(kind, shutdown=BRUTAL_KILL)).ref
    otp.end(ref, "abnormal", sup=sup)
    for _ in range(3):
        otp.clock.advance(2.1)
        otp.end(otp.pids(sup)["child1"], "abnormal", sup=sup)
    sup.terminate_child("child1")
    sup.delete_child("child1")
    otp.end(sup, "kill")


def _two(otp, kind, strategy, *, plays=(None, None), **flags):
    sup = otp.start(strategy=strategy, **flags)
    refs = [
        sup.start_child(otp.worker(kind, key, play)).ref
        for key, play in zip(("child1", "child2"), plays, strict=True)
    ]
    return sup, *refs


def test_one_for_one(otp, kind):
    sup, first, second = _two(otp, kind, "one_for_one")
    otp.end(first, "abnormal", sup=sup)
    refs = otp.pids(sup)
    assert len(refs) == 2
    assert refs["child2"] is second
    assert refs["child1"] is not first
    assert otp.counts(sup) == [2, 2, 0, 2]
    # once too often
    otp.end(second, "abnormal", sup=sup)
    otp.end(otp.which(sup)[0][1], "abnormal")
    otp.expect_down(sup)


def test_one_for_one_escalation(otp, kind):
    sup, first, second = _two(otp, kind, "one_for_one", plays=(FailsLater(), None), max_restarts=4)
    otp.end(first, "abnormal")
    otp.expect_down(sup, second)


def test_one_for_all(otp, kind):
    sup, first, second = _two(otp, kind, "one_for_all")
    otp.end(first, "abnormal", sup=sup)
    otp.expect_down(second)
    refs = otp.pids(sup)
    assert len(refs) == 2
    assert not {first, second} & set(refs.values())
    assert otp.counts(sup) == [2, 2, 0, 2]
    # once too often
    otp.end(otp.which(sup)[0][1], "abnormal", sup=sup)
    otp.end(otp.which(sup)[0][1], "abnormal")
    otp.expect_down(sup)


def test_one_for_all_escalation(otp, kind):
    sup, first, second = _two(otp, kind, "one_for_all", plays=(None, FailsLater()), max_restarts=4)
    otp.end(first, "abnormal")
    otp.expect_down(second, sup)


def _started_on_request(otp, kind, strategy):
    asked = Asked()
    sup = otp.start(strategy=strategy, max_restarts=3)
    for key in ("child1", "child2"):
        starting = sup.start_child(otp.worker(kind, key, Asks(key, asked)), block=False)
        asked.expect(key).answer()
        starting.get(timeout=5)
    return sup, asked


def test_one_for_all_other_child_fails_restart(otp, kind):
    sup, asked = _started_on_request(otp, kind, "one_for_all")
    otp.end(otp.pids(sup)["child1"], "abnormal")
    first_again = asked.expect("child1")
    first_again.answer()
    asked.expect("child2").answer(ok=False)
    otp.expect_down(first_again.ref)
    asked.expect("child1").answer()
    asked.expect("child2").answer()
    otp.settle(sup)
    assert otp.counts(sup) == [2, 2, 0, 2]


def test_simple_one_for_one(otp, kind):
    sup = otp.start_simple(otp.worker(kind, "child"))
    _restarts_of_two(otp, sup)


def _restarts_of_two(otp, sup):
    first, second = (sup.start_child([]).ref for _ in range(2))
    otp.end(first, "abnormal", sup=sup)
    refs = [ref for _, ref, _ in otp.which(sup)]
    assert len(refs) == 2
    assert second in refs
    assert otp.counts(sup) == [1, 2, 0, 2]
    otp.end(second, "abnormal", sup=sup)
    otp.end(otp.which(sup)[0][1], "abnormal")
    otp.expect_down(sup)


def test_simple_one_for_one_shutdown(otp, kind):
    """Time is the manual clock: the two that take 1 s stop beside the one that is killed at 2 s."""
    sup = otp.start_simple(otp.worker(kind, "child", shutdown=2.0).having(args=()))
    plays = [SlowStop() for _ in range(3)]
    refs = [sup.start_child([play]).ref for play in plays]
    sup.exit(ExitReason.SHUTDOWN)
    for play in plays:
        assert play.entered.wait(5)  # all at once
    otp.clock.advance(1.0)
    for play in plays[:2]:
        play.over.set()
    otp.expect_down(*refs[:2])
    assert otp.still_up(sup, refs[2])
    otp.clock.advance(1.0)
    otp.expect_down(refs[2], reason=ExitReason.KILLED)
    otp.expect_down(sup)
    plays[2].over.set()


def test_simple_one_for_one_extra(otp, kind):
    sup = otp.start_simple(child(factory_with_info, kind, "extra_info", id="child", shutdown=1.0))
    assert sup.start_child([]).info == "extra_info"
    sup.terminate_child(otp.which(sup)[0][1])
    _restarts_of_two(otp, sup)


class Big:
    """Something large: only whether it is kept is of interest."""


def test_simple_one_for_one_corruption(otp, pooled):
    """A weak reference tells whether the argument is kept, where OTP measures the heap."""
    sup = otp.start_simple(otp.worker(pooled, "child", restart="temporary"))
    otp.end(sup.start_child([]).ref, "abnormal", sup=sup)
    big = Big()
    kept = weakref.ref(big)
    ref = sup.start_child([big]).ref
    del big
    otp.settle(sup)
    gc.collect()
    assert kept() is None
    otp.end(ref, "abnormal", sup=sup)


def test_simple_one_for_one_escalation(otp, kind):
    sup = otp.start_simple(otp.worker(kind, "child").having(args=()), max_restarts=4)
    first = sup.start_child([FailsLater()]).ref
    second = sup.start_child([]).ref
    otp.end(first, "abnormal")
    otp.expect_down(sup, second)


@pytest.mark.parametrize("restart", ["transient", "permanent"])
def test_simple_one_for_one_restart_ignore(otp, kind, restart):
    sup = otp.start_simple(otp.worker(kind, "child", restart=restart).having(args=()))
    ref = sup.start_child([IgnoresLater()]).ref
    assert otp.counts(sup) == [1, 1, 0, 1]
    otp.end(ref, "abnormal", sup=sup)
    assert otp.which(sup) == []
    assert otp.counts(sup) == [1, 0, 0, 0]


def test_rest_for_one(otp, kind):
    sup = otp.start(strategy="rest_for_one")
    first, second, third = (sup.start_child(otp.worker(kind, f"child{n}")).ref for n in (1, 2, 3))
    assert otp.counts(sup) == [3, 3, 0, 3]
    otp.end(second, "abnormal", sup=sup)
    otp.expect_down(third)
    refs = otp.pids(sup)
    assert list(refs) == ["child1", "child2", "child3"]
    assert refs["child1"] is first
    assert not {second, third} & set(refs.values())
    assert otp.counts(sup) == [3, 3, 0, 3]
    # once too often
    otp.end(refs["child3"], "abnormal", sup=sup)
    otp.end(otp.pids(sup)["child2"], "abnormal")
    otp.expect_down(sup)


def test_rest_for_one_escalation(otp, kind):
    sup, first, second = _two(otp, kind, "rest_for_one", plays=(None, FailsLater()), max_restarts=4)
    otp.end(first, "abnormal")
    otp.expect_down(second, sup)


def test_rest_for_one_other_child_fails_restart(otp, kind):
    sup, asked = _started_on_request(otp, kind, "rest_for_one")
    otp.end(otp.pids(sup)["child1"], "abnormal")
    first_again = asked.expect("child1")
    first_again.answer()
    asked.expect("child2").answer(ok=False)
    asked.expect("child2").answer()  # not child1: it runs already
    otp.settle(sup)
    assert otp.pids(sup)["child1"] is first_again.ref
    assert otp.counts(sup) == [2, 2, 0, 2]


def test_external_start_no_progress_log(otp, kind):
    """Levels of log records: what was asked for is DEBUG, what the supervisor did itself INFO."""
    lines = []
    logger.enable("klemheist")
    sink = logger.add(lambda line: lines.append(line.record), level="DEBUG")
    try:
        sup = otp.start()
        ref = sup.start_child(otp.worker(kind)).ref
        progress = [line for line in lines if line["extra"].get("child") == "child1"]
        assert [line["level"].name for line in progress] == ["DEBUG"]
        otp.end(ref, "abnormal", sup=sup)
        progress = [line for line in lines if "restarted" in line["message"]]
        assert [line["level"].name for line in progress] == ["INFO"]
    finally:
        logger.remove(sink)
        logger.disable("klemheist")
