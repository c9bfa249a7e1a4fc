"""What the demo runs on each board: the same program over what that board has for an LED."""

from __future__ import annotations

import ast
import os
import signal
from dataclasses import dataclass
from typing import Any, Final

import klemheist
from klemheist.actors.device.call import Call
from klemheist.actors.device.port import Port
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.lines import Procedure, exchange

# ruff: noqa: ANN201, F821, N805, PLC0415 -- bodies of programs: functions of the device
# mypy: disable-error-code="name-defined, no-untyped-def, import-not-found, misc"


class Blinker(klemheist.Program):
    """An LED on a pin of `machine`, as most boards have."""

    @klemheist.setup
    def init(pin):
        """Make the LED a name of the namespace."""
        from machine import Pin

        led = Pin(pin, Pin.OUT)  # noqa: F841 -- a name in the namespace

    @klemheist.task(timeout=5.0, idempotent=True)
    def set(state):
        """Switch it, and return what it is."""
        led.value(state)
        return led.value()

    @klemheist.task(timeout=5.0, idempotent=True)
    def lit():
        """Tell what it is."""
        return led.value()

    @klemheist.thread(restart=True)
    def blink():
        """Blink ten times a second."""
        while True:
            led.value(not led.value())
            yield 0.05

    @klemheist.teardown
    def off():
        """Leave it dark."""
        led.value(0)


class MicrobitBlinker(klemheist.Program):
    """The same on a micro:bit, whose pins are names of its module and do not say what they are."""

    @klemheist.setup
    def init():
        """Make the LED a name of the namespace."""
        from microbit import pin0 as led  # noqa: F401 -- a name in the namespace

        on = [0]  # noqa: F841 -- as above

    @klemheist.task(timeout=5.0, idempotent=True)
    def set(state):
        """Switch it, and return what it is."""
        on[0] = state
        led.write_digital(state)
        return on[0]

    @klemheist.task(timeout=5.0, idempotent=True)
    def lit():
        """Tell what it is."""
        return on[0]

    @klemheist.thread(restart=True)
    def blink():
        """Blink ten times a second."""
        while True:
            on[0] = 1 - on[0]
            led.write_digital(on[0])
            yield 0.05

    @klemheist.teardown
    def off():
        """Leave it dark."""
        led.write_digital(0)


@dataclass(frozen=True, slots=True)
class Kit:
    """What the demo needs to know of a board."""

    program: klemheist.Program
    led: str
    """An expression that reads the LED without any session."""
    wait: str
    """Statements that keep the board busy for seconds."""


AGENT: Final = "_k"
"""The one name of ours in `__main__` while a device is open."""


def kit(platform: str) -> Kit:
    """Return what fits a platform."""
    if platform == "microbit":
        led = "__import__('microbit').pin0.read_digital()"
        return Kit(MicrobitBlinker(), led, "from microbit import sleep\nsleep(5000)")
    led = "__import__('machine').Pin(25).value()"
    return Kit(Blinker(pin=25), led, "import time\ntime.sleep(5)")


def process_of(port: Port) -> int | None:
    """Return the process that is the board, where it is one."""
    pid = getattr(port.link, "pid", None)
    return pid if isinstance(pid, int) else None


def kill(pid: int) -> None:
    """Kill a board as a fault would: it gets no chance to say so."""
    os.kill(pid, signal.SIGKILL)


def bare(port: Port, expression: str) -> Any:
    """Evaluate in the device's own `__main__` by a plain raw REPL command, past every session."""

    def procedure(board: Board) -> Procedure[bytes]:
        del board
        reply = yield from exchange(b"print(repr(%s))" % expression.encode())
        return reply.output

    deadline = SYSTEM_CLOCK.monotonic() + 10.0
    output = port.submit(Call(procedure, "proof", deadline, "the proof")).get()
    return ast.literal_eval(output.decode().strip())
