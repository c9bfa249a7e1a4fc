from __future__ import annotations

import asyncio
import signal
import threading
import time

import pytest

from klemheist import (
    AsyncSessionManager,
    Call,
    CallCancelled,
    CancelToken,
    EndSession,
    Execute,
    GetStatus,
    Interrupt,
    Program,
    Resource,
    SessionClosed,
    SessionError,
    setup,
)
from klemheist.actors.runtime.errors import FutureCancelled


class Named(Program):
    @setup
    def init():
        name = 1


SLEEP = "__import__('time').sleep(10)"


@pytest.fixture
def quick():
    """Fails where the block takes longer than a second."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 2.0


def started(session):
    """A ten-second call that the device is running."""
    later = session.submit(SLEEP)
    ends = time.monotonic() + 5.0
    while session._core.port.brain._intake.current is None and time.monotonic() < ends:
        time.sleep(0.002)
    return later


@pytest.mark.usefixtures("quick")
def test_a_cancelled_call_is_interrupted_and_the_session_goes_on(s):
    later = started(s)
    queued = s.submit("x = 1")
    assert queued.cancel()
    with pytest.raises(CallCancelled) as never:
        queued.get(timeout=1.0)
    assert not never.value.maybe_executed
    later.cancel("enough")
    with pytest.raises(CallCancelled, match="enough") as cancelled:
        later.get(timeout=1.0)
    assert cancelled.value.maybe_executed
    assert s("'x' in globals()") is False


@pytest.mark.usefixtures("quick")
def test_ctrl_c_in_a_waiting_thread_interrupts_the_device(s):
    main = threading.main_thread().ident
    threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        s(SLEEP)
    assert s("1 + 1") == 2


@pytest.mark.usefixtures("quick")
def test_the_end_of_a_session_does_not_wait_for_its_calls(manager):
    session = manager.create_session("sim:")
    later, queued = started(session), session.submit("1")
    session.close()
    for each in (later, queued):
        with pytest.raises(CallCancelled, match="ends"):
            each.get(timeout=1.0)


@pytest.mark.usefixtures("quick")
def test_interrupt_is_a_keyboard_interrupt_on_the_device(s):
    from klemheist import DeviceError

    later = started(s)
    s.interrupt()
    with pytest.raises(DeviceError, match="KeyboardInterrupt"):
        later.get(timeout=1.0)


@pytest.mark.usefixtures("quick")
def test_messages_are_answered_while_a_long_call_runs(s):
    later = started(s)
    assert s.ref.ask(GetStatus(), timeout=0.5)["status"] == "active"
    s.ref.tell(Interrupt())
    assert "KeyboardInterrupt" in str(later_error(later))
    assert s.ref.ask(Execute("6 * 7"), timeout=2.0) == 42
    s.task(source="def add(a, b):\n return a + b")
    assert s.ref.ask(Call("add", (2, 3)), timeout=2.0) == 5
    with pytest.raises(SessionError, match="no task 'sub' in this session; it has: add"):
        s.ref.ask(Call("sub"), timeout=2.0)
    s.ref.tell(Execute("y = 1"))
    assert s("y") == 1


def later_error(future):
    with pytest.raises(Exception) as caught:
        future.get(timeout=1.0)
    return caught.value


@pytest.mark.usefixtures("quick")
def test_a_session_can_be_ended_by_a_message_in_mid_call(manager):
    calls = []
    session = manager.create_session("sim:")
    session.resources.register_resource(Resource("thing", lambda _: calls.append(1)))
    later = started(session)
    session.ref.ask(EndSession(), timeout=1.5)
    assert calls == [1]
    assert isinstance(later_error(later), CallCancelled)
    with pytest.raises(SessionClosed):
        _ = session.ref


@pytest.mark.req("SES-006")
def test_a_cancelled_creation_leaves_no_session(manager):
    token = CancelToken()
    token.cancel("not wanted")
    before = manager.get_session_stats()
    with pytest.raises(FutureCancelled, match="not wanted"):
        manager.create_session("sim:", cancel=token)
    assert manager.get_session_stats() == before


@pytest.mark.req("SES-006")
def test_a_creation_that_is_cancelled_while_the_device_is_busy_rolls_back(manager, within):
    with manager.session("sim:") as session:
        started(session)
        creating = manager._core.create("sim:", program=Named())
        assert not creating.done()  # its setup waits for the device
        creating.cancel("not wanted")
        with pytest.raises(FutureCancelled, match="not wanted"):
            creating.get(timeout=5.0)
        session._core.stop_calls()
        assert within(lambda: len(manager._core.sessions.all()) == 1)
        assert manager.get_session_stats().active_session_count == 1


@pytest.mark.usefixtures("quick")
def test_a_session_that_does_nothing_does_not_wait_for_a_busy_device(manager):
    with manager.session("sim:") as session:
        later = started(session)
        with manager.session("sim:") as other:
            assert other.is_active
        assert not later.done()


@pytest.mark.req("SES-013")
@pytest.mark.usefixtures("quick")
def test_execute_in_session_honours_cancellation_in_mid_operation(manager):
    token = CancelToken()
    threading.Timer(0.1, token.cancel).start()
    with pytest.raises(CallCancelled):
        manager.execute_in_session("sim:", lambda s: s(SLEEP), cancel=token)
    assert manager.get_session_stats().active_session_count == 0


@pytest.fixture
def held():
    """Registers two resources of a session, of which the one that is cleaned first waits."""
    begun, gate, calls = threading.Event(), threading.Event(), []

    def slow(cancel):
        begun.set()
        assert gate.wait(5.0)
        calls.append("slow")

    def register(session):
        session.resources.register_resource(Resource("x", lambda _: calls.append("rest")))
        session.resources.register_resource(Resource("x", slow))
        return begun, gate, calls

    yield register
    gate.set()


@pytest.mark.req("SES-041")
def test_a_cancelled_cleanup_of_a_tracker_goes_no_further(manager, held):
    session, cancel = manager.create_session("sim:"), CancelToken()
    begun, gate, calls = held(session)
    canceller = threading.Thread(target=lambda: (begun.wait(5.0), cancel.cancel("enough")))
    canceller.start()
    with pytest.raises(FutureCancelled, match="enough"):
        session.resources.cleanup_resources(cancel=cancel)
    canceller.join(5.0)
    with pytest.raises(FutureCancelled):
        session.resources.cleanup_resources(cancel=cancel)  # it is cancelled: nothing begins
    assert (calls, len(session.resources.get_active_resources())) == ([], 1)
    assert session.execute("6 * 7") == 42
    gate.set()
    session.close()
    assert calls == ["slow", "rest"]


@pytest.mark.req("SES-041")
@pytest.mark.parametrize("by", ["task", "token"])
def test_asyncio_cancels_the_cleanup_of_a_tracker(held, by):
    async def main():
        async with AsyncSessionManager() as manager:
            session, cancel = await manager.create_session("sim:"), CancelToken()
            begun, gate, calls = held(session)
            cleaning = asyncio.create_task(session.resources.cleanup_resources(cancel=cancel))
            assert await asyncio.to_thread(begun.wait, 5.0)
            (cleaning if by == "task" else cancel).cancel()
            with pytest.raises((asyncio.CancelledError, FutureCancelled)):
                async with asyncio.timeout(2.0):
                    await cleaning
            assert calls == []
            gate.set()
            await session.close()
            assert calls == ["slow", "rest"]

    asyncio.run(main())


@pytest.mark.req("SES-008")
def test_who_waits_for_an_end_can_give_up_and_the_end_goes_on(manager, held):
    session, cancel = manager.create_session("sim:"), CancelToken()
    begun, gate, calls = held(session)
    canceller = threading.Thread(target=lambda: (begun.wait(5.0), cancel.cancel("enough")))
    canceller.start()
    with pytest.raises(FutureCancelled, match="enough"):
        manager.end_session(session.session_id, cancel=cancel)
    canceller.join(5.0)
    assert not session.logical.done.is_set()
    gate.set()
    assert session.logical.done.wait(5.0)
    assert calls == ["slow", "rest"]
    other = manager.create_session("sim:")
    with pytest.raises(FutureCancelled):
        manager.end_session(other.session_id, cancel=cancel)  # it is cancelled: nothing begins
    assert other.is_active
    other.close()


@pytest.mark.req("SES-041")
def test_asyncio_cancellation_stops_calls_and_shields_the_end():
    calls = []

    def slow(cancel):
        time.sleep(0.2)
        calls.append(1)

    async def main():
        async with AsyncSessionManager() as manager:
            session = await manager.create_session("sim:")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await session(SLEEP)
            assert await session("1 + 1") == 2
            session.resources.register_resource(Resource("slow", slow))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await session.close()
            await session.logical.done
            assert calls == [1]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await manager.execute_in_session("sim:", lambda s: s(SLEEP))
            assert manager.get_session_stats().active_session_count == 0

    asyncio.run(main())


def test_output_comes_while_the_code_runs_and_to_each_subscriber(s):
    pieces = []
    first, second = s.output(), s.output()
    s.execute("for i in range(3): print(i)", on_output=pieces.append)
    s.execute("print('more')")
    s.close()
    assert b"".join(pieces).split() == [b"0", b"1", b"2"]
    assert b"".join(first).split() == b"".join(second).split() == [b"0", b"1", b"2", b"more"]


def test_an_on_output_that_raises_cancels_the_call_and_is_told(s):
    def refuse(data):
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        s.execute("while True:\n print(1)\n __import__('time').sleep(0.01)", on_output=refuse)
    assert s("1 + 1") == 2
