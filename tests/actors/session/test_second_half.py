"""When a small heap gets the agent's second half: after one light call, before all else."""

from __future__ import annotations

import os
import signal

import pytest

from klemheist import LinkLost


@pytest.fixture
def small(manager):
    """A session on a board that has just booted."""
    with manager.session("microbit:", fresh=True) as session:
        yield session


@pytest.fixture
def board(manager, small):
    return manager.device("microbit:").board


def double(n):
    return n + n


def fill(n):  # more than LIGHT: it would take the room that the second half needs
    whole = [n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7, n + 8, n + 9, n + 10, n + 11]
    other = [n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7, n + 8, n + 9, n + 10, n + 11]
    return whole[0] + other[0]


def light(n):
    x = n


def kill(manager):
    os.kill(manager.device("microbit:").link.pid, signal.SIGKILL)


def test_it_comes_after_a_light_first_call(small, board, within):
    task = small.task(double)
    assert not board.whole
    assert task(21) == 42
    assert within(lambda: board.whole), "by itself, nobody needs it yet"
    assert task(0.25) == 0.5


@pytest.mark.parametrize("first", ["execute", "setup", "heavy task"])
def test_it_comes_before_what_may_take_much_room(small, board, first):
    seen = []
    if first == "execute":
        small("x = bytearray(2000)", on_output=seen.append)
    elif first == "setup":
        small.setup(light)(1)
    else:
        small.task(fill)(1)
    assert board.whole
    assert small("[0.5]") == [0.5]


def test_a_board_that_dies_after_its_first_call_serves_again_and_writes_floats(small, manager):
    task = small.task(double)
    for _ in range(3):
        assert task(1) == 2
        kill(manager)  # the second half is on its way
        while True:
            try:
                assert task(0.25) == 0.5
                break
            except LinkLost:
                continue
