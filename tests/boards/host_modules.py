"""What MicroPython has and CPython has not, as far as our code on the device needs it.

Used by `raw_repl_host.py` alone. It imports nothing but the standard library: it is the board.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import types
from pathlib import Path

PINS = "KLEMHEIST_HOST_PINS"
"""Pins survive a soft reset, as on a board: the interpreter's successor inherits this variable."""


class Pin:
    """An output whose state can be read by whoever comes later: `machine.Pin.state()`."""

    IN, OUT, OPEN_DRAIN, PULL_UP, PULL_DOWN = 0, 1, 2, 1, 2
    _values: dict[str, int] = json.loads(os.environ.get(PINS, "{}"))

    def __init__(self, pin, mode=-1, pull=-1, *, value=None):
        self._id = str(pin)
        self._values.setdefault(self._id, 0)
        if value is not None:
            self.value(value)

    def value(self, *value):
        if not value:
            return self._values[self._id]
        self._values[self._id] = int(bool(value[0]))
        return None

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def toggle(self):
        self.value(not self.value())

    @classmethod
    def state(cls):
        return {int(pin) if pin.isdecimal() else pin: v for pin, v in cls._values.items()}


def keep_pins(*, hard):
    """Hand the pins to the successor of this interpreter; a hard reset clears them."""
    os.environ[PINS] = "{}" if hard else json.dumps(Pin._values)


def format_exception(error):
    """A traceback as MicroPython writes it, without the frames of this host."""
    lines = ["Traceback (most recent call last):\n"]
    frame = error.__traceback__
    own = Path(__file__).resolve().parent
    while frame:
        code = frame.tb_frame.f_code
        if Path(code.co_filename).parent != own:
            lines.append(
                f'  File "{code.co_filename}", line {frame.tb_lineno}, in {code.co_name}\n'
            )
        frame = frame.tb_next
    if isinstance(error, SyntaxError):
        lines.append(f'  File "<stdin>", line {error.lineno}\n')
        return "".join([*lines, f"{type(error).__name__}: {error.msg}\n"])
    header = "".join(lines) if len(lines) > 1 else ""
    return f"{header}{type(error).__name__}: {error}\n"


def print_exception(error, file=None):
    (file or sys.stdout).write(format_exception(error))


def _raise_exit():
    raise SystemExit


def install(hard_reset):
    """Add the modules and functions of MicroPython to this interpreter."""
    machine = types.ModuleType("machine")
    machine.Pin = Pin
    machine.unique_id = lambda: b"klemheist"
    machine.soft_reset = _raise_exit
    machine.reset = hard_reset
    micropython = types.ModuleType("micropython")
    micropython.const = lambda value: value
    micropython.native = micropython.viper = lambda function: function
    micropython.kbd_intr = lambda byte: None
    sys.modules |= {"machine": machine, "micropython": micropython}

    gc.mem_free = lambda: 1_000_000
    gc.mem_alloc = lambda: 0
    time.ticks_ms = lambda: int(time.monotonic() * 1e3) & 0x3FFFFFFF
    time.ticks_us = lambda: int(time.monotonic() * 1e6) & 0x3FFFFFFF
    time.ticks_add = lambda ticks, delta: (ticks + delta) & 0x3FFFFFFF
    time.ticks_diff = lambda a, b: ((a - b + 0x20000000) & 0x3FFFFFFF) - 0x20000000
    time.sleep_ms = lambda ms: time.sleep(ms / 1e3)
    time.sleep_us = lambda us: time.sleep(us / 1e6)
    sys.print_exception = print_exception
    sys.platform = "klemheist-host"
