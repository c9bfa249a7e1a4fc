"""Where Ctrl-C may strike: not in our own code; signal after signal has tests/faults."""

from __future__ import annotations

import signal
import threading

import pytest

from klemheist.actors.runtime import Future, interrupts

SECONDS = 5.0


@pytest.fixture(autouse=True)
def handled():
    interrupts.before_call()
    yield
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def at_work():
    """A function that counts as our own code: presses Ctrl-C, then goes on."""
    ours = {"__name__": "klemheist.actors.work", "press": signal.raise_signal, "SIGINT": 2}
    exec("def work(then):\n press(SIGINT)\n return then()", ours)
    return ours["work"]


def test_it_waits_while_our_code_is_at_work_and_strikes_afterwards(at_work):
    done = []
    with pytest.raises(KeyboardInterrupt):
        press_and_wait(at_work, lambda: done.append("whole"))
    assert done == ["whole"]


def press_and_wait(at_work, then):
    at_work(then)
    threading.Event().wait(SECONDS)


def test_it_strikes_where_our_code_waits_and_what_is_waited_for_is_cancelled(at_work):
    later = Future()
    with pytest.raises(KeyboardInterrupt):
        at_work(lambda: later.get(timeout=SECONDS))
    assert later.cancelled()


def test_it_strikes_before_the_next_call(at_work):
    with pytest.raises(KeyboardInterrupt):
        at_work(interrupts.before_call)


def test_one_that_waits_goes_to_whoever_handles_the_signal_then_and_only_once(at_work):
    seen = threading.Event()
    pressed = []

    def theirs(*_):
        pressed.append(1)
        seen.set()

    at_work(lambda: signal.signal(signal.SIGINT, theirs))
    assert seen.wait(SECONDS)
    threading.Event().wait(20 * interrupts.AGAIN)
    assert pressed == [1]


def test_pythons_own_handler_is_back_afterwards():
    assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    interrupts.leave_alone()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_handlers_and_other_threads_leave_it_alone():
    def theirs(*_): ...

    signal.signal(signal.SIGINT, theirs)
    interrupts.before_call()
    interrupts.leave_alone()
    assert signal.getsignal(signal.SIGINT) is theirs
    signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupts.before_call)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
