"""What a session makes only when it is needed: it is there, once, for whoever asks for it."""

from __future__ import annotations

import math
import threading

import pytest
from loguru import logger

from klemheist import AsyncSession, Session, SessionClosed, SessionManager, SessionOptions
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.session.core import SessionCore
from klemheist.actors.session.namespace import Numbers
from klemheist.supervisors.manager.idle import AT_ONCE, IdleWatch

PARTS = ("program", "resources", "files", "executor", "device")
SAME = {
    "file_system_context": "files",
    "executor_context": "executor",
    "device_context": "device",
}


@pytest.mark.req("SES-024", "SES-027", "SES-064", "SES-078")
def test_a_part_is_made_at_the_first_look_and_stays(s):
    assert not set(PARTS) & set(vars(s))
    for name in PARTS:
        assert getattr(s, name) is getattr(s, name)
    for name, same in SAME.items():
        assert getattr(s, name) is getattr(s, same)


def test_threads_that_look_at_once_see_the_same_part(s):
    found, start = [], threading.Barrier(8)

    def look():
        start.wait(5.0)
        found.append(tuple(getattr(s, name) for name in PARTS))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5.0)
    assert len(found) == 8
    assert all(a is b for parts in found for a, b in zip(parts, found[0], strict=True))


@pytest.mark.parametrize("name", [*PARTS, *SAME])
def test_a_part_is_documented_on_both_classes(name):
    assert getattr(Session, name).__doc__ == getattr(AsyncSession, name).__doc__
    assert getattr(Session, name).__doc__


@pytest.mark.req("SES-122")
def test_every_part_keeps_the_session_whatever_was_asked_for_first(s):
    assert all(vars(getattr(s, name))["_hold"] is s._hold for name in PARTS)


def test_an_idle_session_has_made_no_part_of_its_core(s):
    assert [name for name in SessionCore.PARTS if s._core.made(name) is not None] == []


@pytest.mark.parametrize("name", SessionCore.PARTS)
def test_threads_that_look_at_once_see_the_same_part_of_its_core(s, name):
    found, start = [], threading.Barrier(8)

    def look():
        start.wait(5.0)
        found.append(getattr(s._core, name))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5.0)
    assert len(found) == 8
    assert all(part is found[0] for part in found)


def test_what_is_no_part_is_no_attribute(s):
    with pytest.raises(AttributeError, match="no 'parts'"):
        _ = s._core.parts


def test_a_session_that_did_nothing_asks_nothing_of_its_device(manager):
    calls = manager.device("sim:").counters.calls
    with manager.session("sim:"):
        pass
    assert manager.device("sim:").counters.calls == calls


@pytest.mark.req("SES-061")
def test_a_teardown_alone_is_run_though_nothing_else_was(manager):
    with manager.session("sim:") as watching:
        with manager.session("sim:") as session:

            @session.teardown
            def off():
                open("torn", "w").close()  # noqa: PTH123 -- the device has no more

        assert "torn" in watching("__import__('os').listdir()")
        watching.files.remove("torn")


@pytest.mark.req("SES-034")
def test_a_deployment_that_was_registered_before_the_first_call_stays(s):
    s.resources.register_deployed_method("mine()", "hash")
    assert s("1 + 1") == 2
    assert s.resources.is_method_deployed("mine()", "hash")


def test_namespaces_that_are_made_at_once_have_numbers_of_their_own():
    numbers, found = Numbers(), []
    threads = [
        threading.Thread(target=lambda: found.extend(numbers.namespace() for _ in range(2000)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5.0)
    assert len(set(found)) == 16_000


# -- the idle limit


@pytest.fixture
def cores():
    """Stand-ins for sessions: only how long each is idle counts here."""

    class Core:
        options = SessionOptions()
        report = logger
        standing = False

        def __init__(self, left):
            self.left, self.ends = left, 0

        def idle_left(self, now):
            return self.left

        def end(self):
            self.ends += 1
            self.left = math.inf

    return lambda *left: [Core(each) for each in left]


@pytest.mark.req("SES-084")
def test_one_timer_looks_after_all_sessions_of_a_manager(manager):
    watch = manager._core.idle
    with manager.session("sim:"):
        timer = watch._timer
        with manager.session("sim:"):
            assert watch._timer is timer
            assert timer.active


@pytest.mark.parametrize("end", [SessionManager.close, SessionManager.dispose])
def test_nobody_looks_after_the_sessions_of_a_manager_that_is_gone(end):
    manager = SessionManager()
    session = manager.create_session("sim:")
    timer = manager._core.idle._timer
    assert timer.active
    end(manager)
    assert not session.is_active
    assert not timer.active
    assert manager._core.idle._timer is None


def test_only_sessions_whose_time_is_up_are_ended(cores):
    sessions = cores(0.0, 1000.0, -1.0, math.inf)
    watch = IdleWatch(lambda: sessions, 1800.0)
    watch.look()
    assert [each.ends for each in sessions] == [1, 0, 1, 0]
    left = watch._timer.when - SYSTEM_CLOCK.monotonic()
    watch.close()
    assert left > 900


def test_very_many_are_ended_a_few_at_a_time(cores, within):
    sessions = cores(*[0.0] * (AT_ONCE * 2 + 1))
    watch = IdleWatch(lambda: sessions, 1800.0)
    watch.look()
    assert sum(each.ends for each in sessions) >= AT_ONCE
    assert within(lambda: all(each.ends == 1 for each in sessions))
    watch.close()


def test_a_session_that_is_created_while_it_looks_is_looked_after(cores):
    def live():
        watch.watch()  # as another thread would
        return []

    watch = IdleWatch(live, 1800.0)
    watch.look()
    assert watch._timer.active
    watch.close()
    assert watch._timer is None
    watch.watch()
    assert watch._timer is None


def test_nobody_looks_where_nobody_s_time_may_come(cores):
    watch = IdleWatch(lambda: cores(math.inf), 1800.0)
    watch.watch()
    watch.look()
    assert watch._timer is None


def test_an_ended_session_s_output_ends_at_once_and_is_not_asked_for_any_more(manager):
    with manager.session("sim:") as session:
        before = session.output()
    assert list(before) == []
    with pytest.raises(SessionClosed):
        session.output()


def test_outputs_of_two_sessions_stay_apart(manager):
    with manager.session("sim:") as one, manager.session("sim:") as other:
        heard, silent = one.output(), other.output()
        one("print('mine')")
        other("1")
    assert b"".join(heard).strip() == b"mine"
    assert list(silent) == []


def test_an_ended_session_is_off_its_device_s_roster(manager):
    with manager.session("sim:") as session:
        record = manager._core._devices._records[session.device.url]
        assert session.session_id in record.roster
    assert session.session_id not in record.roster
