"""The raw REPL without I/O: bytes in, events and bytes to send out; no clock, thread or socket.

    machine = ReplMachine()
    link.write(machine.enter())
    for event in machine.feed(arrived): ...

The machine only finds the marks of the protocol. Output of user code may look like any of them, so
`Ended` is a strong hint and never a proof: what a call returned stands in its result frame
(`frames.py`), which is looked for in all text, whatever the state.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, NamedTuple

from .marks import (
    ASK_PASTE,
    END,
    ENTER,
    FRIENDLY,
    KEPT_TAIL,
    MARKS,
    MARKS_ASKED,
    QUESTION,
    REBOOT,
    before_end,
    cut_mark,
    stops,
)
from .table import State, Token, move


class Kind(Enum):
    """What a piece of the device's bytes was."""

    READY = auto()  # at the raw prompt, after `enter` or a soft reset
    ACCEPTED = auto()  # the command was taken and now runs
    TEXT = auto()  # output: of the running command, or unsolicited while none runs
    ERROR_TEXT = auto()  # between the two end marks: a traceback, or late output
    ENDED = auto()  # two end marks and the prompt
    PASTE = auto()  # the answer to `ask_paste`: `data` is b"1" or b""
    WRITE = auto()  # send `data` now
    REBOOT = auto()  # "soft reboot" stood in the text: perhaps a new generation
    FRIENDLY = auto()  # the friendly prompt stood in the text: perhaps raw mode was left
    LEFT = auto()  # it came in place of the raw one, behind a command's end: raw mode was left


class Event(NamedTuple):
    """One thing that the bytes told."""

    kind: Kind
    data: bytes = b""


class ReplMachine:
    """One device's conversation; every method returns at once."""

    __slots__ = (
        "_credit",
        "_doubt",
        "_following",
        "_partial",
        "_pending",
        "_tail",
        "_window",
        "questions",
        "state",
    )

    def __init__(self) -> None:
        self.state = State.LOST
        self.questions = 0
        """Those of `ask` that may still be answered."""
        self._partial = b""  # the beginning of a mark at the end of the last piece
        self._tail = b""  # the end of the text so far, for signs cut in two
        self._doubt = False  # whether the prompt that was seen may begin the friendly one
        self._pending = memoryview(b"")  # what is still to be pasted
        self._credit = self._window = 0
        self._following: list[bytes] = []  # commands still to come; from `OK` on the first is sent

    # -- our acts: each returns the bytes to send ------------------------------------------

    def enter(self) -> bytes:
        """Interrupt what runs and ask for the raw prompt; legal in every state."""
        self._act(Token.ENTER)
        return ENTER

    def execute(self, source: bytes, following: tuple[bytes, ...] = ()) -> bytes:
        """Send one command as it is; the caller sees to the receive ring (DESIGN 3.6).

        Args:
            source: the command.
            following: commands after it, each sent (`WRITE`) with the `OK` of the one before: the
                board has read that one then, so its ring is empty. They end as one.

        Raises:
            ValueError: a command is empty (a soft reset!) or holds a control byte 1 to 4.
        """
        for each in (source, *following):
            _check_source(each)
        self._act(Token.EXECUTE)
        self._following = list(following)
        return source + END

    def cut_short(self) -> None:
        """Send no more of the commands that follow."""
        del self._following[self.state is not State.SENT :]

    def ask(self) -> bytes:
        """Ask under a command whether the prompt is there; its answer behind it is no text.

        A program takes no notice. Where the board has booted the answer comes amid the text.
        """
        self.questions += 1
        return QUESTION

    def paste(self, source: bytes) -> bytes:
        """Ask for raw paste and send `source` under its flow control, `WRITE` by `WRITE`.

        Without raw paste the answer is `PASTE` with no data, and nothing was sent.
        """
        _check_source(source)
        self._act(Token.ASK)
        self._pending = memoryview(source)
        return ASK_PASTE

    def ask_paste(self) -> bytes:
        """Ask whether raw paste is there; never ask `webassembly`, which wedges (DESIGN 3.8)."""
        self._act(Token.ASK)
        return ASK_PASTE

    def soft_reset(self) -> bytes:
        """Ask for a soft reset; `REBOOT` and `READY` follow."""
        self._act(Token.RESET)
        return END

    def call(self) -> None:
        """The next line of a burst is sent; its answer is awaited, or its end."""
        self._act(Token.CALL)

    def answered(self) -> None:
        """A call of a burst has its answer, which the caller has seen."""
        self._act(Token.ANSWERED)

    def forget(self) -> None:
        """Drop what is known of the order: the link is new, or broke."""
        self._act(Token.FORGET)
        self._tail = self._partial = b""

    def _act(self, token: Token) -> None:
        if self.state is not State.IDLE:  # there it may be half an answer, of which more comes
            self._partial = b""
        self._doubt = self._doubt and token not in (Token.ENTER, Token.FORGET)
        self.state = move(self.state, token)
        self._pending = memoryview(b"")
        self._following = []

    def accept(self) -> bool:
        """Take an `OK` that the caller has seen; False where none is awaited."""
        if self.state is not State.SENT or self._partial:
            return False
        self.state = State.RUNNING
        self.questions = 0
        self._doubt = False
        return True

    def finish(self) -> None:
        """Take both end marks and the prompt, which the caller has seen while it ran."""
        self.state = State.IDLE
        self._tail = b""

    # -- the device's bytes ------------------------------------------------------------------

    def feed(self, data: bytes) -> list[Event]:
        """Take what arrived; return what it means, in order."""
        events: list[Event] = []
        if self._partial:
            data, self._partial = self._partial + data, b""
        while data:
            if self._doubt:
                data = self._take_rest(data, events)
            elif self.state in _CREDITED and b"\x01" in data[: before_end(data)]:
                data = self._take_credit(data, events)
            elif self.state is State.WINDOW:
                data = self._take_window(data, events)
            else:
                data = self._take_mark(data, events)
        return events

    def _take_rest(self, data: bytes, events: list[Event]) -> bytes:
        """Consume the rest of a friendly prompt whose `>` was taken for the raw one."""
        rest = FRIENDLY.partition(b">")[2]
        if data.startswith(rest):
            self._doubt = False
            events.append(Event(Kind.LEFT))
            return data[len(rest) :]
        if rest.startswith(data):
            self._partial = data
            return b""
        self._doubt = False
        return data

    def _take_mark(self, data: bytes, events: list[Event]) -> bytes:
        """Consume up to and with the next mark, or all of it as text."""
        marks = self._marks()
        at, mark, token = len(data), b"", None
        for candidate, its_token in marks:
            found = data.find(candidate, 0, at + len(candidate))
            if 0 <= found < at:
                at, mark, token = found, candidate, its_token
        if token is Token.END and self.state is State.PASTING and not stops(data[at + 1 : at + 3]):
            self._text(data[: at + 1], events)
            return data[at + 1 :]
        if token is None:
            kept = cut_mark(data, marks)
            self._text(data[: len(data) - kept], events)
            self._partial = data[len(data) - kept :] if kept else b""
            return b""
        if at:
            self._text(data[:at], events)
        self._step(token, events)
        return data[at + len(mark) :]

    def _marks(self) -> tuple[tuple[bytes, Token], ...]:
        if self.questions and self.state in MARKS_ASKED:
            return MARKS_ASKED[self.state]
        return MARKS.get(self.state, ())

    def _step(self, token: Token, events: list[Event]) -> None:
        before = self.state
        self.state = after = move(before, token)
        if token is Token.ASIDE:
            self.questions -= 1
        elif after is State.RUNNING:
            self.questions = 0  # a program has read them
            if before is State.PASTING:
                self._pending = memoryview(b"")
                events.append(Event(Kind.WRITE, END))
            events.append(_ACCEPTED)
            if self._following:
                events.append(Event(Kind.WRITE, self._following[0] + END))
        elif after is State.ENDING:
            self._tail = b""
        elif after is State.IDLE:
            self._arrive(before, token, events)
        elif token is Token.REBOOT:
            events.append(Event(Kind.REBOOT))
        elif token is Token.GRANTED and not self._pending:
            events.append(Event(Kind.PASTE, b"1"))

    def _arrive(self, before: State, token: Token, events: list[Event]) -> None:
        """Take a prompt."""
        if token is Token.LEFT:
            self._tail, self._following = b"", []
            events.append(Event(Kind.LEFT))
        elif self._following:
            del self._following[0]
            self.state = move(self.state, Token.EXECUTE)
        else:
            self._doubt = before is State.ENDING and self._tail.endswith(FRIENDLY[:1])
            self._tail = b""
            events.append(_AT_PROMPT[before])

    def _text(self, data: bytes, events: list[Event]) -> None:
        if not data:
            return
        kind = Kind.ERROR_TEXT if self.state is State.FAILING else Kind.TEXT
        events.append(Event(kind, data))
        recent = self._tail + data
        if REBOOT in recent:
            events.append(Event(Kind.REBOOT))
            recent = b""
        elif FRIENDLY in recent:
            events.append(Event(Kind.FRIENDLY))
            recent = b""
        self._tail = recent[-KEPT_TAIL:]

    # -- raw paste ---------------------------------------------------------------------------

    def _take_window(self, data: bytes, events: list[Event]) -> bytes:
        if len(data) < 2:
            self._partial = data
            return b""
        self._window = self._credit = int.from_bytes(data[:2], "little")
        self.state = move(self.state, Token.SIZE)
        if not self._pending:  # only asked: an empty paste ends the mode and runs nothing
            self._pending = memoryview(b"pass")
        self._send(events)
        return data[2:]

    def _take_credit(self, data: bytes, events: list[Event]) -> bytes:
        at = data.index(b"\x01")
        self._text(data[:at], events)
        if self.state is State.PASTING:  # else it comes late, for what was sent before
            self._credit += self._window
            self._send(events)
        return data[at + 1 :]

    def _send(self, events: list[Event]) -> None:
        piece = bytes(self._pending[: self._credit])
        self._pending = self._pending[len(piece) :]
        self._credit -= len(piece)
        if not self._pending:
            self.state = move(self.state, Token.FINISHED)
            piece += END
        if piece:
            events.append(Event(Kind.WRITE, piece))


_CREDITED: Final = frozenset({State.PASTING, State.PASTED})
_ACCEPTED: Final = Event(Kind.ACCEPTED)
_AT_PROMPT: Final = {
    State.GREETED: Event(Kind.READY),
    State.ENDING: Event(Kind.ENDED),
    State.REFUSED: Event(Kind.PASTE),
}
"""What reaching the prompt means, by the state it was reached from."""


def _check_source(source: bytes) -> None:
    if not source or source.isspace():
        raise ValueError("an empty command is a soft reset; use soft_reset()")
    if len(source.translate(None, b"\x01\x02\x03\x04")) != len(source):
        raise ValueError("bytes 1 to 4 control the REPL: escape them in the source")
