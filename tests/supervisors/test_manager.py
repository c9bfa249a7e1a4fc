from __future__ import annotations

import asyncio
import threading
import time

import pytest

from klemheist import (
    AsyncSessionManager,
    CapabilityError,
    LinkError,
    ManagerState,
    Program,
    Resource,
    ResourceCleanupError,
    SessionClosed,
    SessionError,
    SessionLimitError,
    SessionManager,
    SessionOptions,
    UnknownScheme,
    setup,
    thread,
)
from klemheist.actors.session.core import SessionCore
from klemheist.actors.session.remote import Namespace
from klemheist.supervisors.manager import retry
from klemheist.supervisors.manager.core import ManagerCore
from klemheist.supervisors.manager.life import LIFE, Move
from klemheist.supervisors.manager.registry import Registry
from klemheist.supervisors.manager.session_node import SessionNode
from klemheist.transports.repl import attach


@pytest.fixture(scope="module")
def shared():
    with SessionManager() as manager:
        yield manager


@pytest.mark.req("SES-003", "SES-044", "SES-045", "SES-046", "SES-047")
def test_a_manager_goes_from_inactive_to_disposed():
    manager = SessionManager()
    assert manager.state == "Inactive"
    first = manager.create_session("sim:")
    assert manager.state == "Active"
    session = manager.create_session("sim:")
    assert first.is_active
    assert manager.state == "Active"
    seen = []
    session.resources.register_resource(Resource("x", lambda _: seen.append(manager.state)))
    manager.close()
    assert seen == ["Shutdown"]
    assert manager.state == "Disposed"
    manager.close()


@pytest.mark.req("SES-049")
@pytest.mark.parametrize("state", ManagerState)
@pytest.mark.parametrize("move", Move)
def test_only_the_moves_of_the_table_are_made(state, move):
    manager = SessionManager()
    manager._core.state = state
    if (state, move) in LIFE:
        manager._core.move(move)
        assert manager.state is LIFE[state, move]
    else:
        with pytest.raises(SessionClosed):
            manager._core.move(move)
        assert manager.state is state


@pytest.mark.req("SES-048")
def test_emergency_disposal_lets_go_at_once_and_runs_no_cleanup():
    calls = []
    manager = SessionManager()
    session = manager.create_session("sim:")
    session.resources.register_resource(Resource("thing", lambda _: calls.append(1)))
    later = session.submit("__import__('time').sleep(10)")
    manager.dispose()
    assert manager.state == "Disposed"
    with pytest.raises(SessionClosed):
        later.get(timeout=1.0)
    assert not session.is_active
    manager.close()
    assert calls == []


@pytest.mark.req("SES-048")
def test_every_state_can_be_disposed_at_once():
    assert {LIFE[state, Move.DISPOSE] for state in ManagerState} == {ManagerState.DISPOSED}


@pytest.mark.req("SES-049")
def test_a_closed_manager_creates_nothing():
    manager = SessionManager()
    manager.close()
    for create in (
        lambda: manager.create_session("sim:"),
        lambda: manager.get_or_create_session("sim:"),
        lambda: manager.session("sim:").__enter__(),
        lambda: manager.deploy("sim:", Idle()),
        lambda: manager.device("sim:"),
    ):
        with pytest.raises(SessionClosed, match="make a new one"):
            create()


@pytest.mark.req("SES-001", "SES-015")
def test_leaving_the_manager_ends_all_its_sessions():
    calls = []
    with SessionManager() as manager:
        sessions = [manager.create_session("sim:") for _ in range(3)]
        for number, session in enumerate(sessions):
            clean = lambda _, number=number: calls.append(number)  # noqa: E731
            session.resources.register_resource(Resource("thing", clean))
    assert calls == [2, 1, 0]
    assert not any(session.is_active for session in sessions)


@pytest.mark.parametrize("url", ["nonsense://x", "tcp://127.0.0.1:1"])
def test_a_device_that_cannot_be_opened_leaves_nothing(url):
    with SessionManager() as manager:
        with pytest.raises((UnknownScheme, LinkError)) as caught:
            manager.create_session(url)
        assert "\n" not in str(caught.value)
        assert manager.state == "Inactive"
        assert manager.devices() == ()
        assert manager.get_session_stats().total_session_count == 0


@pytest.mark.req("SES-010", "SES-011", "SES-119")
def test_execute_in_session_passes_a_live_session_and_returns_the_value(shared):
    seen = []

    def work(session):
        seen.append((session.is_active, session.session_id))
        return session("6 * 7")

    assert shared.execute_in_session("sim:", work) == 42
    assert shared.execute_in_session("sim:", lambda session: None) is None
    assert seen[0][0] is True


@pytest.mark.req("SES-120", "SES-121")
def test_resources_of_an_operation_are_gone_with_its_session(shared):
    ids, cleaned = [], []

    def work(session):
        for number in range(2):
            clean = lambda _, number=number: cleaned.append(number)  # noqa: E731
            session.resources.register_resource(Resource("led", clean))
            ids.append(session.session_id)
        ids.append(shared.current_session_id)
        return len(session.resources.get_active_resources())

    assert shared.execute_in_session("sim:", work) == 2
    assert len(set(ids)) == 1
    assert cleaned == [1, 0]
    assert shared.get_session_stats().active_session_count == 0


@pytest.mark.req("SES-012")
def test_the_error_of_an_operation_propagates_after_the_cleanup(shared):
    cleaned = []

    def fails(cancel):
        cleaned.append(1)
        raise OSError("cleanup")

    def work(session):
        session.resources.register_resource(Resource("led", fails))
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        shared.execute_in_session("sim:", work)
    assert cleaned == [1]
    with pytest.raises(ValueError, match="mine"), shared.session("sim:") as session:
        work(session)
    assert cleaned == [1, 1]


@pytest.mark.req("SES-108")
def test_a_failed_cleanup_does_not_lose_the_result(shared):
    def fails(cancel):
        raise OSError("cleanup")

    def work(session):
        session.resources.register_resource(Resource("led", fails))
        return 42

    with pytest.raises(ResourceCleanupError) as failed:
        shared.execute_in_session("sim:", work)
    assert failed.value.result == 42


@pytest.mark.req("SES-096")
def test_one_operation_is_one_session(shared):
    before = shared.get_session_stats().total_session_count
    shared.execute_in_session("sim:", lambda s: [s("1") for _ in range(5)])
    for _ in range(5):
        shared.execute_in_session("sim:", lambda s: s("1"))
    assert shared.get_session_stats().total_session_count == before + 6


@pytest.mark.req("SES-014", "SES-018", "SES-109")
def test_the_statistics_count_sessions():
    with SessionManager(SessionOptions(max_concurrent_sessions=7)) as manager:
        with manager.session("sim:"), manager.session("sim:"):
            stats = manager.get_session_stats()
            assert (stats.active_session_count, stats.total_session_count) == (2, 2)
            assert stats.max_session_count == 7
        assert manager.get_session_stats().active_session_count == 0
        numbers = manager.performance.snapshot()
        assert numbers.sessions_created == 2
        assert 0 < numbers.creation_median <= numbers.creation_longest


def spied(monkeypatch, order, *calls):
    """Note each of these calls, given as an owner, a name and a word, in `order`."""
    for owner, name, word in calls:
        real = getattr(owner, name)

        def noting(*args, real=real, word=word, **kwargs):
            order.append(word)
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, noting)


@pytest.mark.req("SES-042")
def test_a_session_is_validated_detected_created_tracked_registered_and_returned(monkeypatch):
    order = []
    spied(
        monkeypatch,
        order,
        (ManagerCore, "check", "validate state"),
        (attach, "_probe", "detect capabilities"),
        (SessionCore, "__init__", "create session"),
        (SessionNode, "__init__", "init tracker"),
        (Registry, "count_creation", "register"),
    )
    with SessionManager() as manager:
        session = manager.create_session("sim:")
        order.append("return")
        assert session.resources.get_active_resources() == ()
    firsts = list(dict.fromkeys(order))
    assert firsts == [
        "validate state",
        "detect capabilities",
        "create session",
        "init tracker",
        "register",
        "return",
    ]


@pytest.mark.req("SES-043")
@pytest.mark.parametrize("end", ["explicit", "dispose"])
def test_an_end_cleans_the_session_its_tracker_and_the_device_and_unregisters(monkeypatch, end):
    order = []
    with SessionManager() as manager:
        session = manager.create_session("sim:")
        session("x = 1")
        session.resources.register_resource(Resource("led", lambda _: order.append("tracker")))
        spied(
            monkeypatch,
            order,
            (SessionCore, "stop_calls", "session"),
            (Namespace, "close", "device"),
            (Registry, "remove", "unregister"),
        )
        if end == "explicit":
            manager.end_session(session.session_id)
        else:
            with session:
                pass
        order.append("ended")
    assert list(dict.fromkeys(order)) == ["session", "tracker", "device", "unregister", "ended"]


@pytest.mark.req("SES-004", "SES-016")
def test_capabilities_are_detected_once(monkeypatch):
    probes = []
    probe = attach._probe
    monkeypatch.setattr(attach, "_probe", lambda *args: probes.append(1) or probe(*args))
    with SessionManager() as manager:
        assert manager.capabilities is None
        with manager.session("sim:") as first, manager.session("sim:"):
            assert manager.capabilities.platform == "webassembly"
            assert first.device.capabilities == manager.capabilities
    assert len(probes) == 1


@pytest.mark.req("SES-098", "SES-099")
def test_without_capabilities_only_a_fallback_session_is_created(shared):
    port = shared.device("sim:")
    firmware = port.board.facts.pop("firmware")
    try:
        with pytest.raises(CapabilityError, match="fallback=True"):
            shared.create_session("sim:")
        session = shared.create_session("sim:", fallback=True)
        assert session.device.capabilities.platform == "unknown"
        assert session("6 * 7") == 42
        session.close()
    finally:
        port.board.facts["firmware"] = firmware


@pytest.mark.req("SES-085")
def test_one_session_too_many_is_refused_and_room_is_given_back():
    with SessionManager() as manager:
        sessions = [manager.create_session("sim:") for _ in range(10)]
        with pytest.raises(SessionLimitError, match="10 sessions are live"):
            manager.create_session("sim:")
        sessions[3].close()
        kept = manager.create_session("sim:")
        assert kept.is_active


@pytest.mark.req("SES-085")
def test_a_creation_that_fails_gives_its_room_back():
    with SessionManager(SessionOptions(max_concurrent_sessions=1)) as manager:
        for _ in range(3):
            with pytest.raises(LinkError):
                manager.create_session("exec:false")
        kept = manager.create_session("sim:")
        assert kept.is_active


@pytest.mark.req("SES-085")
def test_concurrent_creations_fill_the_limit_exactly():
    async def main():
        async with AsyncSessionManager(SessionOptions(max_concurrent_sessions=4)) as manager:
            created = await asyncio.gather(
                *(manager.create_session("sim:") for _ in range(6)), return_exceptions=True
            )
            assert sum(isinstance(each, SessionLimitError) for each in created) == 2
            assert manager.get_session_stats().active_session_count == 4

    asyncio.run(main())


def test_an_exclusive_session_shares_its_device_with_nobody(shared):
    with (
        shared.session("sim:", exclusive=True),
        pytest.raises(SessionError, match="exclusively"),
    ):
        shared.create_session("sim:")
    with shared.session("sim:"), pytest.raises(SessionError, match="exclusively"):
        shared.session("sim:", exclusive=True).__enter__()


@pytest.mark.req("SES-104", "SES-105", "SES-107")
def test_only_recoverable_errors_are_tried_again(shared, monkeypatch):
    waits, tries = [], []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)

    class BusyError(SessionError):
        is_recoverable = True

    def work(session):
        tries.append(session.session_id)
        raise BusyError("try later")

    with pytest.raises(SessionError, match=r"Operation failed after 3 attempts: try later"):
        shared.execute_with_retry("sim:", work)
    assert len(set(tries)) == 3
    assert waits == [2.0, 4.0]
    assert not retry.is_retryable(SessionError("no"))


class HopelessError(SessionError):
    is_recoverable = False


@pytest.mark.req("SES-106")
@pytest.mark.parametrize(
    "error", [HopelessError("never"), SessionClosed("gone"), ZeroDivisionError()]
)
def test_an_error_that_is_not_recoverable_is_raised_at_once(shared, monkeypatch, error):
    waits, tries = [], []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)

    def work(session):
        tries.append(session.session_id)
        raise error

    with pytest.raises(type(error)) as raised:
        shared.execute_with_retry("sim:", work)
    assert raised.value is error
    assert (len(tries), waits) == (1, [])


@pytest.mark.req("SES-104", "SES-105", "SES-106", "SES-107")
def test_an_awaited_operation_is_run_and_tried_again(monkeypatch):
    waits, tries, real_sleep = [], [], asyncio.sleep

    async def sleep(seconds):
        waits.append(seconds)
        await real_sleep(0)

    class BusyError(SessionError):
        is_recoverable = True

    def work_that_fails(times, error):
        async def work(session):
            tries.append(session.session_id)
            if len(tries) <= times:
                raise error
            return await session("6 * 7")

        tries.clear()
        waits.clear()
        return work

    async def main():
        async with AsyncSessionManager() as manager:
            with_retry = manager.execute_with_retry
            assert await with_retry("sim:", lambda session: session("6 * 7")) == 42
            assert await with_retry("sim:", work_that_fails(2, BusyError("later"))) == 42
            assert (len(set(tries)), waits) == (3, [2.0, 4.0])
            with pytest.raises(SessionError, match=r"Operation failed after 2 attempts: later"):
                await with_retry("sim:", work_that_fails(9, BusyError("later")), max_retries=2)
            assert (len(tries), waits) == (2, [2.0])
            with pytest.raises(HopelessError):
                await with_retry("sim:", work_that_fails(9, HopelessError("never")))
            assert (len(tries), waits) == (1, [])
            assert manager.get_session_stats().active_session_count == 0

    monkeypatch.setattr(asyncio, "sleep", sleep)
    asyncio.run(main())


class Idle(Program):
    @setup
    def init():
        n = [0]

    @thread
    def count():
        while True:
            n[0] += 1  # noqa: F821
            yield 0.01


def test_a_standing_program_comes_back_after_a_fault_and_stops_for_good(shared):
    standing = shared.deploy("sim:", Idle())
    first = standing.session_id
    assert standing.status == "active"
    shared.end_session(first)
    ends = time.monotonic() + 5.0
    while standing.starts < 2 and time.monotonic() < ends:
        time.sleep(0.005)
    assert standing.session_id != first
    standing.stop()
    standing.stop()
    assert standing.status == "stopped"
    assert shared.get_session_stats().active_session_count == 0


def test_a_standing_program_that_cannot_start_is_told_and_forgotten(shared):
    class Broken(Program):
        @setup
        def init():
            print(1 / 0)

    with pytest.raises(Exception, match="ZeroDivisionError"):
        shared.deploy("sim:", Broken())
    assert shared.get_session_stats().active_session_count == 0


def test_a_standing_program_whose_actor_is_killed_has_one_session(shared):
    standing = shared.deploy("sim:", Idle())
    branch = shared._core.branch("deployments")
    (info,) = branch.children()
    info.ref.kill()
    ends = time.monotonic() + 5.0
    while standing.starts < 2 and time.monotonic() < ends:
        time.sleep(0.005)
    assert shared.get_session_stats().active_session_count == 1
    standing.stop()
    assert shared.get_session_stats().active_session_count == 0


class SlowStart(Program):
    @setup
    def begin():
        import time

        time.sleep(0.5)

    @thread
    def tick():
        while True:
            yield 0.05


def test_a_deployment_that_is_cancelled_leaves_nothing():
    async def until(holds):
        async with asyncio.timeout(10.0):
            while not holds():  # noqa: ASYNC110 -- other threads make it so
                await asyncio.sleep(0.01)

    async def main():
        async with AsyncSessionManager() as manager:
            sessions = manager._core.sessions.all
            deploying = asyncio.create_task(manager.deploy("sim:", SlowStart()))
            await until(sessions)
            deploying.cancel()
            with pytest.raises(asyncio.CancelledError):
                await deploying
            branch = manager._core.branch("deployments")
            await until(lambda: not branch.children() and not sessions())
            assert manager.get_session_stats().total_session_count == 0

    asyncio.run(main())


def test_whoever_closes_again_waits_for_the_same_end():
    manager = SessionManager()
    session = manager.create_session("sim:")
    gate, closed = threading.Event(), []
    session.resources.register_resource(Resource("slow", lambda _: gate.wait(5) and None))
    threads = [
        threading.Thread(target=lambda: (manager.close(), closed.append(manager.state)))
        for _ in range(2)
    ]
    for each in threads:
        each.start()
    assert closed == []
    gate.set()
    for each in threads:
        each.join(5.0)
    assert closed == ["Disposed", "Disposed"]


def test_events_tell_devices_and_the_tree():
    manager = SessionManager()
    events = manager.events()
    with manager.session("sim:") as session, pytest.raises(Exception, match="boot"):
        session("raise SystemExit")
    manager.close()
    kinds = [each.kind for each in events if hasattr(each, "kind")]
    assert kinds.index("opening") < kinds.index("up") < kinds.index("reset") < kinds.index("closed")
