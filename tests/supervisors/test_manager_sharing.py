"""`get_or_create_session`: one session of a device for all who ask, however many at once."""

from __future__ import annotations

import asyncio
import threading

import pytest

from klemheist import (
    AsyncSessionManager,
    DeviceBusy,
    LinkError,
    SessionManager,
    SessionOptions,
    UnknownScheme,
)

SECONDS = 10.0
MANY = 8


def at_once(call):
    found, start = [], threading.Barrier(MANY)

    def ask():
        start.wait(SECONDS)
        try:
            found.append(call())
        except Exception as error:  # noqa: BLE001 -- it is looked at
            found.append(error)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert len(found) == MANY
    return found


def test_threads_that_ask_at_once_get_one_session():
    with SessionManager(SessionOptions(max_concurrent_sessions=1)) as manager:
        found = at_once(lambda: manager.get_or_create_session("sim:").session_id)
        assert len(set(found)) == 1, found
        assert manager.get_session_stats().total_session_count == 1


def test_threads_that_ask_at_once_get_one_error_each_and_may_ask_again():
    with SessionManager() as manager:
        for _ in range(2):
            found = at_once(lambda: manager.get_or_create_session("/dev/nobody"))
            assert all(isinstance(each, LinkError) for each in found), found
        with pytest.raises(UnknownScheme):
            manager.get_or_create_session("bogus://x")


def test_tasks_that_ask_at_once_get_one_session():
    async def main():
        async with AsyncSessionManager() as manager:
            asked = [manager.get_or_create_session("sim:") for _ in range(MANY)]
            sessions = await asyncio.gather(*asked)
            assert len({each.session_id for each in sessions}) == 1
            assert manager.get_session_stats().total_session_count == 1

    asyncio.run(main())


def test_one_who_gives_up_leaves_the_session_to_the_others():
    async def main():
        async with AsyncSessionManager() as manager:
            first, second = (
                asyncio.create_task(manager.get_or_create_session("sim:")) for _ in range(2)
            )
            await asyncio.sleep(0)  # both have asked
            first.cancel()
            session = await second
            assert first.cancelled()
            assert await session("6 * 7") == 42

    asyncio.run(main())


def test_where_all_give_up_nothing_is_left():
    async def main():
        async with AsyncSessionManager(SessionOptions(max_concurrent_sessions=1)) as manager:
            asked = [
                asyncio.create_task(manager.get_or_create_session("sim:")) for _ in range(MANY)
            ]
            await asyncio.sleep(0)
            for each in asked:
                each.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            assert manager.get_session_stats().total_session_count == 0
            async with asyncio.timeout(SECONDS):
                while manager._core.sessions._taken:  # noqa: ASYNC110 -- another thread gives it back
                    await asyncio.sleep(0.01)
            session = await manager.get_or_create_session("sim:")
            assert await session("6 * 7") == 42

    asyncio.run(main())


def test_an_exclusive_session_is_not_handed_out():
    with SessionManager() as manager:
        alone = manager.create_session("sim:", exclusive=True)
        with pytest.raises(DeviceBusy, match=alone.session_id):
            manager.get_or_create_session("sim:")
        alone.close()
        assert manager.get_or_create_session("sim:")("6 * 7") == 42
