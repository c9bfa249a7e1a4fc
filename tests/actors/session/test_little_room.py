"""A small board whose memory is taken already: served as far as it goes, and never emptied."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from klemheist import DeviceError, DeviceMemoryError, LinkError, SessionManager
from tests.boards.bare import BareRepl
from tests.boards.tcp_board import TcpBoard

HALF, TOO_MUCH = 15, 26
"""Blocks of 200 bytes beside which the agent's first half fits, and beside which it does not."""
OURS = "print('_a'in globals(),'_k'in globals())"


@contextmanager
def taken(blocks):
    """A micro:bit on which somebody keeps something."""
    with TcpBoard("microbit:") as board:
        with judge(board) as repl:
            repl.exec(f"x=[bytearray(200) for i in range({blocks})]")
        yield board


def judge(board):
    return BareRepl(board.host, board.port, chunk=30)


def test_where_the_agent_does_not_fit_nothing_is_reset_and_the_error_says_what_to_do():
    with taken(TOO_MUCH) as board:
        with (
            SessionManager() as manager,
            pytest.raises(LinkError, match=r"[0-9]+ free bytes are no room .* fresh=True"),
        ):
            manager.create_session(board.url)
        with judge(board) as repl:
            assert repl.exec("print(len(x))") == b"%d\r\n" % TOO_MUCH
            assert repl.exec(OURS) == b"False False\r\n"
        with SessionManager() as manager, manager.session(board.url, fresh=True) as session:
            assert session("6 * 7") == 42


def test_with_half_an_agent_what_needs_the_other_half_is_refused_and_all_else_served():
    with taken(HALF) as board, SessionManager() as manager:
        with manager.session(board.url) as session:
            same = session.task(source="def same(x): return x")
            half = session.task(source="def half(): return 0.5")
            assert same(3) == 3
            assert same(x="text") == "text"
            for refused in (lambda: same(2.5), half, lambda: session("[1, 2]")):
                with pytest.raises(DeviceMemoryError, match="bytes are free"):
                    refused()
            assert same(4) == 4
            for _ in range(5):
                with pytest.raises(DeviceError, match="ZeroDivisionError"):
                    session("1/0")
                assert session("1 + 1") == 2
            assert session("len(__import__('__main__').x)") == HALF
        with manager.session(board.url) as session:
            assert session("1 + 1") == 2


def test_a_session_that_has_filled_the_memory_is_freed_at_its_end():
    with TcpBoard("microbit:") as board, SessionManager() as manager:
        with manager.session(board.url) as session:
            session("kept = []")
            with pytest.raises(DeviceMemoryError):
                session("while True: kept.append(bytearray(32))")
        with manager.session(board.url) as session:
            assert session("[0.5] * 3") == [0.5] * 3
