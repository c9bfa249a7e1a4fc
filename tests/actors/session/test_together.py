"""Calls of one task that wait together are made together, and stay calls of their own."""

from __future__ import annotations

import os
import signal

import pytest

from klemheist import CallCancelled, DeviceError, LinkLost, LinkTimeout, ResultTypeError
from klemheist.actors.device import batch
from klemheist.actors.device.batch import WINDOW

HOST = "exec:python tests/boards/raw_repl_host.py"


@pytest.fixture(params=["sim:", "microbit:", HOST], ids=["sim", "microbit", "cpython"])
def any_session(request, manager):
    with manager.session(request.param) as session:
        yield session


def device_of(manager, session):
    return manager.device(session.device.url)


def busy(session):
    """Keep the board busy for a moment, so that what is submitted waits."""
    numbers = 3_000_000 if session.device.url == HOST else 30_000
    session.submit(f"sum(range({numbers})) and None")


def keep(n):
    seen.append(n)  # noqa: F821 -- of the session
    return n + 100


@pytest.fixture
def counted(any_session, monkeypatch):
    """A session, and a task of it that was called and counts as quick, on a busy machine too."""
    monkeypatch.setattr(batch, "QUICK", 10.0)
    any_session("seen = []")
    task = any_session.task(keep)
    task.submit(-1).get()
    return any_session, task


def test_each_gets_its_own_answer_and_the_device_sees_far_fewer_calls(manager, counted):
    session, task = counted
    board = device_of(manager, session).board
    busy(session)
    before = board.count
    futures = [task.submit(n) for n in range(40)]
    assert [future.get() for future in futures] == [n + 100 for n in range(40)]
    taken = (board.count - before) % 65536
    assert taken < 30, "they have gathered behind the first"
    assert session("seen") == [-1, *range(40)]


def test_every_call_counts(manager, counted):
    session, task = counted
    port = device_of(manager, session)
    before = port.counters.calls
    for future in [task.submit(n) for n in range(20)]:
        future.get()
    assert port.counters.calls == before + 20


def odd(n):
    seen.append(n)  # noqa: F821
    if n == 3:
        raise ValueError("three")
    return object if n == 5 else n


def test_one_that_raises_and_one_without_a_literal_harm_no_other(any_session):
    any_session("seen = []")
    task = any_session.task(odd)
    task.submit(0).get()
    futures = [task.submit(n) for n in (*range(8), *range(8))]
    for place, future in enumerate(futures):
        n = place % 8
        if n == 3:
            with pytest.raises(DeviceError, match="three") as caught:
                future.get()
            assert "test_together.py" in caught.value.traceback
            assert "BM" not in caught.value.traceback
        elif n == 5:
            with pytest.raises(ResultTypeError):
                future.get()
        else:
            assert future.get() == n
    assert any_session("seen") == [0, *range(8), *range(8)], "each once, in order"


def test_one_that_raises_stop_iteration_is_no_end_of_the_others(any_session):
    """The device's `map` takes it for its own end."""
    any_session("seen = []")
    task = any_session.task(
        source="def step(n):\n seen.append(n)\n if n == 3: raise StopIteration\n return n"
    )
    task.submit(0).get()
    futures = [task.submit(n) for n in range(6)]
    for n, future in enumerate(futures):
        if n == 3:
            with pytest.raises(DeviceError, match="StopIteration"):
                future.get()
        else:
            assert future.get() == n
    assert any_session("seen") == [0, *range(6)], "each once"


def test_one_that_is_cancelled_leaves_the_others_alone(counted):
    session, task = counted
    busy(session)
    futures = [task.submit(n) for n in range(12)]
    futures[7].cancel()
    for n, future in enumerate(futures):
        if n != 7:
            assert future.get() == n + 100
    with pytest.raises(CallCancelled):
        futures[7].get()
    assert task(1) == 101


def nap(n):
    import time

    if n:
        time.sleep(n / 10)
    return n


def test_what_turns_out_slow_is_made_one_by_one(manager):
    with manager.session("sim:") as session:
        task = session.task(nap)
        task.submit(1).get()
        board = device_of(manager, session).board
        before = board.count
        futures = [task.submit(n) for n in (1, 0, 1, 0)]
        assert [future.get() for future in futures] == [1, 0, 1, 0]
        assert board.count - before >= 3


def test_when_the_board_dies_all_are_told_and_what_may_be_sent_again_is(manager):
    with manager.session("sim:dies") as session:
        task = session.task(keep)
        session("seen = []")
        again = session.task(nap, idempotent=True)
        task.submit(-1).get()
        again.submit(0).get()
        slow = session.submit("__import__('time').sleep(0.05)")
        once = [task.submit(n) for n in range(WINDOW)]
        twice = [again.submit(0) for _ in range(WINDOW)]
        os.kill(device_of(manager, session).link.pid, signal.SIGKILL)
        with pytest.raises(LinkLost):
            slow.get()
        assert [future.get(timeout=20) for future in twice] == [0] * WINDOW
        for future in once:  # queued, they were sent to the new boot, which knows no `seen`
            with pytest.raises((LinkLost, DeviceError)):
                future.get(timeout=20)


def test_a_batch_that_dies_under_way_is_told_call_by_call(manager):
    with manager.session(HOST) as session:
        session("import os, signal")
        task = session.task(source="def die(n):\n if n == 4: os.kill(os.getpid(), 9)\n return n")
        task.submit(0).get()
        session.submit("__import__('time').sleep(0.1)")
        futures = [task.submit(n) for n in range(WINDOW)]
        for n, future in enumerate(futures):
            try:
                found = future.get(timeout=20)
            except LinkLost as error:
                found = error.maybe_executed  # nobody can say which of them ran
            assert found in ((True,) if n == 4 else (True, n))
        assert isinstance(futures[4].exception(), LinkLost)


def hang(n):
    while n == 4:
        pass
    return n


def test_an_interruption_hits_the_one_that_runs(manager, within):
    """What was done before it is answered, what had not begun is made afterwards."""
    with manager.session("microbit:") as session:
        task = session.task(hang)
        task.submit(0).get()
        session.submit("[0 for _ in range(2000)] and None")
        futures = [task.submit(n) for n in (1, 2, 4, 5)]
        while not futures[2].done():
            session.interrupt()
            within(futures[2].done, 0.2)
        assert futures[0].get() == 1
        assert futures[1].get() == 2
        with pytest.raises(DeviceError, match="KeyboardInterrupt"):
            futures[2].get()
        assert futures[3].get() == 5


HANGS = """\
def hangs(n):
 seen.append(n)
 while n == 4:
  {}
 return n"""
PAUSES = {"sim:": "__import__('time').sleep(0.001)", HOST: "__import__('time').sleep(0.001)"}


def test_each_call_of_a_batch_that_hangs_is_told_what_became_of_it(any_session):
    """Done before: its value. Hung: that it may have run. Behind it: made, or never begun."""
    any_session("seen = []")
    pause = PAUSES.get(any_session.device.url, "pass")
    task = any_session.task(source=HANGS.format(pause), timeout=1.0)
    task.submit(0).get()
    busy(any_session)
    futures = {n: task.submit(n) for n in (1, 2, 3, 4, 5, 6)}
    ran = [0]
    for n, future in futures.items():
        try:
            assert future.get(timeout=10) == n
            ran.append(n)
        except LinkTimeout as error:
            if error.maybe_executed:
                assert n == 4
                ran.append(n)
    assert isinstance(futures[4].exception(), LinkTimeout)
    assert any_session("seen") == ran
    assert ran[:5] == [0, 1, 2, 3, 4]


def gathered(n):
    seen.append(n)  # noqa: F821
    return seen  # noqa: F821


def shared(n):
    seen[0] = n  # noqa: F821
    return n if n < 3 else seen if n < 5 else [object]  # noqa: F821


def test_a_container_is_told_as_it_was_when_its_call_returned(any_session):
    any_session("seen = []")
    task = any_session.task(gathered)
    task.submit(0).get()
    futures = [task.submit(n) for n in range(1, 20)]
    assert [future.get() for future in futures] == [list(range(n + 1)) for n in range(1, 20)]


def test_containers_among_other_values_are_told_as_they_were(any_session):
    any_session("seen = [0]")
    task = any_session.task(shared)
    task.submit(0).get()
    futures = [task.submit(n) for n in (1, 2, 3, 4, 5, 1, 4, 3, 2)]
    for n, future in zip((1, 2, 3, 4, 5, 1, 4, 3, 2), futures, strict=True):
        if n == 5:
            with pytest.raises(ResultTypeError):
                future.get()
        else:
            assert future.get() == (n if n < 3 else [n])


def test_any_number_of_arguments_in_any_order(any_session):
    task = any_session.task(
        source="def told(a=None, b=None): ran.append(a); return a if b is None else b"
    )
    any_session("ran = []")
    task.submit().get()
    given = [(), (), (), (1,), (2,), ((3, 4),), (5, 6), (7, (8,)), (9,), (None,), ("x", "y"), ()]
    futures = [task.submit(*arguments) for arguments in given]
    answers = [future.get() for future in futures]
    assert answers == [arguments[-1] if arguments else None for arguments in given]
    assert any_session("ran") == [
        None,
        *(arguments[0] if arguments else None for arguments in given),
    ]


def test_a_call_keeps_its_own_deadline_among_others(manager):
    with manager.session("microbit:") as session:
        patient = session.task(hang)
        patient.submit(0).get()
        session.submit("[0 for _ in range(2000)] and None")
        hurried = patient.with_options(timeout=0.5)
        futures = [patient.submit(1), hurried.submit(4), patient.submit(2)]
        assert futures[0].get() == 1
        with pytest.raises(LinkTimeout):
            futures[1].get()
        assert futures[2].get() == 2
