"""Which port a device is behind: by recorded lists of ports, and on terminals that are renamed."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from klemheist.transports import LinkAmbiguous, LinkError, create_link, list_ports, ports
from klemheist.transports.identity import PortInfo, Wanted, find_again, find_port, url_of
from klemheist.transports.url import parse_url
from klemheist.transports.usb import parse_usb
from tests.boards.usb_bus import (
    CH340,
    CP2102,
    ESP32_S3,
    MICROBIT,
    ON_BOARD,
    PICO,
    PICO_2,
    UsbBus,
)
from tests.transports.conformance import Inbox, enter_raw

DESK = {
    "/dev/ttyACM0": PICO,
    "/dev/ttyACM1": PICO_2,
    "/dev/ttyACM2": MICROBIT,
    "/dev/ttyACM3": ESP32_S3,
    "/dev/ttyUSB0": CP2102,
    "/dev/ttyUSB1": CH340,
}


@pytest.fixture
def plugged(monkeypatch):
    """Say what is plugged in, as pyserial would."""

    def plug(*found):
        monkeypatch.setattr(ports, "comports", lambda: [ON_BOARD, *found])
        return list_ports()

    return plug


@pytest.fixture
def desk(plugged):
    return plugged(*(recorded.port(device) for device, recorded in DESK.items()))


def find(text, there):
    url = parse_url(text)
    return find_port(parse_usb(url.target, url.key), there, url.key).device


@pytest.mark.parametrize(
    ("url", "device"),
    [
        ("usb:serial=E6614C311B7F7B2A", "/dev/ttyACM0"),
        ("usb:serial=e6614c311b7f7b2a", "/dev/ttyACM0"),
        ("usb:vid=2e8a&pid=0005&serial=e66138528361bb32", "/dev/ttyACM1"),
        ("usb:vid=0d28", "/dev/ttyACM2"),
        ("usb:serial=F4:12:FA:5B:1C:A0", "/dev/ttyACM3"),
        ("usb:vid=10c4&pid=ea60", "/dev/ttyUSB0"),
        ("usb:vid=1a86&pid=7523", "/dev/ttyUSB1"),
        ("usb:location=1-1.1", "/dev/ttyUSB1"),
        ("usb:location=1-1.3", "/dev/ttyACM1"),
        ("usb:location=1-1.3:1.0", "/dev/ttyACM1"),
    ],
)
def test_a_usb_url_finds_its_one_port(desk, url, device):
    assert find(url, desk) == device


def test_several_that_fit_are_listed_with_the_url_of_each(desk):
    with pytest.raises(LinkAmbiguous) as raised:
        find("usb:vid=2e8a&pid=0005", desk)
    said = str(raised.value)
    assert "\n" not in said
    assert "fits 2 ports; say which: " in said
    shown = re.findall(r"(usb:\S+) \(Board in FS mode at (\S+)\)", said)
    assert [find(url, desk) for url, _ in shown] == [device for _, device in shown]
    assert [device for _, device in shown] == ["/dev/ttyACM0", "/dev/ttyACM1"]


def test_none_that_fits_tells_what_is_there(desk):
    with pytest.raises(LinkError, match="usb:serial=NIX is not plugged in; there is ") as raised:
        find("usb:serial=nix", desk)
    assert not isinstance(raised.value, LinkAmbiguous)
    for device in DESK:
        assert device in str(raised.value)
    assert "ttyS0" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_empty_desk_is_told(plugged):
    with pytest.raises(LinkError, match="not plugged in; there is no USB port; plug it in, or"):
        find("usb:vid=2e8a", plugged())


def test_a_page_of_ports_is_cut(plugged):
    there = plugged(*(PICO.port(f"/dev/ttyACM{n}", location=f"1-{n}") for n in range(20)))
    with pytest.raises(LinkAmbiguous, match=r"fits 20 ports; .*, and 12 more$"):
        find("usb:vid=2e8a", there)


def test_what_a_device_calls_itself_stays_in_one_line():
    evil = PortInfo("/dev/ttyACM0", "two\nlines\x1b[2J\r", "1", 0x2E8A, 5, "1-1")
    with pytest.raises(LinkError) as raised:
        find_port(Wanted(vid=1), [evil], "usb:vid=0001")
    assert "\n" not in str(raised.value)
    assert "\x1b" not in str(raised.value)


def test_every_port_is_named_by_a_url_that_fits_it_alone(desk):
    named = {url_of(port, desk): port.device for port in desk}
    assert len(named) == len(desk)
    assert {url: find(url, desk) for url in named if url.startswith("usb:")} == {
        url: device for url, device in named.items() if url.startswith("usb:")
    }
    assert named["/dev/ttyS0"] == "/dev/ttyS0"
    assert named["usb:serial=E6614C311B7F7B2A"] == "/dev/ttyACM0"
    assert named["usb:vid=1a86&pid=7523"] == "/dev/ttyUSB1"


def test_two_adapters_with_the_same_serial_number_are_told_apart_by_their_place(plugged):
    there = plugged(CP2102.port("/dev/ttyUSB0"), CP2102.port("/dev/ttyUSB1", location="1-1.5"))
    assert [url_of(port, there) for port in there if port.vid] == [
        "usb:location=1-1.4",
        "usb:location=1-1.5",
    ]


def test_two_ports_of_one_device_are_told_apart_by_their_interface(plugged):
    there = plugged(PICO.port("/dev/ttyACM0"), PICO.port("/dev/ttyACM1", location="1-1.2:1.2"))
    assert [url_of(port, there) for port in there if port.vid] == [
        "usb:location=1-1.2:1.0",
        "usb:location=1-1.2:1.2",
    ]
    assert there[0].identity != there[1].identity


# -- the same device under another name ----------------------------------------------------------


def info(recorded, device, **more):
    port = recorded.port(device, **more)
    return PortInfo(device, port.description, port.serial_number, port.vid, port.pid, port.location)


WAS = info(PICO, "/dev/ttyACM0")


@pytest.mark.parametrize(
    ("there", "device"),
    [
        ([WAS], "/dev/ttyACM0"),
        ([info(PICO, "/dev/ttyACM1")], "/dev/ttyACM1"),
        ([info(PICO, "/dev/ttyACM1", location="3-1:1.0")], "/dev/ttyACM1"),
        ([info(PICO_2, "/dev/ttyACM0"), info(PICO, "/dev/ttyACM1")], "/dev/ttyACM1"),
        ([info(PICO, "/dev/ttyACM0"), info(PICO, "/dev/ttyACM1")], "/dev/ttyACM0"),
        ([], "/dev/ttyACM0"),
    ],
    ids=["there", "renamed", "moved", "swapped", "doubled", "away"],
)
def test_a_path_follows_the_device_that_was_opened_under_it(there, device):
    assert find_again("/dev/ttyACM0", WAS, there).device == device


def test_the_name_of_a_device_that_is_away_opens_no_other_one():
    with pytest.raises(LinkError) as raised:
        find_again("/dev/ttyACM0", WAS, [info(PICO_2, "/dev/ttyACM0")])
    said = str(raised.value)
    assert "/dev/ttyACM0 is another device now (usb:serial=E66138528361BB32)" in said
    assert "\n" not in said


def test_the_name_decides_while_nothing_was_opened_or_the_adapter_has_no_serial_number():
    there = [info(PICO_2, "/dev/ttyACM0"), info(CH340, "/dev/ttyUSB1")]
    assert find_again("/dev/ttyACM0", None, there).device == "/dev/ttyACM0"
    assert find_again("/dev/ttyUSB0", info(CH340, "/dev/ttyUSB0"), there).device == "/dev/ttyUSB0"


def test_several_with_its_identity_and_none_with_its_name_are_listed():
    was = info(CP2102, "/dev/ttyUSB0")
    there = [
        info(CP2102, "/dev/ttyUSB1"),
        info(CP2102, "/dev/ttyUSB2", location="1-9"),
    ]
    with pytest.raises(LinkAmbiguous, match="usb:location=1-9"):
        find_again("/dev/ttyUSB0", was, there)


def test_a_board_whose_program_changes_its_product_is_the_same_board():
    there = [PortInfo("/dev/ttyACM0", "", WAS.serial_number, WAS.vid, 0x1234, "1-1.2:1.4")]
    assert find_again("/dev/ttyACM0", WAS, there).device == "/dev/ttyACM0"


# -- on real terminals -----------------------------------------------------------------------------


@pytest.fixture
def bus(tmp_path, monkeypatch):
    with UsbBus(tmp_path) as bus:
        monkeypatch.setattr(ports, "comports", bus.comports)
        yield bus


def links_to(url):
    """Make links as a manager does, which knows its device again."""
    return partial(create_link, url, ports.Finder(parse_url(url)))


def talk(link):
    """Open a link, see that the board is there, and close it."""
    inbox = Inbox()
    link.open(inbox)
    try:
        enter_raw(link, inbox)
    finally:
        link.close()


def test_a_usb_url_opens_the_board_whatever_its_port_is_called(bus):
    pico = bus.board(PICO)
    links = links_to("usb:serial=E6614C311B7F7B2A")
    with pytest.raises(LinkError, match="not plugged in"):
        links().open(Inbox())
    for name in ("ttyACM0", "ttyACM7"):
        pico.plug(name)
        talk(links())
        pico.unplug()


def test_a_path_is_found_again_by_who_was_there(bus):
    pico = bus.board(PICO)
    links = links_to(pico.plug("ttyACM0"))
    talk(links())
    pico.plug("ttyACM1")
    talk(links())


def test_a_link_of_the_system_to_a_port_is_that_port(bus, tmp_path):
    pico = bus.board(PICO)
    by_id = tmp_path / "by-id"
    by_id.symlink_to(Path(pico.plug("ttyACM0")).resolve())
    talk(create_link(str(by_id)))


def test_a_list_that_fails_stops_no_path_and_is_told_for_an_identity(bus, monkeypatch):
    path = bus.board(PICO).plug("ttyACM0")

    def refuse():
        raise OSError("forged: no sysfs")

    monkeypatch.setattr(ports, "comports", refuse)
    talk(create_link(path))
    with pytest.raises(LinkError, match="cannot be listed: forged"):
        create_link("usb:vid=2e8a").open(Inbox())
