"""`task.map`: many calls of one task, handed over together."""

from __future__ import annotations

import asyncio

import pytest

from klemheist import (
    ArgumentError,
    AsyncSessionManager,
    Budget,
    BudgetExceeded,
    DeviceError,
    SessionClosed,
)
from klemheist.actors.runtime.future import Future
from klemheist.actors.session.mapped import BLOCK, mapped

HOST = "exec:python tests/boards/raw_repl_host.py"


@pytest.fixture(params=["sim:", "microbit:", HOST], ids=["sim", "microbit", "cpython"])
def session(request, manager):
    with manager.session(request.param) as session:
        yield session


def keep(n, more=0):
    seen.append(n)  # noqa: F821 -- of the session
    if n == 7:
        raise ValueError("seven")
    return n + more


def test_each_is_called_once_and_in_order(session):
    session("seen = []")
    numbers = [n for n in range(40) if n != 7]
    assert session.task(keep).map(numbers) == numbers
    assert session("seen") == numbers
    assert session.task(keep).map(numbers[:3], (10, 20, 30, 40)) == [10, 21, 32]


def test_many_are_few_exchanges(manager):
    with manager.session("sim:") as session:
        same = session.task(source="def same(x): return x")
        same(0)
        port = manager.device("sim:")
        before, calls = port.board.count, port.counters.calls
        assert same.map(range(1000)) == list(range(1000))
        assert port.counters.calls == calls + 1000
        assert (port.board.count - before) % 65536 < 1000 / BLOCK + 10


def test_the_first_that_fails_ends_it(session):
    session("seen = []")
    task = session.task(keep)
    with pytest.raises(DeviceError, match="seven"):
        task.map(range(5 * BLOCK))
    seen = session("len(seen)")
    assert 8 <= seen <= 2 * BLOCK, "those that were on their way may have been made"
    assert task.map([1, 2]) == [1, 2]


@pytest.mark.parametrize("rows", [([1, 2, object()],), ([1, 2], [3, 4], [5, 6])])
def test_what_cannot_be_sent_is_refused_before_anything_is(session, rows):
    session("seen = []")
    with pytest.raises(ArgumentError):
        session.task(keep).map(*rows)
    assert session("seen") == []


def test_its_arguments_may_be_proxies_and_its_output_streamed(session):
    session("here = [1, 2, 3]")
    one = session.proxy("here")
    size = session.task(source="def size(x, n): return len(x) + n")
    assert size.map([one, one], [1, 2]) == [4, 5]
    pieces = []
    shown = session.task(source="def shown(n): print(n)").with_options(on_output=pieces.append)
    assert shown.map(range(3)) == [None, None, None]
    assert b"".join(pieces).split() == [b"0", b"1", b"2"]


def test_a_budget_of_memory_is_looked_at_after_each_call(manager):
    with manager.session("sim:", budget=Budget(memory=4_000)) as session:
        session("held = []")
        hold = session.task(source="def hold(n): held.append(bytearray(500))")
        with pytest.raises(BudgetExceeded, match="memory"):
            hold.map(range(2 * BLOCK))
        assert session("len(held)") < BLOCK


def test_after_its_session_nothing_is_called(manager):
    with manager.session("sim:") as session:
        same = session.task(source="def same(x): return x")
        assert same.map([]) == []
    with pytest.raises(SessionClosed):
        same.map([1])


def test_awaited_it_leaves_the_loop_alone():
    async def main():
        async with AsyncSessionManager() as manager, manager.session("sim:") as session:
            same = session.task(source="def same(x): return x")
            turns = asyncio.create_task(asyncio.sleep(0))
            assert await same.map(range(300)) == list(range(300))
            assert turns.done()

    asyncio.run(main())


def resolved(row):
    future = Future()
    future.set(row[0])
    return future


def test_no_more_than_two_blocks_are_under_way():
    taken, started = [], []

    def rows():
        for n in range(10 * BLOCK):
            taken.append(n)
            yield (n,)

    def start(block):
        started.append(len(block))
        return [resolved(row) for row in block]

    futures = mapped(start, rows())
    for n in range(10 * BLOCK):
        assert next(futures).get() == n
        assert len(taken) <= n + 2 * BLOCK
    assert next(futures, None) is None
    assert started == [BLOCK] * 10


def test_closed_early_it_cancels_the_others():
    waiting = [Future() for _ in range(5)]
    futures = mapped(lambda block: waiting, [(n,) for n in range(5)])
    waiting[0].set(0)
    assert next(futures).get() == 0
    futures.close()
    for future in waiting[1:]:
        with pytest.raises(Exception, match="not wanted"):
            future.get()
