from __future__ import annotations

import time

import pytest

from klemheist import SessionManager, SessionOptions

HOST = "exec:python tests/boards/raw_repl_host.py"


@pytest.fixture(scope="module")
def manager():
    """One manager with one embedded board, for all tests of a module that leave nothing behind."""
    with SessionManager(SessionOptions(max_concurrent_sessions=50)) as manager:
        yield manager


@pytest.fixture
def s(manager):
    with manager.session("sim:") as session:
        yield session


@pytest.fixture(scope="module")
def host():
    """A manager for the CPython board, whose threads are real."""
    with SessionManager(SessionOptions(thread_grace=0.3)) as manager:
        yield manager


@pytest.fixture
def within():
    """Wait until something holds; False where it does not in time."""

    def within(holds, seconds=5.0):
        ends = time.monotonic() + seconds
        while not (found := holds()):
            if time.monotonic() > ends:
                return found
            time.sleep(0.005)
        return found

    return within
