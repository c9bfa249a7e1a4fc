"""The Device actor (DESIGN 3): one mailbox, one conversation, one thing at a time.

Its turns run on whichever thread brings the event: the caller that submits, the link's I/O side
that received bytes, the timers. None of them blocks; what does runs in the background. Here: calls,
deadlines, what the link brings, and the end; `recovery.py` has the way up and back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from threading import current_thread, main_thread
from typing import Any, ClassVar, Final

from klemheist.actors.errors import DeviceMemoryError
from klemheist.actors.runtime.exits import ExitReason
from klemheist.actors.runtime.future import Future
from klemheist.actors.runtime.here import interrupt_after_turns
from klemheist.actors.runtime.timers import TIMERS, Timers
from klemheist.transports.errors import LinkError, LinkLost
from klemheist.transports.repl.install import after_arrival, arrive, complete
from klemheist.transports.repl.lines import Disturbed, Full, Gone, Silent, leave

from .bursts import PAUSE, Bursts
from .call import Call, CallFuture
from .intake import Intake
from .linkage import Linkage
from .parting import Parting
from .port import Port
from .recovery import PATIENCE, Recovery
from .reopen import Reopening
from .short import ShortWay
from .states import DeviceState, Happening
from .suspicion import Suspicion
from .watch import Watch

_GONE: Final = (DeviceState.FAILED, DeviceState.STOPPING, DeviceState.STOPPED)


class Device(ShortWay):
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
        self._intake = Intake(port)
        self._links = Linkage(port, self)
        self._watch = Watch(timers, partial(self.post, self._check))
        self._recovery = Recovery(
            self,
            port,
            self._links,
            self._intake,
            reopening=reopening or Reopening(),
            fresh=fresh and not port.generation,  # not again for a later incarnation
            timers=timers,
        )
        self._suspicion = Suspicion()
        self._bursts = Bursts()
        self._parting = Parting(self, port, self._links, self._watch, timers, resume_app=resume_app)
        self.new_talk()

    # -- from any thread -----------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return self._intake.waiting

    @property
    def in_burst(self) -> bool:
        """Whether the device waits for a line in its own loop (`burst.py`)."""
        return self._talk.listening

    def submit(self, call: Call) -> Future[Any]:
        """Take a call; its future is resolved by its deadline at the latest."""
        call.future = CallFuture(self.port.present_link, partial(self._cancel_later, call))
        return call.future if self.post(self._admit, call) else self.port.keep(call)

    def submit_all(self, calls: Sequence[Call]) -> list[Future[Any]]:
        """`submit` several of one deadline, on one turn."""
        link, cancel = self.port.present_link, self._cancel_later
        for call in calls:
            call.future = CallFuture(link, partial(cancel, call))
        if not self.post(self._admit, *calls):
            return [self.port.keep(call) for call in calls]
        return [call.future for call in calls]

    def interrupt(self, owner: str) -> None:
        """Send Ctrl-C to what runs for `owner`, as a person at the REPL would; out of turn."""
        call = self._awaited or self._intake.current
        if call is not None and call.owner == owner:
            self._links.interrupt()

    def is_at(self, future: Future[Any]) -> bool:
        """Whether the call of this future is under way."""
        return self._intake.is_at(future)

    def break_off(self, future: Future[Any]) -> None:
        """Send Ctrl-C to the call of this future; on a turn, lest the next one gets it."""
        self.post(self._break_off, future)

    def hurry(self) -> None:
        """Try at once to open the link that is away: its port may have come back."""
        self.post(self._recovery.hurry)

    def release(self) -> None:
        """Leave the device as it was found, close its link, then resolve `port.closed`."""
        self.post(self._release)

    # -- life ----------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Open the link, or take over the one that an earlier incarnation left open."""
        self.port.state = DeviceState.NEW
        self.port.brain = self
        self._actor_self.ended.add_done_callback(self._was_killed)
        link, receiver = self.port.link, self.port.receiver
        if link is None or receiver is None or receiver.is_broken:
            self._links.close()
            self._recovery.open()
        else:
            self._recovery.adopt(link)
        self.port.hand_over()

    def on_stop(self) -> None:
        """Close the link, where `release` did not do so before."""
        self._let_go("was closed")
        if self.port.move(Happening.STOP):
            self._parting.close()

    def on_failure(self, *_: object) -> None:
        """Tell the callers; the link stays open for the next incarnation."""
        self._let_go("its actor crashed and is started anew")

    def post_lost(self, fn: Callable[..., object], args: tuple[Any, ...]) -> None:
        """Tell the caller of a call that was still on its way in."""
        for call in args if fn == self._admit else ():
            lost = LinkLost(f"{call.label}: {self.port.url}: its actor crashed; call again")
            call.future.set_exception(lost)

    def _was_killed(self, ended: Future[ExitReason]) -> None:
        """A kill runs no hook, and still nobody must wait for an answer."""
        if ended.get() == ExitReason.KILLED:
            self._let_go("its actor was killed and is started anew")

    def _let_go(self, why: str) -> None:
        if self.port.brain is self:
            self.port.brain = None
        self._watch.stop()
        self._recovery.stop()
        self._links.abandon()
        self.keep_awaited()
        self.drop()
        self._intake.lose_all(LinkLost, f"{self.port.url}: {why}")

    # -- what the link brings --------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Take bytes of the link, on a turn."""
        if self._awaited is not None:
            if not self.heard_awaited(self._awaited, data):
                return
        elif outcomes := self._talk.feed(data):
            for outcome in outcomes:
                self._handle(outcome)
        else:
            return  # nothing has changed
        if self._suspicion.is_confirmed:
            self._suspicion.believe()
            self._runner.give_up(self._watch.now())
        self._next()

    def lost(self, error: LinkError) -> None:
        """Take the loss of the link, on a turn."""
        if self.port.state is DeviceState.STOPPING:
            self.drop()
            self._parting.close()
        else:
            self._recovery.lost(error)

    # -- calls -----------------------------------------------------------------------------------

    def _admit(self, *calls: Call) -> None:
        """Take calls that came in one go: they have one deadline."""
        if self.port.state in _GONE:
            gone = f"{self.port.url} is {self.port.state.value}; create a new session"
            for call in calls:
                call.future.set_exception(LinkLost(gone))
            return
        for call in calls:
            self._intake.admit(call)
        self._next()
        if not calls[-1].future.done():
            self._watch.by(calls[-1].deadline)

    def _next(self) -> None:
        """Begin the next call, if the device is up and has nothing to do.

        A burst ends before: those that come meanwhile may then go out together.
        """
        board = self.port.board
        while self.port.state is DeviceState.UP and not self._runner.active:
            if self._talk.listening and self._intake:
                self.begin(leave(), self._looked, patience=PATIENCE)
                continue
            call = self._intake.take(self._watch.now())
            if call is None:
                if board.unsent:
                    self.begin(arrive(board), self._looked, patience=PATIENCE)
                return
            procedure = call.procedure(board)
            if board.unsent and not call.early:
                procedure = after_arrival(board, procedure)
            self.begin(procedure, self._finished)

    def _finished(self, value: Any, error: BaseException | None) -> None:
        held = self._suspicion.clear()
        if not isinstance(error, Gone):  # else it is what the board said when it booted
            self._give_out(held)
        if error is None:
            self._intake.finish(value, self._watch.now())
        elif isinstance(error, Gone):
            self._recovery.rebooted()
        elif isinstance(error, Silent):
            if isinstance(error, Full):
                self._intake.refuse(DeviceMemoryError(free=0))
            self._recovery.trouble(str(error), answers=isinstance(error, Disturbed))
        else:
            self._intake.refuse(error)
        if self.port.board.due and self.port.state is DeviceState.UP:
            self.begin(complete(self.port.board), self._looked, patience=PATIENCE)

    def _cancel_later(self, call: Call, reason: str | None = None) -> None:
        self.post(self._cancel, call, reason)

    def _cancel(self, call: Call, reason: str | None) -> None:
        if self._intake.cancel(call, reason):
            self._recovery.trouble("a call was cancelled")

    def _break_off(self, future: Future[Any]) -> None:
        if self._intake.is_at(future):
            self._links.interrupt()

    # -- where a signal's handler has raised -------------------------------------------------------

    def begin_anew(self) -> None:
        """Trust nothing of what was under way, on a turn: ask the device for its prompt."""
        self.keep_awaited()
        self._watch.stop()  # it may be half set
        self._bursts.broken()
        self._intake.mend()
        self._recovery.broken_off()
        self._watch.by(self._watch.now())  # the deadlines of those that wait

    def _actor_failed(self, error: BaseException, reply: Any) -> None:
        if isinstance(error, Exception) or current_thread() is not main_thread():
            super()._actor_failed(error, reply)
        else:  # no bug of ours: a signal's handler has raised here, for whoever brought the turn
            self.begin_anew()
            interrupt_after_turns(error)

    # -- deadlines -------------------------------------------------------------------------------

    def _check(self) -> None:
        self._watch.fired()
        now = self._watch.now()
        if self._awaited is not None:
            if now < self._awaited.until:
                self._watch.by(self._awaited.until)
                return
            self.make_ordinary()
        if self._intake.break_off(now):
            self._links.interrupt()
        if self._intake.expire(now, lambda: self._recovery.future):
            self._recovery.trouble("a call did not end by its deadline")
        for outcome in self._talk.settle():
            self._handle(outcome)
        self._runner.expire(now)
        self._give_out(self._suspicion.settle(now))
        if self._talk.listening and not self._runner.active:
            if self._bursts.is_over(now):
                self.begin(leave(), self._looked, patience=PATIENCE)
            else:
                self._watch.by(now + PAUSE)
        self._next()
        self._watch_step(now)
        deadline = self._intake.next_deadline()
        if deadline is not None:
            self._watch.by(deadline)

    # -- the end ---------------------------------------------------------------------------------

    def _release(self) -> None:
        idle = self.port.state is DeviceState.UP and not self._runner.active
        if not self.port.move(Happening.STOP):
            return
        self._recovery.stop()
        self.drop()
        self._intake.lose_all(LinkLost, f"{self.port.url} was closed")
        self._parting.begin(idle=idle)
