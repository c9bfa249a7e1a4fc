"""A short forced-fault round; `make soak` runs the long one."""

from __future__ import annotations

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
