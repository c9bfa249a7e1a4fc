"""A session that its user has dropped is ended, with a warning; one in use is not."""

from __future__ import annotations

import gc
import threading

import pytest

from klemheist import Program, Resource, SessionManager, task
from tests.ends import dropped

SECONDS = 5.0
NAP = "__import__('time').sleep(0.5)"


@pytest.fixture(scope="module")
def manager():
    with SessionManager() as manager:
        yield manager


def registered(session):
    """What tells when the session's cleanup has run."""
    cleaned = threading.Event()
    session.resources.register_resource(Resource("led", lambda _: cleaned.set()))
    return cleaned


@pytest.mark.req("SES-122", "SES-028")
def test_a_session_that_is_dropped_is_warned_of_and_cleaned_up(manager):
    with pytest.warns(ResourceWarning, match="never closed; use it in a `with`"):
        cleaned = dropped(lambda: registered(manager.create_session("sim:")))
    assert cleaned.wait(SECONDS)


@pytest.mark.req("SES-122")
def test_a_context_that_is_never_left_is_no_exception(manager):
    with pytest.warns(ResourceWarning, match="never closed"):
        cleaned = dropped(lambda: registered(manager.session("sim:").__enter__()))
    assert cleaned.wait(SECONDS)


class Adding(Program):
    @task
    def add(a, b):
        return a + b


PARTS = {
    "files": lambda s: s.files,
    "resources": lambda s: s.resources,
    "device": lambda s: s.device,
    "executor": lambda s: s.executor,
    "a task": lambda s: s.task(source="def f():\n return 1"),
    "a thread": lambda s: s.thread(source="def f():\n yield 1"),
    "a thread that runs": lambda s: s.thread(source="def f():\n while True:\n  yield 1")(),
    "its program": lambda s: s.program,
    "a task of its program": lambda s: s.program.add,
}


@pytest.mark.parametrize("part", PARTS)
def test_a_session_of_which_something_is_in_use_goes_on(manager, part):
    def begin():
        session = manager.session("sim:", program=Adding()).__enter__()
        return registered(session), session._core, PARTS[part](session)

    cleaned, core, used = dropped(begin)
    assert core.is_active
    assert not cleaned.is_set()
    held = [used]
    del used
    with pytest.warns(ResourceWarning, match=core.session_id):
        dropped(held.clear)
    assert cleaned.wait(SECONDS)


def test_a_call_under_way_is_waited_for(manager):
    def begin():
        session = manager.create_session("sim:")
        cleaned = registered(session)
        return cleaned, session.submit("__import__('time').sleep(0.1) or 42")

    with pytest.warns(ResourceWarning, match="never closed"):
        cleaned, later = dropped(begin)
    assert later.get(timeout=SECONDS) == 42
    assert cleaned.wait(SECONDS)


@pytest.mark.req("SES-007")
def test_a_session_that_anybody_may_get_again_lives_on(manager):
    def begin():
        session = manager.get_or_create_session("sim:")
        session.execute("x = 42")
        return session.session_id

    first = dropped(begin)
    again = manager.get_or_create_session("sim:")
    assert (again.session_id, again.execute("x")) == (first, 42)
    again.close()


def test_a_session_that_was_created_by_hand_and_got_again_lives_on(manager):
    def begin():
        session = manager.create_session("sim:")
        return manager.get_or_create_session("sim:").session_id == session.session_id

    assert dropped(begin)
    manager.get_or_create_session("sim:").close()
    assert manager.get_session_stats().active_session_count == 0


def test_the_body_of_a_with_may_hold_nothing_of_its_session(manager):
    with manager.session("sim:"):
        gc.collect()
        assert manager.get_session_stats().active_session_count == 1


@pytest.mark.req("SES-007", "SES-122")
def test_one_that_is_found_by_its_device_before_its_last_call_ends_lives_on():
    with SessionManager() as manager:
        with pytest.warns(ResourceWarning, match="never closed"):
            last = dropped(lambda: manager.create_session("sim:").submit(NAP))
        ending = [each for each in threading.enumerate() if "forgotten" in each.name]
        found = manager.get_or_create_session("sim:")
        last.get()
        for each in ending:
            each.join(SECONDS)
        assert ending
        assert found("1 + 1") == 2
