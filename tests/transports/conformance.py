"""What every link keeps (`klemheist.transports.link`), as suites run by `test_links.py`.

`LinkSuite` holds for all; `EchoSuite` for a peer that sends everything back; `BoardSuite` for a
board in the raw REPL; `PeerSuite` where there is a peer that can be killed or turn deaf. A subclass
gives one fixture, `peer`.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

import pytest

from klemheist.transports import MAX_UNSENT, Link, LinkError, LinkLost, Reset, create_link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n>"
SECONDS = 10.0


class Inbox:
    """A receiver that keeps what it is told."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.errors: list[LinkError] = []
        self.threads: set[int] = set()
        self.on_received: Callable[[], None] | None = None
        self.told = threading.Condition()

    def received(self, data: bytes) -> None:
        assert data
        with self.told:
            self.data += data
            self.threads.add(threading.get_ident())
            self.told.notify_all()
        if self.on_received is not None:
            self.on_received()

    def lost(self, error: LinkError) -> None:
        with self.told:
            self.errors.append(error)
            self.told.notify_all()

    def until(self, done: Callable[[], bool], what: str) -> None:
        with self.told:
            assert self.told.wait_for(done, SECONDS), f"no {what}: {bytes(self.data[-200:])!r}"

    def take(self, end: bytes) -> bytes:
        """Wait for `end`, and take everything up to it."""
        self.until(lambda: end in self.data, repr(end))
        with self.told:
            size = self.data.index(end) + len(end)
            taken = bytes(self.data[:size])
            del self.data[:size]
        return taken

    def count(self, size: int) -> bytes:
        self.until(lambda: len(self.data) >= size, f"{size} bytes (got {len(self.data)})")
        return bytes(self.data)


class Peer(Protocol):
    """The other end of a link."""

    url: str

    def ready(self, link: Link, inbox: Inbox) -> None:
        """Show that bytes go and come."""

    def kill(self, link: Link) -> None:
        """End the peer as hard as the system can."""

    def deafen(self, link: Link, inbox: Inbox) -> None:
        """Make the peer stop reading."""


def echoes(link: Link, inbox: Inbox) -> None:
    link.write(b"ready?")
    inbox.take(b"ready?")


def enter_raw(link: Link, inbox: Inbox) -> None:
    link.write(b"\r\x03\x01")
    inbox.take(RAW_BANNER)


def run(link: Link, inbox: Inbox, code: str) -> tuple[bytes, bytes]:
    """Run code in the raw REPL; return its output and its traceback."""
    link.write(code.encode() + b"\x04")
    inbox.take(b"OK")
    reply = inbox.take(b"\x04>")
    output, _, rest = reply.partition(b"\x04")
    return output, rest[:-2]


@dataclass(frozen=True)
class Holdings:
    """What this process holds of the system."""

    fds: frozenset[str]
    threads: frozenset[str]
    children: frozenset[int]

    @classmethod
    def now(cls) -> Holdings:
        return cls(
            frozenset(_open_files()),
            frozenset(thread.name for thread in threading.enumerate()),
            frozenset(descendants(os.getpid())),
        )

    @classmethod
    def become(cls, wanted: Holdings) -> bool:
        """Whether it comes to hold just this, within `SECONDS`."""
        deadline = time.monotonic() + SECONDS
        while (same := cls.now() == wanted) is False and time.monotonic() < deadline:
            time.sleep(0.01)
        return same


def _open_files() -> Iterator[str]:
    for fd in list(Path("/proc/self/fd").iterdir()):
        with suppress(OSError):
            target = str(fd.readlink())
            if "/proc/" not in target:  # the listing's own
                yield f"{fd.name} {target}"


def descendants(ancestor: int) -> list[int]:
    """All living processes that descend from one."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = entry.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z" or int(parent) == os.getpid():
                children.setdefault(int(parent), []).append(int(entry.parent.name))
    found, todo = [], [ancestor]
    while todo:
        offspring = children.get(todo.pop(), [])
        found += offspring
        todo += offspring
    return found


def flood(link: Link, chunk: bytes) -> None:
    for _ in range(3 * MAX_UNSENT // len(chunk)):
        link.write(chunk)


def board_pid(link: Link) -> int:
    pid = link.pid  # type: ignore[attr-defined]
    assert isinstance(pid, int)
    return pid


@dataclass
class Opened:
    """A link that is open, with its inbox."""

    peer: Peer
    inbox: Inbox = field(default_factory=Inbox)

    def __post_init__(self) -> None:
        self.link = create_link(self.peer.url)

    def __enter__(self) -> Self:
        self.link.open(self.inbox)
        return self

    def __exit__(self, *_: object) -> None:
        self.link.close()

    def ready(self) -> None:
        self.peer.ready(self.link, self.inbox)


class LinkSuite:
    """What holds for every link."""

    resets: tuple[Reset, ...] = ()
    boots = False
    poke = b"\x01"

    def test_it_is_a_link_under_its_normalised_url(self, peer):
        link = create_link(peer.url)
        assert isinstance(link, Link)
        assert create_link(link.url).url == link.url
        assert link.resets == self.resets
        assert link.boots == self.boots

    def test_bytes_go_and_come(self, peer):
        with Opened(peer) as opened:
            opened.ready()

    def test_closing_leaves_no_descriptor_thread_or_child(self, peer):
        before = Holdings.now()
        with Opened(peer) as opened:
            opened.ready()
        assert Holdings.now() == before

    def test_closing_at_once_leaves_nothing(self, peer):
        before = Holdings.now()
        for _ in range(3):
            with Opened(peer):
                pass
        assert Holdings.now() == before

    def test_closing_twice_or_unopened_is_a_no_op(self, peer):
        create_link(peer.url).close()
        with Opened(peer) as opened:
            opened.link.close()
        opened.link.close()

    def test_a_closed_link_takes_writes_and_interrupts_silently(self, peer):
        with Opened(peer) as opened:
            pass
        opened.link.write(b"x")
        opened.link.interrupt()

    def test_a_link_opens_once(self, peer):
        with Opened(peer) as opened, pytest.raises(LinkError, match="opened before"):
            opened.link.open(Inbox())

    def test_closing_tells_nothing_and_no_byte_comes_afterwards(self, peer):
        with Opened(peer) as opened:
            opened.ready()
            opened.link.write(b"x" * 1000)
        size = len(opened.inbox.data)
        with Opened(peer) as other:
            other.ready()
        assert len(opened.inbox.data) == size
        assert not opened.inbox.errors

    def test_it_can_be_closed_from_inside_a_callback(self, peer):
        before = Holdings.now()
        closed = threading.Event()
        opened = Opened(peer)

        def close() -> None:
            opened.link.close()
            closed.set()

        opened.inbox.on_received = close
        with opened:
            opened.link.write(b"\r\x03")
            assert closed.wait(SECONDS)
        deadline = time.monotonic() + SECONDS
        while Holdings.now() != before and time.monotonic() < deadline:
            time.sleep(0.005)  # the I/O thread ends after the callback, not within it
        assert Holdings.now() == before

    def test_a_failing_receiver_does_not_stop_the_bytes(self, peer):
        opened = Opened(peer)
        failures = iter([RuntimeError("forged")])

        def fail() -> None:
            if error := next(failures, None):
                raise error

        opened.inbox.on_received = fail
        with opened:
            opened.ready()
            opened.ready()

    def test_a_waiting_caller_may_drive_the_link(self, peer):
        with Opened(peer) as opened:
            opened.ready()
            for _ in range(50):
                opened.inbox.data.clear()
                opened.link.write(self.poke)
                opened.link.drive(lambda: bool(opened.inbox.data))
                opened.inbox.count(1)
            opened.link.drive(lambda: False, 0.001)
            opened.ready()

    def test_an_interrupted_drive_leaves_the_link_read(self, peer):
        def interrupted() -> bool:
            raise KeyboardInterrupt

        with Opened(peer) as opened:
            with suppress(KeyboardInterrupt):
                opened.link.drive(interrupted)
            opened.ready()

    def test_closing_during_a_drive_leaves_nothing(self, peer):
        before = Holdings.now()
        with Opened(peer) as opened:
            driver = threading.Thread(target=opened.link.drive, args=(lambda: False, 0.05))
            driver.start()
        driver.join(SECONDS)
        assert Holdings.now() == before

    def test_a_reset_that_it_lacks_is_refused(self, peer):
        with pytest.raises(LinkError, match="reset"):
            create_link(peer.url).reset(Reset.SIGNAL)


class EchoSuite(LinkSuite):
    """A peer that sends back what it gets: the stream is transparent."""

    def test_every_byte_value_passes(self, peer):
        data = bytes(range(256)) * 4
        with Opened(peer) as opened:
            opened.link.write(data)
            assert opened.inbox.count(len(data)) == data

    def test_bytes_keep_their_order_over_many_writes(self, peer):
        pieces = [b"%d," % number for number in range(5000)]
        with Opened(peer) as opened:
            for piece in pieces:
                opened.link.write(piece)
            assert opened.inbox.count(len(b"".join(pieces))) == b"".join(pieces)

    def test_an_interrupt_is_byte_3(self, peer):
        with Opened(peer) as opened:
            opened.link.interrupt()
            assert opened.inbox.count(1) == b"\x03"


class PeerSuite(LinkSuite):
    """A peer that may die, or stop to read."""

    def test_a_killed_peer_is_told_once(self, peer):
        before = Holdings.now().threads
        with Opened(peer) as opened:
            opened.ready()
            peer.kill(opened.link)
            opened.inbox.until(lambda: bool(opened.inbox.errors), "loss")
            opened.link.write(b"x")
            opened.link.interrupt()
        (error,) = opened.inbox.errors
        assert isinstance(error, LinkLost)
        assert opened.link.url in str(error)
        assert "\n" not in str(error)
        assert Holdings.now().threads <= before

    def test_writing_to_a_deaf_peer_never_blocks_and_is_bounded(self, peer):
        chunk = b"#" * 65536
        with Opened(peer) as opened:
            opened.ready()
            peer.deafen(opened.link, opened.inbox)
            start = time.monotonic()
            with pytest.raises(LinkError, match="does not read"):
                flood(opened.link, chunk)
            opened.link.interrupt()
            assert time.monotonic() - start < 2.0


class BoardSuite(PeerSuite):
    """A MicroPython in the raw REPL."""

    resets = (Reset.RESPAWN,)

    def test_code_runs_and_its_output_comes_in_order(self, peer):
        with Opened(peer) as opened:
            enter_raw(opened.link, opened.inbox)
            output, error = run(opened.link, opened.inbox, "for i in range(300): print(i)")
            assert output.split() == [b"%d" % number for number in range(300)]
            assert error == b""

    def test_an_interrupt_stops_sleeping_code(self, peer):
        with Opened(peer) as opened:
            enter_raw(opened.link, opened.inbox)
            opened.link.write(self.sleeper + b"\x04")
            opened.inbox.take(b"asleep")
            opened.link.interrupt()
            assert b"KeyboardInterrupt" in opened.inbox.take(b"\x04>")
            assert run(opened.link, opened.inbox, "print(1)")[0].strip() == b"1"

    def test_a_respawned_board_starts_anew(self, peer):
        with Opened(peer) as opened:
            enter_raw(opened.link, opened.inbox)
            run(opened.link, opened.inbox, "kept = 1")
        with Opened(peer) as opened:
            enter_raw(opened.link, opened.inbox)
            assert b"NameError" in run(opened.link, opened.inbox, "kept")[1]

    sleeper = b"import time\nprint('asleep')\ntime.sleep(20)"


class ProcessPeer:
    """A link to a process: killed and stopped by its id."""

    url: str

    def kill(self, link: Link) -> None:
        os.kill(board_pid(link), signal.SIGKILL)

    def deafen(self, link: Link, inbox: Inbox) -> None:
        os.kill(board_pid(link), signal.SIGSTOP)


class BoardPeer(ProcessPeer):
    """A board in the raw REPL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ready(self, link: Link, inbox: Inbox) -> None:
        enter_raw(link, inbox)
        assert run(link, inbox, "print(6 * 7)")[0].strip() == b"42"
