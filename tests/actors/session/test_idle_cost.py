"""What a session makes only when it is needed: it is there, once, for whoever asks for it."""

from __future__ import annotations

import threading

import pytest

from klemheist import AsyncSession, Session

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


@pytest.mark.parametrize("end", ["kill", "exit"])
def test_the_timer_of_the_idle_limit_goes_with_its_actor(s, end):
    timer = s.ref.actor()._idle
    assert timer.active
    getattr(s.ref, end)()
    assert not timer.active


def test_a_second_look_at_the_idle_limit_replaces_the_first(s, within):
    actor = s.ref.actor()
    first = actor._idle
    actor.post(actor._check_idle)
    assert within(lambda: actor._idle is not first)
    assert not first.active
    assert actor._idle.active


def test_an_ended_session_s_output_ends_at_once_whether_it_was_asked_for_or_not(manager):
    with manager.session("sim:") as session:
        before = session.output()
    assert list(before) == []
    assert list(session.output()) == []


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
