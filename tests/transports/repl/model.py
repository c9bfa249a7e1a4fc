"""A board without I/O, threads or time: what MicroPython's pyexec.c does with each byte.

    board = ModelBoard()
    board.feed(b"\\r\\x03\\x01")       ->  b"...raw REPL; CTRL-B to exit\\r\\n>"

Written from reference/repl-protocol.md, 3.1 to 3.4. The code that it is sent runs as Python, in
names that a soft reset clears; `world` is what outlives resets, as a file would. `ModelDriver` runs
procedures against it: time is up as soon as nobody has anything left to say.
"""

from __future__ import annotations

import builtins
import codeop
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from klemheist.transports.repl.attach import Attached, Firmware, attach
from klemheist.transports.repl.conversation import Conversation
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.steps import Outcome, Reply, Step

VERSION = b"MicroPython v1.27.0-model\r\n"
RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n"
CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E = 1, 2, 3, 4, 5


class ModelBoard:
    """`feed` it bytes; it returns what it says.

    Args:
        paste: "granted", "denied", or "unknown" as on firmware from before raw paste.
        window: bytes of raw paste's window.
    """

    def __init__(self, *, paste: str = "granted", window: int = 32) -> None:
        self.world: dict[str, Any] = {}
        self.boots = 0
        self.commands: list[bytes] = []
        self._paste, self._window = paste, window
        self._out = bytearray()
        self._line = bytearray()
        self._take: Callable[[int], None] = self._friendly
        self._boot()
        self._greet()

    def feed(self, data: bytes) -> bytes:
        for byte in data:
            self._take(byte)
        return self.said()

    def said(self) -> bytes:
        """Return what was not returned yet."""
        said = bytes(self._out)
        self._out.clear()
        return said

    def say(self, data: bytes) -> None:
        """Print, as a thread does, whatever else is under way."""
        self._out += data

    # --- running code ---

    def _boot(self) -> None:
        self.boots += 1
        self.names = {"__name__": "__main__", "__builtins__": self._builtins()}

    def _builtins(self) -> dict[str, Any]:
        own = {"print": self._print, "say": self.say, "__import__": _import}
        return {**vars(builtins), **self.world, **own}

    def _print(self, *values: object, sep: str = " ", end: str = "\n") -> None:
        text = sep.join(map(str, values)) + end
        self.say(text.encode("utf-8", "surrogatepass").replace(b"\n", b"\r\n"))

    def _run(self, source: bytes, *, frame: bytes = b"\x04", mode: str = "exec") -> None:
        self.commands.append(source)
        report, leave = b"", False
        try:
            exec(compile(source, "<stdin>", mode), self.names)
        except SystemExit:
            leave = True
        except BaseException as error:  # noqa: BLE001 - KeyboardInterrupt too: code may raise it
            name = type(error).__name__
            report = f"Traceback (most recent call last):\r\n{name}: {error}\r\n".encode()
        self.say(frame + report + frame)
        if leave:
            self._reset()

    def _reset(self) -> None:
        self.say(b"MPY: soft reboot\r\n")
        self._boot()
        if self._take == self._friendly:
            self._greet()
        else:
            self.say(RAW_BANNER)

    # --- raw mode ---

    def _raw(self, byte: int) -> None:
        line, self._line = bytes(self._line), bytearray()
        if byte == CTRL_A and line[:1] == b"\x05" and len(line) == 2 and self._paste != "unknown":
            self._begin_paste(line[1:])
        elif byte == CTRL_A:
            self.say(RAW_BANNER + b">")
        elif byte == CTRL_B:
            self._take = self._friendly
            self.say(b"\r\n")
            self._greet()
        elif byte == CTRL_D:
            self.say(b"OK")
            if line:
                self._run(line)
            else:
                self.say(b"\r\n")
                self._reset()
            self.say(b">")
        elif byte != CTRL_C:
            self._line = bytearray(line) + bytes((byte,))

    # --- raw paste ---

    def _begin_paste(self, command: bytes) -> None:
        if command != b"A" or self._paste == "denied":
            return self.say(b"R\x00>")
        self.say(b"R\x01" + self._window.to_bytes(2, "little") + b"\x01")
        self._left = self._window
        self._take = self._pasting
        return None

    def _pasting(self, byte: int) -> None:
        if byte in (CTRL_C, CTRL_D):
            source, self._line, self._take = bytes(self._line), bytearray(), self._raw
            self.say(b"\x04")
            if byte == CTRL_C:
                self.say(b"\x04KeyboardInterrupt: \r\n\x04>")
            else:
                self._run(source)
                self.say(b">")
            return
        self._line.append(byte)
        self._left -= 1
        if self._left == 0:
            self._left = self._window
            if _is_wrong(bytes(self._line)):
                self._take = self._draining
                self.say(b"\x04")
            else:
                self.say(b"\x01")

    def _draining(self, byte: int) -> None:
        if byte in (CTRL_C, CTRL_D):
            source, self._line, self._take = bytes(self._line), bytearray(), self._raw
            self._run(source)
            self.say(b">")

    # --- friendly mode ---

    def _greet(self) -> None:
        self.say(VERSION + b">>> ")

    def _friendly(self, byte: int) -> None:
        line = self._line
        if byte == CTRL_A and not line:
            self._take = self._raw
            self.say(b"\r\n" + RAW_BANNER + b">")
        elif byte == CTRL_B and not line:
            self.say(b"\r\n")
            self._greet()
        elif byte == CTRL_C:
            line.clear()
            self.say(b"\r\n>>> ")
        elif byte == CTRL_D and not line:
            self.say(b"\r\n")
            self._reset()
        elif byte == ord("\r"):
            source = bytes(line)
            line.clear()
            self.say(b"\r\n")
            if source.strip():
                self._run(source, frame=b"", mode="single")
            self.say(b">>> ")
        elif byte >= 32:
            line.append(byte)
            self.say(bytes((byte,)))


def _import(name: str, *args: Any) -> Any:
    """Import a module, but for `gc`: the board's memory is not the whole test run's."""
    return SimpleNamespace(collect=lambda: None) if name == "gc" else __import__(name, *args)


def _is_wrong(source: bytes) -> bool:
    """Return whether no continuation can save these lines: a board compiles what it receives."""
    try:
        codeop.compile_command(source[: source.rfind(b"\n") + 1].decode(), "<stdin>", "exec")
    except (SyntaxError, ValueError):
        return True
    return False


class ModelDriver:
    """Runs procedures with a model board; `up`, `down` and `cut` stand for the line between."""

    def __init__(
        self,
        board: ModelBoard,
        *,
        up: Callable[[bytes], bytes] = bytes,
        down: Callable[[bytes], bytes] = bytes,
        cut: Callable[[bytes], Iterable[bytes]] = lambda data: (data,),
    ) -> None:
        self.board, self.talk = board, Conversation()
        self.up, self.down, self.cut = up, down, cut
        self.output = b""
        self.signs = 0
        self.firmware: dict[str, Firmware] = {}

    def attach(self, count: int = 4711) -> Attached:
        boot = f"boot{self.board.boots}"
        return self.run(attach(self.talk.board, boot=boot, count=count, firmware=self.firmware))

    def run(self, procedure: Procedure[Any]) -> Any:
        try:
            step = next(procedure)
            while True:
                step = procedure.send(self._answer(step))
        except StopIteration as end:
            return end.value

    def _answer(self, step: Step) -> Reply:
        reply = self._exchange(self.talk.begin(step))
        for outcome in self.talk.settle():
            reply = self._take(outcome)[1] or reply
        return reply or self.talk.give_up()

    def _exchange(self, data: bytes) -> Reply | None:
        reply = None
        while data:
            said = self.down(self.board.feed(self.up(data)))
            data = b""
            for piece in self.cut(said):
                for outcome in self.talk.feed(piece) if piece else ():
                    write, came = self._take(outcome)
                    data, reply = data + write, came or reply
        return reply

    def _take(self, outcome: Outcome) -> tuple[bytes, Reply | None]:
        self.output += outcome.output
        self.signs += outcome.sign
        return outcome.write, outcome.reply
