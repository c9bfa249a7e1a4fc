"""The round of Ctrl-C: signal after signal into calls in a row, and after each a call that works.

    python -m tests.faults.interrupts --interrupts 5000 --seed 1

The signals come from a process of their own, at random moments, so that they strike anywhere.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import getpid
from typing import TYPE_CHECKING, Self

from klemheist.supervisors.manager.manager import SessionManager
from tests.transports.conformance import Holdings

from .round import command, nothing_left

if TYPE_CHECKING:
    from klemheist.actors.session.handles import Session

SOON = (0.0003, 0.006)
"""Seconds until a signal, from and to: some dozens of calls, or one in its middle."""
LAP = 100
"""Interrupts that one session lives through."""
MOMENTS = 2.0
"""Seconds within which a call must be over once it was interrupted, and the next one answered."""
BATCH = 20
INTERRUPTER = """
import os, sys, time
pid, number = map(int, sys.argv[1:])
for line in sys.stdin:
    until = time.perf_counter() + float(line)
    while time.perf_counter() < until:
        pass
    os.kill(pid, number)
    print(flush=True)
"""
NAP = "def nap(x):\n import time\n {}\n return x"
NAPS = {"sim:": "time.sleep_ms(4)", "microbit:": "time.sleep_ms(4)"}

Calls = Callable[[int], None]


@dataclass
class Report:
    """What a round found."""

    interrupts: int = 0
    slowest: float = 0.0
    """Seconds from an interrupt to the first answer after it."""

    def lines(self) -> list[str]:
        """Return it in words."""
        return [f"{self.interrupts} interrupts, the next answer after {self.slowest:.3f} s at most"]


@dataclass
class Interrupter:
    """Sends this process a signal after a while, from outside."""

    number: int = signal.SIGINT
    _process: subprocess.Popen[str] = field(init=False)
    _hears: threading.Thread = field(init=False)
    """Hears of each signal, where none can strike: on the main thread the news could get lost."""
    _sent: threading.Event = field(default_factory=threading.Event, init=False)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTER, str(getpid()), str(int(self.number))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._hears = threading.Thread(target=self._hear, daemon=True)
        self._hears.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=5.0)
        self._hears.join(timeout=5.0)

    def _hear(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as told:
            for _ in told:
                self._sent.set()

    def after(self, seconds: float) -> None:
        assert self._process.stdin is not None
        self._sent.clear()
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()

    def sent(self) -> None:
        """Wait until it was sent; it may strike here."""
        assert self._sent.wait(10.0)


@contextmanager
def within(seconds: float, what: str) -> Iterator[None]:
    """End the process, with the stack of every thread, where the block hangs."""
    import faulthandler

    faulthandler.dump_traceback_later(10 * seconds, exit=True)
    began = time.monotonic()
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
    took = time.monotonic() - began
    assert took < seconds, f"{what} took {took:.2f} s"


def kinds_of(url: str, manager: SessionManager, session: Session) -> dict[str, Calls]:
    """Return ways of making calls in a row; each checks its answers."""
    same = session.task(source="def same(x): return x")
    nap = session.task(source=NAP.format(NAPS.get(url, "time.sleep(0.004)")))

    def quick(number: int) -> None:
        assert same(number) == number

    def slow(number: int) -> None:
        assert nap(number) == number

    def line(number: int) -> None:
        assert session(f"{number} + 1") == number + 1

    def batch(number: int) -> None:
        later = [same.submit(number + n) for n in range(BATCH)]
        assert [each.get() for each in later] == list(range(number, number + BATCH))

    def stay(_: int) -> None:
        with manager.session(url):
            pass

    return {"quick": quick, "slow": slow, "line": line, "batch": batch, "stay": stay}


def interrupted(calls: Calls, interrupter: Interrupter, after: float) -> None:
    """Make calls until Ctrl-C strikes."""
    try:
        interrupter.after(after)
        for number in range(1_000_000):
            calls(number)
    except KeyboardInterrupt:
        interrupter.sent()
        return
    raise AssertionError("the interrupt got lost")


def lap(url: str, count: int, dice: random.Random, report: Report) -> None:
    """Interrupt the calls of one session so often."""
    with (
        Interrupter() as interrupter,
        SessionManager() as manager,
        manager.session(url) as session,
    ):
        kinds = kinds_of(url, manager, session)
        for calls in kinds.values():
            calls(1)
        generation = manager.device(url).generation
        for _ in range(count):
            name = dice.choice(list(kinds))
            with within(MOMENTS, f"an interrupt of {name} calls and what followed"):
                interrupted(kinds[name], interrupter, dice.uniform(*SOON))
                began = time.monotonic()
                for calls in kinds.values():
                    calls(dice.randrange(1000))
                report.slowest = max(report.slowest, time.monotonic() - began)
            report.interrupts += 1
        assert manager.device(url).generation == generation, "the board booted anew"
        with within(MOMENTS, "the end of sessions whose creation was interrupted"):
            while len(manager._core.sessions.all()) > 1:
                time.sleep(0.005)


def run(interrupts: int, seed: int, *, tell: bool = False, url: str = "sim:") -> Report:
    """Run a round, on the main thread; what must hold is asserted."""
    assert threading.current_thread() is threading.main_thread()
    dice, report = random.Random(seed), Report()
    before, handler = Holdings.now(), signal.getsignal(signal.SIGINT)
    for first in range(0, interrupts, LAP):
        count = min(LAP, interrupts - first)
        if tell:
            print(f"{count} interrupts of calls to {url}")
        lap(url, count, dice, report)
        assert signal.getsignal(signal.SIGINT) is handler
        nothing_left(before)
    return report


if __name__ == "__main__":
    command("interrupts", __doc__, run, 5000)
