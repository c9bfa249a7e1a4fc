"""Serial ports that come and go: told as events, and to devices that wait for theirs (DESIGN 3.9).

A watch runs only while somebody listens or a serial device is away. On Linux the kernel says when
to look; elsewhere, and where the kernel tells nothing, ports are listed every few seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from loguru import logger

from klemheist.actors.background import in_background
from klemheist.actors.device.facts import DeviceEvent
from klemheist.actors.device.port import Port
from klemheist.actors.runtime import TIMERS
from klemheist.transports import ports as system
from klemheist.transports.identity import PortInfo
from klemheist.transports.uevents import Uevents
from klemheist.transports.url import parse_url

if TYPE_CHECKING:
    from klemheist.actors.runtime import Future
    from klemheist.actors.runtime.timers import Timer, Timers
    from klemheist.actors.streams import Publisher

POLL_SECONDS: Final = 2.0
"""Between two looks where the system does not say when; a list takes a few milliseconds."""
SELDOM_SECONDS: Final = 30.0
"""The same where it says so: in a container it may not tell, without an error."""

_SERIAL: Final = ("usb", "serial")
_MOVES: Final = frozenset({"down", "up", "failed", "closed"})
"""The events that say where a device stands."""


@dataclass(frozen=True, slots=True)
class PortEvent:
    """Something happened to a serial port of this machine."""

    port: PortInfo
    """The port; its `url` is the one to open its device by."""


@dataclass(frozen=True, slots=True)
class PortAppeared(PortEvent):
    """A port is there: it was plugged in, or renamed."""

    already: bool = False
    """It was there when the watch began: with its first listener, each port is told once."""


@dataclass(frozen=True, slots=True)
class PortGone(PortEvent):
    """A port is no longer there."""


class News(Protocol):
    """What says when to look."""

    def open(self) -> bool:
        """Begin; False where there is no such thing here."""

    def close(self) -> None:
        """End; idempotent."""


def changes(before: Sequence[PortInfo] | None, now: Sequence[PortInfo]) -> list[PortEvent]:
    """Return what happened between two lists, what went first; None stands for no list."""
    gone = [PortGone(port) for port in before or () if port not in now]
    known = before or ()
    return [*gone, *(PortAppeared(port, before is None) for port in now if port not in known)]


class PlugWatch:
    """Looks at the ports while that is of use.

    Its life: off; on while `_is_wanted`; `close` ends it for good. One look at a time.

    Args:
        told: where events are published, and who listens.
        devices: gives the devices there are.
        timers: for the looks in between.
        news: says when to look.
    """

    def __init__(
        self,
        told: Publisher[Any],
        devices: Callable[[], Sequence[Port]],
        *,
        timers: Timers = TIMERS,
        news: Callable[[Callable[[], object]], News] = Uevents,
    ) -> None:
        self._told = told
        self._devices = devices
        self._timers = timers
        self._make_news = news
        self._away: set[str] = set()
        """Serial devices that are away."""
        self._news: News | None = None
        self._period = POLL_SECONDS
        self._known: tuple[PortInfo, ...] | None = None
        self._timer: Timer | None = None
        self._looking = self._again = self._closed = False
        self._switching = threading.Lock()
        """Held while the watch begins or ends; then `_lock`, for the looks."""
        self._lock = threading.Lock()
        told.changed = self.review

    def tell(self, event: DeviceEvent) -> None:
        """Publish a device's event, and see whether the device is one that waits for its port."""
        self._told.publish(event)
        if event.kind in _MOVES and parse_url(event.url).scheme in _SERIAL:
            (self._away.add if event.kind == "down" else self._away.discard)(event.url)
            self.review()

    def review(self) -> None:
        """Begin to watch, or end it, as is wanted now."""
        with self._switching:
            wanted = not self._closed and self._is_wanted()
            if wanted == (self._news is not None):
                return
            if wanted:
                news = self._make_news(self.look)
                self._period = SELDOM_SECONDS if news.open() else POLL_SECONDS
                self._news = news
            else:
                self._end()
        if wanted:
            self.look()

    def _end(self) -> None:
        with self._lock:
            news, self._news = self._news, None
            timer, self._timer = self._timer, None
            self._known = None
        if timer is not None:
            timer.cancel()
        if news is not None:
            news.close()

    def close(self) -> None:
        """Watch no more."""
        self._closed = True
        self.review()

    def look(self) -> None:
        """List the ports in the background, and tell what changed."""
        with self._lock:
            self._again = self._looking
            if self._looking or self._news is None:
                return
            self._looking = True
        in_background(system.list_ports, name="ports").add_done_callback(self._listed)

    def _is_wanted(self) -> bool:
        return bool(self._away) or any(
            not each.types
            or issubclass(PortAppeared, each.types)
            or issubclass(PortGone, each.types)
            for each in self._told.subscriptions
        )

    def _listed(self, listing: Future[tuple[PortInfo, ...]]) -> None:
        error = listing.exception()
        events: list[PortEvent] = []
        with self._lock:
            self._looking = False
            again = self._again
            if self._news is None:
                return
            if error is None:
                events = changes(self._known, listing.get())
                self._known = listing.get()
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._timers.call_later(self._period, self.look)
        if error is not None:
            logger.debug("ports are not watched: {}", error)
        self._publish(events)
        if again:
            self.look()

    def _publish(self, events: Sequence[PortEvent]) -> None:
        for event in events:
            self._told.publish(event)
        if any(isinstance(event, PortAppeared) for event in events):
            for device in self._devices():
                if device.url in self._away:
                    device.hurry()
