"""Ports that come and go: events, and devices that are back at once."""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from klemheist import (
    Future,
    PortAppeared,
    PortEvent,
    PortGone,
    PortInfo,
    SessionManager,
    list_ports,
)
from klemheist.actors.background import in_background
from klemheist.actors.device.facts import DeviceEvent
from klemheist.actors.device.reopen import Reopening
from klemheist.actors.runtime import ManualClock
from klemheist.actors.runtime.timers import Timers
from klemheist.actors.streams import Publisher
from klemheist.supervisors.manager import devices, plug
from klemheist.transports import LinkError, ports
from klemheist.transports.uevents import Uevents, is_about_ports
from tests.boards.usb_bus import CH340, PICO, PICO_2, UsbBus
from tests.transports.conformance import Holdings

SECONDS = 10.0
ONE, TWO = PortInfo("/dev/ttyACM0", "one"), PortInfo("/dev/ttyACM1", "two")


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (None, [ONE], [PortAppeared(ONE, already=True)]),
        ([], [ONE], [PortAppeared(ONE)]),
        ([ONE], [ONE], []),
        ([ONE], [], [PortGone(ONE)]),
        ([ONE, TWO], [TWO], [PortGone(ONE)]),
        (
            [ONE],
            [PortInfo("/dev/ttyACM0", "other")],
            [PortGone(ONE), PortAppeared(PortInfo("/dev/ttyACM0", "other"))],
        ),
        ([PortInfo("/dev/ttyACM0", "one", url="usb:vid=2e8a")], [ONE], []),
    ],
)
def test_what_changed_between_two_lists(before, now, told):
    assert plug.changes(before, now) == told


ADDED = b"add@/devices/pci0/usb1/1-1/tty/ttyACM0\0ACTION=add\0SUBSYSTEM=tty\0DEVNAME=ttyACM0\0"
BY_UDEV = b"libudev\0\xfe\xed\xca\xfe(\0\0\0ACTION=remove\0SUBSYSTEM=tty\0"


@pytest.mark.parametrize(
    ("message", "is_it"),
    [
        (ADDED, True),
        (BY_UDEV, True),
        (ADDED.replace(b"=add", b"=change"), False),
        (ADDED.replace(b"=tty", b"=block"), False),
        (b"", False),
        (b"\xff" * 100, False),
    ],
)
def test_only_news_of_ports_is_a_reason_to_look(message, is_it):
    assert is_about_ports(message) is is_it


# -- the watch, with news by hand ------------------------------------------------------------------


class News:
    """Says when to look when the test does."""

    def __init__(self, changed, *, there=True):
        self.changed, self.there = changed, there
        self.is_open = False

    def open(self):
        self.is_open = True
        return self.there

    def close(self):
        self.is_open = False


def at_once(work, *, name):
    """Look on this thread."""
    future = Future()
    try:
        future.set(work())
    except LinkError as error:
        future.set_exception(error)
    return future


class Desk:
    """A watch over what the test plugs in."""

    def __init__(self, monkeypatch, *, there=True):
        self.plugged = []
        self.asked = 0
        self.error = None
        monkeypatch.setattr(ports, "comports", self.comports)
        monkeypatch.setattr(plug, "in_background", at_once)
        self.news = []
        self.clock = ManualClock()
        self.told = Publisher()
        self.watch = plug.PlugWatch(
            self.told, tuple, timers=Timers(self.clock), news=lambda fn: self.make(fn, there)
        )

    def comports(self):
        self.asked += 1
        if self.error:
            raise self.error
        return list(self.plugged)

    def make(self, changed, there):
        self.news.append(News(changed, there=there))
        return self.news[-1]

    @property
    def is_watching(self):
        return bool(self.news) and self.news[-1].is_open


@pytest.fixture
def desk(monkeypatch):
    desk = Desk(monkeypatch)
    yield desk
    desk.watch.close()
    assert not desk.is_watching
    assert len(desk.watch._timers) == 0


def test_a_port_that_comes_and_goes_is_told_with_its_url(desk):
    desk.plugged = [PICO.port("/dev/ttyACM0")]
    with desk.told.subscribe(PortEvent) as events:
        first = events.get(timeout=SECONDS)
        assert first == PortAppeared(list_ports()[0], already=True)
        assert first.port.url == "usb:serial=E6614C311B7F7B2A"
        desk.plugged.append(PICO_2.port("/dev/ttyACM1"))
        desk.news[-1].changed()
        second = events.get(timeout=SECONDS)
        assert (second.port.device, second.already) == ("/dev/ttyACM1", False)
        del desk.plugged[0]
        desk.news[-1].changed()
        assert events.get(timeout=SECONDS) == PortGone(first.port)


def test_nothing_is_watched_while_nobody_listens_for_it(desk):
    assert not desk.is_watching
    others = desk.told.subscribe(DeviceEvent)
    assert not desk.is_watching
    gone = desk.told.subscribe(PortGone)
    every = desk.told.subscribe()
    assert desk.is_watching
    gone.close()
    assert desk.is_watching
    every.close()
    assert not desk.is_watching
    others.close()
    assert len(desk.news) == 1


@pytest.mark.parametrize(
    ("there", "period"), [(True, plug.SELDOM_SECONDS), (False, plug.POLL_SECONDS)]
)
def test_the_ports_are_looked_at_seldom_where_the_system_tells_and_often_where_not(
    monkeypatch, there, period
):
    desk = Desk(monkeypatch, there=there)
    desk.plugged = [CH340.port("/dev/ttyUSB0")]
    with desk.told.subscribe(PortEvent) as events:
        events.get(timeout=SECONDS)
        desk.plugged = []
        desk.clock.advance(period - 0.1)
        assert desk.asked == 1
        desk.clock.advance(0.2)
        assert isinstance(events.get(timeout=SECONDS), PortGone)
    desk.watch.close()


def test_a_list_that_fails_once_is_asked_for_again(desk):
    desk.error = OSError("forged")
    with desk.told.subscribe(PortEvent) as events:
        desk.plugged = [CH340.port("/dev/ttyUSB0")]
        desk.error = None
        desk.clock.advance(plug.SELDOM_SECONDS)
        assert events.get(timeout=SECONDS).already


@pytest.fixture
def slow(desk, monkeypatch):
    """A list that the system takes its time for: it is asked, then it may answer."""
    slow = SimpleNamespace(asked=threading.Event(), answer=threading.Event(), listed=[])

    def comports():
        found = list(desk.plugged)
        slow.asked.set()
        assert slow.answer.wait(SECONDS)
        return found

    def begin(work, *, name):
        slow.listed.append(in_background(work, name=name))
        return slow.listed[-1]

    monkeypatch.setattr(ports, "comports", comports)
    monkeypatch.setattr(plug, "in_background", begin)
    return slow


def test_a_change_during_a_look_is_looked_at_afterwards(desk, slow):
    with desk.told.subscribe(PortEvent) as events:
        assert slow.asked.wait(SECONDS)
        desk.plugged = [CH340.port("/dev/ttyUSB0")]  # behind the back of the look under way
        for _ in range(5):
            desk.news[-1].changed()
        slow.answer.set()
        assert not events.get(timeout=SECONDS).already
    assert len(slow.listed) == 2


def test_a_look_that_comes_back_after_the_end_tells_nobody(desk, slow):
    desk.plugged = [CH340.port("/dev/ttyUSB0")]
    events = desk.told.subscribe(PortEvent)
    assert slow.asked.wait(SECONDS)
    desk.watch.close()
    slow.answer.set()
    slow.listed[0].get(timeout=SECONDS)
    desk.told.close()
    assert list(events) == []


def test_a_device_that_is_away_is_reason_enough(desk):
    desk.watch.tell(DeviceEvent("usb:vid=2e8a", "down"))
    assert desk.is_watching
    desk.watch.tell(DeviceEvent("usb:vid=2e8a", "output", data=b"x"))
    assert desk.is_watching
    desk.watch.tell(DeviceEvent("usb:vid=2e8a", "up"))
    assert not desk.is_watching
    desk.watch.tell(DeviceEvent("sim:", "down"))
    assert not desk.is_watching


# -- the kernel's news, as far as this machine has them --------------------------------------------


def test_listening_to_the_kernel_leaves_nothing_behind():
    before = Holdings.now()
    news = Uevents(lambda: None)
    assert news.open() is (sys.platform == "linux")
    news.close()
    news.close()
    assert Holdings.become(before)


UEVENT = next(iter(sorted(Path("/sys/class/tty").glob("ttyS*/uevent"))), Path("/nowhere"))


@pytest.mark.skipif(not os.access(UEVENT, os.W_OK), reason="needs root, and a port, on Linux")
def test_the_kernel_says_when_to_look(monkeypatch):
    """The kernel itself speaks; only the list of ports is recorded."""
    desk = []
    monkeypatch.setattr(ports, "comports", lambda: list(desk))
    monkeypatch.setattr(plug, "SELDOM_SECONDS", 86400.0)
    first = threading.Event()
    changes = plug.changes
    monkeypatch.setattr(plug, "changes", lambda *each: (first.set(), changes(*each))[1])
    with SessionManager() as manager, manager.events(PortEvent) as events:
        assert first.wait(SECONDS)
        desk.append(CH340.port("/dev/ttyUSB0"))
        UEVENT.write_text("add")
        assert events.get(timeout=SECONDS).port.device == "/dev/ttyUSB0"


def test_a_burst_of_news_is_one_change():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    heard = []
    news = Uevents(lambda: heard.append(1))
    news._socket = ours
    for message in (ADDED, BY_UDEV, b"junk", ADDED):
        theirs.send(message)
    news._ready()
    assert heard == [1]
    theirs.send(b"junk")
    news._ready()
    assert heard == [1]
    for each in (ours, theirs):
        each.close()


# -- a manager, a session, and a real board that is pulled out -------------------------------------


@pytest.fixture
def bus(tmp_path, monkeypatch):
    with UsbBus(tmp_path) as bus:
        monkeypatch.setattr(ports, "comports", bus.comports)
        yield bus


def test_a_session_goes_on_as_soon_as_its_board_is_plugged_in_again(bus, monkeypatch):
    """Its next attempt is a day away; its port's return is the reason to try at once."""
    monkeypatch.setattr(devices, "Reopening", lambda: Reopening(first=86400.0, longest=86400.0))
    pico = bus.board(PICO)
    pico.plug("ttyACM0")
    with SessionManager() as manager, manager.events(PortEvent, DeviceEvent) as events:
        s = manager.create_session("usb:vid=2e8a&pid=0005")
        s("kept = 42")
        pico.unplug()
        until(events, lambda event: getattr(event, "kind", "") == "down")
        waiting = s.submit("kept", timeout=SECONDS)
        pico.plug("ttyACM3")
        manager._core._plug.look()  # as the kernel would say
        assert waiting.get(timeout=SECONDS) == 42
        back = until(events, lambda event: isinstance(event, PortAppeared) and not event.already)
        assert back.port.device.endswith("ttyACM3")
        assert back.port.url == "usb:serial=E6614C311B7F7B2A"
        assert s.generation == 1


def test_a_manager_that_is_closed_watches_nothing(bus):
    before = Holdings.now()
    manager = SessionManager()
    events = manager.events(PortEvent)
    assert manager._core._plug._news is not None
    manager.close()
    assert manager._core._plug._news is None
    assert all(event.already for event in events)  # and the stream has ended
    assert Holdings.become(before)


def until(events, holds):
    while True:
        event = events.get(timeout=SECONDS)
        if holds(event):
            return event
