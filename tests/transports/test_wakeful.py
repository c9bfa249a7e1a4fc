"""A loop that does not sleep while an answer is near: for how long, and when it rests from it."""

from __future__ import annotations

from collections import deque

import pytest

from klemheist.transports.wakeful import LONGEST, MOST_REST, Wakeful


class Turns:
    """A loop that is turned by hand, and a clock."""

    def __init__(self) -> None:
        self.ready: deque = deque()
        self.now = 100.0

    def call_soon(self, fn, *args) -> None:
        self.ready.append((fn, args))

    def turn(self) -> bool:
        """Run what is ready; whether the loop would sleep afterwards."""
        for _ in range(len(self.ready)):
            fn, args = self.ready.popleft()
            fn(*args)
        return not self.ready


@pytest.fixture
def loop(monkeypatch):
    monkeypatch.setattr(Wakeful, "taken_until", 0.0)
    return Turns()


def made(loop, **options):
    return Wakeful(lambda: loop.now, **{"possible": True, **options})


def in_vain(loop, wakeful):
    """Wait for an answer that takes long; whether the loop was kept awake for it."""
    wakeful.begin(loop)
    awake = bool(loop.ready)
    loop.now += LONGEST
    assert loop.turn()
    return awake


def test_a_loop_turns_until_the_answer_has_come(loop):
    wakeful = made(loop)
    for _ in range(3):
        wakeful.begin(loop)
        assert not any(loop.turn() for _ in range(10))
        wakeful.came()
        assert loop.turn(), "it sleeps"


def test_several_calls_at_once_are_one_chain_of_turns(loop):
    wakeful = made(loop)
    for _ in range(5):
        wakeful.begin(loop)
    assert len(loop.ready) == 1


def test_it_sleeps_when_the_moment_is_over_and_rests_the_longer_the_more_was_in_vain(loop):
    wakeful = made(loop)
    found = [in_vain(loop, wakeful) for _ in range(2 + 2 + 4 + 8 + 4)]
    tried = [number for number, awake in enumerate(found) if awake]
    assert tried == [0, 3, 8, 17]
    for _ in range(5 * MOST_REST):
        in_vain(loop, wakeful)
    found = [in_vain(loop, wakeful) for _ in range(2 * MOST_REST + 2)]
    assert sum(found) == 2


def test_one_loop_does_so_at_a_time(loop):
    first, second = made(loop), made(loop)
    first.begin(loop)
    second.begin(loop)
    assert len(loop.ready) == 1
    first.came()
    loop.turn()
    second.begin(loop)
    assert len(loop.ready) == 1


def test_a_loop_that_stopped_meanwhile_keeps_no_other_from_it(loop):
    made(loop).begin(loop)
    loop.ready.clear()
    loop.now += LONGEST
    made(loop).begin(loop)
    assert len(loop.ready) == 1


def test_where_there_is_one_processor_it_sleeps(loop):
    made(loop, possible=False).begin(loop)
    assert not loop.ready
