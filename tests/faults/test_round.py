"""A short forced-fault round; `make soak` runs the long one."""

from __future__ import annotations

import pytest

from .endurance import endure
from .kinds import KINDS
from .round import plan, run

SEED = 20


def test_a_round_has_every_kind_of_fault_on_boards_where_it_exists():
    laps = plan(100, SEED)
    assert {fault for _, faults in laps for fault in faults} == set(KINDS)
    assert all(board in fault.boards for board, faults in laps for fault in faults)
    assert plan(100, SEED) == laps


def test_faults_in_a_row_leave_nothing_behind_and_no_call_waits_past_its_deadline():
    """Each fault is as DESIGN 3 and 7 say, and the session goes on with its code deployed again."""
    report = run(25, SEED)
    print(*report.lines(), sep="\n")
    assert report.faults == 25


@pytest.mark.parametrize("board", ["sim:", "microbit:"])
def test_connections_and_calls_in_a_row_neither_fail_nor_cost_memory(board):
    found = endure(board, 3, 300)
    assert found.failed == []
    assert (found.connections, found.calls, found.wrong) == (3, 300, 0)
    assert found.lost_bytes < 300
