"""What control lines do: the table, on a model of the circuit that they drive."""

from __future__ import annotations

import errno
import itertools
import time

import pytest
import serial

from klemheist.transports import LinkError, Reset, create_link, parse_url, ports
from klemheist.transports import serial as ours
from klemheist.transports.profiles import DOWN, HELD, PULSE, UP, Lines, profile_of, steps
from tests.boards.usb_bus import CH340, CP2102, ESP32_S3, MICROBIT, PICO, UsbBus
from tests.transports.conformance import Inbox, enter_raw


class Circuit:
    """An ESP32 board's two transistors (repl-protocol.md, 3.5), and how the chip booted."""

    def __init__(self, *, dtr: bool = False, rts: bool = False) -> None:
        self.lines = {"dtr": dtr, "rts": rts}
        self.boots: list[str] = []

    def set(self, line: str, up: bool) -> None:
        held = self.held
        self.lines[line] = up
        if held and not self.held:
            self.boots.append("bootloader" if self.lines["dtr"] else "program")

    @property
    def held(self) -> bool:
        return self.lines["rts"] and not self.lines["dtr"]


class Port:
    """A port with control lines, which no pseudo-terminal has: it drives a circuit."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.breaks: list[float] = []

    dtr = property(None, lambda self, up: self.circuit.set("dtr", up))
    rts = property(None, lambda self, up: self.circuit.set("rts", up))

    def send_break(self, seconds: float) -> None:
        self.breaks.append(seconds)


def board(recorded, query="", *, opened=UP):
    """A board on its circuit, with the lines as the system has them when a port is open."""
    circuit = Circuit(dtr=opened.dtr, rts=opened.rts)
    info = ports._info(recorded.port("/dev/ttyUSB0"))
    made = ours._Board(parse_url(f"serial:///dev/ttyUSB0{query}"), info)
    port = Port(circuit)
    made.take(port, opened)
    return made, circuit, port


@pytest.mark.parametrize(
    ("recorded", "name", "resets"),
    [
        (CP2102, "CP210x", True),
        (CH340, "CH34x", True),
        (ESP32_S3, "Espressif USB-Serial-JTAG", True),
        (MICROBIT, "DAPLink", True),
        (PICO, "native USB", False),
    ],
)
def test_an_adapter_is_known_by_its_numbers(recorded, name, resets):
    profile = profile_of(recorded.vid, recorded.pid)
    assert (profile.name, profile.resets) == (name, resets)


@pytest.mark.parametrize(("vid", "pid"), [(None, None), (0x1234, 0x5678)])
def test_nothing_is_expected_of_an_adapter_that_is_not_known(vid, pid):
    assert not profile_of(vid, pid).resets


STATES = [Lines(dtr=dtr, rts=rts) for dtr, rts in itertools.product([False, True], repeat=2)]


@pytest.mark.parametrize("now", STATES, ids=str)
@pytest.mark.parametrize("then", STATES, ids=str)
def test_no_change_of_the_lines_resets_a_board_on_its_way(now, then):
    circuit = Circuit(dtr=now.dtr, rts=now.rts)
    passed = []
    for line, up in steps(now, then):
        circuit.set(line, up)
        passed.append(circuit.held)
    assert circuit.lines == {"dtr": then.dtr, "rts": then.rts}
    assert True not in passed[:-1]
    assert circuit.held == (then == HELD)


@pytest.mark.parametrize("query", ["", "?dtr=0&rts=0", "?dtr=1&rts=0", "?dtr=1", "?rts=0"])
@pytest.mark.parametrize("opened", [UP, DOWN], ids=["posix", "windows"])
def test_opening_and_closing_reset_nothing_and_what_the_url_asks_wins(query, opened):
    made, circuit, _ = board(CP2102, query, opened=opened)
    assert circuit.lines["dtr"] is ("dtr=0" not in query)
    assert circuit.lines["rts"] is ("rts=0" not in query)
    made.leave()
    assert circuit.lines == {"dtr": False, "rts": False}
    assert circuit.boots == []


@pytest.mark.parametrize("query", ["", "?dtr=0&rts=0"])
def test_a_reset_boots_the_program_once_and_leaves_the_chip_running(query, monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    made, circuit, _ = board(CP2102, query)
    assert made.resets == (Reset.SIGNAL,)
    made.reset()
    assert circuit.boots == ["program"]
    assert not circuit.held
    assert slept == [PULSE]


def test_a_micro_bit_is_reset_by_a_break():
    made, circuit, port = board(MICROBIT)
    made.reset()
    assert port.breaks == [PULSE]
    assert circuit.boots == []


# -- on real terminals, which have no control lines ----------------------------------------------


@pytest.fixture
def bus(tmp_path, monkeypatch):
    with UsbBus(tmp_path) as bus:
        monkeypatch.setattr(ports, "comports", bus.comports)
        yield bus


@pytest.mark.parametrize("make", [ours.PortLink, ours.WindowsLink])
@pytest.mark.parametrize(
    ("recorded", "resets"), [(PICO, ()), (CP2102, (Reset.SIGNAL,))], ids=["pico", "cp2102"]
)
def test_a_link_offers_the_reset_that_its_adapter_has(bus, make, recorded, resets):
    bus.board(recorded).plug("ttyX0")
    link, inbox = make(parse_url(f"usb:vid={recorded.vid:04x}")), Inbox()
    assert link.resets == ()
    link.open(inbox)
    try:
        assert link.resets == resets
        enter_raw(link, inbox)
        if not resets:
            with pytest.raises(LinkError, match="has no reset by signal; it offers none"):
                link.reset(Reset.SIGNAL)
    finally:
        link.close()


def test_lines_that_fail_at_the_opening_leave_nothing_open(bus, monkeypatch):
    def fails(*_):
        raise OSError(errno.EIO, "forged: unplugged just now")

    monkeypatch.setattr(serial.Serial, "_update_rts_state", fails)
    bus.board(PICO).plug("ttyX0")
    with pytest.raises(LinkError, match="forged: unplugged just now"):
        create_link("usb:vid=2e8a?rts=0").open(Inbox())


def test_a_reset_of_what_is_unplugged_is_a_link_error(bus, monkeypatch):
    bus.board(CP2102).plug("ttyX0")
    link = create_link("usb:vid=10c4")
    link.open(Inbox())

    def fails(*_):
        raise OSError(errno.EIO, "forged")

    try:
        monkeypatch.setattr(serial.Serial, "_update_dtr_state", fails)
        with pytest.raises(LinkError, match=r"could not be reset: .*forged; is it plugged in"):
            link.reset(Reset.SIGNAL)
    finally:
        link.close()
