from __future__ import annotations

import asyncio
import queue
import threading

import pytest

from klemheist.actors.done import Done


@pytest.mark.req("DONE-005")
def test_done_closes_exactly_once_under_racing_closers():
    done, start, wins = Done(), threading.Barrier(32), []

    def race(n):
        start.wait()
        if done.close(n):
            wins.append(n)

    threads = [threading.Thread(target=race, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wins == [done.reason]
    assert done.close("later") is False
    assert done.reason == wins[0]


@pytest.mark.req("DONE-010")
def test_waiting_on_a_closed_done_returns_at_once():
    done, seen = Done(), []
    done.close("why")
    assert done.wait(0)
    assert asyncio.run(done.wait_async()) == "why"
    done.add_callback(seen.append)
    assert seen == ["why"]


@pytest.mark.req("DONE-011")
def test_waiting_threads_and_tasks_in_several_loops_are_all_woken():
    done, waiting, woken = Done(), threading.Semaphore(0), queue.SimpleQueue()

    def in_thread():
        waiting.release()
        woken.put(done.wait(10))

    async def in_loop():
        async def one():
            waiting.release()
            await done
            woken.put(True)

        await asyncio.gather(*(one() for _ in range(200)))

    threads = [threading.Thread(target=in_thread) for _ in range(20)]
    threads += [threading.Thread(target=asyncio.run, args=(in_loop(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(620):
        waiting.acquire()
    done.close()
    for thread in threads:
        thread.join(10)
    assert [woken.get(timeout=1) for _ in range(620)] == [True] * 620


@pytest.mark.req("DONE-012")
def test_done_composes_with_other_waits():
    async def main():
        done, items = Done(), asyncio.Queue()
        waits = {asyncio.create_task(items.get()), asyncio.create_task(done.wait_async())}
        ended, _ = await asyncio.wait(waits, timeout=0.01)
        assert not ended
        done.close()
        ended, left = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        assert len(ended) == len(left) == 1
        left.pop().cancel()

    asyncio.run(main())


@pytest.mark.req("DONE-020")
def test_abandoned_and_cancelled_waiters_leave_nothing_behind():
    done = Done()
    assert not done.wait(0.01)

    async def main():
        task = asyncio.create_task(done.wait_async())
        await asyncio.sleep(0)
        assert len(done._callbacks) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert not done._callbacks
    assert not done.is_set()


@pytest.mark.req("DONE-020")
def test_unsubscribing_is_exact_and_harmless():
    done, seen = Done(), []
    first, _ = done.add_callback(seen.append), done.add_callback(seen.append)
    first()
    first()
    done.close(1)
    assert seen == [1]


def test_a_failing_callback_does_not_block_the_others():
    done, seen = Done(), []
    done.add_callback(lambda _: 1 / 0)
    done.add_callback(seen.append)
    done.close("x")
    assert seen == ["x"]


def test_an_open_done_has_no_reason_and_says_so():
    done = Done()
    assert not done.is_set()
    assert done.reason is None
    assert "open" in repr(done)
    done.close(ValueError("v"))
    assert "ValueError" in repr(done)
