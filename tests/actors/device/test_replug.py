"""A device that is pulled out and comes back under another name (DESIGN 3.9)."""

from __future__ import annotations

import pytest
import serial

from klemheist.transports import ports
from klemheist.transports.errors import LinkLost, LinkTimeout
from klemheist.transports.repl.ladder import Rung
from tests.boards.usb_bus import MICROBIT, PICO, PICO_2, UsbBus

from .conftest import BUSY, SECONDS


@pytest.fixture
def bus(tmp_path, monkeypatch):
    with UsbBus(tmp_path) as bus:
        monkeypatch.setattr(ports, "comports", bus.comports)
        yield bus


@pytest.mark.parametrize("by", ["identity", "path"])
def test_a_device_is_found_again_after_its_port_was_renamed(make_rig, bus, by):
    pico = bus.board(PICO)
    path = pico.plug("ttyACM0")
    rig = make_rig("usb:serial=E6614C311B7F7B2A" if by == "identity" else path).up()
    rig.run("kept = 42")
    before = len(rig.events)
    pico.unplug()
    rig.wait_for("down", after=before)
    pico.plug("ttyACM5")
    assert rig.run("kept") == 42
    assert rig.port.generation == 1
    assert rig.wait_for("up", after=before).same_boot


def test_a_call_in_flight_fails_when_its_board_is_pulled_out(make_rig, bus):
    pico = bus.board(PICO)
    pico.plug("ttyACM0")
    rig = make_rig("usb:vid=2e8a").up()
    running = rig.submit(BUSY)
    rig.submit("1").cancel()  # it is answered by the device's turn: the call before it runs
    pico.unplug()
    assert rig.fails(running, LinkLost).maybe_executed
    pico.plug("ttyACM1")
    assert rig.run("1") == 1


DEAF = """
def deaf():
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            pass
"""


@pytest.mark.usefixtures("quick_rungs")
def test_a_board_that_is_deaf_to_all_else_is_reset_by_its_adapter(make_rig, bus, monkeypatch):
    """A pseudo-terminal has no lines: where the break would act, the board's button is pressed."""
    board = bus.board(MICROBIT)
    board.plug("ttyACM0")
    monkeypatch.setattr(serial.Serial, "send_break", lambda self, seconds: board.reset())
    rig = make_rig("usb:vid=0d28").up()
    rig.run(DEAF)
    error = rig.fails(rig.submit("deaf()", timeout=0.2), LinkTimeout)
    assert error.recovery.get(timeout=SECONDS).rung is Rung.HARD_RESET
    assert rig.told("rung")[-1] == "hard reset"
    assert rig.run("6 * 7") == 42
    assert rig.port.generation == 2


@pytest.mark.usefixtures("quick_rungs")
def test_without_such_an_adapter_the_board_is_down_and_tried_again(make_rig, bus):
    board = bus.board(PICO)
    board.plug("ttyACM0")
    rig = make_rig("usb:vid=2e8a").up()
    rig.run(DEAF)
    error = rig.fails(rig.submit("deaf()", timeout=0.2), LinkTimeout)
    with pytest.raises(LinkLost, match="answers neither an interrupt nor a reset; see that"):
        error.recovery.get(timeout=SECONDS)
    board.reset()  # by hand
    assert rig.run("6 * 7") == 42
    assert rig.port.generation == 2


def test_two_boards_that_swap_their_names_keep_their_sessions_apart(make_rig, bus):
    boards = [bus.board(PICO), bus.board(PICO_2)]
    names = ["ttyACM0", "ttyACM1"]
    rigs = [make_rig(board.plug(name)).up() for board, name in zip(boards, names, strict=True)]
    for number, rig in enumerate(rigs):
        rig.run(f"who = {number}")
    for board in boards:
        board.unplug()
    for rig in rigs:
        rig.wait_for("down")
    for board, name in zip(boards, reversed(names), strict=True):
        board.plug(name)
    assert [rig.run("who") for rig in rigs] == [0, 1]
    assert [rig.port.generation for rig in rigs] == [1, 1]


def test_another_board_under_the_old_name_is_not_taken_for_it(make_rig, bus):
    pico, other = bus.board(PICO), bus.board(PICO_2)
    rig = make_rig(pico.plug("ttyACM0")).up()
    rig.run("who = 'pico'")
    pico.unplug()
    rig.wait_for("down")
    before = len(rig.events)
    other.plug("ttyACM0")
    assert "is another device now" in rig.wait_for("down", after=before).text
    other.plug("ttyACM1")
    pico.plug("ttyACM0")
    assert rig.run("who") == "pico"
