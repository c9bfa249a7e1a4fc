"""The third board of the tests: MicroPython's REPL, byte for byte, on CPython.

    exec:python tests/boards/raw_repl_host.py [--no-raw-paste] [--window N] [--ring N] [--root DIR]

It behaves as shared/runtime/pyexec.c of MicroPython (repl-protocol.md, 3.1 to 3.4), and has what
neither `sim:` nor `microbit:` has: real threads, which print while calls run, never see Ctrl-C
and die at a soft reset. A thread reads the terminal at all times; code runs on the main thread.

A soft reset replaces the process by a fresh interpreter on the same terminal, which is the one way
to stop CPython's threads. What the terminal has not delivered yet survives that, as in a UART.
"""

from __future__ import annotations

import argparse
import codeop
import os
import signal
import sys
import termios
import threading
import tty
import types
from collections import deque
from pathlib import Path

import host_modules

CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E = 1, 2, 3, 4, 5
BANNER = (
    b"MicroPython v1.27.0-host; klemheist-host with CPython\r\n"
    b'Type "help()" for more information.\r\n'
)
RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n"


def transmit(data):
    """Write bytes as they are. No lock: what two threads print may interleave, as on a board."""
    while data:
        data = data[os.write(1, data) :]


class Input:
    """The receive ring: filled by the reader thread, drained by the REPL or by the running code."""

    def __init__(self, limit):
        self._bytes = deque()
        self._filled = threading.Condition()
        self._limit = limit
        self.running = False
        """Whether code runs: byte 3 interrupts it then, and a ring with a limit overflows."""

    def start(self):
        signal.signal(signal.SIGINT, self._interrupt)
        threading.Thread(target=self._read, daemon=True).start()

    def take(self):
        with self._filled:
            while not self._bytes:
                self._filled.wait()
            return self._bytes.popleft()

    def _interrupt(self, *_):
        if self.running:  # else it came as the code ended
            raise KeyboardInterrupt

    def _read(self):
        while True:
            try:
                data = os.read(0, 4096)
            except OSError:
                data = b""
            if not data:
                os._exit(0)  # the other end is gone
            for byte in data:
                self._put(byte)

    def _put(self, byte):
        if self.running and byte == CTRL_C:
            # A real signal, so that a sleep ends too.
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            return
        with self._filled:
            if not (self.running and self._limit and len(self._bytes) >= self._limit):
                self._bytes.append(byte)
                self._filled.notify()


class Stdin:
    """`sys.stdin` of the code on the board; `buffer` is the same in bytes."""

    def __init__(self, source, *, text=True):
        self._take, self._text = source.take, text
        if text:
            self.buffer = Stdin(source, text=False)

    def read(self, size=1):
        data = bytes(self._take() for _ in range(size))
        return data.decode("latin-1") if self._text else data

    def readline(self):
        data = bytearray()
        while not data or data[-1] not in b"\r\n":
            data.append(self._take())
        data[-1:] = b"\n"
        return data.decode() if self._text else bytes(data)


class Stdout:
    """`sys.stdout`: unbuffered, newlines cooked; `buffer` passes every byte as it is."""

    encoding, errors = "utf-8", "surrogatepass"

    class buffer:  # noqa: N801 - it is an attribute to whoever uses it
        @staticmethod
        def write(data):
            transmit(bytes(data))
            return len(data)

        @staticmethod
        def flush():
            pass

    def write(self, text):
        transmit(text.encode("utf-8", "surrogatepass").replace(b"\n", b"\r\n"))
        return len(text)

    def flush(self):
        pass


class Repl:
    """Friendly, raw and raw-paste mode: the method of a mode returns when it is left."""

    def __init__(self, options):
        self._input = Input(options.ring)
        self._options = options
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        self._names = main.__dict__
        sys.stdin, sys.stdout = Stdin(self._input), Stdout()
        sys.stderr = sys.stdout
        sys.unraisablehook = self._thread_failed
        host_modules.install(lambda: self._boot(hard=True))

    def run(self):
        self._input.start()
        if self._options.raw:
            self._raw()
        while True:
            transmit(BANNER)
            self._friendly()
            self._raw()

    # --- running code ---

    def _execute(self, source, mode="exec", *, frame=b""):
        """Compile and run; `frame` is what closes each of the two parts in raw mode."""
        report = ""
        leave = False
        try:
            try:
                self._input.running = True
                exec(compile(source, "<stdin>", mode), self._names)
            finally:
                self._input.running = False
        except SystemExit:
            leave = True
        except BaseException as error:  # noqa: BLE001 - the board survives whatever its code does
            report = host_modules.format_exception(error)
        transmit(frame)
        sys.stdout.write(report)
        transmit(frame)
        if leave:
            self._boot()

    def _boot(self, *, hard=False):
        """Start a fresh interpreter in this process: no name and no thread is left."""
        if not hard:
            transmit(b"MPY: soft reboot\r\n")
        host_modules.keep_pins(hard=hard)
        arguments = [argument for argument in sys.argv if argument not in ("--raw", "--again")]
        raw = ["--raw"] if self._is_raw and not hard else []
        os.execv(sys.executable, [sys.executable, "-S", "-E", *arguments, "--again", *raw])

    @staticmethod
    def _thread_failed(unraisable):
        if not isinstance(unraisable.exc_value, SystemExit):
            sys.stdout.write(f"Unhandled exception in thread started by {unraisable.object!r}\n")
            sys.stdout.write(host_modules.format_exception(unraisable.exc_value))

    # --- raw mode ---

    def _raw(self):
        self._is_raw = True
        line = bytearray()
        transmit(RAW_BANNER + b">")
        while True:
            byte = self._input.take()
            if byte == CTRL_A and len(line) == 2 and line[0] == CTRL_E:
                self._raw_paste(line[1])
                transmit(b">")
            elif byte == CTRL_A:
                transmit(RAW_BANNER + b">")
            elif byte == CTRL_B:
                return transmit(b"\r\n")
            elif byte == CTRL_D:
                transmit(b"OK")
                if not line:
                    transmit(b"\r\n")
                    self._boot()
                self._execute(bytes(line), frame=b"\x04")
                transmit(b">")
            elif byte != CTRL_C:
                line.append(byte)
                continue
            line.clear()

    def _raw_paste(self, command):
        if command != ord("A") or self._options.no_raw_paste:
            return transmit(b"R\x00")
        window = self._options.window
        transmit(b"R\x01" + window.to_bytes(2, "little") + b"\x01")
        source, remaining = bytearray(), window
        while (byte := self._input.take()) not in (CTRL_C, CTRL_D):
            source.append(byte)
            remaining -= 1
            if remaining == 0:
                if self._is_wrong(source):
                    return self._refuse(source)
                transmit(b"\x01")
                remaining = window
        transmit(b"\x04")
        if byte == CTRL_C:
            return transmit(b"\x04KeyboardInterrupt: \r\n\x04")
        return self._execute(bytes(source), frame=b"\x04")

    @staticmethod
    def _is_wrong(source):
        """Whether no continuation can save these lines: a board compiles while it receives."""
        try:
            codeop.compile_command(source[: source.rfind(b"\n") + 1].decode(), "<stdin>", "exec")
        except (SyntaxError, ValueError):
            return True
        return False

    def _refuse(self, source):
        transmit(b"\x04")
        while self._input.take() not in (CTRL_C, CTRL_D):
            pass
        self._execute(bytes(source), frame=b"\x04")  # fails as it is compiled

    # --- friendly mode ---

    def _friendly(self):
        self._is_raw = False
        line = bytearray()
        pending = []
        transmit(b">>> ")
        while True:
            byte = self._input.take()
            empty = not line and not pending
            if byte == CTRL_A and empty:
                return transmit(b"\r\n")
            if byte == CTRL_D and empty:
                transmit(b"\r\n")
                self._boot()
            elif byte == CTRL_B and empty:
                transmit(b"\r\n" + BANNER + b">>> ")
            elif byte == CTRL_C:
                line.clear()
                pending.clear()
                transmit(b"\r\n>>> ")
            elif byte in b"\r\n":
                transmit(b"\r\n")
                self._line(line.decode("utf-8", "replace"), pending)
                line.clear()
            elif byte in b"\x08\x7f" and line:
                line.pop()
                transmit(b"\x08 \x08")
            elif byte >= 32:
                line.append(byte)
                transmit(bytes([byte]))

    def _line(self, line, pending):
        pending.append(line)
        source = "\n".join(pending)
        try:
            incomplete = source.strip() and codeop.compile_command(source) is None
        except (SyntaxError, ValueError, OverflowError):
            incomplete = False
        if incomplete:
            return transmit(b"... ")
        pending.clear()
        if source.strip():
            self._execute(source + "\n", "single")
        return transmit(b">>> ")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--no-raw-paste", action="store_true", help="answer R\\x00, as some ports")
    parser.add_argument("--window", type=int, default=128, help="raw paste's window, in bytes")
    parser.add_argument("--ring", type=int, default=0, help="bytes kept while code runs; 0: all")
    parser.add_argument("--root", help="the directory that is the board's file system")
    parser.add_argument("--raw", action="store_true", help=argparse.SUPPRESS)  # after a soft reset
    parser.add_argument("--again", action="store_true", help=argparse.SUPPRESS)  # after any reset
    options = parser.parse_args()
    if not options.again and os.isatty(0):
        tty.setraw(0, termios.TCSANOW)  # not TCSAFLUSH: it would discard what came early
    if options.root and not options.again:
        os.chdir(options.root)
    sys.argv[0] = str(Path(sys.argv[0]).resolve())
    sys.path.pop(0)
    Repl(options).run()


if __name__ == "__main__":
    main()
