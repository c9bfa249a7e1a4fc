"""The short way of a call: its line is written and its answer read, with little else between.

The Device's part in it. The line (`express.py`, `bursts.py`) is written on the caller's own thread,
in one turn. A thread that waits for the answer reads it there as well. So does a task that awaits
it, if only for the moment that its loop would need to turn: it stays in the turn no longer. Then
the link is lent to the loop, and until the answer comes there is a future and little else.

Whatever else happens to the device meanwhile first makes an ordinary call of it; so does an answer
that is no value. All that can befall a call is then done as ever. Nothing is sent twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from klemheist.actors.runtime.future import Future
from klemheist.actors.runtime.items import Item, reject
from klemheist.transports.link import DRIVE_SECONDS
from klemheist.transports.repl.frames import Frame
from klemheist.transports.repl.keeping import prepare_bursts
from klemheist.transports.repl.procedures import one_line

from .awaited import AwaitedCall
from .bursts import PAUSE, BurstLine, Bursts, line_of
from .call import Call, CallFuture
from .express import Express, MakeCall
from .recovery import PATIENCE
from .runner import GRACE
from .states import DeviceState
from .talking import Talking

Answer: TypeAlias = "int | Frame | Future[Any] | None"
"""What comes of a call: its value, the frame of it, or the future of what takes longer or is no
value; None where nothing was sent."""


class ShortWay(Talking):
    """The turns of a Device in which calls go the short way."""

    _bursts: Bursts
    _awaited: AwaitedCall | None = None

    _cancel: Callable[[Call, str | None], object]
    _cancel_later: Callable[..., object]
    _check: Callable[[], object]
    _finished: Callable[[Any, BaseException | None], None]

    # -- from any thread

    def call_now(self, entry: int, plain: tuple[Any, ...], make_call: MakeCall) -> Answer:
        """Make a call on the caller's thread, if the device is idle.

        Args:
            entry: of the function table.
            plain: the arguments.
            make_call: makes the call that goes on with the line where that is needed.
        """
        return self.at_once(self._call_now, entry, plain, make_call)

    def call_soon(
        self, entry: int, plain: tuple[Any, ...], make_call: MakeCall, owner: str
    ) -> Answer:
        """Send a call on the thread of an event loop, if the device is idle; see `call_now`.

        Args:
            entry: of the function table.
            plain: the arguments.
            make_call: makes the call that goes on with the line where that is needed.
            owner: whose it is.
        """
        return self.at_once(self._call_soon, entry, plain, make_call, owner)

    # -- on a turn

    def _call_now(self, entry: int, plain: tuple[Any, ...], make_call: MakeCall) -> Answer:
        link, line = self.port.link, self._line(entry, plain)
        if link is None or line is None:
            return None
        if not link.exchange(line.begin, line.take, DRIVE_SECONDS):
            return None
        return self._answer(line, make_call)

    def _call_soon(
        self, entry: int, plain: tuple[Any, ...], make_call: MakeCall, owner: str
    ) -> Answer:
        link, line = self.port.link, self._line(entry, plain)
        if link is None or line is None:
            return None
        if not link.exchange(line.begin, line.take, 0.0):
            self._links.write(line.begin())
        if line.is_clear:
            return self._answer(line, make_call)
        return self._await(line, make_call, owner)

    def _line(self, entry: int, plain: tuple[Any, ...]) -> Express | None:
        """Return the line of a call, where the device is idle and takes it whole."""
        port, talk, bursts = self.port, self._talk, self._bursts
        if port.state is not DeviceState.UP or self._runner.active or len(self._intake):
            return None
        listening = talk.listening
        if not (listening or talk.at_prompt):  # a burst that is ending by itself
            return None
        if talk.asked:  # its answer may come first
            return None
        now, board = port.meter.begin(), port.board
        if (bursts.due(now) and board.burst == board.boot) or listening:
            if listening and bursts.is_over(now):
                return None
            line = line_of(board, entry, plain, beginning=not listening)
            if line is not None:
                if not listening:
                    bursts.begun(now)
                    self._watch.by(now + PAUSE)
                return BurstLine(talk, line)
        line = one_line(board, entry, plain)
        return None if line is None else Express(talk, line)

    def _answer(self, line: Express, make_call: MakeCall) -> Answer:
        if line.answer is None:
            future = self._adopt(line, make_call)
            self._next()
            return future
        self._answered()
        return line.answer

    def _answered(self) -> None:
        port = self.port
        port.meter.end()
        port.board.taken()
        port.counters.calls += 1
        if self._bursts.wanted and port.board.tried != port.board.boot:
            self.begin(prepare_bursts(port.board), self._looked, patience=PATIENCE)

    def _adopt(self, line: Express, make_call: MakeCall) -> Future[Any]:
        """Go on with a line that was sent as with any other call."""
        call = make_call()
        call.future = CallFuture(self.port.present_link, partial(self._cancel_later, call))
        self._go_on(call, line, self._watch.now())
        return call.future

    def _go_on(self, call: Call, line: Express, began: float) -> None:
        if isinstance(line, BurstLine):
            self._bursts.broken()
        self._intake.adopt(call, began)
        self._runner.adopt(call.procedure(self.port.board), began, self._finished)
        self._watch_step(began)
        self._watch.by(call.deadline)
        for outcome in line.joined():
            self._handle(outcome)

    # -- while a call is awaited

    def _await(self, line: Express, make_call: MakeCall, owner: str) -> AwaitedCall:
        """Remember the call; afterwards, for the board is at it already."""
        port, now = self.port, self._watch.now()
        until = now + (PAUSE if isinstance(line, BurstLine) else GRACE)
        cancel = partial(self.post, self._cancel_awaited)
        self._awaited = awaited = AwaitedCall(
            port.present_link, line, make_call, owner, cancel, began=now, until=until
        )
        self._runner.reserved = True
        self._watch.by(until)
        return awaited

    def heard_awaited(self, awaited: AwaitedCall, data: bytes) -> bool:
        """Give the awaited call what has come; True where it goes on as any other."""
        line = awaited.line
        if not line.take(data):
            return False
        if line.answer is None:
            self.make_ordinary()
            return True
        self._taken_out()
        self._answered()
        awaited.set(line.answer)
        return False

    def keep_awaited(self) -> None:
        """Let the awaited call be told what all others are: nobody drives the device any more."""
        awaited = self._taken_out()
        if awaited is not None:
            self._intake.adopt(awaited.become_ordinary(), awaited.began)

    def make_ordinary(self) -> None:
        """Go on with the awaited call as with any other."""
        awaited = self._taken_out()
        if awaited is not None:
            self._go_on(awaited.become_ordinary(), awaited.line, awaited.began)

    def _taken_out(self) -> AwaitedCall | None:
        awaited, self._awaited = self._awaited, None
        self._runner.reserved = False
        return awaited

    def _cancel_awaited(self, awaited: AwaitedCall, reason: str | None) -> None:
        if awaited.call is not None:
            self._cancel(awaited.call, reason)

    def _is_patient(self, item: Item) -> bool:
        """Whether an item of the mailbox leaves the awaited call what it is: it looks itself."""
        return type(item) is tuple and item[0] in (self._links.heard, self._check)

    def _actor_take(self, item: Item) -> None:
        if self._awaited is not None and not self._is_patient(item):
            super()._actor_take((self.make_ordinary, ()))
            if self._actor_ending:  # it crashed in there
                if type(item) is tuple:
                    self.post_lost(*item)
                else:
                    reject(item, self._actor_self, was_queued=True)
                return
        super()._actor_take(item)
