"""Waiting without sleeping: only where it helps, one at a time, and less where it was in vain."""

from __future__ import annotations

import pytest

from klemheist.transports import spin
from klemheist.transports.spin import MOST_REST, Spin


class Answers:
    """Stands for `select.poll` on one descriptor; the answer is there, or never comes."""

    def __init__(self, *, there):
        self.there, self.looks = there, 0

    def poll(self, timeout):
        assert timeout == 0, "it must not sleep"
        self.looks += 1
        return [(1, 1)] if self.there else []


@pytest.fixture(autouse=True)
def many_processors(monkeypatch):
    monkeypatch.setattr(spin, "_possible", True)


def test_an_answer_that_is_there_is_found():
    assert Spin().wait(Answers(there=True))


def test_it_rests_for_longer_each_time_that_it_was_in_vain():
    each, silent = Spin(0.0), Answers(there=False)
    rests = []
    for _ in range(12):
        assert not each.wait(silent)
        looks, rest = silent.looks, 0
        while not each.wait(answers := Answers(there=True)):
            assert answers.looks == 0
            rest += 1
        rests.append(rest)
        each._penalty *= 2  # as if the answer that was there had not come
        assert silent.looks == looks
    assert rests == sorted(rests)
    assert rests[0] == 2
    assert rests[-1] == MOST_REST


def test_one_thread_does_so_at_a_time():
    with spin._alone:
        assert not Spin().wait(answers := Answers(there=True))
    assert answers.looks == 0


def test_with_one_processor_nobody_does(monkeypatch):
    monkeypatch.setattr(spin, "_possible", False)
    assert not Spin().wait(answers := Answers(there=True))
    assert answers.looks == 0
