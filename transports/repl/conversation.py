"""One step at a time with a device: the machine and the frame scanner, and whose answer is whose.

Still pure: a step goes in and bytes to send come out; bytes come in and outcomes go out. Who drives
a conversation (the Device actor, a test, a benchmark) does the I/O and keeps the deadlines.

What the device prints while the prompt is fought for (`Do.ENTER`) is no output: it is dropped, but
for a KeyboardInterrupt, which is reported. All other text arrives as `Outcome.output`, except what
damage has made part of a frame (`frames.py`).
"""

from __future__ import annotations

from typing import Final

from .board import Board
from .burst import ENTER as ENTER_BURST
from .burst import LEAVE
from .frames import FrameKind, FrameScanner
from .machine import Kind, ReplMachine
from .marks import END, INTERRUPT
from .steps import KEYBOARD_INTERRUPT, NO_FRAME, Do, Outcome, Reply, Step
from .table import State

MOST_ERROR_TEXT: Final = 16 * 1024
"""Bytes of traceback that are kept; more than any real one, and bounded."""

CALL_END: Final = b"\x04\x04>"
SILENT_KINDS: Final = (FrameKind.VALUE, FrameKind.NO_LITERAL, FrameKind.HELD)
"""The kinds of frames after which no traceback comes."""
MOST_HELD: Final = 64 * 1024
MOST_BEFORE: Final = 1024
_AT_PROMPT: Final = (Do.EXECUTE, Do.ASK_PASTE, Do.LEAVE)
"""What must not be asked amid a burst."""
_IN_BURST: Final = frozenset({State.LISTENING, State.FAILING, State.ENDING})
"""Where a burst lasts, or seems to end by itself: a thread may have printed an end mark."""


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
    def asked(self) -> bool:
        """Whether the answer to `ask` may come yet, behind the step that it was asked under."""
        return self.machine.questions > 0

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
        if self.machine.state in _IN_BURST and step.do in _AT_PROMPT:
            self._after = step.do is not Do.LEAVE
            if self.listening:
                self.machine.call()
            return LEAVE
        return self._ask(step)

    def ask(self) -> bytes:
        """Ask under a step whether the prompt is there; see `ReplMachine.ask`."""
        return self.machine.ask()

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
                case Kind.REBOOT | Kind.FRIENDLY | Kind.LEFT:
                    self._sign(kind, outcomes)
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

    def _sign(self, kind: Kind, outcomes: list[Outcome]) -> None:
        if self._step is None:
            outcomes.append(Outcome(sign=True))
        elif kind is Kind.LEFT:  # it is at a prompt, but not at ours: the step has ended without it
            reply = self.give_up()
            reply.rebooted = True
            outcomes.append(Outcome(reply=reply))
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
