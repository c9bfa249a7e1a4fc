"""Boards on USB: plugged in, pulled out, and named anew by the system, while they keep their RAM.

    with UsbBus(tmp_path) as bus:
        pico = bus.board(PICO)
        pico.plug("ttyACM0")         # a device on pico.path
        pico.unplug()                # the interpreter lives on: its power is another cable
        pico.plug("ttyACM1")         # the same boot under another name

A port is a pseudo-terminal behind a symbolic link that moves; `bus.comports` says what pyserial's
list would. Between them is the raw REPL of CPython (`raw_repl_host.py`), a real process.
"""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import threading
import tty
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self

from serial.tools.list_ports_common import ListPortInfo

from klemheist.actors.runtime.future import Future

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = Path(__file__).parent / "raw_repl_host.py"


@dataclass(frozen=True)
class Recorded:
    """What pyserial says of one adapter, as it was read from a real one."""

    vid: int
    pid: int
    serial_number: str | None
    manufacturer: str | None
    product: str | None
    location: str

    def port(self, device: str, *, location: str | None = None) -> ListPortInfo:
        port = ListPortInfo(device, skip_link_detection=True)
        port.vid, port.pid, port.serial_number = self.vid, self.pid, self.serial_number
        port.manufacturer, port.product = self.manufacturer, self.product
        port.location = location or self.location
        port.apply_usb_info()
        return port


PICO = Recorded(0x2E8A, 0x0005, "e6614c311b7f7b2a", "MicroPython", "Board in FS mode", "1-1.2:1.0")
PICO_2 = Recorded(
    0x2E8A, 0x0005, "e66138528361bb32", "MicroPython", "Board in FS mode", "1-1.3:1.0"
)
CP2102 = Recorded(
    0x10C4, 0xEA60, "0001", "Silicon Labs", "CP2102 USB to UART Bridge Controller", "1-1.4"
)
CH340 = Recorded(0x1A86, 0x7523, None, None, "USB Serial", "1-1.1")
MICROBIT = Recorded(
    0x0D28,
    0x0204,
    "9904360259824e45003b100b0000006a000000009796990b",
    "Arm",
    "BBC micro:bit CMSIS-DAP",
    "1-2:1.1",
)
ESP32_S3 = Recorded(
    0x303A, 0x1001, "F4:12:FA:5B:1C:A0", "Espressif", "USB JTAG/serial debug unit", "1-3:1.0"
)
ON_BOARD = ListPortInfo("/dev/ttyS0", skip_link_detection=True)
"""A port that is no USB."""


class UsbBus:
    """What is plugged in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._boards: list[UsbBoard] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for board in self._boards:
            board.close()

    def board(self, recorded: Recorded) -> UsbBoard:
        self._boards.append(UsbBoard(self.folder, recorded))
        return self._boards[-1]

    def comports(self) -> list[ListPortInfo]:
        return [ON_BOARD, *(each.port for each in self._boards if each.port is not None)]


class UsbBoard:
    """One board: its process, and the port under which the system knows it now."""

    def __init__(self, folder: Path, recorded: Recorded) -> None:
        self.recorded = recorded
        self.port: ListPortInfo | None = None
        self._folder = folder
        self._outer: tuple[int, int] | None = None
        self._orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._woken, self._wake = os.pipe()
        self._inner, self._chip = pty.openpty()
        tty.setraw(self._chip)
        self._start()
        self._thread = threading.Thread(target=self._pump, name="usb-board", daemon=True)
        self._thread.start()

    @property
    def path(self) -> str:
        assert self.port is not None
        return self.port.device

    def plug(self, name: str) -> str:
        """Plug it in; the system calls its port `name`. Returns the port's path."""
        self._order(lambda: self._plug(name))
        return self.path

    def unplug(self) -> None:
        """Pull the cable."""
        self._order(self._unplug)

    def close(self) -> None:
        self.unplug()
        self._orders.put(None)
        os.write(self._wake, b"!")
        self._thread.join()
        self._process.kill()
        self._process.wait()
        for fd in (self._inner, self._chip, self._woken, self._wake):
            os.close(fd)

    def reset(self) -> None:
        """Press its reset button: the interpreter boots anew, and the adapter stays."""
        self._process.kill()
        self._process.wait()
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HOST), "--root", str(self._folder)],
            stdin=self._chip,
            stdout=self._chip,
            start_new_session=True,
        )

    def _plug(self, name: str) -> None:
        self._unplug()
        self._outer = pty.openpty()
        tty.setraw(self._outer[1])
        path = self._folder / name
        path.symlink_to(os.ttyname(self._outer[1]))
        self.port = self.recorded.port(str(path))

    def _unplug(self) -> None:
        if self._outer is not None:
            Path(self.path).unlink()
            self.port = None
            for fd in self._outer:
                os.close(fd)
            self._outer = None

    def _order(self, work: Callable[[], None]) -> None:
        """Have the pump do it: nothing is closed while it is read."""
        done: Future[None] = Future()
        self._orders.put(lambda: done.set(work()))
        os.write(self._wake, b"!")
        done.get(timeout=10)

    def _pump(self) -> None:
        while True:
            outer = [] if self._outer is None else [self._outer[0]]
            ready, _, _ = select.select([self._woken, self._inner, *outer], [], [])
            if self._woken in ready:
                os.read(self._woken, 1)
                order = self._orders.get()
                if order is None:
                    return
                order()
            elif self._inner in ready:
                data = os.read(self._inner, 4096)
                if outer:
                    with suppress(OSError):
                        os.write(outer[0], data)
            else:
                os.write(self._inner, os.read(outer[0], 4096))
