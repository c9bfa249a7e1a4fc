"""Links without a device: they answer a recorded protocol at once, in the thread that writes.

The only fake of the benchmark: with 10,000 sessions on 100 devices it is the host that is measured.
Attaching is answered by the model board of the tests, every call after it by the frame of `None`.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from time import thread_time
from typing import TYPE_CHECKING
from unittest import mock

from klemheist.transports.repl.frames import FrameKind, frame_check
from tests.transports.repl.model import ModelBoard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from klemheist.transports.link import Receiver, Reset

CALL = re.compile(rb"_k\((\d+),.*\x04\Z", re.DOTALL)
TEXT = b"None"


class MemoryLink:
    """One link; `spent` are the seconds of CPU that the answers of all of them have taken."""

    resets: tuple[Reset, ...] = ()
    boots = False
    spent = 0.0

    def __init__(self, url: str) -> None:
        self.url = url
        self.recorded = False
        """Whether every call is answered from the record by now."""
        self._board = ModelBoard(paste="denied")
        self._receiver: Receiver | None = None

    def open(self, receiver: Receiver, *, timeout: float = 10.0) -> None:
        """Answer from now on."""
        self._receiver = receiver

    def write(self, data: bytes) -> None:
        """Take bytes, and deliver the answer before it returns."""
        began = thread_time()
        said = self._answer(data)
        MemoryLink.spent += thread_time() - began
        if said and self._receiver is not None:
            self._receiver.received(said)

    def _answer(self, data: bytes) -> bytes:
        found = CALL.match(data) if self.recorded else None
        return self._board.feed(data) if found is None else answer(found[1])

    def interrupt(self) -> None:
        """Send Ctrl-C."""
        self.write(b"\x03")

    def drive(self, done: Callable[[], bool], window: float = 0.0) -> None:
        """There is nothing to read: it is delivered already."""

    def lend(self, *, soon: bool = False) -> None:
        """As for `drive`."""

    def exchange(self, *_: object) -> bool:
        """Not here: it would measure the short way."""
        return False

    def reset(self, kind: Reset) -> None:
        """None is offered."""

    def close(self) -> None:
        """Answer no more."""
        self._receiver = None


def answer(number: bytes) -> bytes:
    """Return what a board says to a call that returns None."""
    kind = FrameKind.VALUE
    parts = number, kind.encode(), len(TEXT), frame_check(kind, TEXT), TEXT
    return b"OK\x1e%s%s%d,%d,%s\x04\x04>" % parts


@contextmanager
def memory_links() -> Iterator[list[MemoryLink]]:
    """Make all links of new devices such links, and list them."""
    links: list[MemoryLink] = []

    def create(url: str, _: object = None) -> MemoryLink:
        links.append(MemoryLink(url))
        return links[-1]

    with mock.patch("klemheist.supervisors.manager.devices.create_link", create):
        yield links
