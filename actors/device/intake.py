"""The calls of a device: who waits, who is served, and what each is told in the end."""

from __future__ import annotations

from collections.abc import Callable

from klemheist.actors.errors import CallCancelled, QueueFull, StaleHandle
from klemheist.transports.errors import LinkError, LinkTimeout

from .call import MOST_TRIES, Call, FairQueue
from .port import Port


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
                self._port.counters.calls += 1
                self._port.meter.begin()
                self.current = call
                return call
        return None

    def adopt(self, call: Call) -> None:
        """Take a call that was sent already as the current one."""
        call.tries = 1
        self._port.counters.calls += 1
        self.current = call

    def finish(self, value: object) -> None:
        """Give the current call its result."""
        call, self.current = self.current, None
        if call is not None:
            self._port.meter.end()
            call.future.set(value)

    def refuse(self, error: BaseException) -> None:
        """Give the current call an error that is its own."""
        call, self.current = self.current, None
        if call is not None:
            self._port.meter.end()
            call.future.set_exception(error)

    def lose(self, kind: type[LinkError], message: str) -> None:
        """The device failed under the current call: tell, or try again (DESIGN 3.5)."""
        call, self.current = self.current, None
        if call is None or call.future.done():
            return
        if call.idempotent and call.tries < MOST_TRIES:
            self._queue.put_back(call)
        else:
            call.future.set_exception(kind(f"{call.label}: {message}", maybe_executed=True))

    def lose_all(self, kind: type[LinkError], message: str) -> None:
        """The device is gone for good: tell everybody."""
        if self.current is not None:
            self.current.idempotent = False
        self.lose(kind, message)
        while (call := self._queue.take()) is not None:
            call.future.set_exception(kind(f"{call.label}: {message}"))

    def cancel(self, call: Call, reason: str | None) -> bool:
        """Cancel a call; True where it was under way and the device must be interrupted."""
        why = f"{call.label} was cancelled" + (f": {reason}" if reason else "")
        running = call is self.current
        if running:
            self.current = None
        else:
            self._queue.remove(call)
        call.future.set_exception(CallCancelled(why, maybe_executed=running))
        return running

    def expire(self, now: float, recovery: Callable[[], object]) -> bool:
        """Tell whose deadline has passed; True where the device must be interrupted."""
        for waiting in [each for each in self._queue if each.deadline <= now]:
            self._queue.remove(waiting)
            self._too_late(waiting)
        call = self.current
        if call is None or call.deadline > now:
            return False
        self.current = None
        error = LinkTimeout(
            f"{call.label} did not end by its deadline and is interrupted; give a longer timeout=",
            maybe_executed=True,
        )
        error.recovery = recovery()
        call.future.set_exception(error)
        return True

    def next_deadline(self) -> float | None:
        """Return the earliest deadline; None while nobody waits."""
        deadlines = [call.deadline for call in self._queue]
        if self.current is not None:
            deadlines.append(self.current.deadline)
        return min(deadlines, default=None)

    @property
    def waiting(self) -> int:
        """How many calls wait; from any thread."""
        return self._queue.waiting()

    def __len__(self) -> int:
        return len(self._queue)

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
