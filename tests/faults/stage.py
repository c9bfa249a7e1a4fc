"""Where faults happen: a board, a manager with one session, and a judge that shares no code.

A stage plants a mark in the board's `__main__` before anybody comes, and looks at the end, through
a separate bare raw REPL, for names, files and pins that were left. On a line it comes when the
manager is closed; a board whose process ends with its link is looked at just before that, on the
link's own descriptors. Where the mark is gone the board was reset: that counts as clean only if
somebody asked for a reset.
"""

from __future__ import annotations

import ast
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from klemheist.actors.session.program import Program, setup, task, teardown
from klemheist.supervisors.manager.manager import SessionManager
from tests.bench.channel import RawBoard, borrowed
from tests.boards.bare import BareRepl
from tests.boards.mangler import Mangler
from tests.boards.tcp_board import TcpBoard
from tests.boards.wrapped import TelnetBoard, WebReplBoard

if TYPE_CHECKING:
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
    b"import os, machine",
    b"_names = sorted(n for n in globals() if n[0] != '_' or n == '_k')",
    b"print(repr((_names, sorted(os.listdir()), machine.Pin.state())))",
)
SMALL_LEFTOVERS = (
    b"import os as _o,machine as _m",
    b"_n=[n for n in globals()if n[0]!='_'or n=='_k']",
    b"_p={0:_m.mem32[0x50000504]>>3&1}",  # pin0 is bit 3 of the outputs' register
    b"print((sorted(_n),_o.listdir(),_p))",
)
"""The same in lines that a ring of 64 bytes holds whole."""
ON = (1, ("OUT", 1), (1, 1))
"""What boards say of a pin that is on."""
Exec = Callable[[bytes], bytes]
"""A bare raw REPL's: run a line, return its output."""
Seen = tuple[list[str], list[str], dict[int, Any]]
"""The names in `__main__`, the files, and what the pins do."""


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
    """The same for a board with 9 KB."""

    @setup
    def init():
        from microbit import pin0

        pin0.write_digital(1)
        with open("guest.txt", "w") as file:  # noqa: PTH123 -- as above
            file.write("here")
        runs = [0]

    @task(timeout=AFTER)
    def add(a, b):
        return a + b

    @teardown
    def leave():
        import os

        pin0.write_digital(0)  # noqa: F821 -- a name of the session's namespace
        os.remove("guest.txt")  # noqa: PTH107 -- as above


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
        if self.board is None:
            began = time.monotonic()
            with RawBoard(url) as raw:
                raw.bare.enter()
                self._before = self._first_look(raw.bare.exec)
                raw.bare.leave()
                with raw.handed_over():
                    self._begin(url, began)
            return self
        self.board.is_bare = True
        with BareRepl(self.board.host, self.board.port) as judge:
            self._before = self._first_look(judge.exec)
        self.board.is_bare = False
        self._begin(url, time.monotonic())
        return self

    def _begin(self, url: str, began: float) -> None:
        self.manager = SessionManager()
        program = SmallGuest() if self.is_small else Guest(pin=LED)
        self._context = self.manager.session(url, program=program)
        self.session: Session = self._context.__enter__()
        assert self.session.program.add(20, 22) == 42
        self.start_seconds = time.monotonic() - began

    def _board(self) -> str:
        match self.kind:
            case "sim" | "microbit":
                return f"{self.kind}:"
            case "host":
                self._root = tempfile.TemporaryDirectory()
                command = f"exec:{sys.executable} {HOST} --root {self._root.name}"
                self.board = TcpBoard(command)
            case "microbit tcp":
                self.board = TcpBoard("microbit:")
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
        left = None
        try:
            self._context.__exit__(*error)
            if self.board is None and error[0] is None:
                with borrowed(self.port) as bare:  # its process ends with its link
                    left = self._left_behind(bare.exec, agent="_k")
        finally:
            self.manager.close()
            if self.board is not None and error[0] is None:
                self.board.is_bare = True
                with BareRepl(self.board.host, self.board.port) as judge:
                    left = self._left_behind(judge.exec)
            if self.line is not None:
                self.line.close()
            if self.board is not None:
                self.board.close()
            if self._root is not None:
                self._root.cleanup()
        assert left is None, left

    @property
    def is_small(self) -> bool:
        """Whether it is a micro:bit."""
        return self.kind.startswith("microbit")

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
        link = self.port.link if self.board is None else self.board.link
        return link.pid  # type: ignore[union-attr, no-any-return]

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

    def _first_look(self, exec_: Exec) -> Seen:
        """Leave a mark that a reset would take away."""
        exec_(b"judge = 'was here'")
        return self._look(exec_)

    def _look(self, exec_: Exec) -> Seen:
        for line in SMALL_LEFTOVERS if self.is_small else LEFTOVERS:
            output = exec_(line)
        return ast.literal_eval(output.decode())  # type: ignore[no-any-return]

    def _left_behind(self, exec_: Exec, *, agent: str = "") -> str | None:
        """Say what should not be there; the agent may be, as long as its device is open."""
        names, files, pins = self._look(exec_)
        names_before, files_before, _ = self._before
        if "judge" not in names and not self.reset_asked:
            return f"{self.kind} was reset though nobody asked for it"
        left = [f"name {each}" for each in names if each not in [*names_before, agent]]
        left += [f"file {each}" for each in files if each not in files_before]
        left += [f"pin {pin} is on" for pin, level in pins.items() if level in ON]
        return f"{self.kind} keeps {', '.join(left)}" if left else None
