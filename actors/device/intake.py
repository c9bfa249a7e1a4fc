"""The calls of a device: who waits, who is served, and what each is told in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from klemheist.actors.errors import CallCancelled, DeviceError, QueueFull, StaleHandle
from klemheist.actors.runtime.future import Future
from klemheist.transports.errors import LinkError, LinkTimeout

from .batch import MARGIN, Batch, each_of, gather
from .call import MOST_TRIES, Call, FairQueue
from .port import Port

INTERRUPTED: Final = "KeyboardInterrupt"
"""What a call raises that was broken off."""


class Intake:
    """Every call that comes in here has its future resolved, by its deadline at the latest."""

    __slots__ = ("_port", "_queue", "current")

    def __init__(self, port: Port) -> None:
        self._port = port
        self._queue = FairQueue()
        self.current: Call | None = None
        """The call under way with the device."""

    def admit(self, call: Call) -> bool:
        """Let a call wait; False where it was refused, and told so."""
        try:
            self._queue.put(call)
        except QueueFull as error:
            call.future.set_exception(error)
            return False
        return True

    def take(self, now: float) -> Call | None:
        """Return the next call that still makes sense; it is the current one from now on."""
        while (call := self._queue.take()) is not None:
            if call.future.done():
                continue
            if call.deadline <= now:
                self._too_late(call)
            elif call.generation not in (0, self._port.generation):
                self._stale(call)
            else:
                call.tries += 1
                port = self._port
                call = gather(call, self._queue, port.board, now, port.generation)
                call.began = now
                port.counters.calls += len(each_of(call))
                port.meter.begin()
                self.current = call
                return call
        return None

    def is_at(self, future: Future[Any]) -> bool:
        """Whether the call of this future is the current one; from any thread."""
        call = self.current
        return call is not None and any(each.future is future for each in each_of(call))

    def mend(self) -> None:
        """Put in order what a turn that was broken off may have left in disorder."""
        self._queue.mend()

    def adopt(self, call: Call, now: float) -> None:
        """Take a call that was sent already as the current one."""
        call.tries, call.began = 1, now
        self._port.counters.calls += 1
        self.current = call

    def finish(self, value: Any, now: float) -> None:
        """Give the current call its result, or each of a batch its own."""
        call, self.current = self.current, None
        if call is None:
            return
        self._port.meter.end(len(value) if isinstance(call, Batch) else 1)
        calls = each_of(call)
        if (task := calls[0].task) is not None:
            task.pace = (now - call.began) / len(calls)
        if not isinstance(call, Batch):
            call.future.set(value)
            return
        for member, result in zip(calls, value, strict=False):
            if call.broken_off and isinstance(result, DeviceError) and result.kind == INTERRUPTED:
                self._broken_off(member)
            else:
                _give(member, result)
        for member in reversed(calls[len(value) :]):  # it has not begun
            member.tries -= 1
            if not member.future.done():
                self._queue.put_back(member)

    def refuse(self, error: BaseException) -> None:
        """Give the current call an error that is its own."""
        call, self.current = self.current, None
        if call is not None:
            self._port.meter.end()
        for each in each_of(call) if call is not None else ():
            each.future.set_exception(error)

    def lose(self, kind: type[LinkError], message: str) -> None:
        """The device failed under the current call: tell, or try again (DESIGN 3.5)."""
        current, self.current = self.current, None
        for call in reversed(each_of(current)) if current is not None else ():
            if call.future.done():
                continue
            if call.idempotent and call.tries < MOST_TRIES:
                self._queue.put_back(call)
            else:
                call.future.set_exception(kind(f"{call.label}: {message}", maybe_executed=True))

    def lose_all(self, kind: type[LinkError], message: str) -> None:
        """The device is gone for good: tell everybody."""
        for call in each_of(self.current) if self.current is not None else ():
            call.idempotent = False
        self.lose(kind, message)
        while (waiting := self._queue.take()) is not None:
            waiting.future.set_exception(kind(f"{waiting.label}: {message}"))

    def cancel(self, call: Call, reason: str | None) -> bool:
        """Cancel a call; True where it was under way and the device must be interrupted."""
        why = f"{call.label} was cancelled" + (f": {reason}" if reason else "")
        together = each_of(self.current) if self.current is not None else []
        running = call in together
        if not running:
            self._queue.remove(call)
        call.future.set_exception(CallCancelled(why, maybe_executed=running))
        if not running or not all(each.future.done() for each in together):
            return False  # of a batch the others still wait for their answers
        self.current = None
        return True

    def break_off(self, now: float) -> bool:
        """Whether the batch under way is to be interrupted now; what it has done is not lost."""
        batch = self.current
        if not isinstance(batch, Batch) or batch.broken_off or batch.due > now:
            return False
        batch.broken_off = True
        return True

    def expire(self, now: float, recovery: Callable[[], object]) -> bool:
        """Tell whose deadline has passed; True where the device must be interrupted."""
        for waiting in [each for each in self._queue if each.deadline <= now]:
            self._queue.remove(waiting)
            self._too_late(waiting)
        call = self.current
        if call is None or call.deadline > now:
            return False
        self.current = None
        for each in each_of(call):
            self._too_long(each, recovery())
        return True

    def next_deadline(self) -> float | None:
        """Return the earliest deadline; None while nobody waits."""
        deadlines = [call.deadline for call in self._queue]
        if isinstance(self.current, Batch):
            deadlines.append(self.current.due)
        elif self.current is not None:
            deadlines.append(self.current.deadline)
        return min(deadlines, default=None)

    @property
    def waiting(self) -> int:
        """How many calls wait; from any thread."""
        return self._queue.waiting()

    def __len__(self) -> int:
        return len(self._queue)

    def _too_long(self, call: Call, recovery: object) -> None:
        error = LinkTimeout(
            f"{call.label} did not end by its deadline and is interrupted; give a longer timeout=",
            maybe_executed=True,
        )
        error.recovery = recovery
        call.future.set_exception(error)

    def _broken_off(self, call: Call) -> None:
        call.future.set_exception(
            LinkTimeout(
                f"{call.label} was interrupted {MARGIN} s before its deadline, for others had been "
                "sent along with it; give a longer timeout=",
                maybe_executed=True,
            )
        )

    def _too_late(self, call: Call) -> None:
        call.future.set_exception(
            LinkTimeout(
                f"{call.label} still waited for {self._port.url} ({self._port.state.value}) at its "
                "deadline and was not sent; give a longer timeout="
            )
        )

    def _stale(self, call: Call) -> None:
        call.future.set_exception(
            StaleHandle(
                f"{call.label} belongs to boot {call.generation} of {self._port.url}, which is at "
                f"boot {self._port.generation}; make its object again"
            )
        )


def _give(call: Call, result: object) -> None:
    if isinstance(result, BaseException):
        call.future.set_exception(result)
    else:
        call.future.set(result)
