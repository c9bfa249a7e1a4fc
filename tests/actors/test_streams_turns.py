"""A full stream never holds a thread that actors share: the actor is told when there is room."""

from __future__ import annotations

import threading

import pytest

import klemheist
from klemheist import Stream, WouldBlock, Writable
from klemheist.testing import Probe


class Producer(klemheist.Actor):
    """Puts numbers into a stream as far as there is room, and goes on when told."""

    def __init__(self, stream, count, probe):
        super().__init__()
        self.stream, self.left, self.probe = stream, list(range(count)), probe.ref

    def on_receive(self, message):
        if isinstance(message, Writable):
            assert message.stream is self.stream
            self.probe.tell(message)
        try:
            while self.left:
                self.stream.put(self.left[0])
                self.left.pop(0)
        except WouldBlock as refused:
            self.probe.tell(refused)
            if message == "impatient":
                self.actor_ref.tell("again")


class InlineProducer(Producer):
    inline = True


class ThreadProducer(Producer):
    dispatcher = "thread"


@pytest.fixture
def probe():
    with Probe() as probe:
        yield probe


@pytest.fixture(params=[Producer, InlineProducer])
def sharing(request):
    return request.param


@pytest.mark.req("CONV-041")
def test_an_actor_that_shares_its_thread_is_refused_and_told_once_when_there_is_room(
    sharing, probe
):
    stream = Stream(2, overflow="block")
    ref = sharing.start(stream, 4, probe)
    ref.tell("go")
    probe.await_idle(ref)
    assert [type(message) for message in probe.messages] == [WouldBlock]
    assert [stream.get(timeout=5) for _ in range(4)] == [0, 1, 2, 3]
    probe.await_idle(ref)
    seen = [type(message) for message in probe.messages]
    assert seen[:2] == [WouldBlock, Writable]
    assert seen.count(WouldBlock) == seen.count(Writable)
    ref.stop()


def test_one_that_tries_again_meanwhile_is_told_once_all_the_same(sharing, probe):
    stream = Stream(1, overflow="block")
    ref = sharing.start(stream, 2, probe)
    ref.tell("impatient")
    probe.expect(WouldBlock)
    probe.expect(WouldBlock)
    assert stream.get() == 0
    probe.expect(Writable)
    assert stream.get(timeout=5) == 1
    probe.expect_nothing(ref)
    ref.stop()


def test_it_is_told_of_the_end_too_and_one_that_has_ended_is_not(sharing, probe):
    streams = [Stream(1, overflow="block") for _ in range(2)]
    refs = [sharing.start(stream, 2, probe) for stream in streams]
    for ref in refs:
        ref.tell("go")
        probe.expect(WouldBlock)
    refs[0].stop()
    for stream in streams:
        stream.close()
    probe.expect(Writable)
    probe.expect_nothing(refs[1])
    refs[1].stop()


def test_the_news_finds_its_way_into_a_mailbox_that_is_full(probe):
    class Cramped(Producer):
        mailbox = klemheist.Bounded(1)

    stream, entered, gate = Stream(1, overflow="block"), threading.Event(), threading.Event()
    ref = Cramped.start(stream, 2, probe)
    ref.tell("go")
    probe.expect(WouldBlock)
    probe.await_idle(ref)
    ref.actor().post(lambda: (entered.set(), gate.wait(10)))
    assert entered.wait(10)
    ref.tell("fills it")
    assert stream.get() == 0
    gate.set()
    probe.expect(Writable)
    ref.stop()


def test_an_actor_with_a_thread_of_its_own_waits_on_it(probe):
    stream = Stream(1, overflow="block")
    ref = ThreadProducer.start(stream, 3, probe)
    ref.tell("go")
    assert [stream.get(timeout=5) for _ in range(3)] == [0, 1, 2]
    probe.expect_nothing(ref)
    ref.stop()
