"""Messages put aside: their order, their limits, and what a failure leaves of them."""

from __future__ import annotations

import threading

import pytest

import klemheist
from klemheist import Supervisor, child
from klemheist.actors.runtime import DEAD_LETTERS, Bounded, StashOverflow, Terminated
from klemheist.supervisors.core.flags import Directive
from klemheist.testing import ManualClock, Probe, await_idle
from tests.supervisors.pekko.target import Exc1, backoff, tree_of


class Stashing(klemheist.Actor):
    """Puts messages aside until it is told to take them, all or one at a time."""

    def __init__(self, probe, failing=()):
        super().__init__()
        self.probe, self.open, self.processed = probe, True, []

    def on_start(self):
        self.probe.tell("started")

    def on_failure(self, kind, error, traceback):
        self.probe.tell(("failed after", list(self.processed)))

    def on_receive(self, message):
        match message:
            case "close":
                self.open = False
            case "open":
                self.open = True
                self.unstash_all()
            case "one":
                self.open = self.unstash()
            case "processed":
                return list(self.processed)
            case ("wait", gate):
                gate.wait(20)
            case "crash":
                raise Exc1
            case _ if not self.open:
                self.stash()
            case BaseException():
                raise message
            case "stop":
                raise klemheist.Exit
            case _:
                self.processed.append(message)
                self.probe.tell(message)
        return None


class SmallStash(Stashing):
    stash_capacity = 2

    def on_receive(self, message):
        try:
            return super().on_receive(message)
        except StashOverflow as error:
            self.probe.tell(error)
            return None


class SmallMailbox(Stashing):
    mailbox = Bounded(2, overflow="drop_new")

    def on_receive(self, message):
        if isinstance(message, tuple):
            self.probe.tell("busy")
        return super().on_receive(message)


@pytest.fixture
def probe():
    with Probe() as probe:
        yield probe


@pytest.fixture
def actor(probe):
    ref = Stashing.start(probe.ref)
    probe.expect("started")
    yield ref
    ref.stop()


@pytest.fixture
def dropped():
    letters = []
    undo = DEAD_LETTERS.subscribe(letters.append)
    yield letters
    undo()


def told(ref, *messages):
    for message in messages:
        ref.tell(message)


# -- ActorWithStashSpec ---------------------------------------------------------------------------


def test_stash_messages(actor, probe):
    told(actor, "close", "bye")
    probe.expect_nothing(actor)
    told(actor, "open")
    probe.expect("bye")


def test_support_protocols(probe):
    class Protocol(klemheist.Actor):
        opened = False

        def on_receive(self, message):
            match message, self.opened:
                case "open", False:
                    self.opened = True
                    self.unstash_all()
                case "write", True:
                    probe.ref.tell("written")
                case "close", True:
                    self.opened = False
                    self.unstash_all()
                case "done", False:
                    probe.ref.tell("done")
                case _:
                    self.stash()

    ref = Protocol.start()
    told(ref, "open", "write", "open", "close", "write", "close", "done")
    for expected in ("written", "written", "done"):
        probe.expect(expected)
    ref.stop()


def test_throw_an_illegalstateexception_if_the_same_messages_is_stashed_twice(probe):
    """Adapted: a `RuntimeError` is Python's illegal state."""

    class Twice(klemheist.Actor):
        def on_receive(self, message):
            self.stash()
            try:
                self.stash()
            except RuntimeError as error:
                probe.ref.tell(error)

    ref = Twice.start()
    ref.tell("hello")
    probe.expect(RuntimeError)
    ref.stop()


def test_process_stashed_messages_after_restart(probe):
    """Adapted: messages survive a crash where the child's spec keeps them."""
    with tree_of(probe, cls=Stashing, on_restart_messages="keep") as tree:
        told(tree.handle("target").ref, "close", "hello", "crash")
        probe.expect(("failed after", []))
        probe.expect("started")
        probe.expect("hello")


def test_re_receive_unstashed_terminated_messages(probe):
    class Watching(klemheist.Actor):
        put_aside = False

        def on_start(self):
            watched = Stashing.start(probe.ref)
            self.watch(watched)
            watched.stop(block=False)

        def on_receive(self, message):
            assert isinstance(message, Terminated)
            if not self.put_aside:
                self.put_aside = True
                self.stash()
                self.unstash_all()
            probe.ref.tell("terminated")

    ref = Watching.start()
    for expected in ("started", "terminated", "terminated"):
        probe.expect(expected)
    ref.stop()


# -- ActorWithBoundedStashSpec --------------------------------------------------------------------


def test_end_up_in_deadletters_in_case_of_a_capacity_violation_when_configured_via_mailbox(
    probe, dropped
):
    """Adapted: a bounded mailbox says what becomes of what finds no room; here it is dropped."""
    gate, ref = threading.Event(), SmallMailbox.start(probe.ref)
    probe.expect("started")
    ref.tell(("wait", gate))
    probe.expect("busy")
    told(ref, "hello1", "hello2", "hello3")
    assert [each.message for each in dropped if each.recipient is ref] == ["hello3"]
    gate.set()
    for expected in ("hello1", "hello2"):
        probe.expect(expected)
    ref.stop()


def test_throw_a_stashoverflowexception_in_case_of_a_stash_capacity_violation_when_configured_via_mailbox(  # noqa: E501 -- the case's name
    probe,
):
    """Adapted: the capacity is the class's."""
    ref = SmallStash.start(probe.ref)
    probe.expect("started")
    told(ref, "close", "hello1", "hello2", "hello3", "open")
    probe.expect(StashOverflow)
    for expected in ("hello1", "hello2"):
        probe.expect(expected)
    ref.stop()


# -- StashSpec ------------------------------------------------------------------------------------


def test_support_unstash_all(actor):
    told(actor, "a", "b", "c", "close", "d", "e", "f", "open")
    assert actor.ask("processed", timeout=5) == ["a", "b", "c", "d", "e", "f"]


def test_support_unstash_a_few_at_a_time(actor, probe):
    """Adapted: `unstash()` takes one; what comes meanwhile is put aside behind the others."""
    told(actor, "a", "b", "c", "close", "d", "e", "f")
    told(actor, "one", "close", "g", "one", "close", "one", "close", "one")
    for expected in "abcdefg":
        probe.expect(expected)


def fails_while_unstashing(probe, **spec):
    """Two of four are handled, the third fails."""
    tree = tree_of(probe, cls=Stashing, **spec)
    told(tree.handle("target").ref, "close", "1", "2", Exc1(), "3", "open")
    for expected in ("1", "2"):
        probe.expect(expected)
    return tree


def test_signal_poststop_to_the_latest_unstashed_behavior_on_failure(probe):
    """Adapted: `on_failure` sees the state that the failure left."""
    with fails_while_unstashing(probe, on_error={Exc1: Directive.STOP}) as tree:
        probe.expect(("failed after", ["1", "2"]))
        probe.expect_nothing(tree)


def test_signal_prerestart_to_the_latest_unstashed_behavior_on_failure_with_restart_supervision(
    probe,
):
    """Adapted: as above; the rest is discarded with the incarnation."""
    with fails_while_unstashing(probe) as tree:
        probe.expect(("failed after", ["1", "2"]))
        probe.expect("started")
        await_idle(tree)
        assert tree.handle("target").ask("processed", timeout=5) == []


def test_signal_prerestart_to_the_latest_unstashed_behavior_on_failure_with_backoff_supervision(
    probe,
):
    """Adapted: as above."""
    clock = ManualClock()
    with fails_while_unstashing(probe, clock=clock, backoff=backoff(0.1)) as tree:
        probe.expect(("failed after", ["1", "2"]))
        probe.expect_nothing(tree)
        clock.advance(0.1)
        probe.expect("started")
        await_idle(tree)
        assert tree.handle("target").ask("processed", timeout=5) == []


def test_handle_resume_correctly_on_failure_unstashing(probe):
    """Adapted: what is unstashed is before everything that waits, so a failure does not stop it."""
    with fails_while_unstashing(probe, on_error={Exc1: Directive.RESUME}) as tree:
        probe.expect("3")
        assert tree.handle("target").ask("processed", timeout=5) == ["1", "2", "3"]


def test_deal_with_stop(probe, dropped):
    ref = Stashing.start(probe.ref)
    probe.expect("started")
    told(ref, "close", "1", "stop", "2", "open")
    probe.expect("1")
    probe.expect_down(ref, reason="normal")
    assert [each.message for each in dropped if each.recipient is ref] == ["2"]


# -- SupervisionSpec: messages across restarts -----------------------------------------------------


def keeps_messages(probe, **spec):
    """Two failures in a row; what waited behind them is handled, in order, by the third."""
    gate, clock = threading.Event(), ManualClock()
    tree = tree_of(probe, cls=Stashing, clock=clock, on_restart_messages="keep", **spec)
    with tree:
        told(tree.handle("target").ref, ("wait", gate), Exc1(), Exc1(), "ping 1", "ping 2")
        gate.set()
        clock.advance(1.0, between=lambda: await_idle(tree))
        for expected in (*[("failed after", []), "started"] * 2, "ping 1", "ping 2"):
            probe.expect(expected)
        probe.expect_nothing(tree)


def test_ensure_unhandled_message_retention_during_unstash_exception_when_restart(probe):
    keeps_messages(probe)


def test_ensure_unhandled_message_retention_during_unstash_exception_when_backoff(probe):
    keeps_messages(probe, backoff=backoff(0.01))


class Failing(Stashing):
    """Does not start as long as the list says so."""

    def __init__(self, probe, failing=()):
        super().__init__(probe)
        self.failing = failing

    def on_start(self):
        if self.failing.pop(0):
            self.probe.tell("start failed")
            raise Exc1("told not to start")
        super().on_start()


def keeps_messages_over_failed_starts(probe, **spec):
    """Two restarts fail; what waited is handled, in order, by the one that works."""
    gate, clock = threading.Event(), ManualClock()
    one = child(
        Failing,
        probe.ref,
        [False, True, True, False],
        id="target",
        on_restart_messages="keep",
        **spec,
    )
    with Supervisor.start([one], clock=clock, max_restarts=4, period=10.0) as tree:
        probe.expect("started")
        told(tree.handle("target").ref, ("wait", gate), Exc1(), "ping 1", "close", "ping 2", "open")
        gate.set()
        clock.advance(1.0, between=lambda: await_idle(tree))
        probe.expect(("failed after", []))
        for expected in ("start failed", "start failed", "started", "ping 1", "ping 2"):
            probe.expect(expected)
        probe.expect_nothing(tree)


def test_ensure_stash_message_retention_on_start_exception_when_restart(probe):
    keeps_messages_over_failed_starts(probe)


def test_ensure_stash_message_retention_on_start_exception_when_backoff(probe):
    keeps_messages_over_failed_starts(probe, backoff=backoff(0.01))
