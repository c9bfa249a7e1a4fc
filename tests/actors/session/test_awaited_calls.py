"""Awaited calls (actors/device/awaited.py): written and read by their loop, and all their ends."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

import klemheist
from klemheist.actors.device import bursts, device, short
from klemheist.actors.device.bursts import BurstLine
from klemheist.actors.device.runner import Runner
from klemheist.actors.session import task_calls
from klemheist.transports import fdlink, lease, spin
from tests.boards.mangler import Mangler
from tests.boards.tcp_board import TcpBoard
from tests.ends import crash

LONG = 60.0
"""Seconds of a lease that does not end in a test."""
WITHIN = 15.0


@pytest.fixture(scope="module")
def manager():
    """One manager with one board, whichever loop a test runs."""
    opened = klemheist.AsyncSessionManager()
    yield opened
    asyncio.run(opened.close())


@pytest.fixture(params=["at the prompt", "in a burst"])
def in_burst(request, monkeypatch):
    """Whether calls are made in bursts, which then do not end by themselves."""
    if request.param == "at the prompt":
        monkeypatch.setattr(bursts, "ENOUGH", 10**9)
        return False
    monkeypatch.setattr(bursts, "LONGEST", LONG)
    for module in (bursts, device):
        monkeypatch.setattr(module, "PAUSE", LONG)
    return True


@pytest.fixture
def run(manager, in_burst):
    """Run a test's coroutine with a session and its deployed task, within a deadline."""
    return runs(manager, in_burst)


@pytest.fixture
def run_alone(in_burst):
    """`run` on a manager of its own: so many crashes at once are too many for one supervisor."""
    opened = klemheist.AsyncSessionManager()
    yield runs(opened, in_burst)
    asyncio.run(opened.close())


def runs(manager, in_burst):
    async def in_session(test):
        async with manager.session("sim:") as session:
            await session.execute("ran = []\nimport time")
            step = session.task(source=STEP)
            await step(0, 0)  # deployed: from here on the short way is open
            if in_burst:
                await begin_burst(session)
            await test(session, step)

    def run(test):
        asyncio.run(asyncio.wait_for(in_session(test), 2 * WITHIN))

    return run


async def begin_burst(session):
    """Make calls until the device is in a burst."""
    same = session.task(source="def same(number): return number")
    for number in range(500):
        assert await same(number) == number
        if session._core.port.brain.in_burst:
            return
    raise AssertionError("no burst")


def no_glance(session, monkeypatch):
    """Have no answer read in the turn that sends its call: all of them come by the loop."""
    monkeypatch.setattr(session._core.port.link._glance, "_rest", 10**9)


STEP = """\
def step(number, wait):
    ran.append(number)
    if wait:
        time.sleep(wait / 1000)
    if number < 0:
        print('step', number)
        raise ValueError(number)
    return number + 1
"""


async def under_way(session, task):
    """Start a call that takes long; return when it is on the short way, and its future."""
    brain = session._core.port.brain
    in_burst = brain.in_burst
    call = asyncio.ensure_future(task(1, 10_000))
    await asyncio.sleep(0)
    assert brain._awaited is not None
    assert isinstance(brain._awaited.line, BurstLine) is in_burst
    return call


async def answers(task):
    assert await asyncio.wait_for(task(20, 0), WITHIN) == 21


@pytest.mark.parametrize("glance", [True, False], ids=["read at once", "read by the loop"])
def test_quick_calls_change_no_thread(run, monkeypatch, in_burst, glance):
    monkeypatch.setattr(lease, "LEASE_SECONDS", LONG)

    async def quick(session, step):
        if glance:  # however busy the machine is
            monkeypatch.setattr(fdlink, "GLANCE", LONG)
            monkeypatch.setattr(session._core.port.link._glance, "_longest", LONG)
            monkeypatch.setattr(session._core.port.link._glance, "_rest", 0)
            monkeypatch.setattr(spin, "_possible", True)
        else:
            no_glance(session, monkeypatch)
        await step(1, 0)
        wakings, readers = [], set()
        brain, loop = session._core.port.brain, asyncio.get_running_loop()
        kind = BurstLine if in_burst else short.Express
        take, wake = kind.take, loop.call_soon_threadsafe

        def taken(line, data):
            readers.add(threading.get_ident())
            return take(line, data)

        monkeypatch.setattr(kind, "take", taken)
        monkeypatch.setattr(
            loop, "call_soon_threadsafe", lambda *args: (wakings.append(args), wake(*args))
        )
        for number in range(20):
            assert await step(number, 0) == number + 1
        assert readers == {threading.get_ident()}
        assert [each for each in wakings if each[0].__name__ != "_leave"] == []
        assert brain.in_burst is in_burst

    run(quick)


def test_however_quick_the_answers_are_the_loop_turns(run):
    async def quick(_, step):
        turns = []

        async def other():
            while True:
                turns.append(1)
                await asyncio.sleep(0)

        task = asyncio.ensure_future(other())
        for number in range(5 * task_calls.IN_A_ROW):
            assert await step(number, 0) == number + 1
        task.cancel()
        assert len(turns) >= 5

    run(quick)


@pytest.mark.parametrize("in_burst", ["in a burst"], indirect=True)
def test_a_burst_of_awaited_calls_ends_in_time(run, monkeypatch):
    """Even where a call is under way each time that the clock is looked at."""

    async def many(session, step):
        monkeypatch.setattr(bursts, "LONGEST", 0.02)
        begun = []
        begin = bursts.Bursts.begun
        monkeypatch.setattr(
            bursts.Bursts, "begun", lambda self, now: (begun.append(now), begin(self, now))
        )
        brain = session._core.port.brain
        for number in range(10_000):
            assert await step(number, 0) == number + 1
            if len(begun) == 3:
                break
        assert len(begun) == 3
        assert brain.port.board.burst == brain.port.board.boot

    run(many)


@pytest.mark.parametrize("glance", [True, False], ids=["read at once", "read by the loop"])
def test_an_answer_may_come_in_pieces(run, monkeypatch, in_burst, glance):
    kind = BurstLine if in_burst else short.Express
    take = kind.take

    def in_pieces(line, data):
        return any(take(line, data[at : at + 1]) for at in range(len(data)))

    async def pieces(session, step):
        if not glance:
            no_glance(session, monkeypatch)
        monkeypatch.setattr(kind, "take", in_pieces)
        for number in range(20):
            assert await step(number, 0) == number + 1
        assert session._core.port.brain.in_burst is in_burst

    run(pieces)


def _other_digit(data):
    """An answer whose last digit is another one."""
    return data[:-2] + (b"8" if data[-2:-1] == b"7" else b"7") + data[-1:]


@pytest.mark.parametrize("in_burst", ["in a burst"], indirect=True)
@pytest.mark.parametrize(
    "damage",
    [lambda data: data[1:], _other_digit, lambda data: b"\x1eB" + data[1:]],
)
def test_a_damaged_answer_of_a_burst_is_asked_for_again(run_alone, monkeypatch, damage):
    async def damaged(session, step):
        with monkeypatch.context() as patch:
            take = BurstLine.take
            patch.setattr(BurstLine, "take", lambda self, data: take(self, damage(data)))
            assert await step(5, 0) == 6
        await answers(step)
        assert await session("ran") == [0, 5, 20]
        assert session._core.port.board.burst == ""

    run_alone(damaged)


def test_a_call_that_is_slow_prints_or_raises_runs_once_and_gives_its_answer(run):
    async def calls(session, step):
        assert await step(1, 0) == 2
        assert await step(2, 300) == 3  # longer than its short way
        with pytest.raises(klemheist.DeviceError, match="ValueError"):
            await step(-3, 0)
        assert await step(4, 0) == 5
        assert await session("ran") == [0, 1, 2, -3, 4]

    run(calls)


def test_calls_made_at_once_each_get_their_own_answer(run):
    async def at_once(session, step):
        async def several(first):
            return [await step(first + number, 0) for number in range(20)]

        found = await asyncio.gather(*(several(100 * n) for n in range(5)))
        assert found == [[100 * n + number + 1 for number in range(20)] for n in range(5)]
        assert len(await session("ran")) == 101

    run(at_once)


def test_loops_and_threads_that_share_a_session_each_get_their_own_answers(run):
    """Some loops block between their calls, for longer than a lease."""

    async def shared(_, step):
        wrong, pause = [], threading.Event()

        async def calls(first, blocks):
            for number in range(first, first + 20):
                if await step(number, 0) != number + 1:
                    wrong.append(number)
                if blocks:
                    pause.wait(0.03)

        def waits(first):
            wrong.extend(n for n in range(first, first + 50) if step.submit(n, 0).get() != n + 1)

        works = [
            lambda: asyncio.run(calls(1000, True)),
            lambda: asyncio.run(calls(2000, False)),
            lambda: waits(3000),
        ]
        threads = [threading.Thread(target=work) for work in works]
        for thread in threads:
            thread.start()
        await calls(4000, False)
        for thread in threads:
            thread.join(WITHIN)  # it blocks this loop
        assert wrong == []

    run(shared)


def test_a_blocked_loop_delays_no_other_callers(run):
    async def blocked(_, step):
        await step(1, 0)
        found = []
        other = threading.Thread(target=lambda: found.append(step.submit(2, 50).get()))
        other.start()
        other.join(WITHIN)
        assert found == [3]

    run(blocked)


def test_a_cancelled_task_interrupts_its_call(run):
    async def cancelled(session, step):
        call = await under_way(session, step)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await answers(step)
        assert await session("ran") in ([0, 1, 20], [0, 20])  # perhaps it was not begun yet

    run(cancelled)


def test_ctrl_c_while_it_is_sent_cancels_it(run, monkeypatch):
    async def interrupted(session, step):
        link = session._core.port.link
        write = link.write

        def interrupt(data):
            monkeypatch.undo()
            write(data)
            raise KeyboardInterrupt

        monkeypatch.setattr(link, "write", interrupt)
        with pytest.raises(KeyboardInterrupt):
            await step(1, 10_000)
        await answers(step)
        assert await session("ran") in ([0, 1, 20], [0, 20])

    run(interrupted)


def test_an_interrupt_reaches_it(run, in_burst):
    async def interrupted(session, step):
        call = await under_way(session, step)
        while not call.done():  # the first one may come before the call is begun
            session._core.interrupt()
            await asyncio.wait([call], timeout=0.1)
        with pytest.raises(klemheist.DeviceError, match="KeyboardInterrupt"):
            await call
        await answers(step)
        if in_burst:
            await begin_burst(session)  # an interrupt is no damage

    run(interrupted)


def test_its_deadline_counts_from_its_beginning(run):
    async def late(session, step):
        quick = step.with_options(timeout=0.6)
        with pytest.raises(klemheist.LinkTimeout) as caught:
            await asyncio.wait_for(quick(1, 10_000), WITHIN)
        assert caught.value.maybe_executed
        await answers(step)

    run(late)


def test_it_ends_with_its_session(run):
    async def ended(session, step):
        call = await under_way(session, step)
        await session.close()
        with pytest.raises(klemheist.CallCancelled):
            await asyncio.wait_for(call, WITHIN)

    run(ended)


@pytest.mark.parametrize("end", ["crashed", "killed"])
def test_a_device_actor_that_ends_tells_it(run_alone, end):
    async def ends(session, step):
        call = await under_way(session, step)
        ref = session._core.port.brain.actor_ref
        crash(ref) if end == "crashed" else ref.kill()
        with pytest.raises(klemheist.LinkLost) as caught:
            await asyncio.wait_for(call, WITHIN)
        assert caught.value.maybe_executed
        await answers(step)

    run_alone(ends)


def test_a_crash_on_the_way_to_an_ordinary_call_tells_it_and_who_comes_next(run_alone, monkeypatch):
    def forged(*_):
        raise RuntimeError("forged")

    async def crashes(session, step):
        call = await under_way(session, step)
        monkeypatch.setattr(Runner, "adopt", forged)
        following = session._core.execute("2")
        monkeypatch.undo()
        for future in (call, following):
            with pytest.raises(klemheist.LinkLost):
                await asyncio.wait_for(asyncio.ensure_future(waited(future)), WITHIN)
        await answers(step)

    run_alone(crashes)


async def waited(future):
    return await future


def test_a_board_that_dies_tells_it_and_the_session_comes_back(run):
    async def dies(session, step):
        call = await under_way(session, step)
        os.kill(session._core.port.link.pid, signal.SIGKILL)
        with pytest.raises(klemheist.LinkLost) as caught:
            await asyncio.wait_for(call, WITHIN)
        assert caught.value.maybe_executed
        await session.execute("ran = []\nimport time")
        await answers(step)

    run(dies)


def test_a_loop_that_stops_in_mid_call_leaves_the_device_to_others(run):
    async def ends(session, step):
        def other_loop():
            async def gives_up():
                asyncio.ensure_future(step(1, 200))  # noqa: RUF006 -- nobody waits for it
                await asyncio.sleep(0)

            loop = asyncio.new_event_loop()
            loop.run_until_complete(gives_up())
            stopped.append(loop)

        stopped = []
        thread = threading.Thread(target=other_loop)
        thread.start()
        thread.join(WITHIN)
        await answers(step)
        assert await session("ran") == [0, 1, 20]
        await asyncio.get_running_loop().run_in_executor(None, finish, stopped[0])

    run(ends)


def finish(loop):
    tasks = asyncio.all_tasks(loop)
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()


def test_on_a_line_that_damages_bytes_no_answer_is_wrong_and_no_call_runs_twice():
    async def damaged():
        with TcpBoard("sim:") as board, Mangler(board.host, board.port, seed=1, every=800) as line:
            line.active = False
            async with (
                klemheist.AsyncSessionManager() as manager,
                manager.session(line.url) as session,
            ):
                await session.execute("ran = []\nimport time")
                step = session.task(source=STEP, timeout=WITHIN)
                await step(0, 0)
                line.active = True
                for number in range(1, 100):
                    assert await step(number, 0) == number + 1
                line.active = False
                assert await session("ran") == list(range(100))
            assert sum(line.counts.values()) > 5

    asyncio.run(asyncio.wait_for(damaged(), 4 * WITHIN))
