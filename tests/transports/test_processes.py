"""No child outlives its link or the service: shown with real services that die in real ways."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from klemheist.transports import create_link
from tests.transports.conformance import Inbox, descendants

STUBBORN = (
    "import os, signal, subprocess, sys, time; "
    "[signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)]; "
    "subprocess.Popen([sys.executable, '-c', 'import os, time; os.setsid(); time.sleep(600)']); "
    "os.fork() or os.setsid(); "
    "os.write(1, b'up'); time.sleep(600)"
)
"""Ignores what can be ignored; has a grandchild in its own session and a copy that daemonised."""

SERVICE = """
import sys, time
from klemheist.transports import create_link
from tests.transports.conformance import Inbox, enter_raw
links = []
for url, busy in (
    ("sim:", b"while True: pass\\x04"), ("microbit:", b"while True: pass\\x04"), (sys.argv[1], None)
):
    inbox = Inbox()
    link = create_link(url)
    link.open(inbox)
    if busy:
        enter_raw(link, inbox)
        link.write(busy)
        inbox.take(b"OK")
    else:
        inbox.take(b"up")
    links.append(link)
print("open", flush=True)
if sys.stdin.readline() == "raise\\n":
    raise SystemExit(3)
"""

STUBBORN_URL = f'exec:{sys.executable} -I -S -c "{STUBBORN}"'


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def all_gone(pids: list[int], *, within: float) -> list[int]:
    """Wait for processes to end; return those that did not."""
    deadline = time.monotonic() + within
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


@pytest.fixture
def service():
    """A service with three boards that all run endless code; and every process below it."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVICE, STUBBORN_URL],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    below: list[int] = []
    try:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        below += descendants(process.pid)
        # the simulator; two guardians; QEMU; the stubborn one, its grandchild, its daemonised copy
        assert len(below) >= 7, [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in below]
        yield process, below
    finally:
        for pid in [process.pid, *below]:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("end", ["kill -9", "terminate", "exit", "raise"])
def test_nothing_is_left_of_a_service_that_ends_without_closing(service, end):
    process, below = service
    match end:
        case "kill -9":
            process.kill()
        case "terminate":
            process.terminate()
        case _:
            process.stdin.write(f"{end}\n")
            process.stdin.flush()
    process.wait(10)
    assert all_gone(below, within=2.0) == []


def test_closing_ends_what_ignores_signals_and_what_daemonised():
    inbox, link = Inbox(), create_link(STUBBORN_URL)
    link.open(inbox)
    inbox.take(b"up")
    below = descendants(os.getpid())
    assert len(below) >= 4
    link.close()
    assert all_gone(below, within=0.0) == []


def test_the_guardians_own_death_ends_its_child():
    inbox, link = (
        Inbox(),
        create_link(f"exec:{sys.executable} -I -S -c 'import time; time.sleep(99)'"),
    )
    link.open(inbox)
    child = link.pid
    link._child.guardian.kill()
    assert all_gone([child], within=2.0) == []
    link.close()


def test_a_board_ends_when_its_input_does_even_in_an_endless_loop():
    from klemheist.transports import parse_url
    from klemheist.transports.sim import host_command

    read, write = os.pipe()
    with subprocess.Popen(
        host_command(parse_url("sim:"), lifeline=read),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(read,),
    ) as board:
        os.close(read)
        assert board.stdin
        assert board.stdout
        board.stdin.write(b"\x01print('in')\nwhile True: pass\x04")
        board.stdin.flush()
        seen = b""
        while not seen.endswith(b"in\n"):
            seen += board.stdout.read(1)
        os.close(write)
        board.wait(2.0)
