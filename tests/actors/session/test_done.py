"""The done signals of real sessions, attachments and devices: every way to end closes them."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from klemheist import (
    ArgumentError,
    AsyncSession,
    AsyncSessionManager,
    KlemheistError,
    Level,
    LinkError,
    Session,
    SessionClosed,
    SessionManager,
    SessionNotFound,
    SessionOptions,
)
from klemheist.supervisors.manager.core import ManagerCore
from klemheist.supervisors.manager.registry import KEPT_ENDS
from tests.ends import crash, dropped

SECONDS = 5.0


@pytest.mark.req("DONE-001", "DONE-002", "DONE-015")
def test_done_is_there_before_its_session_has_begun(monkeypatch):
    seen = []
    begin = ManagerCore.start_node

    def looking(manager, core, record):
        handle = Session(core, None)
        seen.append((core.status, handle, handle.done, handle.done.is_set()))
        return begin(manager, core, record)

    monkeypatch.setattr(ManagerCore, "start_node", looking)
    with SessionManager() as manager:
        session = manager.create_session("sim:")
        ((status, early, done, was_set),) = seen
        assert (status, was_set, early.done) == ("creating", False, done)
        assert not session.done.is_set()
        session.close()
        assert done.is_set()
        assert session.done.is_set()


@pytest.mark.req("DONE-002")
def test_a_session_that_could_not_begin_is_done(monkeypatch):
    seen = []

    def failing(manager, core, record):
        seen.append(Session(core, None).done)
        raise LinkError("not today")

    monkeypatch.setattr(ManagerCore, "start_node", failing)
    with SessionManager() as manager:
        with pytest.raises(LinkError, match="not today"):
            manager.create_session("sim:")
        assert seen[0].wait(SECONDS)


@pytest.mark.req("DONE-001", "DONE-002", "DONE-015")
def test_done_is_there_while_active_after_a_restart_and_after_the_end(manager, within):
    session = manager.create_session("sim:")
    first = session.done
    assert not first.is_set()
    session.ref.kill()
    assert within(lambda: session.done is not first)
    assert not session.done.is_set()
    last = session.done
    session.close()
    assert session.done is last
    assert last.is_set()


@pytest.mark.req("DONE-003", "DONE-006", "DONE-007", "DONE-008")
def test_an_attachment_ends_and_the_session_and_the_device_go_on(manager, within):
    with manager.session("sim:") as session:
        old, epoch = session.done, session.epoch
        crash(session.ref)
        assert old.wait(SECONDS)
        assert within(lambda: session.epoch == epoch + 1)
        assert old.is_set()
        assert not session.done.is_set()
        assert not session.logical.done.is_set()
        assert not session.device.done.is_set()
        assert session("6 * 7") == 42
        logical = session.logical.done
    assert logical.is_set()
    assert not manager.device("sim:").done.is_set()


@pytest.mark.req("DONE-007", "DONE-009")
def test_two_holders_of_one_session_end_independently(within):
    with SessionManager() as manager:
        one, other = manager.get_or_create_session("sim:"), manager.get_or_create_session("sim:")
        assert one.session_id == other.session_id
        first, second, told = one.done, other.done, []
        assert first is one.done is not second
        first.add_callback(told.append)
        one.release()
        one.release()
        assert (first.is_set(), first.reason, told) == (True, "released", ["released"])
        assert not second.is_set()
        assert one.done is first
        assert not one.logical.done.is_set()
        assert other("6 * 7") == 42
        crash(other.ref)
        assert second.wait(SECONDS)
        assert within(lambda: other.done is not second)
        third = other.done
        other.close()
        assert third.is_set()
        assert other.logical.done.is_set()
        assert told == ["released"]


@pytest.mark.req("DONE-009")
def test_whoever_closes_a_session_ends_it_for_all_who_hold_it():
    with SessionManager() as manager:
        one, other = manager.get_or_create_session("sim:"), manager.get_or_create_session("sim:")
        dones = one.done, other.done
        one.close()
        assert [each.reason for each in dones] == ["ended", "ended"]


def test_a_session_is_not_used_by_a_holder_who_has_released_it():
    with SessionManager() as manager:
        session = manager.create_session("sim:")
        with session as held:
            assert held.files.exists("/") in (True, False)
            held.release()
        assert manager.current_session_id == session.session_id  # it was not ended
        assert (session.is_active, session.status) == (False, "released")
        assert "released" in repr(session)
        for use in (
            lambda: session("1"),
            lambda: session.submit("1"),
            lambda: session.files.exists("/"),
            lambda: session.resources.claim("pin", 1),
            session.output,
            lambda: session.context("session"),
            session.__enter__,
            lambda: session.ref,
        ):
            with pytest.raises(SessionClosed, match="was released by this holder; get_or_create"):
                use()
        assert manager.get_or_create_session("sim:").execute("1") == 1


def test_a_holder_who_looks_from_many_threads_has_one_done():
    with SessionManager() as manager, manager.session("sim:") as session:
        found, start = [], threading.Barrier(8)

        def look():
            start.wait()
            found.append(session.done)

        threads = [threading.Thread(target=look) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(SECONDS)
        assert len(set(map(id, found))) == 1
        assert len(session._core.done._callbacks) == 1


def test_two_sessions_of_one_device_end_independently(manager):
    with manager.session("sim:") as one:
        with manager.session("sim:") as another:
            pass
        assert another.done.is_set()
        assert not one.done.is_set()


def leave(manager, session):
    with session:
        pass


def raise_inside(manager, session):
    with pytest.raises(ValueError, match="mine"), session:
        raise ValueError("mine")


def end_by_id(manager, session):
    manager.end_session(session.session_id)


def close_manager(manager, session):
    manager.close()


def dispose(manager, session):
    manager.dispose()


def crash_too_often(manager, session):
    while not session.logical.done.is_set():
        ref = session._core.spawn.child("session").ref
        if ref is not None:
            ref.kill()


def cancel_the_task(manager, session):
    """A task that listens in a `with` of the session is cancelled."""
    twin = AsyncSession(session._core, manager)

    async def listen(begun):
        async with twin:
            begun.set()
            await twin.execute("__import__('time').sleep(10)")

    async def main():
        begun = asyncio.Event()
        task = asyncio.create_task(listen(begun))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


WAYS = [
    leave,
    raise_inside,
    cancel_the_task,
    end_by_id,
    close_manager,
    dispose,
    crash_too_often,
]


@pytest.mark.req("DONE-004", "DONE-016")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_way_out_closes_done(way):
    with SessionManager() as manager:
        session = manager.create_session("sim:")
        done, logical = session.done, session.logical.done
        way(manager, session)
        assert done.wait(SECONDS)
        assert logical.wait(SECONDS)


@pytest.mark.req("DONE-004", "DONE-016", "DONE-019")
def test_a_session_that_is_idle_too_long_is_done():
    with SessionManager(SessionOptions(default_session_timeout=0.1)) as manager:
        session = manager.create_session("sim:")
        assert session.logical.done.wait(SECONDS)
        assert session.logical.done.reason == session.done.reason == "not used for 0.1 s"
        with pytest.raises(SessionClosed):
            session("1")


@pytest.mark.req("DONE-016")
def test_a_forgotten_manager_and_its_session_are_done():
    def forget():
        session = SessionManager().create_session("sim:")
        return session.done, session.device.done

    with pytest.warns(ResourceWarning, match="never closed"):
        done, device = dropped(forget)
    assert done.wait(SECONDS)
    assert device.wait(SECONDS)


@pytest.mark.req("DONE-008")
@pytest.mark.parametrize("end", ["close", "dispose"])
def test_a_device_is_done_when_it_is_closed(end):
    with SessionManager() as manager:
        session = manager.create_session("sim:")
        done = manager.device("sim:").done
        assert not done.is_set()
        getattr(manager, end)()
        assert done.wait(SECONDS)
        assert not session.is_active


def test_a_device_that_cannot_be_opened_is_done():
    ports = []
    with SessionManager() as manager:
        with pytest.raises(LinkError):
            manager.create_session("/dev/ttyNOT_THERE")
        manager.create_session("sim:").close()
        ports = [port.url for port in manager.devices()]
    assert ports == ["sim:"]


@pytest.mark.req("DONE-013", "DONE-014")
def test_a_helper_needs_only_the_session_and_cancellation_works_beside_done():
    async def helper(session):
        await session.done
        return "done"

    async def main():
        async with AsyncSessionManager() as manager:
            session = await manager.create_session("sim:")
            waiting = asyncio.create_task(helper(session))
            cancelled = asyncio.create_task(helper(session))
            await asyncio.sleep(0)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            assert not session.done.is_set()
            async with asyncio.timeout(SECONDS):
                await session.close()
                assert await waiting == "done"

    asyncio.run(main())


@pytest.mark.req("DONE-017")
def test_tasks_in_a_scope_of_done_end_with_the_session():
    beats = []

    async def listen(beat):
        beats.append(beat)
        await asyncio.Event().wait()

    async def main():
        async with AsyncSessionManager() as manager:
            session = await manager.create_session("sim:")
            async with asyncio.timeout(SECONDS), session.done.scope() as tasks:
                listening = [tasks.create_task(listen(n)) for n in range(3)]
                tasks.create_task(session.close())
            assert all(task.cancelled() for task in listening)
            async with asyncio.timeout(SECONDS), session.done.scope() as tasks:
                late = tasks.create_task(listen(9))
            assert late.cancelled()

    asyncio.run(main())
    assert beats == [0, 1, 2]


@pytest.mark.req("DONE-017")
def test_a_scope_ends_when_its_work_is_done_and_passes_errors_on():
    async def fail():
        raise OSError("sensor")

    async def main():
        async with AsyncSessionManager() as manager, manager.session("sim:") as session:
            async with asyncio.timeout(SECONDS), session.done.scope() as tasks:
                quick = tasks.create_task(session.execute("1 + 1"))
            assert quick.result() == 2
            with pytest.raises(ExceptionGroup) as caught:
                async with asyncio.timeout(SECONDS), session.done.scope() as tasks:
                    tasks.create_task(fail())
            assert isinstance(caught.value.exceptions[0], OSError)
            assert not session.done._callbacks

    asyncio.run(main())


def entries(manager, port):
    """How many entries there are in each map and list that knows of sessions or of their ends."""
    core, registry = manager._core, manager._core.sessions
    return {
        "sessions": len(registry._sessions),
        "sessions that may begin": registry._taken,
        "rooms": sum(len(room.inside) for room in registry.admission._rooms.values()),
        "listeners": len(port._listeners),
        "claims": len(manager.claims()),
        "roster": sum(len(record.roster) for record in core._devices._records.values()),
        "nodes": len(list(manager.snapshot().walk())),
        "ends waited for": [
            len(done._callbacks or ())
            for each in registry.all()
            for done in (each.done, each.logical_done)
        ],
    }


@pytest.mark.req("DONE-018")
def test_a_thousand_holders_come_and_go_and_leave_nothing_behind():
    with SessionManager() as manager:
        keep, ended = manager.get_or_create_session("sim:"), []
        port = manager.device("sim:")
        before, threads = entries(manager, port), threading.active_count()
        for _ in range(1000):
            holder = manager.get_or_create_session("sim:")
            done = holder.done
            done.add_callback(ended.append)
            holder.release()
            assert not done._callbacks
        assert ended == ["released"] * 1000
        assert entries(manager, port) == before
        assert threading.active_count() <= threads
        assert keep("1") == 1


@pytest.mark.req("DONE-018")
def test_a_thousand_sessions_come_and_go_and_leave_nothing_behind():
    with SessionManager() as manager:
        keep, ended = manager.create_session("sim:"), []
        port = manager.device("sim:")
        with manager.session("sim:") as session:
            session("1")
        before, threads = entries(manager, port), threading.active_count()
        for _ in range(1000):
            with manager.session("sim:") as session:
                session.done.add_callback(ended.append)
        assert ended == ["ended"] * 1000
        assert entries(manager, port) == before
        assert threading.active_count() <= threads
        assert len(manager._core.sessions._ended) <= KEPT_ENDS
        assert keep("1") == 1


@pytest.mark.req("DONE-018", "DONE-021")
def test_two_hundred_sessions_come_and_go_and_nothing_is_added():
    with SessionManager() as manager:
        keep = manager.create_session("sim:")
        port = manager.device("sim:")
        listeners, threads = len(port._listeners), threading.active_count()
        for _ in range(200):
            with manager.session("sim:") as session:
                assert session("1") == 1
        assert len(port._listeners) == listeners
        assert threading.active_count() <= threads
        assert manager.get_session_stats().active_session_count == 1
        assert keep("2") == 2


# -- a context -------------------------------------------------------------------------------------


@pytest.mark.req("DONE-023")
@pytest.mark.parametrize("level", Level)
def test_a_context_is_cancelled_by_the_end_of_the_level_that_it_names(level):
    """Its actor crashes, then the session is ended, then the device is closed."""
    with SessionManager() as manager:
        session = manager.create_session("sim:")
        with session.context(level, user="ada") as context:
            assert (context.level, context.values["user"]) == (level, "ada")
            assert (context.deadline, context.remaining()) == (None, None)
            ended = []
            for end in (lambda: crash(session.ref), session.close, manager.close):
                end()
                ended.append(context.cancelled)
    assert ended == [level is Level.ATTACHMENT, level is not Level.DEVICE, True]
    assert context.reason.startswith(f"the {level} has ended: ")


@pytest.mark.req("DONE-023")
def test_a_context_has_a_deadline_and_can_be_handed_on():
    with SessionManager() as manager, manager.session("sim:") as session:
        with session.context("session", timeout=0.05) as context:
            assert 0 < context.remaining() <= 0.05
            assert context.wait(10)
            with pytest.raises(KlemheistError, match="its deadline has passed"):
                manager.execute_in_session("sim:", lambda s: s("1"), cancel=context)
        assert (context.reason, context.remaining()) == ("its deadline has passed", 0.0)
        assert session.execute("1") == 1


@pytest.mark.req("DONE-020", "DONE-023")
def test_a_context_that_is_left_is_cancelled_and_leaves_nothing_behind():
    with SessionManager() as manager, manager.session("sim:") as session:
        done = session.logical.done
        before = len(done._callbacks or ())
        with session.context("session", timeout=60.0) as context:
            assert len(done._callbacks) == before + 1
        assert (len(done._callbacks or ()), context._timer.active) == (before, False)
        assert context.reason == "its block was left"
        with pytest.raises(ArgumentError, match="level='call': give one of attachment, session, d"):
            session.context("call")


@pytest.mark.req("DONE-024")
def test_a_registered_cleanup_runs_once_at_the_end_and_at_once_when_late():
    told = []
    with SessionManager() as manager:
        session = manager.create_session("sim:")
        manager.register_session_cleanup(session.session_id, told.append)
        undone = manager.register_session_cleanup(session.session_id, lambda _: told.append("no"))
        undone()
        session.close()
        session.close()
        assert told == ["ended"]
        manager.register_session_cleanup(session.session_id, told.append)
        assert told == ["ended", "ended"]
        with pytest.raises(SessionNotFound):
            manager.register_session_cleanup("nobody", told.append)


def test_a_callback_of_an_attachment_that_was_restarted_runs_on_no_actors_turn(manager):
    heard, told = [], threading.Event()

    def callback(reason):
        heard.append((reason, threading.current_thread().name))
        session.close()  # of the session, which goes on: this ends it
        told.set()

    session = manager.create_session("sim:")
    session.done.add_callback(callback)
    crash(session.ref)
    assert told.wait(SECONDS)
    assert heard == [("restarted", "klemheist-told")]
    assert session.logical.done.is_set()


ENDINGS = {
    "session": lambda manager, session: session.close(),
    "manager": lambda manager, session: manager.close(),
    "id": lambda manager, session: manager.end_session(session.session_id),
}
CALLBACKS = {
    "done": lambda session: session.done,
    "logical": lambda session: session.logical.done,
}


@pytest.mark.parametrize("inside", ENDINGS)
@pytest.mark.parametrize("outside", ["session", "manager"])
@pytest.mark.parametrize("of", CALLBACKS)
def test_a_callback_may_close_what_ends_and_waits_for_nothing(inside, outside, of):
    heard = []

    def callback(reason):
        heard.append(threading.current_thread())
        with suppress(SessionNotFound):
            ENDINGS[inside](manager, session)
        heard.append(reason)

    with SessionManager() as manager:
        session = manager.create_session("sim:")
        CALLBACKS[of](session).add_callback(callback)
        ending = threading.Thread(target=ENDINGS[outside], args=(manager, session), daemon=True)
        ending.start()
        ending.join(SECONDS)
        assert not ending.is_alive()
        assert heard[1:] == ["ended"]
        assert session.done.is_set()
        assert session.logical.done.is_set()
        assert heard[0].name == "klemheist-told"


@pytest.mark.parametrize("of", CALLBACKS)
def test_the_end_waits_for_slow_callbacks_but_no_longer_than_the_cleanups_have(of):
    gate = threading.Event()
    with SessionManager(SessionOptions(resource_cleanup_timeout=0.3)) as manager:
        session = manager.create_session("sim:")
        logical = session.logical.done
        CALLBACKS[of](session).add_callback(lambda _: gate.wait(4 * SECONDS))
        ending = threading.Thread(target=session.close, daemon=True)
        ending.start()
        ending.join(SECONDS)
        assert not ending.is_alive()
        assert logical.wait(SECONDS)
        gate.set()


@pytest.mark.parametrize("of", CALLBACKS)
def test_a_callback_that_exits_ends_nothing_but_itself(of):
    with SessionManager() as manager:
        session = manager.create_session("sim:")
        CALLBACKS[of](session).add_callback(lambda _: sys.exit(1))
        ending = threading.Thread(target=session.close, daemon=True)
        ending.start()
        ending.join(SECONDS)
        assert not ending.is_alive()
        assert session.logical.done.is_set()


@pytest.mark.req("DONE-022")
def test_the_documentation_states_whose_end_done_tells_and_the_two_sources():
    text = " ".join(Path("docs/howto/cleanup.md").read_text("utf-8").split())
    for statement in (
        "`session.done` closes when this *attachment* ends",
        "`session.logical.done` when the session itself has ended",
        "`session.device.done` when the device is closed",
        "two sources that say when work is to stop",
        "One is the *instance*",
        "The other is whoever *asked*",
    ):
        assert statement in text
