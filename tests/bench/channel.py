"""The bare link: a raw REPL on two file descriptors, `os.write` and `os.read`, and nothing else.

It is what all ratios are over. It shares no code with `klemheist.transports.repl`, has no deadline
and verifies nothing. `borrowed` lets it talk on the very descriptors of an open link, so that bare
calls and ours go call by call to the same interpreter through the same pipe.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Self
from unittest import mock

from klemheist.actors.device.call import Call
from klemheist.actors.device.device import Device
from klemheist.supervisors.manager import devices
from klemheist.transports.fdlink import FdLink
from klemheist.transports.registry import create_link
from klemheist.transports.repl.procedures import free_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from klemheist.actors.device.port import Port

OPEN_WITHIN = 60.0
"""Seconds; the first board of a machine may have to be fetched."""

BANNER = b"raw REPL; CTRL-B to exit\r\n>"
FRIENDLY = b">>> "


class Bare:
    """A board at its raw prompt, or on its way there (`enter`)."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd, self._write_fd = read_fd, write_fd

    def enter(self) -> Self:
        """Get the raw prompt, whatever the board does now."""
        self.ask(b"\r\x03\x02\x01", BANNER)
        return self

    def leave(self) -> None:
        """Go back to the prompt for people, as a board stands after it has booted."""
        self.ask(b"\x02", FRIENDLY)

    def exec(self, source: bytes) -> bytes:
        """Run one command and return what it printed.

        Raises:
            RuntimeError: it raised on the board; the text is its traceback.
        """
        answer = self.ask(source + b"\x04", b"\x04>")
        output, error, _ = answer.removeprefix(b"OK").split(b"\x04")
        if error:
            raise RuntimeError(error.decode(errors="replace"))
        return output.rstrip()  # one board ends its lines with \n, another with \r\n

    def timed(self, source: bytes, expected: bytes) -> float:
        """Return the seconds that one exec takes; its answer is checked outside of them."""
        began = perf_counter()
        output = self.exec(source)
        took = perf_counter() - began
        if output != expected:
            raise RuntimeError(f"{source!r} printed {output!r}")
        return took

    def ask(self, data: bytes, end: bytes) -> bytes:
        """Send bytes, and return what comes up to that end."""
        os.write(self._write_fd, data)
        return self.until(end)

    def until(self, end: bytes) -> bytes:
        """Return what comes up to that end."""
        seen = os.read(self._read_fd, 65536)
        while not seen.endswith(end):
            data = os.read(self._read_fd, 65536)
            if not data:
                raise EOFError("the board is gone")
            seen += data
        return seen


class RawBoard:
    """A board with nobody but us on its link, begun as the link itself begins it."""

    def __init__(self, url: str) -> None:
        link = create_link(url)
        assert isinstance(link, FdLink)
        self.link = link
        self._ours = True
        self.fds = link._connect(OPEN_WITHIN)
        self.bare = Bare(*self.fds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            for fd in set(self.fds):
                os.close(fd)
            self.link._disconnect()

    @contextmanager
    def handed_over(self) -> Iterator[FdLink]:
        """Let the next device that is opened have this link, whose board runs already."""
        self._ours = False  # the link closes what it was given
        with (
            mock.patch.object(self.link, "_connect", return_value=self.fds),
            mock.patch.object(devices, "create_link", return_value=self.link),
        ):
            yield self.link


def start_seconds(url: str) -> float:
    """Return the board's own start time: from its process to its first answer to a bare exec."""
    began = perf_counter()
    with RawBoard(url) as board:
        board.bare.enter().exec(b"print(1)")
        return perf_counter() - began


def tidy(port: Port) -> None:
    """Have the device collect, which no raw command does where the heap is small.

    A call that is none of a burst ends the burst under way, if there is one.
    """
    port.submit(Call(free_memory, "/bench", monotonic() + OPEN_WITHIN, "tidying")).get()


@contextmanager
def borrowed(port: Port) -> Iterator[Bare]:
    """Lend out the descriptors of an idle device's link; give them back as they were."""
    link = port.link
    assert isinstance(link, FdLink)
    assert isinstance(port.brain, Device)
    if port.brain.in_burst or port.brain._runner.active:  # it prepares bursts
        tidy(port)
    fds = link._read_fd, link._write_fd
    assert link._lease is not None
    lent = link._lease.loop is not None  # to this thread's own loop, which does not run meanwhile
    with link._reading:  # the I/O thread may still have news of bytes that were read already
        if not lent:
            link._lease.take_over(fds)
        for fd in fds:
            os.set_blocking(fd, True)
        try:
            yield Bare(*fds)
        finally:
            for fd in fds:
                os.set_blocking(fd, False)
            if not lent:
                link._lease.give_back(fds)
