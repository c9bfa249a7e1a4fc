"""Streams: bounded, one consumer, and closing wakes everybody."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klemheist.actors.runtime.errors import AskTimeout
from klemheist.actors.streams import Put, Stream, StreamClosed, StreamFull


def taken(stream):
    stream.close()
    return list(stream)


def full(overflow, **options):
    stream = Stream(1, overflow=overflow, **options)
    stream.put("first")
    return stream


def in_thread(fn, *args):
    """Run `fn` on another thread; returns the thread and the list that gets its result."""
    found = []

    def run():
        try:
            found.append(fn(*args))
        except Exception as error:  # noqa: BLE001 -- it is what the test looks at
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def waiting(stream):
    """Wait until somebody waits for room in the stream."""
    done = threading.Event()
    while not stream._writers:
        assert not done.wait(0.001)


# -- what goes through -----------------------------------------------------------------------------


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


def test_a_stream_that_drops_new_items_says_so_to_the_producer():
    stream = full("drop_new")
    assert stream.put("second") is Put.DROPPED
    assert (taken(stream), stream.dropped) == (["first"], 1)


def test_a_stream_of_the_latest_keeps_that_alone():
    stream = Stream(kind="latest")
    for number in range(5):
        assert stream.put(number) is Put.TAKEN
    assert taken(stream) == [4]
    assert stream.statistics().replaced == 4


@pytest.mark.parametrize("options", [{"overflow": "error"}, {"overflow": "resize"}])
def test_a_stream_that_may_not_drop_raises_when_full(options):
    stream = Stream(1, max_capacity=1, **options)
    stream.put("first")
    with pytest.raises(StreamFull):
        stream.put("second")
    assert taken(stream) == ["first"]


# -- waiting for an item ---------------------------------------------------------------------------


def test_a_consumer_that_waits_is_woken_by_an_item():
    stream = Stream()
    thread, found = in_thread(stream.get)
    stream.put("late")
    thread.join(5)
    assert found == ["late"]


def test_a_consumer_that_waits_is_woken_by_the_end():
    stream = Stream()
    thread, found = in_thread(stream.get)
    stream.close()
    thread.join(5)
    assert isinstance(found[0], StreamClosed)


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
    assert stream.put(2) is Put.CLOSED
    assert list(stream) == [1]


def test_a_stream_closed_for_an_error_gives_it_after_what_is_in_it():
    stream = Stream()
    stream.put(1)
    stream.close(OSError("gone"))
    stream.close()
    assert stream.get() == 1
    with pytest.raises(OSError, match="gone"):
        stream.get()


# -- waiting for room ------------------------------------------------------------------------------


@pytest.mark.req("CONV-041")
def test_a_producer_waits_for_room_and_goes_on_when_there_is_some():
    stream = full("block")
    thread, found = in_thread(stream.put, "second")
    waiting(stream)
    assert stream.get() == "first"
    thread.join(5)
    assert found == [Put.TAKEN]
    assert stream.get() == "second"


def test_a_producer_that_waits_for_room_is_woken_by_the_end():
    stream = full("block")
    thread, found = in_thread(stream.put, "second")
    waiting(stream)
    stream.close()
    thread.join(5)
    assert found == [Put.CLOSED]
    assert list(stream) == ["first"]


def test_a_producer_waits_no_longer_than_its_deadline_and_leaves_nothing_behind():
    stream = full("block", put_timeout=0.01)
    with pytest.raises(AskTimeout, match="no room"):
        stream.put("second")
    with pytest.raises(AskTimeout, match="no room"):
        stream.put("second", timeout=0.001)
    assert not stream._writers
    assert taken(stream) == ["first"]


def test_on_writable_calls_once_when_there_is_room():
    stream, calls = full("block"), []
    stream.on_writable(lambda: calls.append("a"))
    undo = stream.on_writable(lambda: calls.append("b"))
    undo()
    assert calls == []
    stream.get()
    stream.put("second")
    stream.get()
    assert calls == ["a"]
    stream.on_writable(lambda: calls.append("now"))
    assert calls == ["a", "now"]


def test_on_writable_is_called_at_the_end_too():
    stream, calls = full("block"), []
    stream.on_writable(lambda: calls.append("end"))
    stream.close()
    assert calls == ["end"]


# -- a function as the consumer --------------------------------------------------------------------


def test_a_consumer_function_gets_what_is_there_and_what_comes():
    stream, seen = Stream(), []
    stream.put(1)
    stream.deliver(seen.append)
    stream.put(2)
    assert seen == [1, 2]


def test_a_consumer_function_is_never_run_twice_at_once():
    stream, seen = Stream(), []

    def consume(item):
        seen.append(("begin", item))
        if item < 3:
            stream.put(item + 1)
        seen.append(("end", item))

    stream.deliver(consume)
    stream.put(1)
    assert seen == [(what, item) for item in (1, 2, 3) for what in ("begin", "end")]


def test_a_consumer_function_that_fails_stops_nobody():
    stream, seen = Stream(), []

    def consume(item):
        seen.append(item)
        raise RuntimeError("a bug of the test")

    stream.deliver(consume)
    assert [stream.put(1), stream.put(2)] == [Put.TAKEN, Put.TAKEN]
    assert seen == [1, 2]


# -- asyncio ---------------------------------------------------------------------------------------


def test_a_stream_can_be_iterated_in_asyncio_without_blocking_the_loop():
    stream = Stream()

    async def consume():
        return [item async for item in stream]

    async def main():
        consumer = asyncio.create_task(consume())
        for number in range(3):
            await asyncio.sleep(0)
            stream.put(number)
        stream.close()
        return await consumer

    assert asyncio.run(main()) == [0, 1, 2]


def test_producer_and_consumer_may_be_tasks_of_one_loop():
    stream = Stream(2, overflow="block")

    async def produce():
        for number in range(50):
            await stream.aput(number)
        stream.close()

    async def main():
        producer = asyncio.create_task(produce())
        found = [item async for item in stream]
        await producer
        return found

    assert asyncio.run(main()) == list(range(50))


def test_deadlines_hold_in_asyncio_too():
    async def main():
        with pytest.raises(AskTimeout):
            await Stream().aget(timeout=0.01)
        stream = full("block")
        with pytest.raises(AskTimeout):
            await stream.aput("second", timeout=0.01)
        assert not stream._writers
        assert await stream.aget(timeout=0.01) == "first"
        with pytest.raises(StreamFull):
            await full("error").aput("second")

    asyncio.run(main())


def test_a_consumer_task_that_was_cancelled_takes_nothing_with_it():
    async def main():
        stream = Stream()
        task = asyncio.create_task(stream.aget())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        stream.put(1)
        assert await stream.aget() == 1

    asyncio.run(main())
