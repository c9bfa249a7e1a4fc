"""`klemheist top`: its picture as a pure function, and the verb before a real second process."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from klemheist.cli import top, top_view
from klemheist.cli.main import FAILED, OK, USAGE, main

SERVICE = """
import sys, klemheist
with klemheist.SessionManager() as manager, manager.session("sim:") as s:
    s("6 * 7")
    s.resources.register_resource(klemheist.Resource("led", resource_id="led-1"))
    print(s.session_id, flush=True)
    sys.stdin.read()
"""


def device(**more):
    return {
        "url": "usb:serial=E66",
        "state": "up",
        "generation": 2,
        "rate": 12.34,
        "median": 0.0012,
        "p99": 0.0008,
        "waiting": 3,
        "faults": 1,
        "restarts": 4,
        "owed": 5,
        "sessions": [],
        **more,
    }


def status(*devices, **more):
    return {
        "pid": 7,
        "program": "service.py",
        "state": "Active",
        "sessions": {"active": 1, "limit": 10, "total": 30},
        "restarts": 1,
        "devices": list(devices),
        **more,
    }


SESSION = {
    "id": "k3f9",
    "status": "active",
    "busy": False,
    "idle": 12.3,
    "holds": {"resource": 2, "thread": 1},
}


def test_the_picture_of_a_service():
    away = device(url="sim:", state="down", rate=0.0, median=None, p99=None)
    found = [status(device(sessions=[SESSION, {**SESSION, "busy": True, "holds": {}}]), away)]
    assert top_view.lines(found) == [
        "7 service.py active, 1 of 10 sessions, 30 so far, 1 restart",
        "  DEVICE          STATE  BOOT  CALLS/S  MEDIAN     P99  WAITING  FAULTS  RESTARTS  OWED",
        "  usb:serial=E66  up        2     12.3  1.2 ms  800 µs        3       1         4     5",
        "    k3f9 active, idle 12 s: 2 resources, 1 thread",
        "    k3f9 active, busy: nothing",
        "  sim:            down      2      0.0       -       -        3       1         4     5",
    ]


def test_the_picture_of_nothing_and_of_a_service_that_hangs():
    assert top_view.lines([]) == ["no service shows its status"]
    assert top_view.lines([status(), {"pid": 8, "error": "it does not answer"}])[1:] == [
        "8 it does not answer"
    ]


@pytest.mark.parametrize("change", [{"sessions": 3}, {"devices": [{}]}, {"state": None}])
def test_a_service_of_another_version_does_not_hide_the_others(change):
    shown = top_view.lines([status(version="9.9", **change), status()])
    assert shown == ["7 speaks as version 9.9 does", *top_view.lines([status()])]


def test_no_name_does_anything_to_the_terminal():
    evil = "\x1b[2J\r\nevil\x07"
    session = {**SESSION, "id": evil, "holds": {evil: 1}}
    found = [
        status(device(url=evil, sessions=[session]), program=evil),
        {"pid": 8, "error": evil},
    ]
    shown = top_view.lines(found)
    assert len(shown) == 5
    assert all(line.isprintable() for line in shown)


def test_one_device_is_picked_out():
    found = [status(device(), device(url="sim:")), status(), {"pid": 8, "error": "hangs"}]
    (only,) = top_view.only(found, "sim:")
    assert [each["url"] for each in only["devices"]] == ["sim:"]


# -- the verb --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place():
    """A short path: a socket's may have 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="kh"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(autouse=True)
def runtime(monkeypatch, place):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    monkeypatch.setenv("KLEMHEIST_STATUS", "1")


@pytest.fixture(scope="module")
def service(place):
    """A service of another process: its number and its session."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVICE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"XDG_RUNTIME_DIR": str(place), "KLEMHEIST_STATUS": "1"},
    )
    yield process.pid, process.stdout.readline().strip()
    process.communicate(timeout=20)


def test_where_nothing_shows_its_status_one_line_says_how(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("KLEMHEIST_STATUS")
    assert main(["top"]) == FAILED
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "KLEMHEIST_STATUS=1" in said
    assert "status=True" in said


def test_a_running_service_is_shown_once_as_data(capsys, service):
    pid, session = service
    assert main(["top", "--once", "--json"]) == OK
    (found,) = json.loads(capsys.readouterr().out)
    assert found["pid"] == pid
    (shown,) = found["devices"]
    assert (shown["url"], shown["state"]) == ("sim:", "up")
    assert shown["calls"] > 0
    assert shown["sessions"][0]["id"] == session
    assert shown["sessions"][0]["held"] == ["resource led-1"]


def test_a_running_service_is_shown_once_as_text(capsys, service):
    pid, session = service
    assert main(["top", "--once", "--pid", str(pid)]) == OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{pid} ")
    assert lines[2].split()[:2] == ["sim:", "up"]
    assert lines[3].strip().startswith(f"{session} active, ")
    assert lines[3].endswith(": 1 resource")


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["--device", "sim://", "top", "--once"], OK),
        (["--device", "microbit:", "top", "--once"], FAILED),
        (["--device", "nix:", "top", "--once"], FAILED),
        (["top", "--once", "--pid", "1"], FAILED),
        (["top", "--interval", "0"], USAGE),
        (["top", "--interval", "soon"], USAGE),
        (["top", "--interval", "nan"], USAGE),
        (["top", "--interval", "inf"], USAGE),
    ],
    ids=str,
)
def test_what_is_asked_for(capsys, service, argv, code):
    assert main(argv) == code
    assert "Traceback" not in capsys.readouterr().err


class Enough(io.StringIO):
    """A place to print to, which presses Ctrl-C after some lines that hold a word."""

    def __init__(self, word, count, *, terminal):
        super().__init__()
        self.word, self.count, self.terminal = word, count, terminal

    def isatty(self):
        return self.terminal

    def flush(self):
        if self.getvalue().count(self.word) >= self.count:
            self.count = sys.maxsize
            raise KeyboardInterrupt


@pytest.mark.parametrize("way", ["plain", "json", "terminal", "terminal without rich"])
def test_it_is_shown_again_and_again_until_ctrl_c(monkeypatch, service, way):
    out = Enough(service[1], 3, terminal=way.startswith("terminal"))
    monkeypatch.setattr(sys, "stdout", out)
    if way == "terminal without rich":
        monkeypatch.setitem(sys.modules, "rich.live", None)
    assert main(["top", "--interval", "0.1", *["--json"] * (way == "json")]) == OK
    assert out.getvalue().count(service[1]) >= 3
    if way == "json":
        assert len(json.loads(out.getvalue().splitlines()[0])) == 1
    if way == "plain":
        assert "\x1b" not in out.getvalue()


def test_a_service_that_ends_meanwhile_leaves_the_watcher_watching(monkeypatch):
    answers = iter([[status(device())], []])
    monkeypatch.setattr(top, "statuses", lambda pid: next(answers, []))
    out = Enough("no service shows its status", 2, terminal=False)
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["top", "--interval", "0.1"]) == OK
