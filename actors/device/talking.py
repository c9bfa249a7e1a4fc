"""The Device's talk with its board: procedures run step by step, and what comes of them is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from klemheist.actors.runtime.future import Future
from klemheist.transports.link import Link
from klemheist.transports.repl.conversation import Conversation
from klemheist.transports.repl.frames import EventFilter
from klemheist.transports.repl.lines import Gone, Procedure, status
from klemheist.transports.repl.steps import Do, Outcome, Reply, Step

from .recovery import PATIENCE
from .runner import Runner
from .states import DeviceState
from .turns import Turns

if TYPE_CHECKING:
    from .intake import Intake
    from .recovery import Recovery
    from .suspicion import Suspicion
    from .watch import Watch

_RUNGS: Final = {
    Do.INTERRUPT: "interrupt",
    Do.SOFT_RESET: "soft reset",
    Do.HARD_RESET: "hard reset",
}


class Talking(Turns):
    """The turns in which one procedure at a time has the conversation."""

    _intake: Intake
    _recovery: Recovery
    _suspicion: Suspicion
    _watch: Watch
    _talk: Conversation
    _events: EventFilter
    _runner: Runner

    def _next(self) -> None:
        """Begin what waits, if the device is up and has nothing to do."""
        raise NotImplementedError

    def new_talk(self) -> None:
        """Begin a new conversation: the link is new."""
        self._talk = Conversation(self.port.board)
        self._events = EventFilter()
        self._runner = Runner(self._talk, self._send)

    def begin(
        self,
        procedure: Procedure[Any],
        done: Callable[[Any, BaseException | None], None],
        *,
        patience: float | None = None,
    ) -> None:
        """Run a procedure; the runner must be free."""
        now = self._watch.now()
        self._runner.start(procedure, now, done, patience=patience)
        self._watch_step(now)

    def drop(self) -> None:
        """Abandon the procedure under way."""
        self._give_out(self._suspicion.clear())
        self._runner.abandon()

    def _send(self, step: Step, data: bytes) -> None:
        if step.do in _RUNGS:
            self.port.emit("rung", _RUNGS[step.do])
        if step.do is Do.HARD_RESET:
            self._links.hard_reset(self._was_reset)
        elif step.do is Do.INTERRUPT:
            self._links.interrupt()
        else:
            self._links.write(data)

    def _was_reset(self, reset: Future[Link]) -> None:
        worked = reset.exception() is None
        if worked:
            self.port.link = reset.get()
            self.port.board.boot = ""
        self._talk.machine.forget()
        self._runner.reply(Reply(ended=worked), self._watch.now())
        self._next()

    def _watch_step(self, now: float) -> None:
        when = self._runner.next_check(now)
        if when is not None:
            self._watch.by(when)

    # -- what comes of it ------------------------------------------------------------------------

    def _handle(self, outcome: Outcome) -> None:
        if outcome.reply is not None:
            self._runner.reply(outcome.reply, self._watch.now())
        elif outcome.output:
            self._output(outcome.output)
        elif outcome.write:
            self._runner.goes_on(self._watch.now())
            self._links.write(outcome.write)
        elif outcome.sign:
            self._look()

    def _look(self) -> None:
        """The device printed what it prints when it boots: see whether it did."""
        talk = self._talk
        if self._intake.current is not None:
            if talk.busy and not talk.nearly_ended and not talk.unanswered:
                self._suspicion.rise()
                self._links.write(talk.ask())
        elif self.port.state is DeviceState.UP and not self._runner.active:
            self.begin(status(self.port.board), self._looked, patience=PATIENCE)

    def _looked(self, _: object, error: BaseException | None) -> None:
        if isinstance(error, Gone):
            self._recovery.rebooted()
        elif error is not None:
            self._recovery.trouble(str(error))

    def _output(self, data: bytes) -> None:
        data, events = self._events.feed(data)
        for text in events:
            self.port.emit("thread", text)
        call = self._intake.current
        self.port.counters.output_bytes += len(data)
        if not data:
            return
        if call is None:
            self.port.emit("output", data=data)
        else:
            self._give_out(self._suspicion.hear(data, self._watch.now()))

    def _give_out(self, data: bytes) -> None:
        """Give output to the call that it is of."""
        call = self._intake.current
        if data and call is not None and call.on_output is not None:
            call.on_output(data)
