"""How children are ended: cases 16 to 22 of OTP's supervisor suite."""

from __future__ import annotations

import pytest

from klemheist.actors.runtime import ExitReason
from klemheist.supervisors import BRUTAL_KILL, INFINITY
from klemheist.supervisors.core.events import ChildKilled
from tests.supervisors.otp.children import SlowStop, StopsWith

OTHER = ExitReason.error(RuntimeError("other"))
REASONS = [ExitReason.NORMAL, ExitReason.SHUTDOWN, ExitReason.shutdown("test"), OTHER]


def test_sup_stop_infinity(otp, kind):
    sup = otp.start()
    specs = [
        otp.worker(kind, "child1", shutdown=INFINITY, type="supervisor"),
        otp.worker(kind, "child2", shutdown=INFINITY),
    ]
    refs = [sup.start_child(spec).ref for spec in specs]
    otp.shut_down(sup)
    otp.expect_down(*refs)


def test_sup_stop_timeout(otp, kind):
    """Killing is abandoning: the hung thread is left to itself, as in a dirty NIF of OTP."""
    sup = otp.start([otp.worker(kind, "child1"), otp.worker(kind, "child2")])
    refs = otp.pids(sup)
    otp.hang(refs["child2"])
    sup.exit(ExitReason.SHUTDOWN)
    otp.clock.advance(1.0)
    otp.expect_down(refs["child2"], reason=ExitReason.KILLED)
    otp.expect_down(refs["child1"], sup)
    assert [event.id for event in otp.events.of(ChildKilled)] == ["child2"]


def test_sup_stop_timeout_dynamic(otp, kind):
    """As `sup_stop_timeout`."""
    sup = otp.start_simple(otp.worker(kind, restart="temporary"))
    first, second = (sup.start_child([]).ref for _ in range(2))
    otp.hang(second)
    sup.exit(ExitReason.SHUTDOWN)
    otp.expect_down(first)
    otp.clock.advance(1.0)
    otp.expect_down(second, reason=ExitReason.KILLED)
    otp.expect_down(sup)


def test_sup_stop_brutal_kill(otp, kind):
    """Killing is abandoning: see `sup_stop_timeout`."""
    sup = otp.start()
    first = sup.start_child(otp.worker(kind, "child1")).ref
    second = sup.start_child(otp.worker(kind, "child2", shutdown=BRUTAL_KILL)).ref
    otp.shut_down(sup)
    otp.expect_down(first)
    otp.expect_down(second, reason=ExitReason.KILLED)


def test_sup_stop_brutal_kill_dynamic(otp, kind):
    """Killing is abandoning: see `sup_stop_timeout`."""
    play = StopsWith(ExitReason.NORMAL)
    template = otp.worker(kind, play=play, restart="temporary", shutdown=BRUTAL_KILL)
    sup = otp.start_simple(template)
    refs = [sup.start_child([]).ref for _ in range(10)]
    otp.shut_down(sup)
    otp.expect_down(*refs, reason=ExitReason.KILLED)


def test_sup_stop_race(otp, kind):
    sup = otp.start()
    first = sup.start_child(otp.worker(kind, "child_a", restart="temporary")).ref
    dying = {
        sup.start_child(otp.worker(kind, (restart, n), restart=restart)).ref: reason
        for restart in ("temporary", "transient", "permanent")
        for n, reason in enumerate(REASONS)
    }
    slow = SlowStop()
    last = sup.start_child(otp.worker(kind, "child_z", slow, restart="temporary", shutdown=2)).ref
    sup.exit(ExitReason.SHUTDOWN)
    assert slow.entered.wait(5)
    for ref, reason in dying.items():
        ref.tell(reason)
    for ref, reason in dying.items():
        otp.expect_down(ref, reason=reason)
    slow.over.set()
    otp.expect_down(last, first, sup)


@pytest.mark.parametrize("restart", ["temporary", "transient", "permanent"])
def test_sup_stop_non_shutdown_exit_dynamic(otp, kind, restart):
    template = otp.worker(kind, restart=restart, shutdown=5).having(args=())
    sup = otp.start_simple(template)
    dying = {sup.start_child([StopsWith(reason)]).ref: reason for reason in REASONS}
    otp.shut_down(sup)
    for ref, reason in dying.items():
        otp.expect_down(ref, reason=reason)
