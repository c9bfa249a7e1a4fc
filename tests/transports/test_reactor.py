"""The I/O thread, where finalisers leave their work."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from klemheist.transports import reactor


@pytest.fixture
def shared():
    found = reactor.acquire()
    yield found
    reactor.release(found)


def test_what_is_left_for_soon_runs_on_the_io_thread(shared):
    ran, done = [], threading.Event()

    def fails():
        ran.append(threading.current_thread().name)
        raise RuntimeError("the next one has its turn all the same")

    reactor.soon(fails)
    reactor.soon(done.set)
    assert done.wait(5)
    assert ran == ["klemheist-io"]


class Severe(BaseException):
    """What no exception class of Python's covers."""


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, Severe])
def test_nothing_that_is_raised_there_ends_the_thread(shared, kind):
    def fails():
        raise kind

    def handler():
        ours.recv(1)
        raise kind

    ours, theirs = socket.socketpair()
    with ours, theirs:
        shared.register(ours.fileno(), reactor.READ, handler)
        theirs.send(b"1")
        reactor.soon(fails)
        shared.look_after(lambda _: fails())
        done = threading.Event()
        shared.look_after(lambda _: done.set() or True)
        assert done.wait(5)
        shared.unregister(ours.fileno())


def test_it_takes_no_lock(shared):
    """A finaliser may run while its own thread holds the module's lock."""
    done = threading.Event()
    with reactor._lock:
        reactor.soon(done.set)
        assert done.wait(5)


def test_thousands_at_once_are_all_done(shared):
    """The wake-up socket is full long before; nothing blocks, nothing is lost."""
    done = threading.Semaphore(0)
    for _ in range(10_000):
        reactor.soon(done.release)
    assert all(done.acquire(timeout=5) for _ in range(10_000))
