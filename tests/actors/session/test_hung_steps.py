"""Steps of cooperative threads that do not come back, and who still gets the device."""

from __future__ import annotations

import time

import pytest

from klemheist import ResourceCleanupError, SessionManager, SessionOptions

SLEEPS = "def sleeps():\n import time\n while True:\n  time.sleep(60)\n  yield 0"
DEAF = """\
def deaf():
 import time
 while True:
  while True:
   try:time.sleep(60)
   except:pass
  yield 0"""
PIN = "machine.Pin(25).value()"


@pytest.fixture
def quick():
    options = SessionOptions(thread_grace=0.5, resource_cleanup_timeout=10.0, call_timeout=8.0)
    with SessionManager(options) as manager:
        yield manager


def hold(session):
    """Hold a pin that the session's teardown gives back."""
    session("from machine import Pin\np = Pin(25, Pin.OUT)\np.value(1)")

    @session.teardown
    def off():
        p.value(0)  # noqa: F821 -- a name there


def start(session, source, within, **options):
    """Start a thread whose first step does not come back, and see the device at it."""
    thread = session.thread(source=source, **options)()
    port, record = session._core.port, thread._record
    assert within(lambda: record.step is not None and port.is_at(record.step))
    return thread


def took(fn):
    began = time.monotonic()
    fn()
    return time.monotonic() - began


@pytest.mark.req("SES-053", "SES-054")
@pytest.mark.parametrize("teardown_first", [True, False])
def test_a_session_whose_thread_sleeps_ends_after_its_grace_with_all_cleanups(
    quick, within, teardown_first
):
    """It took until the step's own deadline, and the teardown's time was up before its turn."""
    with quick.session("sim:") as other:
        other("import machine\nx = 1")
        session = quick.create_session("sim:")
        before = session.generation
        if teardown_first:
            hold(session)
        session.thread(source="def nice():\n while True: yield 0.01")()
        thread = start(session, SLEEPS, within)
        if not teardown_first:
            hold_later(session)
        assert other.generation == before
        assert took(session.close) < 3.0
        assert not thread.is_alive
        assert (other("x"), other(PIN), other.generation) == (1, 0, before)
        assert session._core.port.debts.labels() == ()


def hold_later(session):
    """The same teardown as `hold`, while the device is at something else."""

    @session.teardown
    def off():
        from machine import Pin

        Pin(25, Pin.OUT).value(0)


def test_a_loop_without_an_end_is_interrupted_on_a_small_board(quick, within):
    with quick.session("microbit:") as other:
        session = quick.create_session("microbit:")
        session("import microbit\nmicrobit.display.set_pixel(0, 0, 9)")

        @session.teardown
        def dark():
            microbit.display.set_pixel(0, 0, 0)  # noqa: F821 -- a name there

        start(session, "def spins():\n while True:\n  while True: pass\n  yield 0", within)
        before = session.generation
        assert took(session.close) < 5.0
        assert other.generation == before
        assert other("__import__('microbit').display.get_pixel(0, 0)") == 0


def test_with_little_time_for_all_cleanups_some_of_it_is_left_for_the_others(within):
    options = SessionOptions(resource_cleanup_timeout=2.0, thread_grace=30.0)
    with SessionManager(options) as manager, manager.session("sim:") as other:
        other("import machine")
        session = manager.create_session("sim:")
        hold(session)
        start(session, SLEEPS, within)
        assert took(session.close) < 2.5
        assert other(PIN) == 0


@pytest.mark.req("SES-031", "SES-053")
def test_a_thread_that_sleeps_is_stopped_alone_and_not_started_again(quick, within):
    with quick.session("sim:") as session:
        session("x = 5")
        thread = start(session, SLEEPS, within, restart=True)
        assert took(thread.stop) < 3.0
        assert not thread.is_alive
        assert session("x") == 5
        assert session.resources.get_active_threads() == ()


def test_the_step_of_another_thread_is_not_broken_off_where_the_session_goes_on(quick, within):
    with quick.session("sim:") as session:
        nice = session.thread(source="def nice():\n while True: yield 0.01")()
        other = start(session, SLEEPS.replace("60", "2"), within)
        with pytest.raises(Exception, match="still waited"):
            nice.stop()
        assert other.is_alive
        assert within(lambda: not session._core.port.debts)
        assert other.is_alive


def test_a_thread_that_is_deaf_to_ctrl_c_costs_its_own_session_a_reset(quick, within):
    session = quick.create_session("sim:")
    before = session.generation
    hold(session)
    start(session, DEAF, within)
    assert took(session.close) < 9.0
    with quick.session("sim:") as after:
        assert after.generation == before + 1
        assert after("1 + 1") == 2


def test_a_thread_that_is_deaf_to_ctrl_c_is_owed_where_others_live(quick, within):
    """Until its step's own deadline, which is that of any call."""
    with quick.session("sim:") as other:
        session = quick.create_session("sim:")
        before = session.generation
        start(session, DEAF, within)
        with pytest.raises(ResourceCleanupError, match="1 of them owed") as caught:
            session.close()
        assert "did not stop" in str(caught.value.exceptions[0])
        assert within(lambda: other.generation == before + 1, 20.0)
        assert other("1 + 1") == 2
        assert session._core.port.debts.labels() == ()
