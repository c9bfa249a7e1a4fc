"""A short forced-fault round; `make soak` runs the long one."""

from __future__ import annotations

import pytest

from . import endurance
from .endurance import LOST, Endured, endure
from .kinds import KINDS
from .round import Report, plan, run
from .round import endure as endure_fault
from .stage import Stage

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
    assert found.faults == []
    assert (found.connections, found.calls, found.wrong) == (3, 300, 0)


@pytest.mark.parametrize(
    "found",
    [Endured(failed=["LinkTimeout()"]), Endured(wrong=1), Endured(lost_bytes=LOST + 1)],
)
def test_the_round_of_calls_fails_where_one_failed_was_wrong_or_cost_memory(found, monkeypatch):
    monkeypatch.setattr(endurance, "endure", lambda *_: found)
    monkeypatch.setattr("sys.argv", ["endurance", "--board", "sim:"])
    assert endurance.main()
    monkeypatch.setattr(endurance, "endure", lambda *_: Endured(lost_bytes=LOST))
    assert not endurance.main()


@pytest.mark.parametrize("kind", ["sim", "microbit", "microbit tcp", "host"])
def test_the_judge_sees_a_file_that_nobody_took_away(kind):
    stage = Stage(kind, SEED)
    with pytest.raises(AssertionError, match=rf"^{kind} keeps file left\.txt"), stage:
        stage.session.execute("open('left.txt', 'w').close()")


@pytest.mark.parametrize("kind", ["sim", "microbit", "microbit tcp", "host"])
def test_the_judge_sees_a_board_that_was_reset_though_nobody_asked(kind):
    with pytest.raises(AssertionError, match="was reset though nobody asked"):
        _killed_in_secret(kind)


def _killed_in_secret(kind):
    (killed,) = [each for each in KINDS if each.name == "killed in mid-call"]
    with Stage(kind, SEED) as stage:
        endure_fault(stage, killed, Report())
        stage.reset_asked = False
