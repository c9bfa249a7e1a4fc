"""One step at a time with a device: the machine, the frame scanner and what is known of the board.

Still pure: a step goes in and bytes to send come out; bytes come in and outcomes go out. Who drives
a conversation (the Device actor, a test, a benchmark) does the I/O and keeps the deadlines.

What the device prints while the prompt is fought for (`Do.ENTER`) is no output: it is dropped, but
for a KeyboardInterrupt, which is reported. All other text arrives as `Outcome.output`, except what
damage has made part of a frame (`frames.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple

from .burst import ENTER as ENTER_BURST
from .burst import LEAVE
from .frames import COUNTS, Frame, FrameKind, FrameScanner, status_question
from .machine import END, INTERRUPT, Kind, ReplMachine
from .table import State

NO_FRAME: Final = -1
"""The number of a step whose answer holds no frame; frames' are above 0, or far below it."""
MOST_ERROR_TEXT: Final = 16 * 1024
"""Bytes of traceback that are kept; more than any real one, and bounded."""

CALL_END: Final = b"\x04\x04>"
SILENT_KINDS: Final = (FrameKind.VALUE, FrameKind.NO_LITERAL, FrameKind.HELD)
"""The kinds of frames after which no traceback comes."""
MOST_HELD: Final = 64 * 1024
KEYBOARD_INTERRUPT: Final = b"KeyboardInterrupt"
MOST_BEFORE: Final = 1024

DEFAULT_CREDIT: Final = 60
"""Bytes in flight that every board takes (BASELINES, the fast path, fact 2)."""


class Do(Enum):
    """What a step asks of the device."""

    EXECUTE = auto()
    ENTER = auto()
    INTERRUPT = auto()
    ASK_PASTE = auto()
    SOFT_RESET = auto()
    LEAVE = auto()
    """End a burst."""
    HARD_RESET = auto()
    """The driver's own: reset or reopen the link, then enter."""


_AT_PROMPT: Final = (Do.EXECUTE, Do.ASK_PASTE, Do.LEAVE)
"""What must not be asked amid a burst."""


class Step(NamedTuple):
    """One exchange with the device; its answer is a `Reply`."""

    do: Do
    line: bytes = b""
    number: int = NO_FRAME
    """The number of the frame that the answer holds."""
    within: float | None = None
    """Seconds until the step is given up; None where the call's own deadline counts."""
    payload: bytes = b""
    """What the code of `line` reads from its standard input; sent with it, without bytes 1 to 4."""
    following: tuple[bytes, ...] = ()
    """Lines after it that end with it as one step, each sent once the one before is accepted."""
    raw: int = 0
    """Bytes that the code writes first of all: they are kept in `Reply.raw`, whatever they are."""


@dataclass(slots=True)
class Reply:
    """What came of a step."""

    ended: bool = False
    """The device is back at its prompt; False means that the time was up."""
    accepted: bool = False
    """`OK` was seen: the command may have run."""
    frame: Frame | None = None
    output: bytes = b""
    """Output of a step without a frame (our own raw commands); else it is streamed."""
    raw: bytearray = field(default_factory=bytearray)
    """The first bytes of output, where the step asked for some."""
    error: bytes = b""
    """What stood between the end marks: the traceback, unless the frame is a value."""
    granted: bool = False
    """The answer to `Do.ASK_PASTE`."""
    rebooted: bool = False
    """`soft reboot` or a friendly prompt was seen: perhaps the interpreter is a new one."""
    interrupted: bool = False
    """A KeyboardInterrupt was seen: attaching stopped a running program."""
    proof: int = NO_FRAME
    """Of a burst's line, where the step was sent as one."""
    before: bytes = b""
    """The end of what came before the prompt that `Do.ENTER` asked for."""


class Outcome(NamedTuple):
    """What `Conversation.feed` found: exactly one of these is set."""

    write: bytes = b""
    output: bytes = b""
    reply: Reply | None = None
    sign: bool = False
    """Out of the blue the device printed what it prints when it boots."""


@dataclass(slots=True)
class Board:
    """What is known of this generation; procedures fill it in."""

    boot: str = ""
    """The random id of this boot; empty until the agent is installed."""
    count: int = 0
    """How many calls the agent has taken, modulo `COUNTS`."""
    asked: int = 0
    """How many questions for the status were asked."""
    credit: int = DEFAULT_CREDIT
    """Bytes that may be in flight without flow control."""
    paste: bool = False
    cramped: bool = False
    """Its heap is small: what is to fit there must come early."""
    whole: bool = False
    """The agent's second half is there."""
    lacking: int | None = None
    """The count of calls after which the second half is to come, without anybody's need."""
    single: bool = False
    """The port's floats have 32 bits; known once the agent is whole."""
    pieces: str = ""
    """The boot in which pieces of a source may lie on the device that nobody completes."""
    burst: str = ""
    """The boot in which bursts can be begun (`burst.py`)."""
    tried: str = ""
    """The boot in which they were prepared, whether they can still be begun or not."""
    longest: int = 700
    """Bytes of source that one `exec` can take."""
    facts: dict[str, object] = field(default_factory=dict)

    @property
    def due(self) -> bool:
        """Whether the second half is to come now: the first call has been served."""
        return self.lacking is not None and self.lacking != self.count

    def taken(self) -> None:
        """Count one call that the agent took."""
        self.count = (self.count + 1) % COUNTS

    def question(self) -> tuple[int, bytes]:
        """Return the number and the line of a question for the status, never asked before."""
        self.asked += 1
        return status_question(self.asked)


class Conversation:
    """The state of the talk with one device; see the module."""

    __slots__ = ("_after", "_held", "_reply", "_scanner", "_step", "board", "machine")

    def __init__(self, board: Board | None = None) -> None:
        self.board = board or Board()
        self.machine = ReplMachine()
        self._scanner = FrameScanner()
        self._step: Step | None = None
        self._after = False  # whether the step is begun when the burst under way has ended
        self._reply = Reply()
        self._held = b""  # the beginning of what may be nothing but a frame

    @property
    def busy(self) -> bool:
        """Whether a step waits for its reply."""
        return self._step is not None

    @property
    def at_prompt(self) -> bool:
        """Whether the device is known to wait for a command."""
        return self.machine.state is State.IDLE

    @property
    def listening(self) -> bool:
        """Whether a burst is under way, and the device waits for its next line."""
        return self.machine.state is State.LISTENING

    @property
    def unanswered(self) -> bool:
        """Whether the device owes us `OK`: what was sent has not been run."""
        return self._after or self.machine.state in (
            State.SENT,
            State.ASKED,
            State.WINDOW,
            State.PASTING,
        )

    @property
    def nearly_ended(self) -> bool:
        """Whether the call is over, by its frame or its marks, and only the prompt is missing."""
        return self._step is not None and (
            self._scanner.frame is not None
            or self._scanner.damaged
            or self.machine.state is State.ENDING
        )

    def begin(self, step: Step) -> bytes:
        """Begin a step and return the bytes to send; `Do.INTERRUPT` joins the step under way."""
        if step.do is Do.INTERRUPT:
            self._step = self._step or step
            self.machine.cut_short()
            return INTERRUPT
        self._step, self._reply, self._held = step, Reply(), b""
        self._scanner.expect(step.number)
        self._after = False
        if self.machine.state is State.LISTENING and step.do in _AT_PROMPT:
            self._after = step.do is not Do.LEAVE
            self.machine.call()
            return LEAVE
        return self._ask(step)

    def begin_line(self, line: bytes) -> bytes:
        """Begin a call of a burst, and the burst where none is; return the bytes to send.

        There is no step: the caller looks at the answer, and either `end_line` or `join` follows.
        """
        if self.machine.state is State.LISTENING:
            self.machine.call()
            return line
        return self.machine.execute(ENTER_BURST) + line

    def end_line(self, *, begun: bool = False) -> None:
        """The call of a burst has its whole answer; `begun` where `OK` came with it."""
        if begun:
            self.machine.accept()
        self.machine.answered()

    def join(self, step: Step, proof: int) -> bytes:
        """Make a step of a burst's call that is under way; return what ends the burst after it."""
        self._step, self._held, self._after = step, b"", False
        self._reply = Reply(accepted=self.machine.state is State.RUNNING, proof=proof)
        self._scanner.expect(proof, short=True)
        return LEAVE

    @property
    def nudge(self) -> bytes:
        """What ends the burst that the step is part of, once more: it may have got lost."""
        return LEAVE if self._reply.proof != NO_FRAME else b""

    def _ask(self, step: Step) -> bytes:
        machine = self.machine
        match step.do:
            case Do.EXECUTE if self.board.paste and len(step.line) >= self.board.credit:
                return machine.paste(step.line)
            case Do.EXECUTE:
                return machine.execute(step.line, step.following) + step.payload
            case Do.ASK_PASTE:
                return machine.ask_paste()
            case Do.SOFT_RESET:
                return machine.soft_reset() if self.at_prompt else self._blind_reset()
            case _:
                return machine.enter()

    def _blind_reset(self) -> bytes:
        """Ask for a soft reset though the prompt is not known: perhaps the device listens."""
        entered = self.machine.enter()
        self.machine.state = State.IDLE
        return entered + self.machine.soft_reset()

    def feed(self, data: bytes) -> list[Outcome]:
        """Take what arrived; return what came of it, in order."""
        step = self._step
        if step is None or step.number == NO_FRAME:
            if step is not None and step.raw:
                data = self._feed_raw(step, data)
            return self._feed(data) if data else []
        if data[:2] == b"OK" and self.machine.accept():
            self._reply.accepted = True
            data = data[2:]
        return self._feed_frame(data) if data else []

    def _feed_raw(self, step: Step, data: bytes) -> bytes:
        """Keep the bytes that may be anything; return what is text as ever."""
        if data[:2] == b"OK" and self.machine.accept():
            self._reply.accepted = True
            data = data[2:]
        if self.machine.state is not State.RUNNING:
            return data
        missing = step.raw - len(self._reply.raw)
        self._reply.raw += data[:missing]
        return data[missing:]

    def settle(self) -> list[Outcome]:
        """Take what `feed` held back: it waits for the end of a frame, which may have got lost."""
        held, self._held = self._held, b""
        return self._feed(held) if held else []

    def _feed_frame(self, data: bytes) -> list[Outcome]:
        """The short path: a reply that is nothing but a frame needs no look at each mark."""
        data, self._held = self._held + data, b""
        if self.machine.state is State.RUNNING and self._scanner.may_begin(data):
            end = data.find(END)
            if (end < 0 or data[end:] in CALL_END[:2]) and len(data) < MOST_HELD:
                self._held = data
                return []
            if data.endswith(CALL_END):
                frame = self._scanner.whole(data[: -len(CALL_END)])
                if frame is not None and frame.kind in SILENT_KINDS:
                    self.machine.finish()
                    reply, self._reply, self._step = self._reply, Reply(), None
                    reply.ended, reply.frame = True, frame
                    return [Outcome(reply=reply)]
        return self._feed(data)

    def _feed(self, data: bytes) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for kind, piece in self.machine.feed(data):
            match kind:
                case Kind.TEXT:
                    self._text(piece, outcomes)
                case Kind.ACCEPTED:
                    self._reply.accepted = True
                case Kind.ERROR_TEXT:
                    self._error_text(piece, outcomes)
                case Kind.ENDED | Kind.READY:
                    self._end(outcomes)
                case Kind.WRITE:
                    outcomes.append(Outcome(write=piece))
                case Kind.PASTE:
                    self._reply.granted = bool(piece)
                    if not piece:
                        self._end(outcomes)
                case Kind.REBOOT | Kind.FRIENDLY:
                    self._sign(outcomes)
        return outcomes

    def give_up(self) -> Reply:
        """End the step under way because its time is up; the order is no longer known."""
        reply, self._reply = self._reply, Reply()
        self._step = None
        self._after = False
        self._held = b""
        self._scanner.flush()
        reply.frame = self._scanner.frame
        reply.interrupted = KEYBOARD_INTERRUPT in reply.before
        self.machine.forget()
        return reply

    def _text(self, piece: bytes, outcomes: list[Outcome]) -> None:
        step = self._step
        if step is not None and step.number != NO_FRAME:
            piece = self._scanner.feed(piece)
        elif step is not None and step.do is Do.ENTER:
            self._reply.before = (self._reply.before + piece)[-MOST_BEFORE:]
            return
        elif step is not None and step.do is Do.EXECUTE and self._reply.accepted:
            self._reply.output += piece
            return
        if piece:
            outcomes.append(Outcome(output=piece))

    def _error_text(self, piece: bytes, outcomes: list[Outcome]) -> None:
        if self._step is not None and self._step.number != NO_FRAME:
            piece = self._scanner.feed(piece)
            frame = self._scanner.frame
            if frame is not None and frame.kind in SILENT_KINDS:  # no traceback: a thread prints
                if piece:
                    outcomes.append(Outcome(output=piece))
                return
        if len(self._reply.error) < MOST_ERROR_TEXT:
            self._reply.error += piece

    def _sign(self, outcomes: list[Outcome]) -> None:
        if self._step is None:
            outcomes.append(Outcome(sign=True))
        else:
            self._reply.rebooted = True
            if self._step.number != NO_FRAME:  # under a call: the driver finds out whether it is so
                outcomes.append(Outcome(sign=True))

    def _end(self, outcomes: list[Outcome]) -> None:
        if self._after and self._step is not None:  # what was said so far belongs to the burst
            self._after, self._reply = False, Reply()
            outcomes.append(Outcome(write=self._ask(self._step)))
            return
        reply, self._reply = self._reply, Reply()
        step, self._step = self._step, None
        if step is None:
            return
        reply.ended = True
        reply.interrupted = KEYBOARD_INTERRUPT in reply.before
        if step.number != NO_FRAME:
            held = self._scanner.flush()
            reply.frame = self._scanner.frame
            if reply.frame is not None and reply.frame.kind in SILENT_KINDS and reply.error:
                held, reply.error = held + reply.error, b""  # it came before the frame
            if held:
                outcomes.append(Outcome(output=held))
        outcomes.append(Outcome(reply=reply))
