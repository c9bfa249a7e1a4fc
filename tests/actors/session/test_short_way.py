"""The short way of a call (actors/device/express.py): what it cannot end goes on as any other."""

# ruff: noqa: F821 -- `ran` and `time` are names of the device

from __future__ import annotations

import threading

import pytest

import klemheist


@pytest.fixture(scope="module")
def session():
    with klemheist.SessionManager() as manager, manager.session("sim:") as opened:
        opened.execute("ran = []\nimport time")
        yield opened


@pytest.fixture
def step(session):
    @session.task
    def step(number, wait):
        ran.append(number)
        if wait:
            time.sleep(wait / 1000)
        print("step", number)
        if number < 0:
            raise ValueError(number)
        return number + 1

    session.execute("ran.clear()")
    step(0, 0)  # deployed: from here on the short way is open
    return step


def test_a_call_that_is_slow_prints_or_raises_runs_once_and_gives_its_answer(session, step):
    assert step(1, 0) == 2
    assert step(2, 30) == 3  # longer than a caller reads for itself
    with pytest.raises(klemheist.DeviceError, match="ValueError"):
        step(-3, 0)
    assert step(4, 0) == 5
    assert session("ran") == [0, 1, 2, -3, 4]


def test_calls_of_many_threads_at_once_each_get_their_own_answer(session, step):
    wrong = []

    def calls(first):
        wrong.extend(n for n in range(first, first + 50) if step(n, 0) != n + 1)

    threads = [threading.Thread(target=calls, args=(1000 * number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []
    assert len(session("ran")) == 201


def test_ctrl_c_in_a_waiting_caller_cancels_the_call_and_the_device_goes_on(
    session, step, monkeypatch
):
    link = session._core.port.link

    def interrupted(begin, take, window):
        link.write(begin())
        raise KeyboardInterrupt

    monkeypatch.setattr(link, "exchange", interrupted)
    with pytest.raises(KeyboardInterrupt):
        step(7, 500)
    monkeypatch.undo()
    assert step(8, 0) == 9
    assert session("ran") == [0, 7, 8]
