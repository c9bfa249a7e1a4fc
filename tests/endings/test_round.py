"""A short round of endings; `make soak` runs the long one."""

from __future__ import annotations

import pytest

from .round import plan, run
from .ways import WAYS

SEED = 7


def test_a_round_has_every_way_to_end():
    laps = plan(2 * len(WAYS), SEED)
    assert {name for lap in laps for name in lap} == {way.__name__ for way in WAYS}
    assert plan(2 * len(WAYS), SEED) == laps


@pytest.mark.req("SES-028", "SES-043", "SES-053", "SES-054", "SES-100", "SES-123")
def test_whatever_ends_a_session_each_resource_is_cleaned_once_or_owed_and_nothing_is_left():
    report = run(60, SEED)
    print(*report.lines(), sep="\n")
    assert report.endings == 60
    assert report.resources > 60
