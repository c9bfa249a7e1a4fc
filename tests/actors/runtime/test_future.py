from __future__ import annotations

import asyncio
import math
import os
import signal
import threading
import time

import pykka
import pytest

from klemheist.actors.runtime import AskTimeout, Future, FutureCancelled


def test_a_future_resolves_once_and_says_so():
    future = Future()
    assert future.set(1)
    assert not future.set(2)
    assert not future.set_exception(ValueError())
    assert not future.cancel()
    assert future.get() == 1


def test_one_of_many_racing_setters_wins():
    future, start, wins = Future(), threading.Barrier(16), []

    def race(n):
        start.wait()
        if future.set(n):
            wins.append(n)

    threads = [threading.Thread(target=race, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wins == [future.get()]


def test_a_timeout_is_pykkas_and_the_builtin_one():
    with pytest.raises(AskTimeout) as caught:
        Future().get(timeout=0.01)
    assert isinstance(caught.value, pykka.Timeout)
    assert isinstance(caught.value, TimeoutError)


def test_a_timed_out_get_leaves_no_callback():
    future = Future()
    with pytest.raises(AskTimeout):
        future.get(timeout=0)
    assert not future._callbacks


def test_get_wakes_up_from_another_thread():
    future = Future()
    threading.Timer(0.02, future.set, ("here",)).start()
    assert future.get(timeout=5) == "here"


def test_an_exception_is_raised_with_the_same_traceback_each_time():
    future = Future()
    future.set_exception(ValueError("x"))
    lengths = []
    for _ in range(3):
        with pytest.raises(ValueError, match="x") as caught:
            future.get()
        lengths.append(len(caught.traceback))
    assert len(set(lengths)) == 1


def test_set_exception_takes_the_exception_being_handled():
    future = Future()
    try:
        raise KeyError("k")
    except KeyError:
        future.set_exception()
    assert isinstance(future.exception(), KeyError)


def test_a_callback_runs_on_the_resolving_thread_or_at_once():
    future, seen = Future(), []
    future.add_done_callback(lambda f: seen.append((f.get(), threading.current_thread())))
    worker = threading.Thread(target=future.set, args=(5,))
    worker.start()
    worker.join()
    assert seen == [(5, worker)]
    future.add_done_callback(seen.append)
    assert seen[-1] is future


def test_an_unsubscribed_callback_never_runs_and_a_failing_one_stops_nobody():
    future, seen = Future(), []
    future.add_done_callback(lambda _: 1 / 0)
    unsubscribe = future.add_done_callback(lambda _: seen.append("no"))
    future.add_done_callback(lambda _: seen.append("yes"))
    unsubscribe()
    unsubscribe()
    future.set()
    assert seen == ["yes"]


def test_cancel_without_a_hook_resolves():
    future = Future()
    assert future.cancel("not wanted")
    assert future.cancelled()
    with pytest.raises(FutureCancelled, match="not wanted"):
        future.get()


def test_cancel_with_a_hook_leaves_the_outcome_to_it_and_asks_once():
    asked = []
    future = Future(on_cancel=asked.append)
    assert future.cancel("a")
    assert future.cancel("b")
    assert asked == ["a"]
    assert not future.done()
    future.set("finished anyway")
    assert future.get() == "finished anyway"


def test_map_filter_reduce_and_join_compose():
    numbers = Future()
    mapped = numbers.map(sum)
    even = numbers.filter(lambda n: n % 2 == 0)
    product = numbers.reduce(lambda a, b: a * b, 1)
    both = mapped.join(even)
    numbers.set([1, 2, 3, 4])
    assert mapped.get() == 10
    assert even.get() == [2, 4]
    assert product.get() == 24
    assert both.get() == [10, [2, 4]]


def test_a_failing_map_function_fails_the_mapped_future():
    source = Future()
    mapped = source.map(lambda _: 1 / 0)
    source.set(1)
    with pytest.raises(ZeroDivisionError):
        mapped.get()


def test_cancelling_a_mapped_future_cancels_its_source():
    source = Future()
    mapped = source.map(str)
    mapped.cancel("no")
    assert source.cancelled()
    assert mapped.cancelled()


def test_a_get_hook_is_pykkas():
    future = Future()
    future.set_get_hook(lambda timeout: ("hook", timeout))
    assert future.get(timeout=3) == ("hook", 3)
    resolved = Future()
    resolved.set(1)
    with pytest.raises(RuntimeError):
        resolved.set_get_hook(lambda _: 2)


def test_awaiting_never_blocks_the_loop():
    async def main():
        future = Future()

        async def tick():  # a blocked loop would never get to the end of this
            for _ in range(10):
                await asyncio.sleep(0.001)
            threading.Thread(target=future.set, args=(7,)).start()

        task = asyncio.create_task(tick())
        assert await future == 7
        await task

    asyncio.run(main())


def test_a_signal_handler_that_resolves_it_wakes_a_loop_that_sleeps():
    """The handler runs on the loop's own thread, within its wait."""

    future, resolved, awake, woken = Future(), threading.Event(), threading.Event(), []

    def resolve(*_):
        future.set(7)
        resolved.set()

    def watch(loop):
        os.kill(os.getpid(), signal.SIGUSR1)
        resolved.wait(5)
        woken.append(awake.wait(5))
        loop.call_soon_threadsafe(awake.set)  # otherwise it would sleep for ever

    async def main():
        watcher = threading.Timer(0.05, watch, (asyncio.get_running_loop(),))
        watcher.start()
        assert await future == 7
        awake.set()
        watcher.join()

    before = signal.signal(signal.SIGUSR1, resolve)
    try:
        asyncio.run(main())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert woken == [True]


def test_awaiting_a_future_with_a_get_hook_does_not_block_the_loop():
    async def main():
        gate, future = threading.Event(), Future()
        future.set_get_hook(lambda _: gate.wait(5))
        asyncio.get_running_loop().call_later(0.01, gate.set)
        assert await future is True

    asyncio.run(main())


def test_cancelling_the_awaiting_task_cancels_and_leaves_no_callback():
    asked = []

    async def main():
        future = Future(on_cancel=asked.append)
        task = asyncio.create_task(_await(future))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return future

    future = asyncio.run(main())
    assert len(asked) == 1
    assert not future._callbacks


def test_a_loop_closed_before_the_result_is_tolerated():
    future = Future(on_cancel=lambda _: None)
    loop = asyncio.new_event_loop()
    steps = _await(future)
    task = loop.create_task(steps)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert future.set("late")
    task._log_destroy_pending = False
    steps.close()


def test_a_keyboard_interrupt_in_get_cancels_and_propagates(monkeypatch):
    asked = []

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("klemheist.actors.runtime.future.block_until", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Future(on_cancel=asked.append).get()
    assert len(asked) == 1


def test_making_setting_and_getting_costs_a_few_microseconds_at_most():
    start = time.perf_counter()
    for _ in range(10_000):
        future = Future()
        future.set(1)
        future.get()
    assert (time.perf_counter() - start) / 10_000 < 20e-6


async def _await(future):
    return await future


@pytest.mark.parametrize("timeout", [math.inf, 1e12, math.nan, -1.0])
def test_no_timeout_is_too_long_or_too_odd_to_wait_for(timeout):
    future, cancelled = Future(on_cancel=lambda _: cancelled.append(1)), []
    threading.Timer(0.02, future.set, ("done",)).start()
    try:
        assert future.get(timeout=timeout) == "done"
    except TimeoutError:
        assert not timeout > 0  # what is no number of seconds is none
    assert not cancelled
