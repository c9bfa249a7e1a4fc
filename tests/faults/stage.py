"""Where faults happen: a board, a manager with one session, and a judge that shares no code.

A stage plants a mark in the board's `__main__` before anybody comes, and looks at the end, through
a separate bare raw REPL, for names, files and pins that were left. Where the mark is gone the board
was reset: that counts as clean only if somebody asked for a reset.
"""

from __future__ import annotations

import ast
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from klemheist.actors.session.program import Program, setup, task, teardown
from klemheist.supervisors.manager.manager import SessionManager
from tests.boards.bare import BareRepl
from tests.boards.mangler import Mangler
from tests.boards.tcp_board import TcpBoard
from tests.boards.wrapped import TelnetBoard, WebReplBoard

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist.actors.device.port import Port
    from klemheist.actors.session.handles import Session

HOST = Path(__file__).parents[1] / "boards" / "raw_repl_host.py"
LED = 7
SLACK = 0.5
"""Seconds that a caller may be told after its deadline, on a machine that does other work too."""
AFTER = 12.0
"""Seconds for the call after a fault: the longest way is three rungs and the board's own start."""
QUICK = 1.0
"""Seconds for a call on a line that damages bytes."""
LEFTOVERS = (
    "import os, machine; print(repr((sorted(n for n in globals() if n[0] != '_' or n == '_k'), "
    "sorted(os.listdir()), machine.Pin.state())))"
)


class Guest(Program):
    """What the session holds on a board with pins and files."""

    @setup
    def init(pin):
        from machine import Pin

        led = Pin(pin, Pin.OUT)
        led.value(1)
        with open("guest.txt", "w") as file:  # noqa: PTH123 -- the device has no pathlib
            file.write("here")
        runs = [0]

    @task(timeout=AFTER)
    def add(a, b):
        return a + b

    @task(timeout=QUICK)
    def add_quickly(a, b):
        return a + b

    @teardown
    def leave():
        import os

        led.value(0)  # noqa: F821 -- a name of the session's namespace
        os.remove("guest.txt")  # noqa: PTH107 -- as above


class SmallGuest(Program):
    """The same for a board with neither."""

    @setup
    def init():
        runs = [0]

    @task(timeout=AFTER)
    def add(a, b):
        return a + b


@dataclass
class Stage:
    """One board and one session, faulted again and again."""

    kind: str
    seed: int
    board: TcpBoard | None = None
    line: Mangler | None = None
    reset_asked: bool = False
    """Whether a fault was a reset, or had one as its only remedy."""
    start_seconds: float = 0.0
    """The board's own start: opened, attached, a session on it."""
    _root: tempfile.TemporaryDirectory[str] | None = None
    late: list[str] = field(default_factory=list)
    """Calls that were answered after their deadline."""

    def __enter__(self) -> Self:
        self.random = random.Random(f"{self.kind} {self.seed}")
        url = self._board()
        if self.board is not None:
            self.board.is_bare = True
            with BareRepl(self.board.host, self.board.port) as judge:
                judge.exec("judge = 'was here'")
                self._before = ast.literal_eval(judge.exec(LEFTOVERS).decode())
            self.board.is_bare = False
        self.manager = SessionManager()
        program = SmallGuest() if self.kind == "microbit" else Guest(pin=LED)
        began = time.monotonic()
        self._context = self.manager.session(url, program=program)
        self.session: Session = self._context.__enter__()
        assert self.session.program.add(20, 22) == 42
        self.start_seconds = time.monotonic() - began
        return self

    def _board(self) -> str:
        match self.kind:
            case "sim" | "microbit":
                return f"{self.kind}:"
            case "host":
                self._root = tempfile.TemporaryDirectory()
                command = f"exec:{sys.executable} {HOST} --root {self._root.name}"
                self.board = TcpBoard(command)
            case "ws" | "noisy ws":
                self.board = WebReplBoard()
            case "telnet" | "noisy telnet":
                self.board = TelnetBoard()
            case _:
                self.board = TcpBoard("sim:")
        url, host, port = self.board.url, self.board.host, self.board.port
        if self.kind.startswith("noisy"):
            self.line = Mangler(host, port, seed=self.seed, every=300, active=False)
            url = url.replace(f"{host}:{port}", f"{self.line.host}:{self.line.port}")
        return url

    def __exit__(self, *error: object) -> None:
        if self.line is not None:
            self.line.active = False
        try:
            self._context.__exit__(*error)
        finally:
            self.manager.close()
            left = None if error[0] is not None else self._left_behind()
            if self.line is not None:
                self.line.close()
            if self.board is not None:
                self.board.close()
            if self._root is not None:
                self._root.cleanup()
        assert left is None, left

    @property
    def port(self) -> Port:
        return self.manager.devices()[0]

    def kill(self) -> None:
        """Kill the board's process; one behind TCP is started again, as power comes back."""
        self.reset_asked = True
        if self.board is None:
            os.kill(self.pid, signal.SIGKILL)
        else:
            self.board.kill()
            self.board.respawn()

    @property
    def pid(self) -> int:
        """The process that is the board."""
        return self.port.link.pid  # type: ignore[union-attr, no-any-return]

    # -- calls, timed outside the library ----------------------------------------------------------

    def timed(self, what: str, timeout: float, call: Callable[[], Any]) -> Any:
        """Make a call and note when it was answered after its deadline."""
        began = time.monotonic()
        try:
            return call()
        finally:
            took = time.monotonic() - began
            if took > timeout + SLACK:
                self.late.append(f"{what} on {self.kind}: {took:.2f} s instead of {timeout} s")

    def fault(self, code: str, *, timeout: float) -> BaseException | None:
        """Run code that counts its runs and then goes wrong; return the error."""
        source = f"runs[0] += 1\n{code}"
        try:
            run = self.session.execute
            self.timed(code[:30], timeout, lambda: run(source, timeout=timeout))
        except Exception as error:  # noqa: BLE001 -- its kind is for the caller to judge
            return error
        return None

    def runs(self) -> int:
        """Return how often the code of faults was begun in this boot."""
        return self.timed("runs", AFTER, lambda: self.session.execute("runs[0]", timeout=AFTER))  # type: ignore[no-any-return]

    def works(self) -> float:
        """Show that the session works, with its code deployed; return the seconds it took."""
        began = time.monotonic()
        a, b = self.random.randrange(10_000), self.random.randrange(10_000)
        result = self.timed("add", AFTER, lambda: self.session.program.add(a, b))
        assert result == a + b, f"{a} + {b} is not {result}"
        return time.monotonic() - began

    # -- the judge ---------------------------------------------------------------------------------

    def _left_behind(self) -> str | None:
        if self.board is None:
            return None  # its process ended with its link; `Holdings` shows that
        self.board.is_bare = True
        with BareRepl(self.board.host, self.board.port) as judge:
            names, files, pins = ast.literal_eval(judge.exec(LEFTOVERS).decode())
        names_before, files_before, _ = self._before
        if "judge" not in names and not self.reset_asked:
            return f"{self.kind} was reset though nobody asked for it"
        left = [f"name {each}" for each in names if each not in names_before]
        left += [f"file {each}" for each in files if each not in files_before]
        level = pins.get(LED, 0)
        left += [f"pin {LED} is on"] if level in (1, ("OUT", 1), (1, 1)) else []
        return f"{self.kind} keeps {', '.join(left)}" if left else None
