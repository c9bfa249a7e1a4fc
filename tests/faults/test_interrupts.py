"""Ctrl-C at random moments in calls in a row; `make soak` has the long round."""

from __future__ import annotations

import signal
import sys

import pytest

from klemheist import SessionManager, SessionOptions

from .interrupts import Interrupter, run, within

SEED = 7


@pytest.mark.parametrize(("url", "count"), [("sim:", 60), ("microbit:", 12)])
def test_after_ctrl_c_at_any_moment_the_next_calls_are_answered_and_nothing_is_left(url, count):
    report = run(count, SEED, url=url)
    print(*report.lines(), sep="\n")
    assert report.interrupts == count


def struck(same, interrupter, after, dropped):
    while True:
        interrupter.after(after)
        for number in range(5_000):
            assert same(number) == number
        interrupter.sent()
        assert dropped.pop(), "it came in a finaliser, where Python drops what is raised"


@pytest.mark.parametrize("count", [12])
def test_what_another_signals_handler_breaks_off_is_not_trusted(count, monkeypatch):
    """Its exception may come at any step; no answer after it is wrong, and nobody hangs."""

    class Struck(BaseException):
        pass

    dropped = []

    def note(unraisable):
        assert unraisable.exc_type is Struck, unraisable
        dropped.append(unraisable)

    monkeypatch.setattr(sys, "unraisablehook", note)
    # What it has set and forgot, a timer perhaps, lasts for as long as a call may.
    options = SessionOptions(call_timeout=2.0)

    def strike(*_):
        raise Struck

    before = signal.signal(signal.SIGUSR1, strike)
    try:
        with (
            Interrupter(signal.SIGUSR1) as interrupter,
            SessionManager(options) as manager,
            manager.session("sim:") as session,
        ):
            same = session.task(source="def same(x): return x")
            for round_ in range(count):
                with within(2.0, "a signal in mid-call and what followed"):
                    with pytest.raises(Struck):
                        struck(same, interrupter, 0.001 + round_ / 4000, dropped)
                    interrupter.sent()
                    assert same(7) == 7
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_program_that_handles_ctrl_c_itself_goes_on_doing_so():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append("its own"))
    try:
        with SessionManager() as manager, manager.session("sim:") as session:
            assert session("1") == 1
            signal.raise_signal(signal.SIGINT)
            assert session("2") == 2
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == ["its own"]


def test_ctrl_c_outside_of_calls_strikes_at_once():
    with SessionManager() as manager, manager.session("sim:") as session:
        assert session("1") == 1
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
