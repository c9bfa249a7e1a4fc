"""The third board behaves as MicroPython's REPL does, as far as other tests rely on it."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

HOST = Path(__file__).with_name("raw_repl_host.py")


class Terminal:
    """The board on a pseudo-terminal, with all that it said so far."""

    def __init__(self, *options):
        self.pid, self._fd = os.forkpty()
        if self.pid == 0:
            os.execv(sys.executable, [sys.executable, str(HOST), *options])
        os.set_blocking(self._fd, False)
        self._seen = b""

    def send(self, data, until):
        os.write(self._fd, data)
        return self.until(until)

    def until(self, end):
        deadline = time.monotonic() + 10
        while end not in self._seen:
            assert time.monotonic() < deadline, (end, self._seen)
            try:
                self._seen += os.read(self._fd, 65536)
            except BlockingIOError:
                time.sleep(0.001)
        before, _, self._seen = self._seen.partition(end)
        return before + end

    def close(self):
        os.close(self._fd)
        deadline = time.monotonic() + 5
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                pytest.fail("the board outlived its terminal")
            time.sleep(0.01)


@pytest.fixture
def board(request):
    terminal = Terminal(*getattr(request, "param", ()))
    terminal.until(b">>> ")
    terminal.send(b"\r\x03\x01", b"raw REPL; CTRL-B to exit\r\n>")
    yield terminal
    terminal.close()


def test_a_command_answers_with_its_output_and_its_traceback(board):
    assert board.send(b"print(1)\x04", b"\x04>") == b"OK1\r\n\x04\x04>"
    assert board.send(b"1/0\x04", b"\x04>") == (
        b'OK\x04Traceback (most recent call last):\r\n  File "<stdin>", line 1, in <module>\r\n'
        b"ZeroDivisionError: division by zero\r\n\x04>"
    )


def test_bytes_pass_as_they_are(board):
    code = b"import sys\nsys.stdout.buffer.write(b'\\x00\\x04\\n\\xff')\x04"
    assert board.send(code, b"\xff\x04\x04>") == b"OK\x00\x04\n\xff\x04\x04>"


@pytest.mark.parametrize("code", ["while True: pass", "import time; time.sleep(60)"])
def test_ctrl_c_interrupts_code(board, code):
    board.send(code.encode() + b"\x04", b"OK")
    time.sleep(0.05)  # the code has begun: no output tells it
    assert b"KeyboardInterrupt: \r\n" in board.send(b"\x03", b"\x04>")
    assert board.send(b"print(2)\x04", b"\x04>") == b"OK2\r\n\x04\x04>"


def test_a_command_that_is_not_finished_is_wiped_by_ctrl_c(board):
    assert board.send(b"nonsense(\x03print(3)\x04", b"\x04>") == b"OK3\r\n\x04\x04>"


def test_raw_paste_gives_credit_for_each_window(board):
    assert board.send(b"\x05A\x01", b"\x00\x01") == b"R\x01\x80\x00\x01"
    assert board.send(b"#" * 128, b"\x01") == b"\x01"
    assert board.send(b"\nprint(4)\x04", b"\x04>") == b"\x044\r\n\x04\x04>"


def test_raw_paste_stops_at_what_no_continuation_can_save(board):
    board.send(b"\x05A\x01", b"\x00\x01")
    board.send(b"def f(:\n" + b"#" * 120, b"\x04")
    assert b"SyntaxError" in board.send(b"\x04", b"\x04>")


def test_ctrl_c_ends_a_paste(board):
    board.send(b"\x05A\x01", b"\x00\x01")
    assert board.send(b"x\x03", b">") == b"\x04\x04KeyboardInterrupt: \r\n\x04>"


@pytest.mark.parametrize("board", [("--no-raw-paste",)], indirect=True)
def test_a_board_without_raw_paste_says_so(board):
    assert board.send(b"\x05A\x01", b">") == b"R\x00>"
    assert board.send(b"print(5)\x04", b"\x04>") == b"OK5\r\n\x04\x04>"


@pytest.mark.parametrize("board", [("--ring", "8")], indirect=True)
def test_a_small_ring_drops_what_overflows_while_code_runs(board):
    board.send(b"import time,sys\nprint('go')\ntime.sleep(.2)\nprint(sys.stdin.read(8))\x04", b"go")
    assert b"abcdefgh\r\n" in board.send(b"abcdefghXYZ", b"\x04>")
    assert board.send(b"print(6)\x04", b"\x04>") == b"OK6\r\n\x04\x04>"


@pytest.mark.parametrize(
    "command", [b"\x04", b"raise SystemExit\x04", b"import sys;sys.exit()\x04"]
)
def test_a_soft_reset_ends_names_and_threads_and_keeps_pins_and_mode(board, command):
    setup = (
        b"import _thread, time, machine\nmachine.Pin(5, 1).on()\n"
        b"def run():\n while True: print('tick'); time.sleep(.01)\n"
        b"_thread.start_new_thread(run, ())\x04"
    )
    board.send(setup, b"tick\r\n")
    board.send(command, b"MPY: soft reboot\r\n")
    quiet = board.until(b"raw REPL; CTRL-B to exit\r\n>")
    assert quiet.count(b"tick") <= 1
    code = b"import machine,_thread;print(_thread._count(),'run' in globals(),machine.Pin.state())"
    assert board.send(code + b"\x04", b"\x04>") == b"OK1 False {5: 1}\r\n\x04\x04>"


def test_a_hard_reset_comes_back_friendly_with_its_pins_cleared(board):
    board.send(b"import machine\nmachine.Pin(5, 1).on()\nmachine.reset()\x04", b">>> ")
    board.send(b"\x01", b"exit\r\n>")
    code = b"import machine;print(machine.Pin.state())\x04"
    assert board.send(code, b"\x04>") == b"OK{}\r\n\x04\x04>"


def test_the_friendly_prompt_runs_lines_and_blocks(board):
    assert board.send(b"\x02", b">>> ").startswith(b"\r\nMicroPython v")
    assert board.send(b"1+1\r", b">>> ") == b"1+1\r\n2\r\n>>> "
    assert b"0\r\n1\r\n" in board.send(b"for i in range(2):\r print(i)\r\r", b"1\r\n>>> ")
