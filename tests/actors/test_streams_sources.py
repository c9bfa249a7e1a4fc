"""What a device prints and what happens to it: streams of real sources."""

from __future__ import annotations

import pytest

import klemheist
from klemheist import DeviceEvent, StreamFull


@pytest.fixture(scope="module")
def manager():
    with klemheist.SessionManager() as manager:
        yield manager


@pytest.fixture
def session(manager):
    with manager.session("sim:") as session:
        yield session


def printed(stream):
    stream.close()
    return b"".join(stream).replace(b"\r\n", b"\n")


def test_each_subscriber_has_a_stream_of_its_own_and_leaves_by_closing_it(session):
    first = session.output()
    session.execute("print(1)")
    with session.output() as second:
        session.execute("print(2)")
    session.execute("print(3)")
    assert printed(first) == b"1\n2\n3\n"
    assert printed(second) == b"2\n"


def test_a_device_waits_for_nobody(manager, session):
    for source in (session.output, manager.events):
        with pytest.raises(ValueError, match="waits for nobody"):
            source(overflow="block")


def test_a_strict_subscriber_who_is_behind_loses_the_subscription_and_not_the_call(session):
    strict = session.output(1, overflow="error")
    assert session("[print(n) for n in range(3)] and 42") == 42
    for _ in range(2):
        session.execute("print('more')")
    assert strict.get(timeout=5)
    with pytest.raises(StreamFull):
        strict.get(timeout=5)
    assert session("6 * 7") == 42


def test_a_manager_tells_the_events_that_are_wanted():
    with klemheist.SessionManager() as manager:
        device, everything = manager.events(DeviceEvent), manager.events()
        with manager.session("sim:") as session:
            session.execute("1")
    assert all(isinstance(event, DeviceEvent) for event in device)
    assert {type(event).__name__ for event in everything} > {"DeviceEvent"}
