"""A device's link: opened, reset and closed in the background, and told apart from older ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from klemheist.actors.background import in_background
from klemheist.actors.runtime.future import Future
from klemheist.transports.errors import LinkError
from klemheist.transports.link import Link, Reset

from .port import Port

OPEN_WITHIN: Final = 20.0
"""Seconds for a link to open: a board's process may have to start on a busy machine."""


class Hears(Protocol):
    """The Device, as its link sees it."""

    def received(self, data: bytes) -> None:
        """Bytes of the present link, on a turn."""

    def lost(self, error: LinkError) -> None:
        """The present link is gone, on a turn."""

    def hear(self, number: int, data: bytes) -> None:
        """Take bytes of a link, from any thread: runs `Linkage.heard` on a turn."""

    def post(self, fn: Callable[..., object], *args: Any) -> bool:
        """Run a turn."""


class Linkage:
    """Keeps `port.link`; everything that blocks runs on a background thread."""

    __slots__ = (
        "_abandoned",
        "_after_opening",
        "_arrived",
        "_device",
        "_number",
        "_opening",
        "_port",
    )

    def __init__(self, port: Port, device: Hears) -> None:
        self._port = port
        self._device = device
        self._number = 0
        self._opening = 0
        """How many links are being opened; more than one where an opening was given up."""
        self._arrived: list[Future[Link]] = []
        """Opened links whose turn has not come yet."""
        self._abandoned = False
        self._after_opening: list[Callable[[], object]] = []

    def open(self, then: Callable[[Future[Link]], object]) -> None:
        """Open a new link; `then` is a turn with the future of it."""
        receiver = self._receiver()
        self._open(lambda: self._opened(receiver), then, "open")

    def adopt(self) -> None:
        """Take over the open link of an earlier incarnation of the Device."""
        receiver = self._port.receiver
        assert receiver is not None
        receiver.point_to(self, self._device, self._number)

    def hard_reset(self, then: Callable[[Future[Link]], object]) -> None:
        """Reset the board by what its link offers; `then` is a turn with the link to use."""
        link = self._port.link
        assert link is not None
        kind = link.resets[0]
        if kind is not Reset.RESPAWN:
            self._work(lambda: _signal(link, kind), then, "reset")
            return
        receiver = self._receiver()

        def respawn() -> Link:
            link.close()
            return self._opened(receiver)

        self._open(respawn, then, "reset")

    def close(self, then: Callable[[], object] | None = None) -> None:
        """Close the link, if there is one; what is still being opened is closed once it is there.

        Args:
            then: what follows when nothing is open any more; a turn, or run at once without one.
        """
        link, self._port.link = self._port.link, None
        self._number += 1
        if then is not None and self._opening:
            self._after_opening.append(then)
            then = None
        if link is not None:
            self._work(link.close, lambda _: then and then(), "close")
        elif then is not None:
            then()

    def write(self, data: bytes) -> None:
        """Send bytes to the present link."""
        link = self._port.link
        if link is not None:
            try:
                link.write(data)
            except LinkError as error:
                self._port.report.warning("{}: {}", self._port.url, error)

    def interrupt(self) -> None:
        """Send Ctrl-C ahead of everything."""
        if self._port.link is not None:
            self._port.link.interrupt()

    def heard(self, number: int, data: bytes) -> bool:
        """Take bytes on a turn; those of an older link are dropped. True: they are dealt with."""
        if number == self._number:
            self._device.received(data)
        return True

    def broke(self, number: int, error: LinkError) -> None:
        """Take a loss on a turn; that of an older link is old news."""
        if number == self._number:
            self._device.lost(error)

    def _receiver(self) -> Receiver:
        self._number += 1
        receiver = self._port.receiver = Receiver()
        receiver.point_to(self, self._device, self._number)
        return receiver

    def _opened(self, receiver: Receiver) -> Link:
        link = self._port.create_link()
        link.open(receiver, timeout=OPEN_WITHIN)
        return link

    def _open(
        self, work: Callable[[], Link], then: Callable[[Future[Link]], object], name: str
    ) -> None:
        """Open in the background; nobody waits for a link that was given up meanwhile."""
        number = self._number
        self._opening += 1

        def opened(future: Future[Link]) -> None:
            self._arrived.remove(future)
            self._opening -= 1
            if number == self._number:
                then(future)
            else:
                self._give_back(future)

        def hand_over(future: Future[Link]) -> None:
            self._arrived.append(future)
            if self._abandoned or not self._device.post(opened, future):
                self.abandon()

        in_background(work, name=name).add_done_callback(hand_over)

    def abandon(self) -> None:
        """The Device has ended: what arrives, or waits in its mailbox, is closed again."""
        self._abandoned = True
        while self._arrived:
            try:
                arrived = self._arrived.pop()
            except IndexError:  # another thread was faster
                return
            self._give_back(arrived)

    def _give_back(self, opening: Future[Link]) -> None:
        """Close a link that nobody waits for, then go on with what waited for that."""
        after, self._after_opening = self._after_opening, []
        close = _nothing if opening.exception() is not None else opening.get().close
        self._work(close, lambda _: [then() for then in after], "close")

    def _work(
        self, work: Callable[[], Any], then: Callable[[Future[Any]], object], name: str
    ) -> None:
        def hand_over(future: Future[Any]) -> None:
            if not self._device.post(then, future):
                then(future)  # the Device has ended: nobody else is there to do it

        in_background(work, name=name).add_done_callback(hand_over)


class Receiver:
    """One link's way into the mailbox of whichever Device drives it now."""

    __slots__ = ("_broke", "_hear", "_number", "_post", "is_broken")

    def __init__(self) -> None:
        self.is_broken = False
        """Whether the link was lost; nobody was told where no Device drove it just then."""

    def point_to(self, linkage: Linkage, device: Hears, number: int) -> None:
        """Deliver to this Device from now on, under this number."""
        self._hear, self._broke, self._post = device.hear, linkage.broke, device.post
        self._number = number

    def received(self, data: bytes) -> None:
        """See `klemheist.transports.link.Receiver`."""
        self._hear(self._number, data)

    def lost(self, error: LinkError) -> None:
        """See `klemheist.transports.link.Receiver`."""
        self.is_broken = True
        self._post(self._broke, self._number, error)


def _nothing() -> None:
    """Closes a link that was never opened."""


def _signal(link: Link, kind: Reset) -> Link:
    link.reset(kind)
    return link
