from __future__ import annotations

import pytest

from klemheist import SessionManager, SessionOptions
from tests.actors.session.conftest import HOST, within  # noqa: F401 -- a fixture


@pytest.fixture(scope="module")
def manager():
    """One manager with one embedded board, for all tests of a module."""
    with SessionManager(SessionOptions(max_concurrent_sessions=50)) as manager:
        yield manager


@pytest.fixture
def s(manager):
    with manager.session("sim:") as session:
        yield session


@pytest.fixture(scope="module")
def boards():
    """A manager for the CPython board, which has real threads and honours Ctrl-C."""
    with SessionManager(SessionOptions(thread_grace=0.3)) as manager:
        yield manager


@pytest.fixture
def host(boards):
    with boards.session(HOST) as session:
        yield session
