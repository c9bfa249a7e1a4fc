"""The tools for tests of what is built on Klemheist."""

from __future__ import annotations

import re
import threading

import pykka
import pytest

import klemheist
from klemheist import DynamicSupervisor, Exit, ExitReason, Publisher, Supervisor, child
from klemheist.actors.runtime import Timers
from klemheist.supervisors.core.events import ChildExited, ChildRestarted, ChildTerminated
from klemheist.testing import CapturedEvents, ManualClock, Probe, await_idle, captured_events

SOON = 0.01
"""Real seconds, where a tool must give up."""


class Peer(klemheist.Actor):
    """Ends or answers as it is told."""

    def on_receive(self, message):
        match message:
            case BaseException():
                raise message
            case ("tell", ref, what):
                ref.tell(what)
            case ("hang", gate):
                gate.wait(10)
        return message


class ThreadPeer(Peer):
    dispatcher = "thread"


class InlinePeer(Peer):
    inline = True


@pytest.fixture(params=[Peer, ThreadPeer, InlinePeer])
def peer(request):
    ref = request.param.start()
    yield ref
    ref.exit()
    ref.ended.get(timeout=5)


@pytest.fixture
def probe():
    with Probe() as probe:
        yield probe


# -- the probe watches ----------------------------------------------------------------------------


def test_a_probe_sees_the_end_of_an_actor_and_its_reason(probe, peer):
    probe.watch(peer)
    peer.tell(ValueError("told to"))
    reason = probe.expect_down(peer, reason=ValueError)
    assert reason.exception.args == ("told to",)


def test_a_probe_sees_the_end_of_one_that_was_dead_before(probe, peer):
    peer.stop()
    assert probe.expect_down(peer, reason=ExitReason.NORMAL) == ExitReason.NORMAL


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        (ExitReason.SHUTDOWN, "shutdown"),
        (ExitReason.shutdown("why"), ExitReason.shutdown("why")),
        (ExitReason.shutdown("why"), "shutdown"),
    ],
)
def test_a_reason_may_be_given_whole_or_by_its_kind(probe, peer, reason, wanted):
    peer.tell(Exit(reason))
    probe.expect_down(peer, reason=wanted)


def test_each_end_is_seen_once_and_those_of_others_stay(probe):
    one, two = Peer.start(), Peer.start()
    probe.watch(one, two)
    two.stop()
    one.stop()
    probe.expect_down(one)
    probe.expect_down(two)
    probe.expect_nothing()


def test_who_is_not_watched_any_more_is_not_seen(probe, peer):
    probe.watch(peer)
    probe.unwatch(peer)
    peer.stop()
    probe.expect_nothing(peer)


def test_an_end_that_does_not_come_is_a_failure_that_says_who_lives(probe, peer):
    other = Peer.start()
    probe.watch(other)
    other.stop()
    with pytest.raises(AssertionError, match="which lives, within") as caught:
        probe.expect_down(peer, timeout=SOON)
    assert "reason=normal" in str(caught.value)


def test_another_reason_is_a_failure_with_the_crash_as_its_cause(probe, peer):
    peer.tell(ValueError("told to"))
    with pytest.raises(AssertionError, match="not with shutdown") as caught:
        probe.expect_down(peer, reason=ExitReason.SHUTDOWN)
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_probe_gets_the_exit_signals_of_those_it_is_linked_to(probe, peer):
    probe.link(peer)
    peer.tell(ValueError("told to"))
    probe.expect_exit(peer, reason=ValueError)
    probe.expect_nothing(peer)


def test_a_probe_that_ends_takes_nobody_with_it(peer):
    with Probe() as probe:
        probe.link(peer)
        probe.unlink(peer)
    with Probe() as probe:
        probe.expect_alive(peer)


def test_expect_alive_lets_them_finish_first(probe, peer):
    probe.expect_alive(peer)
    peer.tell(ValueError("told to"))
    with pytest.raises(AssertionError, match="has ended"):
        probe.expect_alive(peer)


# -- the probe talks ------------------------------------------------------------------------------


def test_a_probe_takes_messages_in_order(probe, peer):
    probe.tell(peer, ("tell", probe.ref, "one"))
    probe.tell(peer, ("tell", probe.ref, 2))
    assert probe.expect("one") == "one"
    assert probe.expect(int) == 2
    assert probe.ask(peer, "question") == "question"


def test_a_probe_answers_as_it_is_told():
    with Probe(reply=lambda message: message * 2) as probe:
        assert probe.ref.ask(21, timeout=5) == 42
        assert probe.messages == [21]


def test_another_message_is_a_failure_that_shows_it(probe):
    for message in ("this", "that"):
        probe.ref.tell(message)
    with pytest.raises(AssertionError, match="expected 'other', came: 'this'") as caught:
        probe.expect("other")
    assert "'that'" in str(caught.value)


def test_no_message_is_a_failure(probe):
    with pytest.raises(AssertionError, match=re.escape(f"expected int within {SOON} s")):
        probe.expect(int, timeout=SOON)


def test_expect_nothing_waits_for_those_who_might_still_send(probe, peer):
    peer.tell(("tell", probe.ref, "late"))
    with pytest.raises(AssertionError, match="'late'"):
        probe.expect_nothing(peer)


# -- idle -----------------------------------------------------------------------------------------


def test_a_tree_is_idle_when_everything_it_was_sent_has_had_its_effect():
    with Supervisor.start([child(Peer)], max_restarts=100) as tree:
        for _ in range(20):
            old = tree.handle("Peer").ref
            old.tell(ValueError("told to"))
            await_idle(tree)
            assert tree.handle("Peer").ref is not old


class Passing(klemheist.Actor):
    """Passes a number on, one less, until it is 0."""

    def __init__(self):
        super().__init__()
        self.next = None

    def on_receive(self, message):
        if not isinstance(message, int):
            self.next = message
        elif message:
            self.next.tell(message - 1)


@pytest.mark.parametrize("inline", [False, True])
def test_a_message_that_wanders_is_never_missed(inline):
    cls = type("Wandering", (Passing,), {"inline": inline})
    ring = [cls.start() for _ in range(7)]
    for here, there in zip(ring, [*ring[1:], ring[0]], strict=True):
        here.tell(there)
    for start in range(20):
        ring[start % 7].tell(200)
        await_idle(*ring)
        left = [each.actor_inbox for each in ring]
        assert all(inbox.hold() for inbox in left)
        for inbox in left:
            inbox.let_go()
    for each in ring:
        each.stop()


def test_what_is_sent_while_an_actor_is_held_is_handled_afterwards(probe, peer):
    await_idle(peer)
    inbox = peer.actor_inbox
    assert inbox.hold()
    assert not inbox.hold()
    peer.tell(("tell", probe.ref, "late"))
    asked = peer.ask("question", block=False)
    assert not asked.done()
    inbox.let_go()
    assert asked.get(timeout=5) == "question"
    probe.expect("late")


def test_actors_of_other_classes_are_waited_for_too():
    class Plain(pykka.ThreadingActor):
        def on_receive(self, message):
            if isinstance(message, Exception):
                raise message
            return message

    with Supervisor.start([child(Plain)]) as tree:
        old = tree.handle("Plain").ref
        old.tell(ValueError("told to"))
        await_idle(tree)
        assert tree.handle("Plain").ref is not old


def test_a_child_that_waits_for_its_restart_is_idle():
    clock = ManualClock()
    backoff = klemheist.Backoff(min=10, max=10, jitter=0)
    with Supervisor.start([child(Peer, backoff=backoff)], clock=clock) as tree:
        tree.handle("Peer").tell(ValueError("told to"))
        await_idle(tree)
        assert tree.child("Peer").state == "restarting"
        clock.advance(10)
        await_idle(tree)
        assert tree.child("Peer").state == "running"


def test_an_actor_that_hangs_is_named():
    gate, peer = threading.Event(), Peer.start()
    peer.tell(("hang", gate))
    with pytest.raises(AssertionError, match=r"Peer.*still at something"):
        await_idle(peer, timeout=SOON)
    gate.set()
    await_idle(peer)
    peer.stop()
    await_idle(peer)


# -- the clock ------------------------------------------------------------------------------------


class Ticking(klemheist.Actor):
    """Sends itself the next tick when it has the last, three times."""

    def __init__(self, clock, seen):
        super().__init__()
        self.timers, self.clock, self.seen = Timers(clock), clock, seen

    def on_receive(self, message):
        self.seen.append(self.clock.monotonic())
        if len(self.seen) < 3:
            self.schedule(1.0, "tick")


def test_what_an_actor_schedules_counts_from_the_moment_that_woke_it():
    clock, seen = ManualClock(), []
    ref = Ticking.start(clock, seen)
    ref.tell("tick")
    clock.advance(10, between=lambda: await_idle(ref))
    assert seen == [0, 1, 2]
    ref.stop()


# -- events ---------------------------------------------------------------------------------------


def test_the_events_of_a_publisher_are_kept_and_can_be_waited_for():
    publisher = Publisher()
    with captured_events(publisher, int, str) as events:
        for event in (1, "a", None, 2):
            publisher.publish(event)
        assert events.expect(str) == "a"
        assert events.expect(int, real=2) == 2
        assert events.expect(int) == 1
    publisher.publish(3)
    assert (list(events), events.of(int), len(events)) == ([1, "a", 2], [1, 2], 3)


def test_the_events_of_a_tree_and_of_all_trees_can_be_captured():
    with (
        Supervisor.start([child(Peer)]) as tree,
        captured_events(tree) as mine,
        captured_events(klemheist.system_events(ChildExited)) as everybodys,
    ):
        tree.handle("Peer").tell(ValueError("told to"))
        ended = mine.expect(ChildExited, id="Peer")
        assert everybodys.expect(ChildExited, path=tree.snapshot().path) == ended
        mine.expect(ChildRestarted)


def test_the_events_of_a_tree_can_be_captured_from_its_beginning():
    events = CapturedEvents()
    with DynamicSupervisor.start(on_event=events.add) as tree:
        tree.start_child(child(Peer, id="a"))
        tree.handle("a").tell(ValueError("told to"))
        assert isinstance(events.expect(ChildExited, id="a").reason.exception, ValueError)
        assert events.expect(ChildRestarted, id="a").attempt == 1
        await_idle(tree)
        events.expect_none(ChildTerminated)
        with pytest.raises(AssertionError, match="expected no ChildExited"):
            events.expect_none(ChildExited)


def test_an_event_that_does_not_come_is_a_failure_that_shows_what_came_instead():
    publisher = Publisher()
    with captured_events(publisher) as events:
        for number in range(12):
            publisher.publish(number)
        with pytest.raises(AssertionError, match=r"no str\(real=1\) within") as caught:
            events.expect(str, real=1, timeout=SOON)
    assert "\n  9\n  and 2 more" in str(caught.value)
