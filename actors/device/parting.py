"""The end of a device: left as it was found, its link closed, and told to whoever waits for it."""

from __future__ import annotations

from typing import Final

from klemheist.actors.runtime.timers import Timer, Timers
from klemheist.transports.repl.install import remove
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.steps import Do, Step

from .linkage import Linkage
from .port import Port
from .recovery import LEAVE_RAW, PATIENCE, Driver
from .states import Happening
from .watch import Watch

RUN_APP: Final = b"\x04"
LEAVE_WITHIN: Final = (0.3, 0.6)
"""Seconds for the prompt, attempt by attempt, when a busy device is released."""
ABANDON_AFTER: Final = 3.0
"""Seconds that the end waits for a link which is still being opened."""


class Parting:
    """Releases one device.

    1. `begin` takes our own things off the device. 2. `close` closes its link. 3. `closed` tells.
    """

    def __init__(
        self,
        driver: Driver,
        port: Port,
        links: Linkage,
        watch: Watch,
        timers: Timers,
        *,
        resume_app: bool,
    ) -> None:
        self._driver = driver
        self._port = port
        self._links = links
        self._watch = watch
        self._timers = timers
        self._farewell = LEAVE_RAW + (RUN_APP if resume_app else b"")
        self._abandon: Timer | None = None

    def begin(self, *, idle: bool) -> None:
        """Leave the device as it was found, then close its link; nothing else is under way.

        Args:
            idle: it is at its prompt; else it is asked for that first, for a moment.
        """
        if self._port.link is None:
            self._left(None, None)
        else:
            leaving = remove() if idle else _leave()
            self._driver.begin(leaving, self._left, patience=PATIENCE)

    def close(self) -> None:
        """Close the link at once."""
        self._links.close(self.closed)

    def closed(self) -> None:
        """Tell that nothing is open any more; once."""
        self._watch.stop()
        if self._abandon is not None:
            self._abandon.cancel()
        if self._port.move(Happening.CLOSED):
            self._port.emit("closed")
            self._port.closed.set(None)

    def _left(self, _: object, __: object) -> None:
        self._links.write(self._farewell)
        self._abandon = self._timers.call_later(ABANDON_AFTER, self._driver.post, self.closed)
        self.close()


def _leave() -> Procedure[None]:
    """Take the agent off a device that is busy or in trouble, if it listens."""
    for within in LEAVE_WITHIN:
        reply = yield Step(Do.ENTER, within=within)
        if reply.ended:
            yield from remove()
            return
