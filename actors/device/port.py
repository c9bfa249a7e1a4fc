"""What of a device outlives its actor: the open link, the boot that is known, and who listens.

A Device that crashes is started anew by its supervisor with the same port: the link stays open, the
interpreter keeps its memory, and calls wait for the new incarnation. Sessions and managers hold the
port, never the actor.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from loguru import logger

from klemheist.actors.done import Done
from klemheist.actors.errors import CapabilityError
from klemheist.actors.operation import copy_to
from klemheist.actors.runtime.callbacks import call_each
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.runtime.future import Future
from klemheist.actors.runtime.timers import TIMERS
from klemheist.transports.errors import LinkLost, LinkTimeout
from klemheist.transports.link import Link
from klemheist.transports.repl.attach import Firmware
from klemheist.transports.repl.board import Board

from .brain import Brain
from .call import Call
from .debts import Debts
from .facts import Capabilities, Counters, DeviceEvent
from .meter import CallMeter
from .report import Reporter
from .states import LIFE, DeviceState, Happening

if TYPE_CHECKING:
    from .express import MakeCall
    from .linkage import Receiver
    from .short import Answer

_INHERITED: Final = (
    "belongs to the process from which this one was forked; create a SessionManager of its own here"
)


SETTLE_WITHIN: Final = 30.0
"""Seconds for what is owed to a device that is up; after them it waits for its next comeback."""
AT_LAST_WITHIN: Final = 5.0
"""The same when the device is released: there is no next comeback."""
BACK_WITHIN: Final = 2.0
"""Seconds that its release waits for a device that is away, and to which something is owed."""

_OVER: Final = (DeviceState.FAILED, DeviceState.STOPPED)


_known: Final[WeakSet[Port]] = WeakSet()


class Port:
    """The stable side of one device."""

    def __init__(
        self, url: str, create_link: Callable[[], Link], firmware: dict[str, Firmware]
    ) -> None:
        self.url = url
        self.create_link = create_link
        self.firmware = firmware
        self.board = Board()
        self.link: Link | None = None
        self.brain: Brain | None = None
        self.state = DeviceState.NEW
        self.generation = 0
        self.ready: Future[None] = Future()
        """Resolved when the device is up for the first time, or cannot be opened at all."""
        self.done = Done()
        """Closed when the device is closed or has failed for good; sessions have their own."""
        self.closed: Future[None] = Future()
        """Resolved when the link is closed for good and its process, if any, is gone."""
        self.receiver: Receiver | None = None
        self.report = logger.bind(device=url)
        self.debts = Debts(self.report)
        """Cleanup that is owed to the device."""
        self.counters = Counters()
        self.meter = CallMeter()
        self.metrics: Counter[str] = Counter()
        """What users count about it (SES-081)."""
        self._kept: list[tuple[Call, Future[Any]]] = []
        self._listeners: list[Callable[[DeviceEvent], object]] = []
        self._reporter = Reporter(self.report)
        self._lock = threading.Lock()
        self._is_inherited = False
        _known.add(self)

    def __repr__(self) -> str:
        return f"<device {self.url} {self.state.value}, generation {self.generation}>"

    def move(self, happening: Happening) -> bool:
        """Move along the table; False, and nothing happens, where it has no such move."""
        state = LIFE.get((self.state, happening))
        if state is not None:
            self.state = state
            if state in _OVER:
                self.done.close(state.value)
        return state is not None

    def present_link(self) -> Link | None:
        """Return the open link, if there is one."""
        return self.link

    @property
    def waiting(self) -> int:
        """How many calls wait for the device, besides the one that it is at."""
        brain = self.brain
        return len(self._kept) + (0 if brain is None else brain.waiting)

    @property
    def is_away(self) -> bool:
        """Whether nothing can be sent just now, and nobody knows for how long."""
        return self.state in (
            DeviceState.DOWN,
            DeviceState.OPENING,
            DeviceState.FAILED,
            DeviceState.STOPPED,
        )

    @property
    def is_up(self) -> bool:
        """Whether an actor drives it, and calls are made there just now."""
        return self.brain is not None and self.state is DeviceState.UP

    @property
    def capabilities(self) -> Capabilities | None:
        """What the device can do; None before it was up for the first time."""
        known = self.board.facts.get("firmware")
        if not isinstance(known, Firmware) or not self.board.boot:
            return None
        free = self.board.facts["free"]
        assert isinstance(free, int)
        return Capabilities(
            platform=known.platform,
            firmware=known.text,
            raw_paste=known.paste,
            threads=bool(self.board.facts["threads"]),
            single_floats=self.board.single,
            free_memory=free,
            longest_source=self.board.longest,
        )

    def require(self) -> Capabilities:
        """Return the capabilities.

        Raises:
            CapabilityError: nothing was detected yet.
        """
        found = self.capabilities
        if found is None:
            raise CapabilityError(f"{self.url} has not said what it can do; wait until it is up")
        return found

    def submit(self, call: Call) -> Future[Any]:
        """Hand a call to the device; its future is resolved by its deadline at the latest."""
        brain = self.brain
        if brain is not None:
            return brain.submit(call)
        return self.keep(call)

    def submit_all(self, calls: Sequence[Call]) -> list[Future[Any]]:
        """`submit` several of one deadline, for less."""
        brain = self.brain
        if brain is not None:
            return brain.submit_all(calls)
        return [self.keep(call) for call in calls]

    def keep(self, call: Call) -> Future[Any]:
        """Keep a call while no actor drives the device: one that crashed is being started anew."""
        call.future = Future()
        if self.state in (DeviceState.FAILED, DeviceState.STOPPING, DeviceState.STOPPED):
            why = _INHERITED if self._is_inherited else "is closed; create a new session"
            call.future.set_exception(LinkLost(f"{self.url} {why}"))
            return call.future
        late = LinkTimeout(f"{call.label} still waited for {self.url} and was not sent; try again")
        timer = TIMERS.call_at(call.deadline, call.future.set_exception, late)
        call.future.add_done_callback(lambda _: timer.cancel())
        with self._lock:
            self._kept.append((call, call.future))
        self.hand_over()
        return call.future

    def inherit(self) -> None:
        """Be of no use, in a forked child: the device is the parent's, who is not disturbed.

        No lock is taken: a thread that this process does not have may have held it.
        """
        self.brain = self.link = None
        self.state = DeviceState.STOPPED
        self.closed = Future()
        self.closed.set(None)
        self._kept, self._lock = [], threading.Lock()
        self._is_inherited = True

    def settle(self) -> None:
        """Have what is owed done now, where the device was back before it was owed.

        Otherwise it is done when the device is up again, before anybody has a turn.
        """
        if self.debts and self.is_up:
            self._pay(SETTLE_WITHIN)

    def settle_at_last(self) -> Future[Any]:
        """Have what is owed done before the device is released, where it can be reached in time.

        One that is away is tried at once. The future is resolved when there is nothing to wait for.
        """
        if not self.debts or self.brain is None:
            nothing: Future[Any] = Future()
            nothing.set(None)
            return nothing
        within = BACK_WITHIN if self.is_away else AT_LAST_WITHIN
        self.hurry()
        return self._pay(within)

    def _pay(self, within: float) -> Future[Any]:
        ends = SYSTEM_CLOCK.monotonic() + within
        return self.submit(Call(self.debts.pay, "/owed", ends, "owed cleanup", idempotent=True))

    def hand_over(self) -> None:
        """Give the calls that were kept to the actor that drives the device now, if one does."""
        brain = self.brain
        while brain is not None and self._kept:
            with self._lock:
                kept, self._kept = self._kept, []
            for call, future in kept:
                if not future.done():
                    copy_to(future, brain.submit(call))

    def call_now(self, entry: int, plain: tuple[Any, ...], make_call: MakeCall) -> Answer:
        """Make a call on this thread if the device is idle; see `ShortWay.call_now`."""
        brain = self.brain
        return None if brain is None else brain.call_now(entry, plain, make_call)

    def call_soon(
        self, entry: int, plain: tuple[Any, ...], make_call: MakeCall, owner: str
    ) -> Answer:
        """Send a call from the loop of this thread if the device is idle; see `ShortWay`."""
        brain = self.brain
        return None if brain is None else brain.call_soon(entry, plain, make_call, owner)

    def interrupt(self, owner: str) -> None:
        """Send Ctrl-C to what the device runs for this session."""
        if self.brain is not None:
            self.brain.interrupt(owner)

    def is_at(self, future: Future[Any]) -> bool:
        """Whether the device is at the call of this future: it neither waits nor has ended."""
        return self.brain is not None and self.brain.is_at(future)

    def break_off(self, future: Future[Any]) -> None:
        """Send Ctrl-C to the call of this future, and to no other."""
        if self.brain is not None:
            self.brain.break_off(future)

    def hurry(self) -> None:
        """Try at once to open the link, if the device is down and waits for its next attempt."""
        if self.brain is not None:
            self.brain.hurry()

    def listen(self, fn: Callable[[DeviceEvent], object]) -> Callable[[], None]:
        """Call `fn` with each event, on the device's turn: it must not block. Returns the undo."""
        with self._lock:
            self._listeners = [*self._listeners, fn]
        return lambda: self.unlisten(fn)

    def unlisten(self, fn: Callable[[DeviceEvent], object]) -> None:
        """Call `fn` no more; harmless if it is not called."""
        with self._lock:
            self._listeners = [each for each in self._listeners if each != fn]

    def booted(self, *, same_boot: bool) -> None:
        """Record that the device is up, with or without a new generation, and tell."""
        if not same_boot:
            self.generation += 1
            self.counters.generations += 1
        self.emit("up", same_boot=same_boot)
        self.ready.set(None)

    def emit(
        self, kind: str, text: str = "", *, same_boot: bool = False, data: bytes = b""
    ) -> None:
        """Tell the log and all listeners."""
        self._reporter.tell(kind, text)
        listeners = self._listeners
        if listeners:
            event = DeviceEvent(self.url, kind, text, self.generation, same_boot, data)
            call_each(f"a listener of {self.url} failed", listeners, event, log=self.report)


def _after_fork() -> None:
    for port in tuple(_known):
        port.inherit()


os.register_at_fork(after_in_child=_after_fork)
