"""How long calls take: the figures, and that every answered call is among them."""

from __future__ import annotations

import pytest

from klemheist import SessionManager
from klemheist.actors.device.meter import KEPT, WINDOW, CallMeter, Figures, figures_of
from klemheist.errors import DeviceError
from klemheist.transports.errors import LinkTimeout


@pytest.mark.parametrize(
    ("ended", "took", "now", "figures"),
    [
        ([], [], 100.0, Figures(0.0, None, None)),
        ([99.0], [0.5], 100.0, Figures(1 / WINDOW, 0.5, 0.5)),
        ([1.0, 99.0], [7.0, 0.5], 100.0, Figures(1 / WINDOW, 0.5, 0.5)),
        ([1.0], [7.0], 100.0, Figures(0.0, None, None)),
        ([97.0, 98.0, 99.0], [3.0, 1.0, 2.0], 100.0, Figures(3 / WINDOW, 2.0, 3.0)),
        ([98.0, 99.0], [1.0], 100.0, Figures(1 / WINDOW, 1.0, 1.0)),
    ],
    ids=["none", "one", "an old one too", "only old ones", "three", "one ends just now"],
)
def test_the_figures_are_of_the_last_seconds(ended, took, now, figures):
    assert figures_of(ended, took, now) == figures


def test_where_the_oldest_are_forgotten_the_others_stand_for_their_time():
    ended = [100.0 + n / 1000 for n in range(KEPT)]
    found = figures_of(ended, [0.001] * KEPT, ended[-1])
    assert found.rate == pytest.approx(1000, rel=0.01)


def test_the_99th_percentile_leaves_out_one_in_a_hundred():
    found = figures_of([1.0] * 100, [9.0, *[1.0] * 98, 5.0], 2.0)
    assert (found.median, found.p99) == (1.0, 5.0)


def test_a_meter_keeps_a_bounded_number():
    meter = CallMeter()
    for _ in range(KEPT * 2):
        meter.begin()
        meter.end()
    assert len(meter._ended) == len(meter._took) == KEPT
    assert meter.figures().rate > 0


def test_calls_that_went_out_together_share_their_time():
    meter = CallMeter()
    meter.begin()
    meter.end(4)
    meter.end(0)
    assert len(meter._took) == len(meter._ended) == 4
    assert len(set(meter._took)) == 1


def test_calls_of_a_batch_are_all_counted():
    with SessionManager() as manager, manager.session("sim:") as s:

        @s.task
        def add(a, b):
            return a + b

        add(1, 1)
        add(2, 2)  # its pace is known now: those that wait behind each other go out as one
        meter = manager.devices()[0].meter
        before = len(meter._took)
        futures = [add.submit(n, n) for n in range(50)]
        assert [each.get(timeout=10) for each in futures] == [2 * n for n in range(50)]
        assert len(meter._took) == before + 50


def test_answered_calls_are_timed_and_those_without_an_answer_are_not(shared):
    before = len(shared.port.meter._took)
    shared.run("1")
    shared.fails(shared.submit("1 / 0"), DeviceError)
    assert len(shared.port.meter._took) == before + 2
    shared.fails(shared.submit("time.sleep(10)", timeout=0.2), LinkTimeout)
    assert len(shared.port.meter._took) == before + 2
    shared.run("2")
    assert max(shared.port.meter._took) < 10
