"""What a manager says of itself, and the socket where it says it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from loguru import logger

from klemheist import AsyncSessionManager, CapabilityError, Resource, SessionManager
from klemheist.supervisors.manager import status_socket
from klemheist.supervisors.manager.status_socket import StatusServer, ask, directory, statuses
from tests.transports.conformance import Holdings

SERVICE = """
import sys, klemheist
with klemheist.SessionManager(), klemheist.SessionManager() as manager:
    print(flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(monkeypatch):
    """A short path: a socket's may have 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="kh"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(path))
    monkeypatch.delenv("KLEMHEIST_STATUS", raising=False)
    yield path / "klemheist"
    shutil.rmtree(path)


@pytest.fixture
def within():
    """Wait until something holds; False where it does not in time."""

    def within(holds):
        ends = time.monotonic() + 10
        while not (found := holds()) and time.monotonic() < ends:
            time.sleep(0.005)
        return found

    return within


def socket_of(manager):
    return manager._core._status.path


def test_devices_sessions_and_what_they_hold_are_told():
    with SessionManager() as manager:
        assert manager.status()["devices"] == []
        with manager.session("sim:") as s:
            s.resources.register_resource(Resource("led", resource_id="led-1"))
            s.resources.register_background_thread("t1", "blink")
            s("6 * 7")
            told = json.loads(json.dumps(manager.status()))
            assert told["pid"] == os.getpid()
            assert told["sessions"] == {"active": 1, "total": 1, "limit": 10}
            (device,) = told["devices"]
            assert (device["url"], device["state"], device["generation"]) == ("sim:", "up", 1)
            assert device["calls"] > 0
            assert device["rate"] > 0
            assert 0 < device["median"] <= device["p99"]
            assert (device["waiting"], device["faults"], device["owed"]) == (0, 0, 0)
            (session,) = device["sessions"]
            assert (session["id"], session["status"]) == (s.session_id, "active")
            assert session["holds"] == {"resource": 1, "thread": 1}
            assert session["held"] == ["resource led-1", "thread t1"]
            assert session["busy"] is False
        assert manager.status()["devices"][0]["sessions"] == []


def test_calls_that_wait_and_restarts_are_counted(within):
    with SessionManager() as manager, manager.session("sim:") as s:
        s("import time")
        running = s.submit("time.sleep(10)")
        waiting = [s.submit("1") for _ in range(3)]
        assert within(lambda: manager.status()["devices"][0]["waiting"] == 3)
        assert manager.status()["devices"][0]["sessions"][0]["busy"]
        running.cancel()
        assert [each.get(timeout=10) for each in waiting] == [1, 1, 1]
        s.ref.actor()._actor_failed(RuntimeError("forged"), None)
        assert within(lambda: manager.status()["restarts"] == 1)
        assert manager.status()["devices"][0]["restarts"] == 1


def test_much_is_cut_and_still_counted():
    with SessionManager() as manager, manager.session("sim:") as s:
        for number in range(50):
            s.resources.register_resource(Resource("led", resource_id=f"led-{number}"))
        session = manager.status()["devices"][0]["sessions"][0]
        assert session["holds"] == {"resource": 50}
        assert len(session["held"]) == 20


# -- the socket ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [SessionManager, AsyncSessionManager])
def test_a_status_is_shown_to_its_user_alone_while_the_manager_lives(place, make):
    before = Holdings.now()
    manager = make(status=True)
    path = socket_of(manager)
    assert path == place / f"{os.getpid()}.sock"
    assert place.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    assert ask(path)["state"] == "Inactive"
    manager._core.close().get(timeout=10)
    assert not path.exists()
    assert Holdings.become(before)


def test_a_disposed_manager_shows_nothing(place):
    manager = SessionManager(status=True)
    manager.dispose()
    assert list(place.iterdir()) == []


def test_a_manager_that_is_dropped_shows_nothing_any_more(place, within):
    managers = [SessionManager(status=True)]
    path = socket_of(managers[0])
    with pytest.warns(ResourceWarning, match="never closed"):
        managers.clear()  # nobody else holds it
    assert within(lambda: not path.exists())


def test_a_process_that_ends_without_closing_leaves_no_socket(place):
    code = "import klemheist; manager = klemheist.SessionManager(status=True)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)
    assert list(place.iterdir()) == []


def test_without_being_asked_nothing_is_shown(place):
    with SessionManager() as manager:
        assert manager._core._status is None
    assert not place.exists()


def test_the_environment_asks_for_all_managers_and_the_argument_wins(place, monkeypatch):
    monkeypatch.setenv("KLEMHEIST_STATUS", "1")
    with SessionManager() as one, SessionManager() as two, SessionManager(status=False) as three:
        assert [socket_of(each).name for each in (one, two)] == [
            f"{os.getpid()}.sock",
            f"{os.getpid()}-2.sock",
        ]
        assert three._core._status is None
        assert statuses() == []  # oneself is not asked


def test_a_place_that_is_not_ones_own_is_refused_in_one_line(place):
    place.mkdir()
    place.chmod(0o755)
    with pytest.raises(CapabilityError, match="chmod 700 it, or set XDG_RUNTIME_DIR") as raised:
        SessionManager(status=True)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("where", ["/proc/nothing", "/tmp/" + "x" * 120])
def test_a_service_starts_without_a_status_where_only_the_environment_asks(monkeypatch, where):
    monkeypatch.setenv("XDG_RUNTIME_DIR", where)
    monkeypatch.setenv("KLEMHEIST_STATUS", "1")
    lines = []
    logger.enable("klemheist")
    sink = logger.add(lines.append, level="WARNING")
    try:
        with SessionManager() as manager:
            assert manager._core._status is None
    finally:
        logger.remove(sink)
        logger.disable("klemheist")
    assert "set XDG_RUNTIME_DIR" in lines[0]


def test_a_path_that_is_too_long_for_a_socket_is_told(place, monkeypatch):
    deep = place.parent / ("x" * 100)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    with pytest.raises(CapabilityError, match="path too long; set XDG_RUNTIME_DIR"):
        SessionManager(status=True)
    assert list((deep / "klemheist").iterdir()) == []


def test_without_a_runtime_directory_the_temporary_one_serves(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert directory() == tmp_path / f"klemheist-{os.getuid()}"


class Asked(threading.Event):
    """A snapshot that takes its time."""

    def __init__(self):
        super().__init__()
        self.go_on = threading.Event()
        self.running = threading.Semaphore(0)

    def __call__(self):
        self.running.release()
        assert self.go_on.wait(10)
        return {"pid": 1}


def test_clients_are_served_a_few_at_a_time_and_one_more_finds_the_end(place):
    asked = Asked()
    server = StatusServer(asked)
    clients = []
    try:
        for _ in range(status_socket.MOST_CLIENTS):
            clients.append(connected(server.path))
            assert asked.running.acquire(timeout=10)
        with connected(server.path) as refused:
            assert refused.recv(1) == b""
        asked.go_on.set()
        assert [json.loads(each.makefile().readline()) for each in clients] == [{"pid": 1}] * 4
    finally:
        asked.go_on.set()
        for client in clients:
            client.close()
        server.close()


def test_clients_that_go_away_or_send_garbage_do_no_harm(place):
    server = StatusServer(lambda: {"pid": 1, "much": "x" * 1_000_000})
    try:
        for _ in range(20):
            connected(server.path).close()
        with connected(server.path) as client:
            client.sendall(os.urandom(1000))
        assert _patiently(server.path)["pid"] == 1
    finally:
        server.close()


def test_a_snapshot_that_fails_ends_nobodys_turn(place):
    def fails():
        raise RuntimeError("forged")

    server = StatusServer(fails)
    try:
        for _ in range(status_socket.MOST_CLIENTS * 2):
            with connected(server.path) as client:
                assert client.recv(1) == b""
    finally:
        server.close()


def connected(path):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(10)
    client.connect(str(path))
    return client


def _patiently(path):
    """Ask until there is room: those that went away may still be served."""
    while True:
        try:
            return ask(path)
        except ValueError:
            continue


# -- another process -------------------------------------------------------------------------------


@pytest.fixture
def service(place):
    process = subprocess.Popen(
        [sys.executable, "-c", SERVICE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"KLEMHEIST_STATUS": "1"},
    )
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_the_services_of_other_processes_are_found(place, service):
    found = statuses()
    assert [each["pid"] for each in found] == [service.pid] * 2
    assert [each["pid"] for each in statuses(service.pid)] == [service.pid] * 2
    assert statuses(1) == []
    service.communicate(timeout=10)
    assert statuses() == []
    assert list(place.iterdir()) == []


def test_a_service_that_was_killed_leaves_nothing_for_long(place, service):
    service.kill()
    service.wait()
    assert len(list(place.iterdir())) == 2
    assert statuses() == []
    assert list(place.iterdir()) == []


def test_a_service_that_hangs_is_told_and_does_not_hang_its_watcher(place, service, monkeypatch):
    monkeypatch.setattr(status_socket, "CLIENT_SECONDS", 0.1)
    service.send_signal(signal.SIGSTOP)
    assert [(each["pid"], each["error"][:18]) for each in statuses()] == [
        (service.pid, "it does not answer")
    ] * 2
    service.send_signal(signal.SIGCONT)
