"""What a manager is given from outside may fail: its sessions go on, and one line tells of it."""

from __future__ import annotations

import threading

import pytest
from loguru import logger

from klemheist import PerformanceMonitor, Resource, SessionManager

SECONDS = 10.0


@pytest.fixture
def lines():
    lines = []
    logger.enable("klemheist")
    sink = logger.add(lines.append, format="{message}", level="WARNING")
    yield lines
    logger.remove(sink)
    logger.disable("klemheist")


class FullDisk:
    def record(self, session_id, record):
        raise OSError("disk full")


def test_a_journal_that_fails_is_logged_once_and_its_sessions_go_on(lines):
    cleaned = []
    with SessionManager(journal=FullDisk()) as manager:
        session = manager.create_session("sim:")
        for name in ("first", "second"):
            session.resources.register_resource(Resource(name, lambda _: cleaned.append(1)))
        assert session("6 * 7") == 42
        assert session.resources.get_resource_stats().resources_by_type == {"first": 1, "second": 1}
        ending = threading.Thread(target=session.close, daemon=True)
        ending.start()
        ending.join(SECONDS)
        assert not ending.is_alive()
        assert cleaned == [1, 1]
    (line,) = (line for line in lines if "disk full" in line)
    assert session.session_id in line


class Broken(PerformanceMonitor):
    def record_session_creation(self, duration):
        raise ValueError("no creations")

    def record_resource_registration(self, resource_type):
        raise ValueError("no registrations")


def test_a_monitor_that_fails_is_logged_and_costs_nothing_else(lines):
    cleaned = []
    with SessionManager(monitor=Broken()) as manager:
        with manager.session("sim:") as session:
            session.resources.register_resource(Resource("pump", lambda _: cleaned.append("pump")))
            assert session("6 * 7") == 42
        assert cleaned == ["pump"]
        assert manager.get_session_stats().active_session_count == 0
    assert any("no creations" in line for line in lines)
    assert any("no registrations" in line for line in lines)
