"""A short round of endings; `make soak` runs the long one."""

from __future__ import annotations

import random

import pytest

from . import round as rounds
from .round import plan, run
from .ways import WAYS

ROUNDS, ENDINGS = 6, 20


def test_a_round_has_every_way_to_end():
    laps = plan(2 * len(WAYS), 7)
    assert {name for lap in laps for name in lap} == {way.__name__ for way in WAYS}
    assert plan(2 * len(WAYS), 7) == laps
    assert plan(2 * len(WAYS), 8) != laps


def test_a_round_that_fails_tells_its_seed(monkeypatch):
    def failing(*args, **kwargs):
        raise AssertionError("left behind")

    monkeypatch.setattr(rounds, "Stage", failing)
    with pytest.raises(AssertionError, match="left behind") as failed:
        run(10, 4711)
    assert failed.value.__notes__ == ["after 0 endings of 10, seed 4711"]


@pytest.mark.req("DONE-016", "SES-028", "SES-053", "SES-054", "SES-100", "SES-123")
@pytest.mark.parametrize("part", range(ROUNDS))
def test_whatever_ends_a_session_each_resource_is_cleaned_once_or_owed_and_nothing_is_left(part):
    seed = random.randrange(10_000)
    print(f"seed {seed}")  # shown where it fails, also where it hangs
    report = run(ENDINGS, seed)
    print(*report.lines(), sep="\n")
    assert report.endings == ENDINGS
    assert report.resources > ENDINGS
