"""The thread tracker: runs the steps of cooperative threads, watches real ones, and ends both."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from klemheist.actors.device.facts import DeviceEvent
from klemheist.actors.errors import SessionError
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.runtime.future import Future
from klemheist.actors.runtime.timers import TIMERS, Timer
from klemheist.actors.sources import Source
from klemheist.transports.errors import DeviceReset, LinkError, LinkTimeout

from . import threads_remote
from .cleaners import Cleaner
from .ledger import Act, Entry, EntryKind
from .threads_hung import RESET_WITHIN, may_reset, step_back

if TYPE_CHECKING:
    from .core import SessionCore

STOP_EVERY: Final = 0.05
"""Seconds between two questions whether a real thread has ended."""
MOST_RESTARTS: Final = 3
RESTART_PERIOD: Final = 5.0
"""A thread that dies more often than so is not started again (the tree's own default intensity)."""


@dataclass(slots=True, eq=False)
class ThreadRecord:
    """One thread of a session: what the ledger holds for it."""

    thread_id: str
    source: Source | None
    """None where the user registered a thread of his own."""
    args: tuple[Any, ...] = ()
    restart: bool = False
    registered_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    name: str = ""
    boot: str = ""
    real: bool = False
    deaths: list[float] = field(default_factory=list)
    step: Future[Any] | None = None
    """The one that was asked for and has not ended."""
    is_stuck: bool = False
    """Whether that one took no notice of Ctrl-C."""
    timer: Timer | None = None
    """Of the next step."""

    def renews(self, known: object) -> bool:
        """Whether it may stand for a thread of the same id: one that we did not start either."""
        return isinstance(known, ThreadRecord) and self.source is known.source is None

    def rest(self) -> None:
        """Wait for no next step."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class ThreadCleaner(Cleaner):
    """The thread tracker of one session."""

    kind = EntryKind.THREAD

    def on_start(self) -> None:
        """Listen to the device, and go on with the threads that the ledger holds."""
        self._unlisten = self.core.port.listen(self._heard)
        for entry in self.core.ledger.entries(self.kind):
            record: ThreadRecord = entry.held
            if record.step is not None and not record.step.done():
                self._await_step(entry, record.step, record.boot)
            else:
                record.step = None  # who waited for it is gone
                self.keep_watch(entry)

    def on_exit(self, reason: object) -> None:  # noqa: ARG002 -- a hook
        """Listen no more, and step no more: the next incarnation, if there is one, goes on."""
        self._unlisten()
        for entry in self.core.ledger.entries(self.kind):
            entry.held.rest()

    def keep_watch(self, entry: Entry) -> None:
        """Begin to run the steps of a thread that was started."""
        record: ThreadRecord = entry.held
        if record.source is not None and record.boot and not record.real:
            self._later(0.0, entry)

    # -- steps of cooperative threads --------------------------------------------------------------

    def _later(self, delay: float, entry: Entry) -> None:
        record: ThreadRecord = entry.held
        record.rest()  # one chain of steps for each thread
        record.timer = TIMERS.call_later(max(delay, 0.0), self.post, self._step, entry, record.boot)

    def _step(self, entry: Entry, boot: str) -> None:
        record: ThreadRecord = entry.held
        if entry.state != "held" or record.boot != boot or record.step is not None:
            return
        record.step = stepped = self.core.submit(
            lambda board: threads_remote.step(self.core.namespace, board, record.thread_id, boot),
            label=f"thread {record.name}",
            lane="/threads",
        )
        self._await_step(entry, stepped, boot)

    def _await_step(self, entry: Entry, step: Future[Any], boot: str) -> None:
        step.add_done_callback(partial(self.post, self._stepped, entry, boot))

    def _stepped(self, entry: Entry, boot: str, stepped: Future[Any]) -> None:
        record: ThreadRecord = entry.held
        record.step = None
        if entry.state != "held":
            return  # it is being ended: no step follows, and what ends it tells how that went
        error = stepped.exception()
        if isinstance(error, LinkError):
            if not self.core.port.board.boot or self.core.port.board.boot == boot:
                self._later(0.2, entry)  # the same boot may come back; another one is told by `up`
        elif isinstance(error, SessionError):
            if self.core.is_active:  # the queue was full; else it is stopped in its turn
                self._later(0.2, entry)
        elif error is not None:
            self._died(entry, str(error), getattr(error, "traceback", ""))
        elif isinstance(delay := stepped.get(), int | float):
            if delay == threads_remote.FINISHED:
                self.core.ledger.act(entry, Act.DONE)
            else:
                self._later(float(delay), entry)

    # -- what happens to them ----------------------------------------------------------------------

    def _heard(self, event: DeviceEvent) -> None:
        if event.kind in ("up", "thread"):
            self.post(self._up if event.kind == "up" else self._ended, event)

    def _up(self, event: DeviceEvent) -> None:
        """After a new boot, start again what is to be restarted; the rest is gone."""
        if event.same_boot:
            return
        here = ("", self.core.port.board.boot)
        for entry in self.core.ledger.entries(self.kind):
            record: ThreadRecord = entry.held
            if entry.state == "held" and record.source is not None and record.boot not in here:
                self._gone(entry, "the device booted anew")

    def _ended(self, event: DeviceEvent) -> None:
        """A real thread came to its end by itself."""
        thread_id, _, message = event.text.partition(",")
        entry = self.core.ledger.find(self.kind, thread_id)
        if entry is None or entry.state != "held":
            return
        if message:
            self._died(entry, message)
        else:
            self.core.ledger.act(entry, Act.DONE)

    def _died(self, entry: Entry, why: str, traceback: str = "") -> None:
        record: ThreadRecord = entry.held
        self.core.report.warning("thread {} died: {}\n{}", record.name, why, traceback)
        self.core.port.emit("thread died", f"{record.name}: {why}", data=traceback.encode())
        self._gone(entry, why)

    def _gone(self, entry: Entry, why: str) -> None:
        record: ThreadRecord = entry.held
        now = SYSTEM_CLOCK.monotonic()
        record.deaths = [at for at in record.deaths if at >= now - RESTART_PERIOD] + [now]
        if record.restart and len(record.deaths) <= MOST_RESTARTS:
            self._start(entry)
        else:
            self.core.ledger.act(entry, Act.DONE)
            if record.restart:
                self.core.port.emit("thread failed", f"{record.name}: {why}")

    def _start(self, entry: Entry) -> None:
        started = launch(self.core, entry.held)
        started.add_done_callback(partial(self.post, self._started_again, entry))

    def _started_again(self, entry: Entry, started: Future[Any]) -> None:
        error = started.exception()
        if error is None:
            self.keep_watch(entry)
        elif isinstance(error, LinkError):
            self.core.port.emit("thread waits", str(error))  # the next `up` brings it back
        else:
            self.core.ledger.act(entry, Act.DONE)

    # -- cleanup -----------------------------------------------------------------------------------

    def undo(self, entry: Entry, deadline: float) -> None:
        """Ask the thread to end, until it has or its grace is over."""
        record: ThreadRecord = entry.held
        record.rest()
        if record.source is None:
            self.report(entry, None)
        elif self._is_hung(record) and record.is_stuck:
            self._does_not_end(entry)
        else:
            grace = SYSTEM_CLOCK.monotonic() + self.core.options.thread_grace
            self._ask_to_end(entry, min(deadline, grace))

    def _is_hung(self, record: ThreadRecord) -> bool:
        return record.step is not None and self.core.port.is_at(record.step)

    def _ask_to_end(self, entry: Entry, deadline: float) -> None:
        record: ThreadRecord = entry.held
        stopped = self.core.cleanup_call(
            lambda board: threads_remote.stop(
                self.core.namespace, board, record.thread_id, record.boot
            ),
            deadline,
        )
        stopped.add_done_callback(partial(self.post, self._asked, entry, deadline))

    def _asked(self, entry: Entry, deadline: float, stopped: Future[Any]) -> None:
        error = stopped.exception()
        record: ThreadRecord = entry.held
        if isinstance(error, LinkTimeout) and error.maybe_executed:  # it keeps the device too busy
            self._does_not_end(entry)
        elif isinstance(error, LinkTimeout) and self._is_hung(record):  # its own step does
            now = SYSTEM_CLOCK.monotonic()
            back = step_back(self.core, [record], 0.0, now + RESET_WITHIN)
            back.add_done_callback(partial(self.post, self._is_back, entry))
        elif isinstance(error, LinkError):
            self._leave_it(entry, error)
        elif error is not None or stopped.get():
            self.report(entry, error)
        elif SYSTEM_CLOCK.monotonic() + STOP_EVERY < deadline:
            TIMERS.call_later(STOP_EVERY, self.post, self._ask_to_end, entry, deadline)
        else:
            self._does_not_end(entry)

    def _is_back(self, entry: Entry, _: Future[None]) -> None:
        if self._is_hung(entry.held):
            self._does_not_end(entry)
        else:
            self._ask_to_end(entry, SYSTEM_CLOCK.monotonic() + self.core.options.thread_grace)

    def _does_not_end(self, entry: Entry) -> None:
        """Reset the device where that harms nobody else, or was asked for (DESIGN 4, Threads)."""
        core = self.core
        if may_reset(core):
            core.report.warning("thread {} did not stop: the device is reset", entry.held.name)
            within = SYSTEM_CLOCK.monotonic() + RESET_WITHIN
            reset = core.cleanup_call(threads_remote.reset, within, idempotent=False)
            reset.add_done_callback(partial(self.post, self._was_reset, entry))
        else:
            self._owe(entry)
            name = entry.held.name
            still = TimeoutError(f"thread {name} did not stop; close(force=True) resets the device")
            self.report(entry, still, owed=True)

    def _was_reset(self, entry: Entry, reset: Future[Any]) -> None:
        error = reset.exception()
        if error is None or isinstance(error, DeviceReset):
            self.report(entry, None)
        else:  # it went away meanwhile: nobody knows what has become of the thread
            self._leave_it(entry, error)

    def _leave_it(self, entry: Entry, error: BaseException) -> None:
        """Have it ended when the device can be asked again."""
        self._owe(entry)
        self.core.port.settle()
        self.report(entry, error, owed=True)

    def _owe(self, entry: Entry) -> None:
        record: ThreadRecord = entry.held
        code = threads_remote.ended(record.thread_id, real=record.real)
        self.core.port.debts.add_agent_code(
            f"{self.core.session_id}/thread {record.name}", code, boot=record.boot
        )


def launch(core: SessionCore, record: ThreadRecord, *, timeout: float | None = None) -> Future[Any]:
    """Start a thread on the device; its record then knows in which boot it runs."""
    source = record.source
    assert source is not None

    def procedure(board: Any) -> Any:
        record.boot, record.real = board.boot, threads_remote.is_real(board)
        yield from threads_remote.start(
            core.namespace, board, record.thread_id, source, record.args
        )

    return core.submit(procedure, label=f"thread {record.name}", timeout=timeout)
