"""The Device actor (DESIGN 3): one mailbox, one conversation, one thing at a time.

Its turns run on whichever thread brings the event: the caller that submits, the link's I/O side
that received bytes, the timers. None of them blocks; what does runs in the background.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Final

from klemheist.actors.runtime.actor import Actor
from klemheist.actors.runtime.future import Future
from klemheist.actors.runtime.timers import TIMERS, Timers
from klemheist.transports.errors import DeviceReset, LinkError, LinkLost, LinkTimeout
from klemheist.transports.link import Link
from klemheist.transports.repl.conversation import Conversation, Do, Outcome, Reply, Step
from klemheist.transports.repl.frames import COUNTS, EventFilter
from klemheist.transports.repl.ladder import Recovered, ladder
from klemheist.transports.repl.procedures import (
    Attached,
    Gone,
    Procedure,
    Silent,
    attach,
    remove,
    status,
)

from .call import Call, CallFuture
from .intake import Intake
from .linkage import Linkage
from .port import Port
from .reopen import Reopening
from .runner import Runner
from .states import LIFE, DeviceState, Happening
from .watch import Watch

LEAVE_RAW: Final = b"\r\x03\x02"
RUN_APP: Final = b"\x04"
_RUNGS: Final = {
    Do.INTERRUPT: "interrupt",
    Do.SOFT_RESET: "soft reset",
    Do.HARD_RESET: "hard reset",
}


class Device(Actor):
    """Drives the conversation with one device; see `Port` for what outlives it."""

    inline: ClassVar[bool] = True

    def __init__(
        self,
        port: Port,
        *,
        reopening: Reopening | None = None,
        fresh: bool = False,
        resume_app: bool = False,
        timers: Timers = TIMERS,
    ) -> None:
        super().__init__()
        self.port = port
        self._fresh = fresh
        self._resume_app = resume_app
        self._timers = timers
        self._reopening = reopening or Reopening()
        self._intake = Intake(port)
        self._links = Linkage(port, self)
        self._watch = Watch(timers, partial(self.post, self._check))
        self._recovery: Future[Recovered] = Future()
        self._new_talk()

    # -- from any thread -----------------------------------------------------------------------

    def submit(self, call: Call) -> Future[Any]:
        """Take a call; its future is resolved by its deadline at the latest."""
        call.future = CallFuture(self.port.present_link, partial(self._cancel_later, call))
        if not self.post(self._admit, call):
            call.future.set_exception(LinkLost(f"{self.port.url} is closed; create a new session"))
        return call.future

    def interrupt(self, owner: str) -> None:
        """Send Ctrl-C to what runs for `owner`, as a person at the REPL would; out of turn."""
        call = self._intake.current
        if call is not None and call.owner == owner:
            self._links.interrupt()

    def release(self) -> None:
        """Leave the device as it was found, close its link, then resolve `port.closed`."""
        self.post(self._release)

    # -- life ----------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Open the link, or take over the one that an earlier incarnation left open."""
        self.port.state = DeviceState.NEW
        self.port.brain = self
        link = self.port.link
        if link is None:
            self._open()
        else:
            self._links.adopt()
            self._move(Happening.OPEN)
            self._opened(link)

    def on_stop(self) -> None:
        """Close the link, where `release` did not do so before."""
        self._let_go("was closed")
        if self.port.state is not DeviceState.STOPPED:
            self._move(Happening.STOP)
            self._links.close(self._closed)

    def on_failure(self, *_: object) -> None:
        """Tell the callers; the link stays open for the next incarnation."""
        self._let_go("its actor crashed and is started anew")

    def _let_go(self, why: str) -> None:
        self.port.brain = None
        self._watch.stop()
        self._runner.abandon()
        self._intake.lose_all(LinkLost, f"{self.port.url}: {why}")

    def _move(self, happening: Happening) -> bool:
        state = LIFE.get((self.port.state, happening))
        if state is not None:
            self.port.state = state
        return state is not None

    def _new_talk(self) -> None:
        self._talk = Conversation(self.port.board)
        self._events = EventFilter()
        self._runner = Runner(self._talk, self._send)

    # -- opening and attaching -------------------------------------------------------------------

    def _open(self) -> None:
        if self._move(Happening.OPEN):
            self.port.emit("opening")
            self._links.open(self._connected)

    def _connected(self, opening: Future[Link]) -> None:
        error = opening.exception()
        if error is None:
            self._opened(opening.get())
        elif self._move(Happening.NOT_OPENED):
            known = isinstance(error, LinkError)
            self._down(error if known else LinkError(f"{self.port.url}: {error!r}"))

    def _opened(self, link: Link) -> None:
        self.port.link = link
        if self._move(Happening.OPENED):
            self._new_talk()
            self._internal(self._attach(), self._attached)
        else:
            self._links.close(self._closed)  # it was stopped meanwhile

    def _attach(self) -> Procedure[Attached]:
        fresh, self._fresh = self._fresh, False
        return attach(
            self.port.board,
            boot=secrets.token_hex(4),
            count=random.randrange(COUNTS),  # noqa: S311 -- told apart from stale ones, no secret
            firmware=self.port.firmware,
            fresh=fresh,
        )

    def _attached(self, attached: Attached | None, error: BaseException | None) -> None:
        if attached is None:
            self._trouble(f"attaching failed: {error}")
            return
        if attached.interrupted:
            self.port.emit("interrupted", "a running program was stopped")
        if not self._move(Happening.ATTACHED):
            self._move(Happening.RECOVERED)
        self._up(same_boot=attached.same_boot)

    def _up(self, *, same_boot: bool) -> None:
        self._reopening.worked()
        if len(self.port.debts):  # before anybody else has a turn
            done = partial(self._paid, same_boot)
            self._internal(self.port.debts.pay(self.port.board), done)
        else:
            self.port.booted(same_boot=same_boot)

    def _paid(self, same_boot: bool, _: object, error: BaseException | None) -> None:  # noqa: FBT001 -- bound above
        if error is None:
            self.port.booted(same_boot=same_boot)
        else:
            self._trouble(f"owed cleanup: {error}")

    def _down(self, error: LinkError) -> None:
        """Tell, and try again later; a device that never was up fails, and its creator is told."""
        self.port.counters.faults += 1
        self._links.close(_nothing)
        self.port.emit("down", str(error))
        delay = self._reopening.next_delay() if self.port.ready.done() else None
        if delay is not None:
            self._timers.call_later(delay, self.post, self._reopen)
            return
        self._move(Happening.GIVE_UP)
        self._intake.lose_all(type(error), str(error))
        self.port.emit("failed", str(error))
        self.port.ready.set_exception(error)

    def _reopen(self) -> None:
        self.port.counters.reopened += 1
        self._open()

    # -- what the link brings ----------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Take bytes of the link, on a turn."""
        outcomes = self._talk.feed(data)
        if outcomes:  # else a part of something: nothing has changed
            for outcome in outcomes:
                self._handle(outcome)
            self._next()

    def lost(self, error: LinkError) -> None:
        """Take the loss of the link, on a turn."""
        stopping = self.port.state is DeviceState.STOPPING
        if not self._move(Happening.LOST):
            return
        self._runner.abandon()
        self._intake.lose(LinkLost, str(error))
        if stopping:
            self._links.close(self._closed)
        else:
            self._down(error)

    def _handle(self, outcome: Outcome) -> None:
        if outcome.reply is not None:
            self._runner.reply(outcome.reply, self._watch.now())
        elif outcome.output:
            self._output(outcome.output)
        elif outcome.write:
            self._links.write(outcome.write)
        elif outcome.sign and self.port.state is DeviceState.UP and not self._runner.active:
            self._internal(status(self.port.board), self._looked)

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
        elif call.on_output is not None:
            call.on_output(data)

    def _looked(self, _: object, error: BaseException | None) -> None:
        if error is not None:
            self._rebooted()

    # -- calls -------------------------------------------------------------------------------------

    def _admit(self, call: Call) -> None:
        if self.port.state in (DeviceState.FAILED, DeviceState.STOPPING, DeviceState.STOPPED):
            gone = LinkLost(f"{self.port.url} is {self.port.state.value}; create a new session")
            call.future.set_exception(gone)
        elif self._intake.admit(call):
            self._next()
            if not call.future.done():
                self._watch.by(call.deadline)

    def _next(self) -> None:
        """Begin the next call, if the device is up and has nothing to do."""
        while self.port.state is DeviceState.UP and not self._runner.active:
            call = self._intake.take(self._watch.now())
            if call is None:
                return
            self._internal(call.procedure(self.port.board), self._finished)

    def _finished(self, value: Any, error: BaseException | None) -> None:
        if error is None:
            self._intake.finish(value)
        elif isinstance(error, Gone):
            self._rebooted()
        elif isinstance(error, Silent):
            self._trouble(str(error))
        else:
            self._intake.refuse(error)

    def _cancel_later(self, call: Call, reason: str | None = None) -> None:
        self.post(self._cancel, call, reason)

    def _cancel(self, call: Call, reason: str | None) -> None:
        if self._intake.cancel(call, reason):
            self._trouble("a call was cancelled")

    def _internal(
        self, procedure: Procedure[Any], done: Callable[[Any, BaseException | None], None]
    ) -> None:
        now = self._watch.now()
        self._runner.start(procedure, now, done)
        self._watch_step(now)

    # -- trouble, and the way back -------------------------------------------------------------------

    def _rebooted(self) -> None:
        """The interpreter booted by itself: a new generation begins."""
        self.port.counters.faults += 1
        self._move(Happening.TROUBLE)
        self._intake.lose(DeviceReset, f"{self.port.url} booted anew")
        self.port.board.boot = ""
        self.port.emit("reset", "the interpreter booted anew")
        self._internal(self._attach(), self._attached)

    def _trouble(self, why: str) -> None:
        """Climb the ladder; whoever waited for the call under way is told at once."""
        if self._move(Happening.TROUBLE):
            self.port.counters.faults += 1
        self._runner.abandon()
        self._intake.lose(LinkTimeout, f"{self.port.url} does not answer: {why}")
        self.port.emit("recovering", why)
        hard = len(self.port.link.resets) if self.port.link is not None else 0
        self._internal(ladder(self.port.board, self._attach, hard=hard), self._climbed)

    def _climbed(self, recovered: Recovered | None, error: BaseException | None) -> None:
        recovery, self._recovery = self._recovery, Future()
        if recovered is None:
            self._move(Happening.UNREACHABLE)
            lost = LinkLost(f"{self.port.url}: {error}")
            recovery.set_exception(lost)
            self._down(lost)
            return
        self._move(Happening.RECOVERED)
        self.port.emit("recovered", recovered.rung.value, same_boot=recovered.same_boot)
        self._up(same_boot=recovered.same_boot)
        recovery.set(recovered)

    def _was_reset(self, reset: Future[Link]) -> None:
        worked = reset.exception() is None
        if worked:
            self.port.link = reset.get()
            self.port.board.boot = ""
        self._talk.machine.forget()
        self._runner.reply(Reply(ended=worked), self._watch.now())
        self._next()

    # -- deadlines -----------------------------------------------------------------------------------

    def _check(self) -> None:
        self._watch.fired()
        now = self._watch.now()
        if self._intake.expire(now, lambda: self._recovery):
            self._trouble("a call did not end by its deadline")
        for outcome in self._talk.settle():
            self._handle(outcome)
        self._runner.expire(now)
        self._next()
        self._watch_step(now)
        deadline = self._intake.next_deadline()
        if deadline is not None:
            self._watch.by(deadline)

    def _watch_step(self, now: float) -> None:
        when = self._runner.next_check(now)
        if when is not None:
            self._watch.by(when)

    # -- sending and closing -------------------------------------------------------------------------

    def _send(self, step: Step, data: bytes) -> None:
        if step.do in _RUNGS:
            self.port.emit("rung", _RUNGS[step.do])
        if step.do is Do.HARD_RESET:
            self._links.hard_reset(self._was_reset)
        elif step.do is Do.INTERRUPT:
            self._links.interrupt()
        else:
            self._links.write(data)

    def _release(self) -> None:
        idle = self.port.state is DeviceState.UP and not self._runner.active
        if not self._move(Happening.STOP):
            return
        self._runner.abandon()
        self._intake.lose_all(LinkLost, f"{self.port.url} was closed")
        if idle:
            self._internal(remove(), self._removed)
        else:
            self._removed(None, None)

    def _removed(self, _: object, __: object) -> None:
        self._links.write(LEAVE_RAW + (RUN_APP if self._resume_app else b""))
        self._links.close(self._closed)

    def _closed(self) -> None:
        self._watch.stop()
        if self._move(Happening.CLOSED):
            self.port.emit("closed")
            self.port.closed.set(None)


def _nothing() -> None:
    """What follows where nothing has to follow."""
