"""The way up, and the way back: opening, attaching, the ladder, and reopening after a loss.

Turns of the Device, apart from its calls. Losing a link is a state, not a crash (DESIGN 2); back to
a device that does not answer leads the ladder, rung by rung (DESIGN 3.3).
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from klemheist.actors.runtime.future import Future
from klemheist.actors.runtime.timers import Timer, Timers
from klemheist.transports.errors import DeviceReset, LinkError, LinkLost, LinkTimeout
from klemheist.transports.link import Link
from klemheist.transports.repl.attach import Attached, attach
from klemheist.transports.repl.frames import COUNTS
from klemheist.transports.repl.install import after_arrival
from klemheist.transports.repl.ladder import Recovered, ladder
from klemheist.transports.repl.lines import Full, Procedure

from .intake import Intake
from .linkage import Linkage
from .port import Port
from .reopen import Reopening
from .states import DeviceState, Happening

PATIENCE: Final = 3.0
"""Seconds for one step of ours once the device has accepted it; then it is asked again."""
PAY_PATIENCE: Final = 10.0
"""The same for owed cleanup, which is the user's code."""

LEAVE_RAW: Final = b"\r\x03\x02"

CHANCES: Final = 10
"""Twenty seconds with the usual backoff: a board starts, joins its network and serves again."""


class Driver(Protocol):
    """What the way back needs of the Device."""

    def new_talk(self) -> None:
        """Begin a new conversation: the link is new."""

    def begin(
        self,
        procedure: Procedure[Any],
        done: Callable[[Any, BaseException | None], None],
        *,
        patience: float | None = None,
    ) -> None:
        """Run a procedure; the runner must be free."""

    def drop(self) -> None:
        """Abandon the procedure under way."""

    def post(self, fn: Callable[..., object], /, *args: Any) -> bool:
        """Run a turn."""


class Recovery:
    """Brings one device up, and back up, for as long as the policy says."""

    def __init__(
        self,
        driver: Driver,
        port: Port,
        links: Linkage,
        intake: Intake,
        *,
        reopening: Reopening,
        fresh: bool,
        timers: Timers,
    ) -> None:
        self._driver = driver
        self._port = port
        self._links = links
        self._intake = intake
        self._reopening = reopening
        self._fresh = fresh
        self._chances = 0
        """Attempts to find a device again that its first soft reset took away, as WebREPL's."""
        self._timers = timers
        self._later: Timer | None = None
        self.future: Future[Recovered] = Future()
        """Of the rung that works next; `LinkTimeout.recovery`."""

    # -- up --------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open a new link; attach follows."""
        if self._port.move(Happening.OPEN):
            self._port.emit("opening")
            self._links.open(self._connected)

    def hurry(self) -> None:
        """Try now what was to be tried later; something has changed, so the delays begin anew."""
        if self._later is not None and self._later.cancel():
            self._reopening.worked()
            self._reopen()

    def adopt(self, link: Link) -> None:
        """Attach to the link that an earlier incarnation of the Device left open."""
        self._links.adopt()
        self._port.move(Happening.OPEN)
        self._opened(link)

    def stop(self) -> None:
        """Try nothing more."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self.future.set_exception(LinkLost(f"{self._port.url} was closed"))

    def _connected(self, opening: Future[Link]) -> None:
        error = opening.exception()
        if error is None:
            link = opening.get()
            if link.boots:
                self._port.board.boot = ""  # no need to ask
            self._opened(link, started=link.boots)
        elif self._port.move(Happening.NOT_OPENED):
            if not isinstance(error, LinkError):
                error = LinkError(f"{self._port.url}: {error!r}")
            self._down(error)

    def _opened(self, link: Link, *, started: bool = False) -> None:
        self._port.link = link
        if self._port.move(Happening.OPENED):
            self._driver.new_talk()
            attaching = self._attach(started=started)
            self._driver.begin(attaching, self._attached, patience=PATIENCE)

    def _attach(self, *, started: bool = False) -> Procedure[Attached]:
        fresh, self._fresh = self._fresh, False
        if fresh:
            self._chances = CHANCES
        return attach(
            self._port.board,
            boot=secrets.token_hex(4),
            count=random.randrange(COUNTS),  # noqa: S311 -- told apart from stale ones, no secret
            firmware=self._port.firmware,
            fresh=fresh,
            familiar=self._port.link is not None and self._port.link.boots,
            started=started,
        )

    def _attached(self, attached: Attached | None, error: BaseException | None) -> None:
        if isinstance(error, Full) and not self._port.ready.done():
            self._refuse(error)
            return
        if attached is None:
            self.trouble(f"attaching failed: {error}")
            return
        self._chances = 0
        if attached.interrupted:
            self._port.emit("interrupted", "a running program was stopped")
        if not self._port.move(Happening.ATTACHED):
            self._port.move(Happening.RECOVERED)
        self._up(same_boot=attached.same_boot)

    def _refuse(self, error: Full) -> None:
        """Leave a device alone that has no room for us: what fills it may be its user's (3.7)."""
        self._links.write(LEAVE_RAW)
        way = "free some of it, or open the device with fresh=True"
        self.lost(LinkError(f"{self._port.url}: {error}; {way}"))

    def _up(self, *, same_boot: bool) -> None:
        self._reopening.worked()
        if len(self._port.debts):  # before anybody else has a turn
            board = self._port.board
            paying = after_arrival(board, self._port.debts.pay(board))
            self._driver.begin(paying, partial(self._paid, same_boot), patience=PAY_PATIENCE)
        else:
            self._port.booted(same_boot=same_boot)

    def _paid(self, same_boot: bool, _: object, error: BaseException | None) -> None:  # noqa: FBT001 -- bound above
        if error is None:
            self._port.booted(same_boot=same_boot)
        else:
            self.trouble(f"owed cleanup: {error}")

    # -- down ------------------------------------------------------------------------------------

    def lost(self, error: LinkError) -> None:
        """Take the loss of the link: the call in flight fails at once."""
        if self._port.move(Happening.LOST):
            self._driver.drop()
            self._intake.lose(LinkLost, str(error))
            self._down(error)

    def _down(self, error: LinkError) -> None:
        """Tell, and try again later; a device that never was up fails, and its creator is told."""
        port = self._port
        port.counters.faults += 1
        self._links.close()
        self._fail_recovery(error)
        port.emit("down", str(error))
        may_come_back = port.ready.done() or self._chances > 0
        self._chances -= 1
        delay = self._reopening.next_delay() if may_come_back else None
        if delay is not None:
            self._later = self._timers.call_later(delay, self._driver.post, self._reopen)
            return
        port.move(Happening.GIVE_UP)
        self._intake.lose_all(type(error), str(error))
        port.emit("failed", str(error))
        port.ready.set_exception(error)

    def _reopen(self) -> None:
        self._later = None
        self._port.counters.reopened += 1
        self.open()

    def _fail_recovery(self, error: LinkError) -> None:
        recovery, self.future = self.future, Future()
        recovery.set_exception(error)

    # -- back ------------------------------------------------------------------------------------

    def rebooted(self) -> None:
        """The interpreter booted by itself: a new generation begins."""
        port = self._port
        port.counters.faults += 1
        port.move(Happening.TROUBLE)
        self._intake.lose(
            DeviceReset,
            f"{port.url} booted anew, what was in its memory is gone; make it "
            "again, and call again (what was deployed comes back by itself)",
        )
        port.board.boot = ""
        port.emit("reset", "the interpreter booted anew")
        self._driver.begin(self._attach(), self._attached, patience=PATIENCE)

    def broken_off(self) -> None:
        """A turn did not come to its end: nobody knows what was sent, and what was not."""
        port = self._port
        if port.move(Happening.TROUBLE):
            port.counters.faults += 1
        elif port.state is not DeviceState.RECOVERING:
            return
        self._driver.drop()
        self._driver.new_talk()
        self._intake.lose(LinkTimeout, "a signal's handler raised while it was made")
        self._driver.begin(self._attach(), self._attached, patience=PATIENCE)

    def trouble(self, why: str, *, answers: bool = False) -> None:
        """Climb the ladder; whoever waited for the call under way is told at once.

        Args:
            why: what went wrong.
            answers: the device does answer, for what it is worth.
        """
        port = self._port
        if port.move(Happening.TROUBLE):
            port.counters.faults += 1
        self._driver.drop()
        self._intake.lose(LinkTimeout, f"{port.url}{'' if answers else ' does not answer'}: {why}")
        port.emit("recovering", why)
        hard = len(port.link.resets) if port.link is not None else 0
        climb = ladder(port.board, self._attach, hard=hard)
        self._driver.begin(climb, self._climbed, patience=PATIENCE)

    def _climbed(self, recovered: Recovered | None, error: BaseException | None) -> None:
        if recovered is None:
            self._port.move(Happening.UNREACHABLE)
            self._down(LinkLost(f"{self._port.url}: {error}"))
            return
        recovery, self.future = self.future, Future()
        self._port.move(Happening.RECOVERED)
        self._port.emit("recovered", recovered.rung.value, same_boot=recovered.same_boot)
        self._up(same_boot=recovered.same_boot)
        recovery.set(recovered)
