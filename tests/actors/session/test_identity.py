from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from klemheist import (
    ArgumentError,
    AsyncSessionManager,
    DeviceError,
    Resource,
    SessionClosed,
    SessionManager,
    SessionNotFound,
    SessionOptions,
)


@pytest.mark.req("SES-005", "SES-022", "SES-118")
def test_a_created_session_has_an_id_and_is_active_until_it_ends(manager):
    session = manager.create_session("sim:")
    assert session.session_id
    assert session.is_active
    assert session("6 * 7") == 42
    session.close()
    assert not session.is_active
    with pytest.raises(SessionClosed):
        session("1")


@pytest.mark.req("SES-020")
def test_every_session_has_an_id_of_its_own(manager):
    sessions = [manager.create_session("sim:") for _ in range(5)]
    assert len({each.session_id for each in sessions}) == 5
    for each in sessions:
        each.close()


@pytest.mark.req("SES-021")
def test_created_at_knows_its_time_zone_and_never_changes(s):
    first = s.created_at
    assert first.utcoffset() == timedelta(0)
    s("1")
    assert s.created_at is first


@pytest.mark.req("SES-023", "SES-029")
def test_the_store_of_one_session_is_not_that_of_another(manager, s):
    with manager.session("sim:") as other:
        s.state["x"] = 1
        assert other.state == {}
        other.state["x"] = 2
        assert s.state == {"x": 1}


@pytest.mark.req("SES-029")
def test_the_code_of_one_session_sees_no_name_of_another(manager, s):
    with manager.session("sim:") as other:
        s("x = 1")
        other("x = 2")
        assert (s("x"), other("x")) == (1, 2)
        s("y = 1")
        with pytest.raises(DeviceError, match="NameError"):
            other("y")


@pytest.mark.req("SES-029")
def test_a_session_leaves_no_name_in_main(manager, s):
    s("secret = 1")
    assert s("'secret' in __import__('__main__').__dict__") is False


@pytest.mark.req("SES-024", "SES-025", "SES-026", "SES-027", "SES-064", "SES-078")
def test_the_contexts_belong_to_the_session(s):
    assert s.resources.session_id == s.session_id
    assert s.executor_context.session_id == s.session_id
    assert s.executor_context.resource_tracker.session_id == s.session_id
    assert s.device_context.session_id == s.session_id
    assert s.file_system_context is s.files
    assert s.executor is s.executor_context
    assert s.device is s.device_context


@pytest.mark.req("SES-027")
def test_the_file_system_context_carries_the_session_id(s):
    assert s.file_system_context.session_id == s.session_id


@pytest.mark.req("SES-079", "SES-080")
def test_the_device_context_says_what_the_device_is(s):
    assert s.device.capabilities.platform == "webassembly"
    assert s.device.get_protocol_capabilities()["raw_paste"] is False
    assert s.device.get_device_info()["platform"] == "webassembly"


@pytest.mark.req("SES-067")
def test_thread_ids_are_unique_in_the_session(s):
    ids = {s.executor.allocate_thread_id("blink") for _ in range(100)}
    assert len(ids) == 100


@pytest.mark.req("SES-002")
def test_the_current_session_is_the_newest_live_one():
    with SessionManager() as manager:
        assert manager.current_session_id is None
        with manager.session("sim:") as first:
            with manager.session("sim:") as second:
                assert manager.current_session_id == second.session_id
            assert manager.current_session_id == first.session_id
        assert manager.current_session_id is None


@pytest.mark.req("SES-007")
def test_get_or_create_returns_the_live_session_of_that_device(manager):
    with manager.session("sim:") as session:
        assert manager.get_or_create_session("sim:").session_id == session.session_id
    fresh = manager.get_or_create_session("sim:")
    assert fresh.session_id != session.session_id
    fresh.close()


@pytest.mark.req("SES-008")
def test_end_session_cleans_up_and_unregisters(manager):
    session, calls = manager.create_session("sim:"), []
    session.resources.register_resource(Resource("thing", lambda _: calls.append(1)))
    session("x = 1")
    manager.end_session(session.session_id)
    assert calls == [1]
    with pytest.raises(SessionNotFound):
        manager.end_session(session.session_id)
    assert not session.is_active
    assert session.session_id != manager.current_session_id
    assert session.done.is_set()


@pytest.mark.req("SES-009")
@pytest.mark.parametrize("known", [True, False])
def test_ending_an_unknown_or_ended_id_is_session_not_found(manager, known):
    session = manager.create_session("sim:")
    session.close()
    with pytest.raises(SessionNotFound) as caught:
        manager.end_session(session.session_id if known else "nobody")
    assert "\n" not in str(caught.value)


@pytest.mark.req("SES-028")
def test_closing_twice_cleans_up_once(manager):
    from klemheist import Resource

    calls = []
    session = manager.create_session("sim:")
    session.resources.register_resource(Resource("thing", lambda _: calls.append(1)))
    session.close()
    session.close()
    assert calls == [1]


@pytest.mark.req("SES-005", "SES-010", "SES-015")
def test_the_same_for_asyncio():
    async def main():
        async with AsyncSessionManager() as manager:
            async with manager.session("sim:") as s:
                assert await s("21 * 2") == 42

                @s.task
                def add(a, b):
                    return a + b

                assert await add(2, 3) == 5
                assert await asyncio.gather(*(add(i, i) for i in range(5))) == [0, 2, 4, 6, 8]
            assert not s.is_active

            async def double(session):
                return await session("2 * 2")

            assert await manager.execute_in_session("sim:", double) == 4
        assert manager.state == "Disposed"

    asyncio.run(main())


@pytest.mark.req("SES-084")
def test_an_idle_session_is_ended_and_a_busy_one_is_not(within):
    with SessionManager(SessionOptions(default_session_timeout=0.2)) as manager:
        busy, idle = manager.create_session("sim:"), manager.create_session("sim:")
        later = busy.submit("__import__('time').sleep(0.5)")
        assert within(lambda: not idle.is_active)
        assert busy.is_active
        later.get(timeout=3.0)
        assert busy.done.wait(2.0)
        assert idle.done.is_set()


def test_limits_that_are_not_positive_are_refused_in_one_line():
    from klemheist.errors import ArgumentError

    with pytest.raises(ArgumentError, match="call_timeout=0"):
        SessionOptions(call_timeout=0)


@pytest.mark.req("SES-083")
def test_a_function_configures_the_options_from_their_defaults():
    def configure(defaults):
        assert defaults == SessionOptions()
        return replace(defaults, max_concurrent_sessions=3)

    with SessionManager(configure) as manager:
        assert manager.options == SessionOptions(max_concurrent_sessions=3)
        assert manager.get_session_stats().max_session_count == 3
    for none in (None, lambda defaults: defaults):
        assert SessionManager(none).options == SessionOptions()
    assert AsyncSessionManager(configure).options.max_concurrent_sessions == 3
    for wrong in (lambda defaults: None, {"max_concurrent_sessions": 3}):
        with pytest.raises(ArgumentError, match="takes the defaults and returns one"):
            SessionManager(wrong)


@pytest.mark.req("SES-083", "SES-084", "SES-085", "SES-086", "SES-087", "SES-088")
def test_the_defaults_are_the_promised_ones():
    options = SessionOptions()
    assert options.default_session_timeout == 1800.0
    assert options.max_concurrent_sessions == 10
    assert options.enable_session_metrics
    assert options.enable_resource_tracking
    assert options.resource_cleanup_timeout == 30.0
    assert options.call_timeout == 30.0
