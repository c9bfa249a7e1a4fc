"""What sessions cost: that it can be measured, and that the page publishes what was found."""

from __future__ import annotations

from pathlib import Path

import pytest

from klemheist import SessionManager, SessionOptions
from tests.bench import ours, sessions
from tests.bench.channel import start_seconds
from tests.bench.limits import Line
from tests.bench.memory_link import memory_links

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


FEW = 5
"""Sessions of each kind that are timed here; `make bench` times hundreds."""


@pytest.mark.req("SES-090")
def test_a_cold_session_takes_a_small_part_of_the_board_s_own_start_and_at_most_50_ms():
    """Capabilities are detected each time: nothing is known of the board's firmware."""
    took, start = [], []
    for _ in range(FEW):
        start.append(start_seconds("sim:"))
        took.append(ours._first("sim:"))
    assert ours._round_trips_of_first_session("sim:") > 1
    assert min(took) < 0.05
    assert min(took) < min(start)


@pytest.mark.req("SES-091")
def test_a_warm_session_asks_the_board_nothing_and_takes_at_most_5_ms():
    with SessionManager() as manager:
        manager.create_session("sim:").close()
        link = manager.device("sim:").link
        held = []  # one that is let go is ended, which takes a round trip
        make = lambda: held.append(manager.create_session("sim:"))  # noqa: E731
        assert ours._round_trips(link, make) == 0
        warm = min(ours._creation(manager, "sim:") for _ in range(FEW))
    assert warm < 0.005
    assert warm < min(ours._first("sim:") for _ in range(FEW))


@pytest.mark.req("SES-092")
def test_the_reuse_of_a_session_adds_less_than_1_ms_and_no_round_trip():
    with SessionManager() as manager, manager.session("sim:") as session:
        link = manager.device("sim:").link
        trips = ours._round_trips(link, lambda: manager.get_or_create_session("sim:"))
        assert trips == 0
        assert manager.get_or_create_session("sim:").session_id == session.session_id
        taken = ours._reuse(manager, session, "sim:", 50)
    plain, reused = (taken[f"klemheist: {what}"] for what in ("execute", "execute, reused"))
    assert min(reused.seconds) - min(plain.seconds) < 0.001


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("links in memory, each", marks=pytest.mark.req("SES-093")),
        pytest.param("a tracked resource", marks=pytest.mark.req("SES-094")),
        pytest.param("a cached method", marks=pytest.mark.req("SES-095")),
    ],
)
def test_the_page_publishes_what_they_cost_in_memory(text):
    (row,) = [each for each in PAGE.read_text("utf-8").splitlines() if text in each]
    found, limit = (cell.split() for cell in row.split("|")[2:4])
    assert float(found[0]) > 0
    assert found[1:] == limit[1:] == ["bytes"]


@pytest.mark.req("SES-094", "SES-095")
def test_a_resource_and_a_method_cost_no_more_than_they_may():
    with memory_links() as made, SessionManager() as manager:
        manager.device("tcp://memory:1")
        made[0].recorded = True
        resource, method = sessions.things(manager, "tcp://memory:1", 500)
        made[0].recorded = False
    assert 0 < resource <= sessions.RESOURCE_GOAL
    assert 0 < method <= sessions.METHOD_GOAL


@pytest.mark.req("SES-093")
def test_an_idle_session_costs_no_more_than_it_may():
    options = SessionOptions(max_concurrent_sessions=301)
    with memory_links() as made, SessionManager(options) as manager:
        manager.device("tcp://memory:1")
        made[0].recorded = True
        found = sessions.idle(manager, ["tcp://memory:1"], 300)
        made[0].recorded = False
    assert 0 < found <= sessions.SESSION_GOAL


def test_the_section_says_what_is_met_and_what_is_missed():
    section = sessions.render([Line("one", 1.0, "bytes", 2.0), Line("two", 3333.0, "bytes", 2.0)])
    assert "| one | 1 bytes | 2 bytes | met |" in section
    assert "| two | 3333 bytes | 2 bytes | **missed** |" in section
