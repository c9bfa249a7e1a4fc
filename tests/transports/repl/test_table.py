"""The table of the raw REPL: every legal move, every illegal one, and its picture in the docs."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from klemheist.transports.repl.machine import ReplMachine
from klemheist.transports.repl.table import MOVES, OURS, IllegalMove, State, Token, move, page

ILLEGAL = sorted(set(product(State, Token)) - set(MOVES), key=str)
PAGE = Path(__file__).parents[3] / "docs/topics/repl-states.md"
ACTS = {
    Token.ENTER: ReplMachine.enter,
    Token.FORGET: ReplMachine.forget,
    Token.EXECUTE: lambda machine: machine.execute(b"pass"),
    Token.ASK: ReplMachine.ask_paste,
    Token.RESET: ReplMachine.soft_reset,
}


def _name(value):
    return value.name


@pytest.mark.parametrize(("pair", "after"), list(MOVES.items()), ids=str)
def test_a_legal_move_leads_where_the_table_says(pair, after):
    assert move(*pair) is after


@pytest.mark.parametrize(("state", "token"), ILLEGAL, ids=_name)
def test_an_illegal_move_is_refused_by_its_names(state, token):
    with pytest.raises(IllegalMove, match=f"^{token.name} is not allowed while {state.name}$"):
        move(state, token)


@pytest.mark.parametrize(("state", "token"), list(product(State, ACTS)), ids=_name)
def test_the_machine_acts_as_the_table_allows_and_stays_where_it_does_not(state, token):
    machine = ReplMachine()
    machine.state = state
    if (state, token) in MOVES:
        ACTS[token](machine)
        assert machine.state is MOVES[state, token]
    else:
        with pytest.raises(IllegalMove):
            ACTS[token](machine)
        assert machine.state is state


def test_every_state_can_be_reached_from_the_first():
    reached = {State.LOST}
    while more := {after for (state, _), after in MOVES.items() if state in reached} - reached:
        reached |= more
    assert reached == set(State)


def test_from_every_state_our_own_acts_and_the_devices_marks_lead_to_the_prompt():
    for start in State:
        reached = {start}
        while more := {after for (state, _), after in MOVES.items() if state in reached} - reached:
            reached |= more
        assert State.IDLE in reached


def test_only_our_own_acts_leave_the_prompt():
    prompt = State.IDLE
    leave = {token for (at, token), to in MOVES.items() if at is prompt and to is not prompt}
    assert leave <= OURS


def test_the_page_in_the_docs_is_the_table():
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(), (
        "run: python -m klemheist.transports.repl.table > docs/topics/repl-states.md"
    )
