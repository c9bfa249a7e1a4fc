"""The command as a process: streaming, Ctrl-C, terminals, and what it leaves."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from klemheist.cli.main import INTERRUPTED

PROGRAM = """
import klemheist

class Counter(klemheist.Program):
    @klemheist.setup
    def init(start):
        count = [start]
    @klemheist.thread(restart=True)
    def up():
        while True:
            count[0] += 1
            yield 0.05
"""


@pytest.fixture
def start(tmp_path):
    """Start the command; whatever still runs in the end is killed."""
    started = []

    def begin(*argv, **options):
        command = [sys.executable, "-m", "klemheist", *argv]
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE} | options
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, **options)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_output_comes_while_the_code_runs_and_ctrl_c_ends_it(start):
    process = start("exec", "import time\nprint('on')\ntime.sleep(25)")

    assert process.stdout.readline().strip() == b"on"
    assert process.poll() is None
    process.send_signal(signal.SIGINT)

    assert process.wait(10) == INTERRUPTED
    assert process.stderr.read() == b""


def test_a_reader_that_goes_away_ends_it_without_a_complaint(start):
    process = start("exec", "while True: print('x' * 1000)")
    process.stdout.read(10)
    process.stdout.close()

    assert process.wait(20) == 128 + signal.SIGPIPE
    assert process.stderr.read() == b""
    process.stdout = None


def test_a_program_runs_until_ctrl_c_and_tells_its_status(start, tmp_path):
    (tmp_path / "counter.py").write_text(PROGRAM)
    process = start("deploy", "counter.py", "--set", "start=5")

    assert b"Counter(start=5) on sim:: active" in process.stdout.readline()
    process.send_signal(signal.SIGINT)

    assert process.wait(10) == INTERRUPTED
    assert b"stopped" in process.stdout.read()
    assert process.stderr.read() == b""


def test_a_value_that_the_terminal_cannot_say_is_escaped(start):
    process = start("eval", "'ä'", env=os.environ | {"PYTHONIOENCODING": "ascii"})

    assert process.communicate(timeout=10) == (b"'\\xe4'\n", b"")


@pytest.fixture
def env(tmp_path):
    """The environment, with a place for statuses; not where the command is started from."""
    (tmp_path / "run").mkdir()
    return {**os.environ, "XDG_RUNTIME_DIR": f"{tmp_path}/run"}


def test_a_program_that_runs_is_seen_by_top(start, tmp_path, env):
    (tmp_path / "counter.py").write_text(PROGRAM)
    process = start("deploy", "counter.py", "--set", "start=5", env=env)
    process.stdout.readline()

    told, complained = start("top", "--once", "--json", env=env).communicate(timeout=20)
    assert complained == b""
    (seen,) = json.loads(told)

    assert seen["pid"] == process.pid
    assert [each["url"] for each in seen["devices"]] == ["sim:"]
    assert seen["devices"][0]["sessions"][0]["holds"]["thread"] == 1


def test_where_no_status_can_be_shown_a_program_runs_all_the_same(start, tmp_path, env):
    (tmp_path / "counter.py").write_text(PROGRAM)
    (tmp_path / "run" / "klemheist").write_text("no directory")
    process = start("deploy", "counter.py", "--set", "start=5", env=env)

    assert b"active" in process.stdout.readline()


def test_sigterm_ends_its_sessions_too(start, tmp_path):
    (tmp_path / "counter.py").write_text(PROGRAM)
    process = start("deploy", "counter.py", "--set", "start=5")
    process.stdout.readline()

    process.terminate()

    assert process.wait(10) == 128 + signal.SIGTERM
    assert b"stopped" in process.stdout.read()


def test_the_repl_on_a_terminal_is_interrupted_and_left_by_keys(start):
    ours, theirs = pty.openpty()
    try:
        process = start("repl", stdin=theirs, stdout=theirs, start_new_session=True)
        _until(ours, b">>> ")
        os.write(ours, b"6 * 7\n")
        _until(ours, b"42")
        os.write(ours, b"import time; print('go' + 'es'); time.sleep(25)\n")
        _until(ours, b"goes")
        process.send_signal(signal.SIGINT)
        _until(ours, b"KeyboardInterrupt\r\n>>> ")
        os.write(ours, b"half a line\x1d")

        assert process.wait(10) == 0
    finally:
        os.close(theirs)
        os.close(ours)


def _until(terminal, mark):
    """Read the terminal until something shows; pytest's time-out bounds the wait."""
    seen = b""
    while mark not in seen:
        seen += os.read(terminal, 1024)


def test_the_module_is_the_command():
    where = Path(sys.executable).parent
    command = [sys.executable, "-m", "klemheist", "--version"]
    told = subprocess.run(command, capture_output=True, check=True, cwd=where)

    assert told.stdout.startswith(b"klemheist ")
