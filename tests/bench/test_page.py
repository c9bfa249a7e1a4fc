"""The benchmark's arithmetic and its page; what is measured is `make bench`'s."""

from __future__ import annotations

from ast import literal_eval

import pytest

from tests.bench.files import commands
from tests.bench.goals import beyond_round_trips, goals
from tests.bench.ours import Results
from tests.bench.page import seconds
from tests.bench.timing import Sample, in_turn
from tests.bench.workload import contents


def _results(**milliseconds):
    names = {
        "bare": "bare link: call",
        "call": "klemheist: call",
        "belay": "Belay: call",
        "least": "bare link: trivial exec",
        "warm": "klemheist: warm session",
        "execute": "klemheist: execute",
        "reused": "klemheist: execute, reused",
    }
    return Results({names[key]: Sample((ms / 1e3,)) for key, ms in milliseconds.items()})


def _found(results, text, board="microbit:"):
    (goal,) = [each for each in goals({board: results}) if text in each.text]
    return goal


def test_a_call_at_exactly_twice_the_bare_link_meets_its_goal():
    assert _found(_results(bare=1.0, call=2.0), "bare link").is_met


def test_a_call_above_twice_the_bare_link_misses_its_goal():
    assert not _found(_results(bare=1.0, call=2.1), "bare link").is_met


def test_a_goal_that_could_not_be_measured_is_not_met():
    goal = _found(_results(call=2.0), "Belay")

    assert goal.found is None
    assert not goal.is_met


@pytest.mark.parametrize(("warm", "reused", "met"), [(0.9, 1.04, True), (1.1, 1.06, False)])
def test_complete_sessions_have_goals_of_their_own(warm, reused, met):
    results = _results(warm=warm, execute=1.0, reused=reused)

    assert _found(results, "a warm session, round trips and all", "sim:").is_met is met
    assert _found(results, "reuse adds, beyond", "sim:").is_met is met


def test_round_trips_are_taken_off_at_the_price_of_the_least_exec():
    results = _results(least=0.1, warm=1.0)
    results.counted["warm round trips"] = 3

    assert beyond_round_trips(results, "warm") == pytest.approx(0.7e-3)


def test_acts_take_turns_and_warm_up_rounds_do_not_count():
    order = []
    acts = {name: lambda name=name: order.append(name) or len(order) for name in "ab"}

    taken = in_turn(2, acts, warm_up=1)

    assert order == ["a", "b"] * 3
    assert taken["a"].seconds == (3, 5)


def test_the_order_is_reversed_from_round_to_round_where_that_is_asked_for():
    order = []
    acts = {name: lambda name=name: order.append(name) or 0.0 for name in "ab"}

    in_turn(2, acts, warm_up=0, turning=True)

    assert order == ["a", "b", "b", "a"]


def test_nine_in_ten_were_at_least_as_fast_as_the_90th_percentile():
    assert Sample(tuple(range(1, 11))).p90 == 9


@pytest.mark.parametrize("room", [52, 4096])
def test_bare_write_commands_fit_their_room_and_carry_every_byte(room):
    data = contents(3000)

    lines = commands(data, room)

    assert max(map(len, lines)) <= room + len(b"_w()")
    assert b"".join(literal_eval(line[3:-1].decode()) for line in lines) == data


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.000_0123, "12 µs"), (0.001_234, "1.23 ms"), (0.123_4, "123 ms"), (4.321, "4.32 s")],
)
def test_times_are_shown_with_three_digits_and_a_unit_that_suits_them(value, text):
    assert seconds(value) == text
