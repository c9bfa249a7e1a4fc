"""The faults of issue 2, item 8: how each is inflicted, and what the caller must then be told."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from klemheist.actors.errors import CallCancelled, DeviceError, DeviceMemoryError
from klemheist.transports.errors import DeviceReset, LinkError, LinkLost, LinkTimeout

from .stage import QUICK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .stage import Stage

DELAY = 0.03
"""Seconds after which something happens to the board: the call is under way by then."""
BUSY = "import time\nfor _ in range(200): time.sleep(0.01)"
MICROBIT_BUSY = "import microbit\nmicrobit.sleep(2000)"
NOISY = 3.0
"""Seconds of damage at most."""
SWALLOW = """
import time
caught = 0
while caught < 2:
    try:
        while True: time.sleep(0.01)
    except: caught += 1
"""
PRINTING = """
import _thread, time
chatting = [1]
def chatter():
    for number in range(40):
        print('chatter', number, '\\x04OK>')
        time.sleep(0.002)
    chatting[0] = 0
_thread.start_new_thread(chatter, ())
"""
SAME_BOOT, NEW_BOOT, EITHER = True, False, None


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    `inflict` makes it happen and returns what the caller was told; `told` says what may be.
    """

    name: str
    boards: tuple[str, ...]
    inflict: Callable[[Stage], BaseException | None]
    told: tuple[type[BaseException], ...]
    boot: bool | None = EITHER
    """Whether the interpreter lives on."""


@contextmanager
def soon(act: Callable[[], object]) -> Iterator[None]:
    """Do something in the middle of the block, on another thread; it is over when the block is."""
    timer = threading.Timer(DELAY, act)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def _busy(stage: Stage) -> str:
    return MICROBIT_BUSY if stage.is_small else BUSY


def _killed(stage: Stage) -> BaseException | None:
    with soon(stage.kill):
        return stage.fault(_busy(stage), timeout=5.0)


def _left(stage: Stage) -> BaseException | None:
    stage.reset_asked = stage.reset_asked or not stage.is_small
    return stage.fault("raise SystemExit", timeout=5.0)


def _reset(stage: Stage) -> BaseException | None:
    stage.reset_asked = True
    module = "microbit" if stage.is_small else "machine"
    return stage.fault(f"import {module}\n{module}.reset()", timeout=5.0)


def _looped_for_good(stage: Stage) -> BaseException | None:
    """No connection resets a board that nothing interrupts: somebody presses its button."""
    error = stage.fault("while True: pass", timeout=0.1)
    stage.kill()
    return error


def _looped(stage: Stage) -> BaseException | None:
    stage.reset_asked = stage.reset_asked or stage.kind == "sim"
    return stage.fault("while True: pass", timeout=0.1)


def _swallowed(stage: Stage) -> BaseException | None:
    return stage.fault(SWALLOW, timeout=0.1)


def _dropped(stage: Stage) -> BaseException | None:
    assert stage.board is not None
    with soon(stage.board.drop):
        return stage.fault(_busy(stage), timeout=5.0)


def _stopped(stage: Stage) -> BaseException | None:
    pid = stage.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        return stage.fault("pass", timeout=0.1)
    finally:
        os.kill(pid, signal.SIGCONT)


def _starved(stage: Stage) -> BaseException | None:
    return stage.fault("[0] * 100000", timeout=2.0)


def _cancelled(stage: Stage) -> BaseException | None:
    later = stage.session.submit(f"runs[0] += 1\n{_busy(stage)}")
    time.sleep(DELAY)
    later.cancel("by the round")
    try:
        stage.timed("cancel", 0.0, later.get)
    except CallCancelled as error:
        return error
    return None


def _chattered(stage: Stage) -> BaseException | None:
    """A thread prints, marks of the protocol too, while calls run: none may be wrong."""
    error = stage.fault(PRINTING, timeout=5.0)
    until = time.monotonic() + 5.0
    while stage.session("chatting[0]") and time.monotonic() < until:
        stage.works()
    return error


def _mangled(stage: Stage) -> BaseException | None:
    """Calls on a line that damages bytes fail with an error or give the right result."""
    line, told = stage.line, None
    assert line is not None
    stage.reset_asked = True  # a doubled end mark is an empty command: a soft reset
    line.active = True
    try:
        until = time.monotonic() + NOISY
        for number in range(20):
            if time.monotonic() > until:
                break  # it is away: even its login was damaged
            try:
                add = partial(stage.session.program.add_quickly, number, 1)
                result = stage.timed("add", QUICK, add)
            except (LinkError, DeviceError) as error:
                told = error
            else:
                assert result == number + 1, f"{number} + 1 is not {result} on a damaged line"
    finally:
        line.active = False
    return told


NOISY_LINES = ("noisy", "noisy ws", "noisy telnet")
NETWORK = ("tcp", "ws", "telnet")
SMALL = ("microbit", "microbit tcp")
ALL = ("sim", "host", *SMALL, *NETWORK)
KINDS: tuple[Fault, ...] = (
    Fault("killed in mid-call", ALL, _killed, (LinkLost,), NEW_BOOT),
    Fault("SystemExit", ("sim", "host", *NETWORK), _left, (DeviceReset,), NEW_BOOT),
    Fault("SystemExit that resets nothing", SMALL, _left, (DeviceError,), SAME_BOOT),
    Fault("machine.reset()", ALL, _reset, (DeviceReset,), NEW_BOOT),
    Fault("a pure endless loop", ("host", *SMALL), _looped, (LinkTimeout,), SAME_BOOT),
    Fault("a loop that cannot be interrupted", ("sim",), _looped, (LinkTimeout,), NEW_BOOT),
    Fault("a loop that only a button ends", ("tcp",), _looped_for_good, (LinkTimeout,), NEW_BOOT),
    Fault("a loop that swallows Ctrl-C", ("host", *NETWORK), _swallowed, (LinkTimeout,), SAME_BOOT),
    Fault("link dropped", ("host", "microbit tcp", *NETWORK), _dropped, (LinkLost,), SAME_BOOT),
    Fault("stopped, later alive", SMALL, _stopped, (LinkTimeout,), SAME_BOOT),
    Fault("out of memory", SMALL, _starved, (DeviceMemoryError,), SAME_BOOT),
    Fault("call cancelled", ("host", *SMALL, *NETWORK), _cancelled, (CallCancelled,), SAME_BOOT),
    Fault("a thread that prints", ("host",), _chattered, (), SAME_BOOT),
    Fault("garbage and lost bytes", NOISY_LINES, _mangled, ()),
)
