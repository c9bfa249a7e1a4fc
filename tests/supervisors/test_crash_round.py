"""A short round of crashes: see `crash_round`; `make soak` runs the long one."""

from __future__ import annotations

from tests.supervisors.crash_round import GROWTH, Round


def test_every_crash_of_five_thousand_brings_its_restarts_and_no_growth():
    report = Round(seed=5).run(5000)
    assert report.crashes >= 5000
    assert report.restarts == report.expected
    assert report.faults == []
    assert report.growth < GROWTH
