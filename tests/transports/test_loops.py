"""Links lent to event loops: one reader at a time, and always one, whatever becomes of the loop."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import ExitStack, contextmanager
from itertools import chain

import pytest

from klemheist.transports import create_link, lease, loops, wakeful
from tests.transports.conformance import SECONDS, Holdings, Inbox

LONG = 60.0
"""Seconds of a lease that does not end in a test."""


class Strict(Inbox):
    """Counts bytes that were delivered while others were."""

    def __init__(self) -> None:
        super().__init__()
        self.at_once = 0
        self._delivering = threading.Lock()

    def received(self, data: bytes) -> None:
        if not self._delivering.acquire(blocking=False):
            self.at_once += 1
            return
        try:
            super().received(data)
        finally:
            self._delivering.release()


@contextmanager
def connected():
    """An open link, its inbox, and the socket of its peer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        link, inbox = create_link(f"tcp://127.0.0.1:{server.getsockname()[1]}"), Strict()
        link.open(inbox)
        peer, _ = server.accept()
    with peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            yield link, inbox, peer
        finally:
            link.close()


@pytest.fixture
def tcp():
    with connected() as parts:
        yield parts


@pytest.fixture
def long_lease(monkeypatch):
    monkeypatch.setattr(lease, "LEASE_SECONDS", LONG)


def next_bytes(inbox):
    """A future of this loop that the next bytes resolve; they come on its thread."""
    loop = asyncio.get_running_loop()
    came = loop.create_future()

    def tell():
        inbox.on_received = None
        loop.call_soon_threadsafe(came.set_result, threading.get_ident())

    inbox.on_received = tell
    return asyncio.wait_for(came, SECONDS)


async def one_by_one(link, inbox, peer, count=20):
    """Bytes of the peer, each awaited as an answer is; the threads that read them."""
    threads = []
    for _ in range(count):
        link.lend()
        came = next_bytes(inbox)
        peer.sendall(b"x")
        threads.append(await came)
    return set(threads)


@pytest.mark.usefixtures("long_lease")
def test_a_loop_reads_what_it_was_lent_on_its_own_thread(tcp, monkeypatch):
    watched = []
    watch = loops.LoopReader.watch
    monkeypatch.setattr(
        loops.LoopReader, "watch", lambda *args: (watched.append(1), watch(*args))[1]
    )
    assert asyncio.run(one_by_one(*tcp)) == {threading.get_ident()}
    assert len(watched) == 1, "it stays registered while calls go on"


@pytest.mark.usefixtures("long_lease")
def test_while_it_stays_awake_for_an_answer_all_else_in_the_loop_runs(tcp, monkeypatch):
    link, inbox, peer = tcp
    monkeypatch.setattr(wakeful, "LONGEST", LONG)
    monkeypatch.setattr(wakeful.Wakeful, "taken_until", 0.0)

    async def awake():
        link.lend(soon=True)
        for _ in range(100):
            await asyncio.sleep(0.0001)
        assert loops.running()._wakeful._turning
        came = next_bytes(inbox)
        peer.sendall(b"x")
        assert await came == threading.get_ident()
        await asyncio.sleep(0.0001)
        assert not loops.running()._wakeful._turning

    asyncio.run(awake())


def test_a_loop_that_blocks_keeps_no_byte_from_its_receiver(tcp):
    link, inbox, peer = tcp

    async def blocks():
        link.lend()
        peer.sendall(b"while the loop blocks")
        inbox.take(b"blocks")

    asyncio.run(blocks())
    assert threading.get_ident() not in inbox.threads


def test_a_loop_that_falls_silent_is_read_for_until_it_calls_again(tcp):
    link, inbox, peer = tcp

    async def silent():
        await one_by_one(link, inbox, peer, 3)
        gone = asyncio.get_running_loop().run_in_executor(None, taken_back, link)
        assert await gone
        came = next_bytes(inbox)
        peer.sendall(b"y")
        assert await came != threading.get_ident()
        await one_by_one(link, inbox, peer, 3)

    asyncio.run(silent())
    assert inbox.data == b"xxxyxxx"


def taken_back(link):
    """Whether the lease ends; by an event of the I/O thread, which alone ends it."""
    ended = threading.Event()
    over = link._lease.is_over

    def tell(now):
        result = over(now)
        if result:
            ended.set()
        return result

    link._reactor.look_after(tell)
    return ended.wait(SECONDS)


@pytest.mark.parametrize("end", ["closed", "stopped"])
def test_a_loop_that_ends_with_the_lease_loses_nothing(tcp, end):
    link, inbox, peer = tcp
    loop = asyncio.new_event_loop()

    async def lent():
        link.lend()

    loop.run_until_complete(lent())
    if end == "closed":
        loop.close()
    peer.sendall(b"afterwards")
    assert inbox.take(b"afterwards")
    assert threading.get_ident() not in inbox.threads
    if end == "stopped":  # and goes on
        assert loop.run_until_complete(one_by_one(link, inbox, peer, 3))
        loop.close()


@pytest.mark.usefixtures("long_lease")
def test_a_thread_that_waits_takes_the_link_from_a_loop(tcp):
    link, inbox, peer = tcp

    async def lent():
        link.lend()
        peer.sendall(b"driven")
        waiting = threading.Thread(target=link.drive, args=(lambda: b"driven" in inbox.data, 5.0))
        waiting.start()
        waiting.join(SECONDS)  # the loop is blocked meanwhile
        assert inbox.threads == {waiting.ident}
        peer.sendall(b" and read on")
        inbox.take(b"read on")  # by the I/O thread: the lease was given up

    asyncio.run(lent())


def test_a_link_that_is_driven_is_not_lent(tcp):
    link, inbox, peer = tcp
    driven, enough = threading.Event(), threading.Event()

    def done():
        driven.set()
        return enough.wait(SECONDS)

    async def lend():
        link.lend()
        assert link._lease.loop is None

    driver = threading.Thread(target=link.drive, args=(done, LONG))
    driver.start()
    assert driven.wait(SECONDS)
    asyncio.run(lend())
    enough.set()
    driver.join(SECONDS)
    peer.sendall(b"x")
    inbox.take(b"x")


def test_loops_and_threads_that_share_a_link_leave_every_byte_in_its_place(tcp):
    """Loops that lend, block and end, and threads that drive, all while bytes come."""
    link, inbox, peer = tcp
    numbers = b"".join(b"%d," % number for number in range(20_000))
    ended = threading.Event()

    async def lends(blocks):
        while not ended.is_set():
            link.lend()
            await asyncio.sleep(0)
            if blocks:
                ended.wait(0.03)  # longer than a lease

    def drives():
        while not ended.is_set():
            link.drive(ended.is_set, 0.001)

    works = [lambda: asyncio.run(lends(False)), lambda: asyncio.run(lends(True)), drives, drives]
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    try:
        for at in range(0, len(numbers), 997):
            peer.sendall(numbers[at : at + 997])
        got = inbox.count(len(numbers))
    finally:
        ended.set()
        for thread in threads:
            thread.join(SECONDS)
    assert got == numbers
    assert inbox.at_once == 0
    assert len(link._reactor._lent) <= 1, "one lease at a time is looked after"


@pytest.mark.usefixtures("long_lease")
def test_a_peer_that_dies_is_told_once_on_the_loop():
    with connected() as (link, inbox, peer):

        async def dies():
            link.lend()
            told = asyncio.get_running_loop().create_future()
            inbox.lost = told.set_result
            peer.close()
            await asyncio.wait_for(told, SECONDS)
            link.lend()  # nothing is left to be lent
            assert link._lease.loop is None

        asyncio.run(dies())


@pytest.mark.usefixtures("long_lease")
def test_a_link_that_is_closed_leaves_nothing_in_the_loop():
    """Its descriptor's number is somebody else's a moment later: the loop must not know it."""
    before = Holdings.now()

    async def reused():
        with connected() as (link, inbox, peer):
            await one_by_one(link, inbox, peer, 2)
            fd = link._read_fd
        with ExitStack() as stack:
            pairs = [socket.socketpair() for _ in range(3)]
            for end in chain(*pairs):
                stack.enter_context(end)
            heir, other = next(
                pair[::way] for pair in pairs for way in (1, -1) if pair[::way][0].fileno() == fd
            )
            readable = asyncio.Event()
            loop = asyncio.get_running_loop()
            loop.add_reader(heir, readable.set)
            other.send(b"x")
            await asyncio.wait_for(readable.wait(), SECONDS)
            loop.remove_reader(heir)

    asyncio.run(reused())
    assert Holdings.become(before)


class Proactor(asyncio.SelectorEventLoop):
    """As on Windows: it has no readers but its own."""

    def add_reader(self, fd, callback, *args):
        raise NotImplementedError


def test_a_loop_without_readers_is_read_for(tcp):
    loop = Proactor()
    threads = loop.run_until_complete(one_by_one(*tcp))
    loop.close()
    assert threading.get_ident() not in threads


def test_where_there_is_no_epoll_the_io_thread_reads(tcp, monkeypatch):
    monkeypatch.setattr(loops.sys, "platform", "darwin")
    assert threading.get_ident() not in asyncio.run(one_by_one(*tcp))
