from __future__ import annotations

import threading

import pytest

from klemheist.actors.runtime import (
    Actor,
    ActorDead,
    ExitReason,
    ManualClock,
    NotInfluenceReceiveTimeout,
    ReceiveTimeout,
    StashOverflow,
    Terminated,
    Timers,
    spawn,
)


class Waiting(Actor):
    """Puts everything aside until it is told to open."""

    stash_capacity = 3

    def __init__(self, journal=None):
        super().__init__()
        self.journal = [] if journal is None else journal
        self.open = False

    def on_receive(self, message):
        if message == "open":
            self.open = True
            self.unstash_all()
        elif message == "one":
            self.open = True
            self.unstash()
        elif self.open:
            self.journal.append(message)
            return message
        else:
            self.stash()
        return "not an answer"


def test_what_was_put_aside_comes_before_what_waits_in_its_order():
    ref = Waiting.start(journal := [])
    gate = threading.Event()
    for message in ("a", "b"):
        ref.tell(message)
    ref.actor().post(gate.wait, 5)
    for message in ("open", "c"):
        ref.tell(message)
    gate.set()
    ref.ask("d", timeout=5)
    assert journal == ["a", "b", "c", "d"]


def test_an_ask_that_is_put_aside_is_answered_later():
    ref = Waiting.start()
    asked = ref.ask("question", block=False)
    ref.ask("open", timeout=5)
    assert asked.get(timeout=5) == "question"


def test_one_can_be_taken_at_a_time():
    ref = Waiting.start(journal := [])
    for message in ("a", "b", "one"):
        ref.tell(message)
    ref.ask("c", timeout=5)
    assert journal == ["a", "c"]
    ref.ask("one", timeout=5)
    ref.ask("d", timeout=5)
    assert journal == ["a", "c", "b", "d"]


def test_too_many_are_an_overflow():
    ref = Waiting.start()
    for n in range(3):
        ref.tell(n)
    with pytest.raises(StashOverflow, match="3 messages aside"):
        ref.ask("too many", timeout=5)
    ref.tell("too many")
    assert isinstance(ref.ended.get(timeout=5).exception, StashOverflow)


def test_putting_aside_twice_or_without_a_message_is_refused():
    class Twice(Waiting):
        def on_receive(self, message):
            self.stash()
            self.stash()

    ref = Twice.start()
    ref.tell("x")
    assert isinstance(ref.ended.get(timeout=5).exception, RuntimeError)
    posting = Waiting.start()
    posting.actor().post(posting.actor().stash)
    assert isinstance(posting.ended.get(timeout=5).exception, RuntimeError)


def test_news_of_an_end_can_be_put_aside():
    ref, other = Waiting.start(journal := []), Waiting.start()
    actor = ref.actor()
    actor.post(lambda: actor.watch(other))
    ref.ask("open", timeout=5)
    actor.open = False
    other.stop()
    ref.ask("open", timeout=5)
    ref.ask("x", timeout=5)
    assert journal == [Terminated(other, ExitReason.NORMAL), "x"]


def test_what_is_aside_at_the_end_fails_its_asker():
    ref = Waiting.start()
    asked = ref.ask("question", block=False)
    ref.stop()
    with pytest.raises(ActorDead):
        asked.get(timeout=5)


def test_everything_unhandled_but_the_failing_message_is_kept_for_the_next_incarnation():
    gate = threading.Event()

    class Failing(Waiting):
        def on_receive(self, message):
            if message == "fail":
                raise ValueError("told to")
            return super().on_receive(message)

    ref = spawn(Failing, prepare=lambda actor: setattr(actor, "_actor_keeps", True))
    asked = ref.ask("aside", block=False)
    ref.actor().post(gate.wait, 5)
    for message in ("fail", "waiting", "fail"):
        ref.tell(message)
    gate.set()
    ref.ended.get(timeout=5)
    left = ref.leftovers()
    assert len(left) == 3
    assert ref.leftovers() == []
    again = spawn(Failing, inherit=left, prepare=lambda a: setattr(a, "_actor_keeps", True))
    again.ended.get(timeout=5)
    assert not asked.done()  # it fails again, and what was put aside is kept again
    last = spawn(Failing, (journal := [],), inherit=again.leftovers())
    last.ask("open", timeout=5)
    assert asked.get(timeout=5) == "aside"
    last.ask("new", timeout=5)
    assert journal == ["aside", "waiting", "new"]
    last.stop()


def test_without_keeping_what_waits_fails_with_the_error_the_supervisor_chose():
    class Lost(ActorDead):
        pass

    gate = threading.Event()
    ref = spawn(Waiting, prepare=lambda actor: setattr(actor, "_actor_lost", Lost))
    ref.actor().post(gate.wait, 5)
    asked = ref.ask("x", block=False)
    ref.exit()
    gate.set()
    with pytest.raises(Lost):
        asked.get(timeout=5)
    assert ref.leftovers() == []


def test_an_inline_actor_has_no_stash_and_no_receive_timeout():
    class Inline(Waiting):
        inline = True

    ref = Inline.start()
    with pytest.raises(TypeError, match="use dispatcher"):
        ref.ask("x", timeout=5)
    with pytest.raises(TypeError, match="receive_timeout"):
        ref.actor().receive_timeout = 1
    ref.stop()


# -- receive timeout -------------------------------------------------------------------------------


class Quiet(NotInfluenceReceiveTimeout):
    """Does not count."""


@pytest.fixture
def idling():
    clock, journal = ManualClock(), []

    class Idling(Actor):
        timers = Timers(clock)

        def on_start(self):
            self.receive_timeout = 2.0

        def on_receive(self, message):
            if isinstance(message, ReceiveTimeout):
                journal.append(clock.monotonic())
            elif message == "no more":
                self.receive_timeout = None
            return self.receive_timeout

    ref = Idling.start()
    assert ref.ask("hello", timeout=5) == 2.0

    def settle():
        done = threading.Event()
        ref.actor().post(done.set)
        assert done.wait(5)

    def advance(seconds):
        settle()  # the turn before has ended
        clock.advance(seconds)
        settle()

    yield ref, advance, journal
    ref.stop()
    assert len(Idling.timers) == 0


def test_receive_timeout_comes_again_and_again_while_nothing_else_does(idling):
    _, advance, journal = idling
    for _ in range(5):
        advance(1)
    assert journal == [2, 4]


def test_a_message_begins_the_time_anew_and_some_do_not(idling):
    ref, advance, journal = idling
    advance(1.5)
    ref.ask("hello", timeout=5)
    advance(1)
    assert journal == []
    ref.ask(Quiet(), timeout=5)
    advance(1)
    assert journal == [3.5]


def test_it_can_be_switched_off(idling):
    ref, advance, journal = idling
    assert ref.ask("no more", timeout=5) is None
    advance(10)
    assert journal == []


def test_a_time_that_is_none_is_refused():
    ref = Waiting.start()
    with pytest.raises(ValueError, match="positive seconds"):
        ref.actor().receive_timeout = 0
    ref.stop()
