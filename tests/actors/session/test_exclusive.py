"""Sessions share a device, or one has it to itself: who waits, who is refused, who comes next."""

from __future__ import annotations

import asyncio
import threading

import pytest

from klemheist import (
    ArgumentError,
    AsyncSessionManager,
    Budget,
    DeviceBusy,
    KlemheistError,
    SessionClosed,
    SessionError,
    SessionManager,
    SessionOptions,
)


def started(work):
    """A thread that does `work`, and the list that gets its result or error."""
    found = []

    def run():
        try:
            found.append(work())
        except KlemheistError as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def entering(manager, **options):
    """What a thread does that wants a session: it enters, asks, leaves."""

    def work():
        with manager.session("sim:", **options) as session:
            return session.execute("6 * 7")

    return work


def waiting(manager):
    rooms = manager._core.sessions.admission._rooms
    return sum(len(room.waiting) for room in rooms.values())


def test_the_refusal_is_typed_recoverable_and_names_the_holder(manager):
    with manager.session("sim:", exclusive=True) as s:
        with pytest.raises(DeviceBusy, match=s.session_id) as refused:
            manager.create_session("sim:")
        assert isinstance(refused.value, SessionError)
        assert refused.value.is_recoverable
        assert s.execute("1") == 1
    with manager.session("sim:") as s, pytest.raises(DeviceBusy, match=s.session_id):
        manager.session("sim:", exclusive=True).__enter__()
    assert manager.get_session_stats().active_session_count == 0


def test_who_waits_gets_in_when_the_exclusive_session_has_ended(manager, within):
    with manager.session("sim:", exclusive=True):
        thread, found = started(entering(manager, wait=10.0))
        assert within(lambda: waiting(manager) == 1)
        assert found == []
    thread.join(10.0)
    assert found == [42]


def test_an_exclusive_session_waits_until_all_others_have_ended(manager, within):
    with manager.session("sim:"):
        with manager.session("sim:"):
            thread, found = started(entering(manager, wait=10.0, exclusive=True))
            assert within(lambda: waiting(manager) == 1)
        assert waiting(manager) == 1
    thread.join(10.0)
    assert found == [42]


def test_nobody_overtakes_an_exclusive_session_that_waits(manager, within):
    with manager.session("sim:"):
        thread, found = started(entering(manager, wait=10.0, exclusive=True))
        assert within(lambda: waiting(manager) == 1)
        with pytest.raises(DeviceBusy, match="next by a session that waits"):
            manager.create_session("sim:")
        late, then = started(entering(manager, wait=10.0))
        assert within(lambda: waiting(manager) == 2)
    thread.join(10.0)
    late.join(10.0)
    assert (found, then) == ([42], [42])


def test_who_waits_in_vain_is_told_so_and_holds_up_nobody(manager):
    with manager.session("sim:") as s:
        with pytest.raises(DeviceBusy):
            manager.session("sim:", exclusive=True, wait=0.01).__enter__()
        with manager.session("sim:"):
            assert waiting(manager) == 0
        assert s.execute("1") == 1
    assert manager.get_session_stats().active_session_count == 0


def test_the_device_is_free_again_however_the_exclusive_session_ended():
    with SessionManager() as manager:
        with pytest.raises(ZeroDivisionError), manager.session("sim:", exclusive=True):
            raise ZeroDivisionError
        with manager.session("sim:", exclusive=True) as s:
            manager.end_session(s.session_id)
            manager.create_session("sim:").close()
        with pytest.raises(ArgumentError), manager.session("sim:", exclusive=True) as s:
            s.execute("klemheist_running = 1")
        kept = manager.create_session("sim:")
        assert kept.is_active


def test_a_manager_that_closes_tells_who_waits(within):
    manager = SessionManager()
    session = manager.session("sim:", exclusive=True).__enter__()
    thread, found = started(entering(manager, wait=30.0))
    assert within(lambda: waiting(manager) == 1)
    manager.close()
    thread.join(10.0)
    assert [type(each) for each in found] == [SessionClosed]
    assert not session.is_active


def test_a_task_that_is_cancelled_while_it_waits_leaves_the_queue():
    async def main():
        async with AsyncSessionManager() as manager, manager.session("sim:") as s:
            context = manager.session("sim:", exclusive=True, wait=30.0)
            task = asyncio.create_task(context.__aenter__())
            await asyncio.sleep(0)
            assert waiting(manager) == 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert waiting(manager) == 0
            async with manager.session("sim:") as other:
                assert await other.execute("1") == 1
            assert await s.execute("2") == 2

    asyncio.run(main())


def test_sessions_of_one_device_have_turns_and_a_busy_one_keeps_nobody_waiting(manager):
    with manager.session("sim:") as greedy, manager.session("sim:") as modest:
        order = []
        greedy.submit("__import__('time').sleep(0.1)")  # the others wait by the time it has ended
        for number in range(20):
            greedy.submit(f"{number}").add_done_callback(lambda _: order.append("greedy"))
        last = modest.submit("1")
        last.add_done_callback(lambda _: order.append("modest"))
        last.get(timeout=5.0)
        assert order.index("modest") <= 2


def test_create_session_takes_the_same_wishes(manager, within):
    alone = manager.create_session("sim:", exclusive=True, budget=Budget(cost=1))
    assert alone.resources.get_resource_stats().budget == Budget(cost=1)
    with pytest.raises(DeviceBusy):
        manager.create_session("sim:", wait=0.01)
    thread, found = started(lambda: manager.create_session("sim:", wait=10.0))
    assert within(lambda: waiting(manager))
    alone.close()
    thread.join(10.0)
    found[0].close()

    async def twin():
        async with AsyncSessionManager() as its_twin:
            alone = await its_twin.create_session("sim:", exclusive=True)
            with pytest.raises(DeviceBusy):
                await its_twin.create_session("sim:", wait=0.01, budget=Budget(cost=1))
            await alone.close()

    asyncio.run(twin())


@pytest.mark.parametrize("wait", [-1, float("nan")])
def test_a_time_to_wait_that_is_none_is_refused(manager, wait):
    with pytest.raises(ArgumentError, match="wait="):
        manager.session("sim:", wait=wait).__enter__()


def test_options_that_make_no_sense_create_nothing(manager):
    with pytest.raises(ArgumentError, match="budget="):
        manager.session("sim:", budget=100).__enter__()
    with pytest.raises(ArgumentError, match="restart="):
        manager.session("sim:", restart="sometimes").__enter__()
    with pytest.raises(ArgumentError, match="not tracked"):
        SessionOptions(enable_resource_tracking=False, budget=Budget(cost=1))
    assert manager.get_session_stats().active_session_count == 0
