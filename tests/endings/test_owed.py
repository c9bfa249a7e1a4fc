"""What is owed when a manager is closed: done first, where the device can be reached."""

from __future__ import annotations

import threading
import time
from typing import Final

import pytest
from loguru import logger

from klemheist import ResourceCleanupError, SessionManager, SessionOptions
from klemheist.actors.device.debts import Debt
from klemheist.actors.device.port import BACK_WITHIN
from klemheist.supervisors.manager.session_node import SessionNode
from klemheist.transports.repl.procedures import executed
from tests.boards.tcp_board import TcpBoard

SECONDS = 5.0
SLOWLY: Final = "__import__('time').sleep(0.2);open('undone','w').close()"


@pytest.fixture
def lines():
    """What is logged."""
    lines = []
    logger.enable("klemheist")
    sink = logger.add(lines.append, format="{message}")
    yield lines
    logger.remove(sink)
    logger.disable("klemheist")


def made_away(board, port):
    """Pull the cable, and see that it is noticed."""
    board.refuse(True)
    board.drop()
    until(lambda: port.is_away)


def until(true):
    ends = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.005)


def is_undone(board):
    with SessionManager() as manager, manager.session(board.url) as after:
        return after.files.exists("undone")


def test_what_is_just_being_done_is_owed_until_it_is_done():
    """The manager was closed, for nothing seemed to be owed; it broke off what it was at."""
    begun = threading.Event()

    def pay(board):
        begun.set()
        yield from executed(board, SLOWLY)

    with TcpBoard("sim:") as board:
        with SessionManager() as manager:
            manager.create_session(board.url).close()
            port = manager.device(board.url)
            port.debts.add(Debt("slow", pay, None))
            port.settle()
            assert begun.wait(SECONDS)
            assert port.debts.labels() == ("slow",)
        assert not port.debts
        assert is_undone(board)


def test_a_manager_that_is_closed_has_done_what_is_owed_where_the_device_is_just_coming_back():
    with TcpBoard("sim:") as board:
        with SessionManager() as manager:
            manager.create_session(board.url).close()
            port = manager.device(board.url)
            made_away(board, port)
            port.debts.add_code("slow", SLOWLY, boot=None)
            board.refuse(False)
        assert not port.debts
        assert is_undone(board)


def test_a_manager_that_is_closed_does_not_wait_long_for_a_device_and_says_what_is_owed(lines):
    with TcpBoard("sim:") as board:
        with SessionManager() as manager:
            manager.create_session(board.url).close()
            port = manager.device(board.url)
            made_away(board, port)
            port.debts.add_code("the file", SLOWLY, boot=None)
            began = time.monotonic()
        assert BACK_WITHIN <= time.monotonic() - began < BACK_WITHIN + 2.0
        assert "was closed while this was owed to it: the file" in "".join(lines)


def test_a_temporary_file_is_removed_later_where_another_session_keeps_the_device_busy():
    """Its removal was given up when its time was over, and the file stayed for ever."""
    with TcpBoard("sim:") as board:
        with SessionManager(SessionOptions(resource_cleanup_timeout=0.1)) as manager:
            busy = manager.create_session(board.url)
            session = manager.create_session(board.url)
            session.files.write("undone", b"x", temporary=True)
            running = busy.submit("__import__('time').sleep(0.5)")
            with pytest.raises(ResourceCleanupError, match="1 of them owed"):
                session.close()
            running.get(timeout=SECONDS)
        assert not is_undone(board)


def test_a_temporary_file_whose_tracker_does_not_answer_is_removed_later(monkeypatch):
    with TcpBoard("sim:") as board:
        with SessionManager(SessionOptions(resource_cleanup_timeout=0.1)) as manager:
            session = manager.create_session(board.url)
            session.files.write("undone", b"x", temporary=True)
            monkeypatch.setattr(SessionNode, "find", lambda node, kind: None)
            with pytest.raises(ResourceCleanupError, match="1 of them owed"):
                session.close()
        assert not is_undone(board)
