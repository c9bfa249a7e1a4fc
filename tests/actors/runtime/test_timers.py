from __future__ import annotations

import threading

from klemheist.actors.runtime import ManualClock, Timers


def test_a_manual_clock_fires_in_order_each_at_its_own_time():
    clock = ManualClock(100.0)
    timers, seen = Timers(clock), []
    for delay in (3, 1, 2):
        timers.call_later(delay, lambda: seen.append(clock.monotonic()))
    clock.advance(2.5)
    assert seen == [101, 102]
    clock.advance(1)
    assert seen == [101, 102, 103]
    assert clock.time() == 103.5


def test_timers_of_one_moment_run_in_the_order_they_were_made():
    clock = ManualClock()
    timers, seen = Timers(clock), []
    for n in range(5):
        timers.call_at(1.0, seen.append, n)
    clock.advance(1)
    assert seen == [0, 1, 2, 3, 4]


def test_a_timer_made_by_a_timer_fires_in_the_same_advance():
    clock = ManualClock()
    timers, seen = Timers(clock), []
    timers.call_later(1, lambda: timers.call_later(1, seen.append, "second"))
    clock.advance(2)
    assert seen == ["second"]


def test_a_cancelled_timer_never_fires_and_says_whether_it_was_in_time():
    clock = ManualClock()
    timers, seen = Timers(clock), []
    timer = timers.call_later(1, seen.append, 1)
    assert timer.cancel()
    assert not timer.cancel()
    fired = timers.call_later(1, seen.append, 2)
    clock.advance(1)
    assert not fired.cancel()
    assert seen == [2]


def test_cancelled_timers_do_not_pile_up():
    timers = Timers(ManualClock())
    for _ in range(10_000):
        timers.call_later(30, print).cancel()
    assert len(timers._heap) < 300


def test_a_failing_callback_stops_no_other_timer():
    clock = ManualClock()
    timers, seen = Timers(clock), []
    timers.call_later(1, lambda: 1 / 0)
    timers.call_later(1, seen.append, 1)
    clock.advance(1)
    assert seen == [1]


def test_the_timer_thread_ends_with_the_last_timer_and_starts_again():
    timers = Timers()
    for _ in range(2):
        fired = threading.Event()
        timers.call_later(0.01, fired.set)
        thread = timers._thread
        assert fired.wait(5)
        thread.join(5)
        assert not thread.is_alive()
        assert timers._thread is None


def test_an_earlier_timer_wakes_the_thread_in_time():
    timers, fired = Timers(), threading.Event()
    late = timers.call_later(60, print)
    timers.call_later(0.01, fired.set)
    assert fired.wait(5)
    late.cancel()
    assert timers.rest()


def test_rest_ends_the_thread_only_when_no_timer_is_left():
    timers = Timers()
    timer = timers.call_later(60, print)
    assert not timers.rest()
    timer.cancel()
    assert timers.rest()
    assert timers._thread is None


def test_deadlines_that_are_met_share_one_thread():
    timers, threads = Timers(), set()
    for _ in range(200):
        timer = timers.call_later(60, print)
        threads.add(timers._thread)
        timer.cancel()
    assert len(threads) == 1
    assert timers.rest()
