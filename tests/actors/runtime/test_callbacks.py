"""What a callback raises, whatever it is, ends no thread of ours and keeps nobody waiting."""

from __future__ import annotations

import asyncio
import threading

import pytest

from klemheist import CancelToken, Done, SessionManager
from klemheist.actors.runtime import DEAD_LETTERS, TIMERS, Actor, ActorDead, Future


class Severe(BaseException):
    """What no exception class of Python's covers."""


ANY = (ValueError("a"), SystemExit(1), asyncio.CancelledError(), GeneratorExit(), Severe())
ALL = pytest.mark.parametrize("error", ANY, ids=lambda error: type(error).__name__)

ONES = {
    "future": lambda: (one := Future(), one.add_done_callback, lambda: one.set(1))[1:],
    "done": lambda: (one := Done(), one.add_callback, lambda: one.close("why"))[1:],
    "token": lambda: (one := CancelToken(), one.on_cancel, one.cancel)[1:],
}
EACH = pytest.mark.parametrize("make", ONES.values(), ids=ONES)


def raising(error):
    def fails(*_):
        raise error

    return fails


def elsewhere(fn):
    """What `fn()` returns or raises on a thread that is not the main one."""
    ended = Future()
    threading.Thread(target=ended._take, args=(fn,)).start()
    return ended.get(timeout=5)


@EACH
@ALL
def test_all_others_are_called_and_the_caller_goes_on(make, error):
    subscribe, end = make()
    seen = []
    for callback in (seen.append, raising(error), seen.append, raising(error), seen.append):
        subscribe(callback)
    assert elsewhere(end) is True
    assert len(seen) == 3
    assert elsewhere(lambda: subscribe(raising(error))) is not None  # too late: called at once


@EACH
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), Severe()])
def test_on_the_main_thread_what_may_be_a_signals_is_raised_after_all_were_called(make, error):
    subscribe, end = make()
    seen = []
    for callback in (raising(error), seen.append, raising(SystemExit("second")), seen.append):
        subscribe(callback)
    with pytest.raises(type(error)) as raised:
        end()
    assert raised.value is error
    assert len(seen) == 2
    with pytest.raises(type(error)):
        subscribe(raising(error))


@EACH
def test_on_the_main_thread_what_no_signal_raises_is_logged(make):
    subscribe, end = make()
    subscribe(raising(asyncio.CancelledError()))
    assert end()


@ALL
def test_waiting_threads_and_tasks_wake(error):
    done, waits = Done(), threading.Semaphore(0)
    done.add_callback(raising(error))

    async def in_loop():
        waits.release()
        return await asyncio.wait_for(done.wait_async(), 5)

    def in_thread():
        waits.release()
        return done.wait(5)

    ends = [Future(), Future()]
    for end, wait in zip(ends, (in_thread, lambda: asyncio.run(in_loop())), strict=True):
        threading.Thread(target=end._take, args=(wait,)).start()
        assert waits.acquire(timeout=5)
    elsewhere(lambda: done.close("why"))
    assert [end.get(timeout=5) for end in ends] == [True, "why"]


@ALL
def test_the_timer_thread_goes_on(error):
    TIMERS.call_later(0, raising(error))
    rang = threading.Event()
    TIMERS.call_later(0.01, rang.set)
    assert rang.wait(5)


@ALL
def test_who_sends_to_the_dead_is_told_of_it_alone(error):
    class Nobody(Actor):
        pass

    ref = Nobody.start()
    ref.stop()
    seen = []
    undo = [DEAD_LETTERS.subscribe(fn) for fn in (raising(error), seen.append)]
    try:
        with pytest.raises(ActorDead):
            elsewhere(lambda: ref.tell("hello"))
    finally:
        for each in undo:
            each()
    assert len(seen) == 1


def test_from_inside_a_turn_it_reaches_the_code_that_brought_the_turn():
    class Inline(Actor):
        inline = True

        def on_receive(self, future):
            future.set(1)
            return "answered"

    ref, future, struck, seen = Inline.start(), Future(), Severe(), []
    future.add_done_callback(raising(struck))
    future.add_done_callback(seen.append)
    with pytest.raises(Severe) as raised:
        ref.ask(future)
    assert raised.value is struck
    assert seen == [future]
    assert ref.ask(Future()) == "answered", "the turn was not broken off"
    ref.stop()


@ALL
def test_no_callback_of_a_call_ends_the_io_thread_and_other_devices_answer(error):
    with (
        SessionManager() as manager,
        manager.session("sim:") as session,
        manager.session("sim:other") as other,
    ):
        pending = session.submit("import time\ntime.sleep(0.05)")
        pending.add_done_callback(raising(error))
        pending.get(timeout=5)
        later = other.submit("import time\ntime.sleep(0.05)\n7")
        later.get(timeout=5)
        assert session.execute("6 * 7", timeout=5) == 42


@ALL
@pytest.mark.parametrize("which", ["session", "logical"])
def test_a_session_ends_whatever_the_callbacks_of_its_end_raise(error, which):
    with SessionManager() as manager:
        session = manager.create_session("sim:")
        done = session.done if which == "session" else session.logical.done
        done.add_callback(raising(error))
        ended = threading.Thread(target=session.close, daemon=True)
        ended.start()
        ended.join(5)
        assert not ended.is_alive()
        assert session.done.is_set()
