from __future__ import annotations

import dataclasses
import time

import pytest

from klemheist import (
    BackgroundThreadInfo,
    CapabilityError,
    ResourceCleanupError,
    SessionManager,
    SessionOptions,
)
from klemheist.actors.session import threads_remote
from klemheist.actors.session.ledger import EntryKind
from tests.boards.tcp_board import TcpBoard

from .conftest import HOST

COUNT = "def count(n):\n while True:\n  state[0] += n\n  yield 0.01"
STUBBORN = "def stubborn():\n import time\n while True:\n  time.sleep(0.01)"


@pytest.fixture(params=["sim:", HOST], ids=["cooperative", "real"])
def session(request, manager, host):
    with (manager if request.param == "sim:" else host).session(request.param) as session:
        session("state = [0]")
        yield session


@pytest.mark.req("SES-030", "SES-051", "SES-069")
def test_a_started_thread_runs_and_is_registered(session, within):
    thread = session.thread(source=COUNT)(1)
    (info,) = session.resources.get_active_threads()
    assert (info.thread_id, info.method_name) == (thread.thread_id, "count")
    assert info.session_id == session.session_id
    assert within(lambda: session("state[0]") > 3)


@pytest.mark.req("SES-031", "SES-053")
def test_a_stopped_thread_stands_still_and_is_unregistered(session, within):
    thread = session.thread(source=COUNT)(1)
    assert within(lambda: session("state[0]") > 1)
    thread.stop()
    assert session.resources.get_active_threads() == ()
    assert not thread.is_alive
    before = session("state[0]")
    time.sleep(0.05)
    assert session("state[0]") == before


def levels(watcher, times):
    """What the pin is seen to be, in `times` looks."""
    seen = set()
    for _ in range(times):
        seen.add(watcher("machine.Pin(5).value()"))
        time.sleep(0.005)
    return seen


@pytest.mark.req("SES-053", "SES-054")
def test_the_end_of_a_session_stops_its_threads(manager, host, within):
    for boards, url in ((manager, "sim:"), (host, HOST)):
        with boards.session(url) as watcher:
            watcher("import machine")
            with boards.session(url) as session:
                session("from machine import Pin\nled = Pin(5, Pin.OUT)")
                session.thread(source="def blink():\n while True:\n  led.toggle()\n  yield 0.01")()
                seen = {
                    watcher("machine.Pin(5).value()") for _ in range(50) if not time.sleep(0.005)
                }
                assert seen == {0, 1}
            assert session.resources.get_active_threads() == ()
            assert len(levels(watcher, 10)) == 1


@pytest.mark.req("SES-053")
def test_nothing_waits_for_the_next_step_of_a_thread_whose_session_has_ended(manager, within):
    """Its timer kept a thread of ours alive beyond the manager's end."""
    session = manager.create_session("sim:")
    session.thread(source="def waits():\n while True:\n  yield 600")()
    (entry,) = session._core.ledger.entries(EntryKind.THREAD)
    soon = time.monotonic() + 60
    assert within(lambda: (timer := entry.held.timer) is not None and timer.when > soon)
    timer = entry.held.timer
    session.close()
    assert not timer.active


@pytest.mark.req("SES-052")
def test_a_thread_that_ends_or_dies_is_unregistered(session, within):
    session.thread(source="def ends():\n yield 0.01")()
    session.thread(source="def dies():\n yield 0.01\n 1/0")()
    assert within(lambda: session.resources.get_active_threads() == ())
    assert session("1 + 1") == 2


@pytest.mark.req("SES-052")
def test_a_thread_with_restart_runs_again_after_an_error_but_not_for_ever(session, within):
    session.thread(source="def dies():\n state[0] += 1\n yield 0\n 1/0", restart=True)()
    assert within(lambda: session.resources.get_active_threads() == ())
    assert session("state[0]") == 4


@pytest.mark.req("SES-030", "SES-031", "SES-032")
def test_threads_of_the_user_are_only_kept_in_the_books(s):
    s.resources.register_background_thread("t1", "mine")
    before = s.resources.get_active_threads()
    assert s.resources.unregister_background_thread("t1")
    assert not s.resources.unregister_background_thread("t1")
    assert [each.thread_id for each in before] == ["t1"]
    assert s.resources.get_active_threads() == ()


@pytest.mark.req("SES-050")
def test_a_background_thread_is_an_immutable_record():
    names = [field.name for field in dataclasses.fields(BackgroundThreadInfo)]
    assert names == ["thread_id", "method_name", "registered_at", "session_id"]
    with pytest.raises(TypeError):
        BackgroundThreadInfo(thread_id="t1")
    info = BackgroundThreadInfo(thread_id="t1", method_name="", registered_at=None, session_id="")
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.thread_id = "t2"


def test_a_plain_function_needs_real_threads(s):
    with pytest.raises(CapabilityError, match="add a yield"):
        s.thread(source=STUBBORN)()
    assert s.resources.get_active_threads() == ()


def test_a_plain_function_ends_when_it_is_not_to_run_any_more(host):
    with host.session(HOST) as session:
        session("log = []")
        thread = session.thread(
            source="def loop():\n import time\n while klemheist_running():\n  time.sleep(0.01)\n"
            " log.append('ended')"
        )()
        thread.stop()
        assert session("log") == ["ended"]


def test_end_marks_that_a_thread_prints_all_the_time_cost_no_call(host):
    with host.session(HOST) as session:
        session.thread(source="def noisy():\n while True:\n  print('\\x04>OK')\n  yield 0.002")()
        same = session.task(source="def same(x): return x")
        for _ in range(50):
            assert same("y" * 1000) == "y" * 1000
        data = bytes(range(256)) * 40
        session.files.write("noisy.bin", data)
        assert session.files.read("noisy.bin") == data
        session.files.remove("noisy.bin")


def test_a_thread_that_does_not_stop_is_reported_while_others_use_the_device(host):
    with host.session(HOST) as other:
        other("x = 1")
        session = host.create_session(HOST)
        session.thread(source=STUBBORN)()
        with pytest.raises(ResourceCleanupError, match="1 of them owed"):
            session.close()
        assert other("x") == 1
        assert other.generation == host.devices()[0].generation


@pytest.mark.parametrize("alone", [True, False])
def test_a_thread_that_does_not_stop_is_ended_by_a_reset_where_that_is_allowed(host, alone):
    other = None if alone else host.create_session(HOST)
    session = host.create_session(HOST)
    session.thread(source=STUBBORN)()
    before = session.generation
    session.close(force=not alone)
    assert host.devices()[0].generation == before + 1
    if other is not None:
        assert other("1 + 1") == 2
        other.close()


def test_a_thread_whose_device_goes_away_before_the_reset_is_owed(monkeypatch, within):
    with TcpBoard(HOST) as board, SessionManager(SessionOptions(thread_grace=0.2)) as manager:
        reset = threads_remote.reset

        def pulled(here):
            board.refuse(True)
            board.drop()
            yield from reset(here)

        monkeypatch.setattr(threads_remote, "reset", pulled)
        session = manager.create_session(board.url)
        session.thread(source=STUBBORN)()
        port = manager.device(board.url)
        with pytest.raises(ResourceCleanupError, match="1 of them owed"):
            session.close()
        assert "/thread stubborn" in str(port.debts.labels())
        board.refuse(False)
        assert within(lambda: port.is_up and not port.debts)
