"""Calls on a real device: order, deadlines, cancellation; deadlines by the test's own clock."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from klemheist.actors.device import call as call_module
from klemheist.actors.errors import CallCancelled, DeviceError, QueueFull, StaleHandle
from klemheist.actors.runtime.timers import Timers
from klemheist.transports.errors import LinkTimeout

from .conftest import BUSY, SECONDS

SOON = 0.25
"""Seconds that count as "at once" on a busy machine of two cores."""


def timed(call):
    began = time.monotonic()
    result = call()
    return result, time.monotonic() - began


def test_calls_of_one_session_run_in_the_order_they_were_submitted(shared):
    shared.run("seen = []")
    for future in [shared.submit(f"seen.append({n})") for n in range(20)]:
        future.get(timeout=SECONDS)
    assert shared.run("seen") == list(range(20))


def test_sessions_take_turns(shared):
    order = []
    gate = shared.submit("time.sleep(0.1)")
    futures = []
    for owner, count in (("greedy", 4), ("modest", 2)):
        for number in range(count):
            future = shared.submit("1", owner=owner)
            future.add_done_callback(lambda _, name=f"{owner} {number}": order.append(name))
            futures.append(future)
    for future in (gate, *futures):
        future.get(timeout=SECONDS)
    first_four = ["greedy 0", "modest 0", "greedy 1", "modest 1"]
    assert order == [*first_four, "greedy 2", "greedy 3"]


def test_more_calls_than_a_session_may_have_waiting_are_refused(shared, monkeypatch):
    monkeypatch.setattr(call_module, "MOST_WAITING", 3)
    gate = shared.submit("time.sleep(0.1)")
    waiting = [shared.submit(str(number)) for number in range(3)]
    shared.fails(shared.submit("3"), QueueFull)
    assert shared.run("'another session'", owner="other") == "another session"
    assert [future.get(timeout=SECONDS) for future in waiting] == [0, 1, 2]
    gate.get(timeout=SECONDS)


def test_a_call_for_an_earlier_boot_is_stale(shared):
    shared.fails(shared.submit("1", generation=shared.port.generation + 1), StaleHandle)
    assert shared.run("1", generation=shared.port.generation) == 1


def test_output_goes_to_the_call_that_printed_it_and_else_is_an_event(make_rig, host_board):
    rig = make_rig(host_board.url).up()
    heard = []
    rig.run("print('mine')", on_output=heard.append)
    assert b"".join(heard) == b"mine\r\n"
    rig.run("import _thread")
    rig.run("def later():\n time.sleep(0.1)\n print('unasked')")
    before = len(rig.events)
    rig.run("_thread.start_new_thread(later, ())")
    event = rig.wait_for("output", after=before)
    assert event.data.startswith(b"unasked")


# -- deadlines -------------------------------------------------------------------------------------


def test_the_deadline_counts_from_submission_and_a_waiting_call_interrupts_nothing(shared):
    shared.run("done = 0")
    before = len(shared.events)
    running = shared.submit("time.sleep(0.5) or 'undisturbed'")
    late, took = timed(lambda: shared.fails(shared.submit("done = 1", timeout=0.2), LinkTimeout))
    assert 0.2 <= took < 0.2 + SOON
    assert late.maybe_executed is False
    assert late.recovery is None
    assert running.get(timeout=SECONDS) == "undisturbed"
    assert shared.run("done") == 0
    assert not [event for event in shared.events[before:] if event.kind == "rung"]


def test_at_the_deadline_the_caller_is_told_at_once_and_the_ladder_goes_on_by_itself(shared):
    before = len(shared.events)
    error, took = timed(lambda: shared.fails(shared.submit(BUSY, timeout=0.2), LinkTimeout))
    assert 0.2 <= took < 0.2 + SOON
    assert error.maybe_executed is True
    assert error.recovery.get(timeout=SECONDS).rung == "interrupt"
    kinds = [event.kind for event in shared.events[before:] if event.kind != "output"]
    assert kinds[0] == "recovering"
    assert kinds[-2:] == ["recovered", "up"]
    assert shared.events[-1].same_boot
    assert shared.run("21 * 2") == 42


@pytest.mark.usefixtures("quick_rungs")
def test_the_ladder_climbs_rung_by_rung_to_a_new_board(make_rig):
    rig = make_rig("sim:").up()
    boot = rig.port.board.boot
    error = rig.fails(rig.submit("while True: pass", timeout=0.1), LinkTimeout)
    recovered = error.recovery.get(timeout=SECONDS)
    assert (recovered.rung, recovered.same_boot) == ("hard reset", False)
    assert rig.told("rung") == [*["interrupt"] * 3, "soft reset", "hard reset"]
    assert rig.run("'alive'") == "alive"
    assert rig.port.board.boot != boot
    assert rig.port.generation == 2


# -- while a long call runs ------------------------------------------------------------------------


def test_status_is_answered_at_once_during_a_ten_second_call(shared):
    running = shared.submit(BUSY)
    text, took = timed(lambda: repr(shared.port))
    assert "up" in text
    assert took < SOON
    running.cancel()
    shared.fails(running, CallCancelled)
    assert shared.run("1") == 1


def test_an_interrupt_ends_a_ten_second_call_at_once_and_only_for_its_own_session(shared):
    running = shared.submit(BUSY)
    threading.Timer(0.05, shared.port.interrupt, ["other"]).start()
    threading.Timer(0.15, shared.port.interrupt, ["one"]).start()
    error, took = timed(lambda: shared.fails(running, DeviceError))
    assert error.kind == "KeyboardInterrupt"
    assert 0.1 < took < 1.0
    assert shared.run("1") == 1


def test_a_running_call_that_is_cancelled_is_interrupted_and_the_waiter_returns_at_once(shared):
    shared.run("runs = [0]")
    running = shared.submit(f"runs.append(1) or {BUSY}")
    time.sleep(0.05)
    running.cancel("enough")
    error, took = timed(lambda: shared.fails(running, CallCancelled))
    assert took < SOON
    assert error.maybe_executed is True
    assert shared.run("runs") == [0, 1]


def test_a_waiting_call_that_is_cancelled_is_never_sent(shared):
    shared.run("sent = 0")
    running = shared.submit("time.sleep(0.1)")
    waiting = shared.submit("sent = 1")
    waiting.cancel()
    assert shared.fails(waiting, CallCancelled).maybe_executed is False
    running.get(timeout=SECONDS)
    assert shared.run("sent") == 0


def test_a_device_is_released_at_once_during_a_ten_second_call(make_rig):
    rig = make_rig("sim:").up()
    running = rig.submit(BUSY)
    _, took = timed(rig.close)
    assert took < 1.5
    assert running.done()
    assert "was closed" in str(running.exception())


def test_an_idle_healthy_device_arms_no_timer_and_wakes_no_thread(make_rig):
    timers = Timers()
    others = {t for t in threading.enumerate() if t.name != "klemheist-io"}  # of earlier tests
    rig = make_rig("sim:", timers=timers).up()
    rig.run("1", timeout=0.3)
    deadline = time.monotonic() + SECONDS
    while len(timers) and time.monotonic() < deadline:
        time.sleep(0.05)  # the deadlines of earlier calls pass once
    assert len(timers) == 0
    before = switches(others)
    time.sleep(1.0)
    assert switches(others) == before
    rig.close()
    timers.rest()


def switches(others: set[threading.Thread]) -> dict[str, str]:
    """How often each thread but `others` was woken, as the kernel counts it."""
    counts = {}
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread not in others:
            status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
            counts[thread.name] = next(s for s in status.splitlines() if s.startswith("voluntary"))
    return counts
