"""Streams: bounded, one consumer, and the source never waits."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klemheist.actors.runtime.errors import AskTimeout
from klemheist.actors.streams import Stream, StreamClosed


def taken(stream):
    stream.close()
    return list(stream)


def test_what_goes_in_comes_out_in_order():
    stream = Stream()
    for number in range(5):
        stream.put(number)
    assert taken(stream) == [0, 1, 2, 3, 4]


@given(st.lists(st.integers(), max_size=50), st.integers(1, 10))
def test_a_full_stream_drops_the_oldest_counts_them_and_marks_the_place(items, capacity):
    stream = Stream(capacity, dropped=lambda count: f"{count} dropped")
    for item in items:
        stream.put(item)
    lost = max(0, len(items) - capacity)
    assert stream.dropped == lost
    assert taken(stream) == ([f"{lost} dropped"] if lost else []) + items[lost:]


def test_a_consumer_that_waits_is_woken_by_an_item():
    stream = Stream()
    threading.Timer(0.02, stream.put, ["late"]).start()
    assert stream.get(timeout=5) == "late"


def test_a_consumer_that_waits_is_woken_by_the_end():
    stream = Stream()
    threading.Timer(0.02, stream.close).start()
    with pytest.raises(StreamClosed):
        stream.get(timeout=5)


def test_a_get_that_timed_out_takes_nothing():
    stream = Stream()
    with pytest.raises(AskTimeout):
        stream.get(timeout=0.01)
    stream.put(1)
    assert stream.get(timeout=0.01) == 1


def test_a_closed_stream_takes_no_more_and_closing_twice_is_a_no_op():
    with Stream() as stream:
        stream.put(1)
    stream.close()
    stream.put(2)
    assert list(stream) == [1]


def test_a_stream_can_be_iterated_in_asyncio_without_blocking_the_loop():
    stream = Stream()

    async def consume():
        return [item async for item in stream]

    async def main():
        consumer = asyncio.create_task(consume())
        for number in range(3):
            await asyncio.sleep(0.005)
            stream.put(number)
        stream.close()
        return await consumer

    assert asyncio.run(main()) == [0, 1, 2]


def test_many_producers_lose_nothing():
    stream = Stream(100_000)

    def produce(name):
        for number in range(1000):
            stream.put((name, number))

    threads = [threading.Thread(target=produce, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = taken(stream)
    assert sorted(found) == [(name, number) for name in range(4) for number in range(1000)]
