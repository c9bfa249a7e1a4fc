"""The life of a device as a table, and how soon a lost link is opened again."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klemheist.actors.device.port import Port
from klemheist.actors.device.reopen import Reopening
from klemheist.actors.device.states import LIFE, DeviceState, Happening

EVERY = list(itertools.product(DeviceState, Happening))
LEGAL = [pair for pair in EVERY if pair in LIFE]
ILLEGAL = [pair for pair in EVERY if pair not in LIFE]


def port_in(state: DeviceState) -> Port:
    port = Port("sim:", lambda: pytest.fail("nothing is opened here"), {})
    port.state = state
    return port


@pytest.mark.parametrize(("state", "happening"), LEGAL)
def test_a_legal_move_leads_where_the_table_says(state, happening):
    port = port_in(state)
    assert port.move(happening)
    assert port.state is LIFE[state, happening]


@pytest.mark.parametrize(("state", "happening"), ILLEGAL)
def test_an_illegal_move_is_refused_and_changes_nothing(state, happening):
    port = port_in(state)
    assert not port.move(happening)
    assert port.state is state


def test_every_state_can_be_reached_from_new():
    reached = {DeviceState.NEW}
    while new := {end for (start, _), end in LIFE.items() if start in reached} - reached:
        reached |= new
    assert reached == set(DeviceState)


def test_from_every_state_a_device_can_be_stopped():
    for state in set(DeviceState) - {DeviceState.STOPPED}:
        assert LIFE[state, Happening.STOP] is DeviceState.STOPPING
    assert LIFE[DeviceState.STOPPING, Happening.CLOSED] is DeviceState.STOPPED


def test_stopped_is_the_end():
    assert not [pair for pair in LEGAL if pair[0] is DeviceState.STOPPED]


def test_delays_grow_up_to_the_longest_and_never_end():
    reopening = Reopening(first=0.1, longest=1.0, jitter=0.0)
    delays = [reopening.next_delay() for _ in range(100)]
    assert delays[:5] == [0.1, 0.2, 0.4, 0.8, 1.0]
    assert set(delays[5:]) == {1.0}


def test_success_starts_the_backoff_over():
    reopening = Reopening(first=0.1, jitter=0.0)
    reopening.next_delay(), reopening.next_delay()
    reopening.worked()
    assert reopening.next_delay() == 0.1


def test_with_a_number_of_attempts_it_gives_up_after_them():
    reopening = Reopening(attempts=2)
    assert reopening.next_delay() is not None
    assert reopening.next_delay() is not None
    assert reopening.next_delay() is None


@given(st.integers(0, 2000))
def test_jitter_only_ever_adds_its_share(failed):
    reopening = Reopening(first=1.0, longest=8.0, jitter=0.25, failed=failed)
    delay = reopening.next_delay()
    plain = min(8.0, 2.0 ** min(failed, 10))
    assert plain <= delay <= plain * 1.25
