"""A child waits longer and longer for its next start, on a clock that is moved by hand."""

from __future__ import annotations

import pytest

from klemheist import DynamicSupervisor, ExitReason, child
from klemheist.actors.runtime import DEAD_LETTERS, ActorDead
from klemheist.supervisors.core.errors import ChildRestarting
from klemheist.testing import ManualClock, Probe, await_idle
from tests.supervisors.pekko.target import Exc1, Target, backoff, fail, tree_of


@pytest.fixture
def probe():
    with Probe() as probe:
        yield probe


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def dropped():
    letters = []
    undo = DEAD_LETTERS.subscribe(letters.append)
    yield letters
    undo()


def waits(tree, probe, clock, seconds):
    """See that the target comes back after so many seconds and no sooner."""
    assert tree.child("target").next_attempt_in == pytest.approx(seconds)
    clock.advance(seconds - 0.1)
    probe.expect_nothing(tree)
    clock.advance(0.1)
    probe.expect("started")
    await_idle(tree)


# -- SupervisionSpec ------------------------------------------------------------------------------


def test_publish_dropped_messages_while_backing_off_and_stash_is_full(probe, clock, dropped):
    """Adapted: nobody keeps messages for one that is away, so each of them is dropped, and told."""
    with tree_of(probe, clock=clock, backoff=backoff()) as tree:
        ref = fail(tree, probe)
        for number in (3, 4):
            with pytest.raises(ActorDead):
                ref.tell(("ping", number))
            with pytest.raises(ChildRestarting):
                tree.handle("target").tell(("ping", number))
        mine = [letter for letter in dropped if letter.recipient is ref]
        assert [letter.message for letter in mine] == [("ping", 3), ("ping", 4)]
        assert {letter.reason for letter in mine} == {"it has ended"}


def test_restart_after_exponential_backoff(probe, clock):
    with tree_of(probe, clock=clock, backoff=backoff(reset_after=10.0)) as tree:
        for seconds in (1.0, 2.0):
            tree.handle("target").tell("increment")
            fail(tree, probe)
            waits(tree, probe, clock, seconds)
            assert tree.handle("target").ask("state", timeout=5) == 0


def test_fail_if_reaching_maximum_number_of_restarts_with_backoff(probe, clock):
    """Adapted: a child with a backoff has a budget of its own; the supervisor lives on."""
    limits = backoff(0.2, reset_after=10.0, max_restarts=2)
    failing = [False, *[True] * 9]
    with tree_of(probe, clock=clock, backoff=limits, failing=failing) as tree:
        fail(tree, probe)
        clock.advance(3.0, between=lambda: await_idle(tree))
        for expected in ("start failed", "start failed"):
            probe.expect(expected)
        assert tree.child("target").state == "failed"
        probe.expect_nothing(tree)


def test_reset_exponential_backoff_count_after_reset_timeout(probe, clock):
    with tree_of(probe, clock=clock, backoff=backoff(reset_after=0.1)) as tree:
        for _ in range(2):
            fail(tree, probe)
            waits(tree, probe, clock, 1.0)
            clock.advance(0.2)


def test_default_resetbackoffafter_to_average_of_min_and_max_backoff():
    assert backoff(0.1, 1.0).steady_after() == pytest.approx(0.55)


def test_restart_with_exponential_backoff_when_deferred_factory_throws(probe, clock):
    """Adapted: at a restart, since a first start is not tried again."""
    tree = tree_of(probe, clock=clock, backoff=backoff(0.1, 1.0), failing=[False, True, False])
    with tree:
        fail(tree, probe)
        clock.advance(0.1)
        probe.expect("start failed")
        await_idle(tree)
        waits(tree, probe, clock, 0.2)


# -- BackoffSupervisorSpec ------------------------------------------------------------------------


def test_start_child_again_when_it_stops_when_using_backoff_onstop(probe, clock):
    """Adapted: on stop or on failure is the child's restart type, permanent or transient."""
    with tree_of(probe, clock=clock, backoff=backoff(0.1)) as tree:
        first = tree.handle("target").ref
        first.stop()
        probe.expect("stopped")
        probe.expect_down(first, reason=ExitReason.NORMAL)
        await_idle(tree)
        waits(tree, probe, clock, 0.1)
        assert tree.handle("target").ref is not first


def test_forward_messages_to_the_child(probe, clock):
    """Adapted: the child's handle is what others hold."""
    with tree_of(probe, clock=clock, backoff=backoff(0.1)) as tree:
        handle = tree.handle("target")
        handle.tell(("ping", 1))
        probe.expect(("pong", 1))
        assert handle.ask("state", timeout=5) == 0


def test_reply_to_sender_if_replywhilestopped_is_specified(probe, clock):
    """Adapted: an ask is told at its timeout that the child is away; a tell at once."""
    with tree_of(probe, clock=clock, backoff=backoff(0.1)) as tree:
        fail(tree, probe)
        with pytest.raises(ChildRestarting):
            tree.handle("target").ask("state", timeout=0.01)
        with pytest.raises(ChildRestarting):
            tree.handle("target").tell("increment")


def test_not_reply_to_sender_if_replywhilestopped_is_not_specified(probe, clock):
    """Adapted: an ask that can wait is answered by the next incarnation."""
    with tree_of(probe, clock=clock, backoff=backoff(0.1)) as tree:
        fail(tree, probe)
        ready = tree.actor().ready("target")
        assert not ready.done()
        clock.advance(0.1)
        assert ready.get(timeout=5).ask("state", timeout=5) == 0


@pytest.mark.parametrize(
    ("failures", "least", "most", "expected"),
    [
        (0, 0, 0, 0),
        (0, 300, 420, 300),
        (2, 5, 7, 7),
        (2, 5, 7 * 86400, 20),
        (29, 300, 600, 600),
        (29, 864e6, 864e6, 864e6),
        (2**31 - 1, 864e6, 864e6, 864e6),
    ],
)
def test_correctly_calculate_the_delay(failures, least, most, expected):
    assert backoff(least, most).delay(failures) == expected


def stops_restarting(probe, clock, end):
    """Two ends are made good, the third is not; the siblings never notice."""
    limits = backoff(0.1, reset_after=100.0, max_restarts=2)
    spec = child(Target, probe.ref, id="target", backoff=limits)
    with DynamicSupervisor.start(clock=clock, max_restarts=0) as tree:
        tree.start_child(spec)
        probe.expect("started")
        for seconds in (0.1, 0.2, None):
            ref = tree.handle("target").ref
            end(ref)
            probe.expect_down(ref)
            await_idle(tree)
            assert probe.receive() in ("stopped", "failed")
            if seconds is not None:
                waits(tree, probe, clock, seconds)
        assert tree.child("target").state == "failed"
        clock.advance(100)
        probe.expect_nothing(tree)


def test_stop_restarting_the_child_after_reaching_maxnrofretries_limit_backoff_onstop(probe, clock):
    """Adapted: the supervisor lives on, and the child is failed for good."""
    stops_restarting(probe, clock, lambda ref: ref.stop())


def test_stop_restarting_the_child_after_reaching_maxnrofretries_limit_backoff_onfailure(
    probe, clock
):
    """Adapted: as above."""
    stops_restarting(probe, clock, lambda ref: ref.tell(Exc1()))
