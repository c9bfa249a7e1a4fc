"""The benchmark of actors: its arithmetic, and that each part of it does its work."""

from __future__ import annotations

import pykka
import pytest

from klemheist.actors.runtime import rest
from tests.bench import actors, runtime
from tests.bench.timing import Sample


@pytest.fixture(autouse=True)
def nobody_is_left():
    yield
    assert pykka.ActorRegistry.get_all() == []
    rest()


def test_the_ratio_is_of_the_percentile_that_is_asked_for():
    ours, theirs = Sample((1.0, 2.0, 9.0)), Sample((2.0, 8.0, 27.0))
    assert actors.Row("x", ours, theirs, 3.0).ratio == 4.0
    assert actors.Row("x", ours, theirs, 3.0, 0.99).ratio == 3.0


@pytest.mark.parametrize(
    ("kind", "hooked"),
    [(actors.OurCounting, actors.OurHooked), (actors.TheirCounting, actors.TheirHooked)],
)
def test_each_part_measures_something(kind, hooked):
    assert actors.tell(kind, 100) > 0
    assert len(actors.ask(kind, 10)) == 10
    assert actors.lives(hooked, 10) > 0
    refs, anew = actors.crowd(kind, size=5, each=3)
    assert actors.tell_many(anew, each=3) > 0
    for ref in refs:
        ref.stop()


def test_an_idle_actor_costs_little():
    size, _ = actors.idle(5000, traced=True)
    assert size < 1500


def test_the_page_shows_ours_beside_thespians():
    rows = [runtime.Beside("ask", 2e-6, 5e-6, "s"), runtime.Beside("idle", 500.0, 250.0, "bytes")]
    page = runtime.render(runtime.Runtime(thespian=rows))
    assert "| ask | 2 µs | 5 µs | 2.5 |" in page
    assert "| idle | 500 bytes | 250 bytes | 0.5 |" in page
