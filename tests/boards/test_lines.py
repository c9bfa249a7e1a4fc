"""A board behind TCP outlives its connections, and a bad line is bad in the same way each time."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))
from boards.bare import BareRepl, BareReplError
from boards.mangler import Damage, Mangler, Schedule
from boards.tcp_board import TcpBoard

HOST = f"exec:{sys.executable} {Path(__file__).with_name('raw_repl_host.py')}"


@pytest.fixture
def board():
    before = set(threading.enumerate())
    with TcpBoard(HOST) as board:
        yield board
    assert not [each for each in set(threading.enumerate()) - before if each.name == "tcp-board"]


def test_the_interpreter_outlives_a_dropped_connection(board):
    with BareRepl(board.host, board.port) as repl:
        repl.exec("x = 42")
        board.drop()
        with pytest.raises((BareReplError, OSError)):
            repl.exec("print(x)")
    with BareRepl(board.host, board.port) as repl:
        assert repl.exec("print(x)").strip() == b"42"
    assert board.connections == 2


def test_a_board_that_refuses_comes_back_at_the_same_address(board):
    url = board.url
    board.refuse(True)
    with pytest.raises(ConnectionRefusedError):
        BareRepl(board.host, board.port)
    board.refuse(False)
    assert board.url == url
    with BareRepl(board.host, board.port) as repl:
        assert repl.exec("print(1)").strip() == b"1"


def test_a_killed_board_comes_back_with_another_boot(board):
    with BareRepl(board.host, board.port) as repl:
        repl.exec("x = 42")
        board.kill()
        with pytest.raises((BareReplError, OSError)):
            repl.exec("print(x)")
    board.respawn()
    with BareRepl(board.host, board.port) as repl, pytest.raises(BareReplError, match="NameError"):
        repl.exec("print(x)")


def test_the_judge_tells_a_traceback(board):
    with (
        BareRepl(board.host, board.port) as repl,
        pytest.raises(BareReplError, match="ZeroDivisionError"),
    ):
        repl.exec("1/0")


def mangled(seed, size):
    schedule = Schedule(seed, every=10, kinds=tuple(Damage))
    data = bytes(index % 251 for index in range(4000))
    out = b"".join(schedule(data[at : at + size]) for at in range(0, len(data), size))
    return out, schedule.counts


def test_damage_depends_on_the_seed_and_not_on_the_pieces():
    assert mangled(1, 1) == mangled(1, 7) == mangled(1, 4000)
    assert mangled(1, 7) != mangled(2, 7)
    assert min(mangled(1, 7)[1][kind] for kind in Damage) > 0


def test_a_line_can_be_damaged_and_made_clean_again(board):
    with Mangler(board.host, board.port, seed=3, every=20, active=False) as line:
        with BareRepl(line.host, line.port, timeout=0.5) as repl:
            assert repl.exec("print('clean')").strip() == b"clean"
            line.active = True
            try:
                output = repl.exec(f"print({'x' * 200!r})").strip()
            except BareReplError:
                output = b""
            assert output != b"x" * 200
        assert line.counts.total() > 0
        line.active = False
        with BareRepl(line.host, line.port) as repl:
            assert repl.exec("print('clean')").strip() == b"clean"


def test_a_board_that_says_much_to_a_slow_client_loses_nothing(board):
    with BareRepl(board.host, board.port) as repl:
        assert len(repl.exec("for _ in range(4000): print('x' * 1000)")) == 4000 * 1002
