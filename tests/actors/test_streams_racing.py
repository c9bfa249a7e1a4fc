"""Streams under producers, a consumer and a closer who race: nothing is lost, nobody hangs."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from klemheist.actors.streams import Publisher, Put, Stream, StreamClosed

PRODUCERS = 4
EACH = 200


def in_order(items, name):
    """One producer's numbers, as they came."""
    return [number for who, number in items if who == name]


def produce(stream, name, results):
    """Put numbers until the stream is closed; note what became of each."""
    for number in range(EACH):
        outcome = stream.put((name, number), timeout=20.0)
        results.append(((name, number), outcome))
        if outcome is Put.CLOSED:
            return


def race(stream, consume, *, close_after=None):
    """Run the producers and a consumer; returns what became of each item and what came out."""
    results, found = [], []
    threads = [
        threading.Thread(target=produce, args=(stream, name, results)) for name in range(PRODUCERS)
    ]
    consumer = threading.Thread(target=consume, args=(stream, found, close_after))
    for thread in [*threads, consumer]:
        thread.start()
    for thread in threads:
        thread.join(20)
    stream.close()
    consumer.join(20)
    assert not any(thread.is_alive() for thread in [*threads, consumer])
    return results, found


def by_get(stream, found, close_after):
    while True:
        try:
            found.append(stream.get(timeout=20.0))
        except StreamClosed:
            return
        if len(found) == close_after:
            stream.close()


def by_task(stream, found, close_after):
    async def consume():
        async for item in stream:
            found.append(item)
            if len(found) == close_after:
                stream.close()

    asyncio.run(consume())


def by_function(stream, found, close_after):
    def take(item):
        found.append(item)
        if len(found) == close_after:
            stream.close()

    stream.deliver(take)


CONSUMERS = [by_get, by_task, by_function]


@pytest.mark.parametrize("consume", CONSUMERS)
@settings(max_examples=6, deadline=None)
@given(st.integers(1, 8))
def test_blocked_producers_lose_nothing_and_each_keeps_its_order(consume, capacity):
    _, found = race(Stream(capacity, overflow="block"), consume)

    assert all(in_order(found, name) == list(range(EACH)) for name in range(PRODUCERS))


@pytest.mark.parametrize("consume", CONSUMERS)
@settings(max_examples=6, deadline=None)
@given(st.integers(1, 8), st.integers(1, EACH))
def test_what_was_taken_before_the_end_comes_out_and_everybody_goes_home(consume, capacity, after):
    stream = Stream(capacity, overflow="block")

    results, found = race(stream, consume, close_after=after)

    assert sorted(found) == sorted(item for item, outcome in results if outcome is Put.TAKEN)
    assert all(in_order(found, name) == sorted(in_order(found, name)) for name in range(PRODUCERS))


@pytest.mark.parametrize("consume", CONSUMERS)
@pytest.mark.parametrize("overflow", ["drop_new", "drop_oldest"])
def test_what_a_policy_drops_is_counted_to_the_last_item(consume, overflow):
    stream = Stream(3, overflow=overflow)

    results, found = race(stream, consume)

    assert len(found) + stream.dropped == PRODUCERS * EACH == len(results)
    assert len(set(found)) == len(found)
    assert all(in_order(found, name) == sorted(in_order(found, name)) for name in range(PRODUCERS))


def test_marks_say_where_and_how_many_were_dropped():
    stream = Stream(3, dropped=lambda count: ("mark", count))

    _, found = race(stream, by_get)

    marked = sum(count for who, count in found if who == "mark")
    assert marked == stream.dropped


def test_subscribers_come_and_go_while_others_publish():
    publisher, stop = Publisher(), threading.Event()

    def publish():
        number = 0
        while not stop.is_set():
            publisher.publish(number)
            number += 1

    threads = [threading.Thread(target=publish) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        with publisher.subscribe(buffer=4) as subscription:
            subscription.get(timeout=20.0)
    last = publisher.subscribe(buffer=4)
    publisher.close()
    stop.set()
    for thread in threads:
        thread.join(20)
    assert len(list(last)) <= 4
    assert len(publisher) == 0
