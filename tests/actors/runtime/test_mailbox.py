from __future__ import annotations

import heapq
import queue
import threading
from random import Random

import pytest

from klemheist.actors.runtime import (
    DEAD_LETTERS,
    Actor,
    Bounded,
    InvalidArgument,
    MailboxFull,
    MailboxOverflow,
    Priority,
    Terminated,
    register,
    unregister,
    whereis,
)
from klemheist.actors.runtime.deadletters import DeadLetters
from klemheist.actors.runtime.errors import ActorDead, NameTaken


class Gated(Actor):
    """Handles nothing before the gate opens."""

    def __init__(self):
        super().__init__()
        self.gate, self.entered, self.journal = threading.Event(), threading.Event(), []

    def wait(self):
        self.entered.set()
        self.gate.wait(10)

    def on_receive(self, message):
        self.journal.append(message)
        return message


def gated(mailbox):
    kind = type("Kind", (Gated,), {"mailbox": mailbox})
    actor = kind.start().actor()
    actor.post(actor.wait)
    assert actor.entered.wait(5)
    return actor.actor_ref, actor


def opened(ref, actor):
    actor.gate.set()
    ref.stop()
    return actor.journal


@pytest.fixture
def dead():
    letters = []
    undo = DEAD_LETTERS.subscribe(letters.append)
    yield letters
    undo()


def test_a_full_mailbox_is_an_error_in_the_sender():
    ref, actor = gated(Bounded(2))
    ref.tell(1)
    ref.tell(2)
    with pytest.raises(MailboxFull) as caught:
        ref.tell(3)
    assert isinstance(caught.value, queue.Full)
    with pytest.raises(MailboxFull):
        ref.ask(3, timeout=5)
    assert opened(ref, actor) == [1, 2]


def test_drop_new_drops_what_comes(dead):
    ref, actor = gated(Bounded(2, overflow="drop_new"))
    for n in range(4):
        ref.tell(n)
    asked = ref.ask("full", block=False)
    with pytest.raises(MailboxFull):
        asked.get(timeout=5)
    assert opened(ref, actor) == [0, 1]
    assert [(d.message, d.recipient, d.reason) for d in dead] == [
        (n, ref, "its mailbox is full") for n in (2, 3)
    ]


def test_drop_oldest_drops_what_has_waited_longest(dead):
    ref, actor = gated(Bounded(2, overflow="drop_oldest"))
    asked = ref.ask("oldest", block=False)
    for n in range(3):
        ref.tell(n)
    with pytest.raises(MailboxFull):
        asked.get(timeout=5)
    assert opened(ref, actor) == [1, 2]
    assert [d.message for d in dead] == [0]
    assert [type(d) for d in dead] == [MailboxOverflow]


def test_block_waits_for_room_and_not_for_ever():
    ref, actor = gated(Bounded(1, overflow="block", timeout=0.01))
    ref.tell(1)
    with pytest.raises(MailboxFull):
        ref.tell(2)
    assert opened(ref, actor) == [1]
    ref, actor = gated(Bounded(1, overflow="block", timeout=10))
    ref.tell(1)
    sender = threading.Thread(target=ref.tell, args=(2,))
    sender.start()
    actor.gate.set()
    sender.join(5)
    assert not sender.is_alive()
    assert opened(ref, actor) == [1, 2]


def test_orders_news_and_own_calls_need_no_room():
    ref, actor = gated(Bounded(1))
    other, journal = Gated.start(), actor.journal
    actor.watch(other)
    ref.tell(1)
    other.stop()
    assert actor.post(journal.append, "posted")
    actor.gate.set()
    ref.stop()
    assert [type(m) for m in journal] == [int, Terminated, str]
    ref, actor = gated(Bounded(1))
    ref.tell(1)
    ref.exit()
    actor.gate.set()
    ref.ended.get(timeout=5)
    assert actor.journal == []


def test_the_smallest_key_comes_first_and_equal_ones_in_their_order():
    ref, actor = gated(Priority(lambda message: message[0]))
    for message in ("b1", "a1", "c1", "a2", "b2"):
        ref.tell(message)
    asked = ref.ask("a3", block=False)
    stopped = ref.ask("z9", block=False)
    actor.gate.set()
    stopped.get(timeout=5)
    assert asked.get(timeout=5) == "a3"
    assert actor.journal == ["a1", "a2", "a3", "b1", "b2", "c1", "z9"]
    ref.stop()


def test_a_key_that_does_not_compare_is_refused_in_the_sender_and_the_others_are_handled():
    ref, actor = gated(Priority(lambda message: message))
    for message in (5, "a", 3, None, 1, "b"):
        if isinstance(message, int):
            ref.tell(message)
        else:
            with pytest.raises(InvalidArgument, match="must compare"):
                ref.tell(message)
            with pytest.raises(InvalidArgument, match="must compare"):
                ref.ask(message, block=False)
    assert len(ref.actor_inbox) == 3
    actor.gate.set()
    assert ref.ask(9, timeout=5) == 9
    assert actor.journal == [1, 3, 5, 9]
    ref.tell("alone")  # nothing waits that it would not compare with
    assert ref.ask("next", timeout=5) == "next"
    ref.stop()


def test_keys_of_which_only_some_compare_do_no_harm():
    """Which two are compared depends on the order; who was let in is handled."""
    ref, actor = gated(Priority(lambda message: message))
    sent, random = [], Random(3)
    for _ in range(500):
        message = (random.randrange(20), random.choice((1, 2, "a", "b")))
        try:
            ref.tell(message)
        except InvalidArgument:
            continue
        sent.append(message)
    actor.gate.set()
    ref.ask((99,), timeout=5)  # the last of all
    assert sorted(map(str, actor.journal[:-1])) == sorted(map(str, sent))
    ref.stop()


def test_a_mailbox_by_priority_keeps_its_order_while_it_is_filled_and_emptied():
    mailbox = Priority(lambda message: message).queue(print)
    random, heap, taken = Random(1), [], 0
    for n in range(5_000):
        if heap and random.random() < 0.48:
            assert mailbox.get_nowait() == heapq.heappop(heap)[0]
            taken += 1
        else:
            message = random.randrange(50)
            heapq.heappush(heap, (message, n))
            mailbox.put(message)
        assert mailbox.qsize() == len(heap)
        assert mailbox.empty() == (not heap)
    assert taken > 2_000
    assert [mailbox.get_nowait() for _ in heap] == [message for message, _ in sorted(heap)]
    assert mailbox.empty()
    with pytest.raises(IndexError):
        mailbox.get_nowait()


@pytest.mark.parametrize(("capacity", "overflow"), [(0, "error"), (1, "explode")])
def test_a_bound_that_makes_no_sense_is_refused(capacity, overflow):
    with pytest.raises(ValueError, match=r"capacity=0|overflow='explode'"):
        Bounded(capacity, overflow=overflow)


@pytest.mark.parametrize("overflow", ["drop_new", "drop_oldest"])
@pytest.mark.parametrize("message", ["tick", None])
def test_the_same_object_sent_again_and_again_is_handled_or_a_dead_letter(overflow, message, dead):
    ref, actor = gated(Bounded(3, overflow=overflow))
    for _ in range(10):
        ref.tell(message)
    assert [letter.message for letter in dead] == [message] * 7
    assert opened(ref, actor) == [message] * 3


@pytest.mark.parametrize("overflow", ["error", "drop_oldest"])
def test_what_needs_no_room_takes_none(overflow):
    ref, actor = gated(Bounded(1, overflow=overflow))
    for n in range(3):
        actor.post(actor.journal.append, n)
    ref.tell("message")
    assert opened(ref, actor) == [0, 1, 2, "message"]


def test_the_oldest_message_is_dropped_and_no_call():
    ref, actor = gated(Bounded(1, overflow="drop_oldest"))
    actor.post(actor.journal.append, "call")
    ref.tell("old")
    ref.tell("new")
    assert opened(ref, actor) == ["call", "new"]


def test_the_length_of_a_mailbox_is_known():
    ref, actor = gated(Bounded(5))
    for n in range(3):
        ref.tell(n)
    assert len(ref.actor_inbox) == 3
    opened(ref, actor)


# -- dead letters ----------------------------------------------------------------------------------


def test_a_message_to_the_dead_is_a_dead_letter_and_an_error(obedient, dead):
    ref = obedient.start()
    ref.stop()
    with pytest.raises(ActorDead):
        ref.tell("too late")
    assert [(d.message, d.recipient, d.sender) for d in dead] == [("too late", ref, None)]


def test_what_waits_at_the_end_is_dead_and_a_request_to_stop_is_not(dead):
    ref, actor = gated(Bounded(10))
    ref.tell("left")
    ref.tell(("a", "tuple"))
    stopping = ref.stop(block=False)
    ref.exit()
    actor.gate.set()
    assert stopping.get(timeout=5) is True
    assert [d.message for d in dead] == ["left", ("a", "tuple")]


def test_the_sender_is_known_where_it_is_an_actor(scheduled, dead):
    gone, sender = scheduled.start(), scheduled.start()
    gone.stop()
    with pytest.raises(ActorDead):
        sender.ask(lambda: gone.tell("hello"), timeout=5)
    assert [d.sender for d in dead] == [sender]


def test_a_listener_that_fails_disturbs_nobody(obedient):
    def fails(letter):
        raise ValueError("x")

    undo = DEAD_LETTERS.subscribe(fails)
    ref = obedient.start()
    ref.stop()
    with pytest.raises(ActorDead):
        ref.tell("too late")
    undo()
    undo()


def test_only_so_many_are_logged():
    from loguru import logger

    lines, letters = [], DeadLetters()
    logger.enable("klemheist")
    sink = logger.add(lines.append, format="{message}")
    for n in range(100):
        letters.publish(n, "somebody", "it has ended")
    logger.remove(sink)
    logger.disable("klemheist")
    ours = [line for line in lines if line.startswith("dead letter")]
    assert len(ours) == 10
    assert "more follow" in ours[-1]
    assert letters.count == 100


def test_a_message_whose_repr_fails_or_is_long_is_logged_all_the_same():
    from loguru import logger

    class Bad:
        def __repr__(self):
            raise ValueError("x")

    lines, letters = [], DeadLetters()
    logger.enable("klemheist")
    sink = logger.add(lines.append, format="{message}")
    letters.publish(Bad(), "somebody", "it has ended")
    letters.publish("x" * 10_000, "somebody", "it has ended")
    logger.remove(sink)
    logger.disable("klemheist")
    assert "<Bad>" in lines[0]
    assert len(lines[1]) < 300


# -- names -----------------------------------------------------------------------------------------


def test_a_name_leads_to_its_actor_until_that_ends(obedient):
    ref = obedient.start()
    register("service", ref)
    register("alias", ref)
    register("service", ref)
    assert whereis("service") is whereis("alias") is ref
    seen = []
    ref.ended.add_done_callback(lambda _: seen.append(whereis("service")))
    ref.stop()
    assert seen == [None]
    assert whereis("alias") is None


def test_a_taken_name_is_refused_and_says_by_whom(obedient):
    one, other = obedient.start(), obedient.start()
    register("taken", one)
    with pytest.raises(NameTaken) as caught:
        register("taken", other)
    assert caught.value.ref is one
    assert unregister("taken")
    assert not unregister("taken")
    register("taken", other)
    one.stop()
    assert whereis("taken") is other


def test_the_dead_get_no_name(obedient):
    ref = obedient.start()
    ref.stop()
    with pytest.raises(ActorDead):
        register("late", ref)
    assert whereis("late") is None
