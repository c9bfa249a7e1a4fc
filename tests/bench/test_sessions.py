"""What sessions cost: that it can be measured, and that the page publishes what was found."""

from __future__ import annotations

from pathlib import Path

import pytest

from klemheist import SessionManager, SessionOptions
from tests.bench import sessions
from tests.bench.memory_link import memory_links
from tests.bench.tree import Line

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


@pytest.mark.parametrize(
    ("text", "most"),
    [
        pytest.param("`sim:` | a cold session", 50.0, marks=pytest.mark.req("SES-090")),
        pytest.param("`sim:` | a warm session", 5.0, marks=pytest.mark.req("SES-091")),
        pytest.param("`sim:` | reuse of a session", 1.0, marks=pytest.mark.req("SES-092")),
    ],
)
def test_the_page_publishes_what_sessions_take(text, most):
    row = next(each for each in PAGE.read_text("utf-8").splitlines() if text in each)
    found = row.split("|")[4].strip()
    number, unit = found.split()
    assert unit == "ms"
    assert 0 <= float(number) <= most


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
