"""The boards on a core of their own, and we on another, as a real board has its own processor.

Left to the scheduler, a board's process is woken now where its caller sleeps, now elsewhere: the
bare link's call on `sim:` then takes 35 µs or 80, and every ratio has two values.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def apart() -> Iterator[None]:
    """Keep this thread, and those it starts, on one core, and child processes on the others."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        yield
        return
    mine, theirs = cores[0], cores[1:]
    begin = subprocess.Popen.__init__

    def begin_apart(self: subprocess.Popen[Any], *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        try:
            os.sched_setaffinity(self.pid, theirs)
        except ProcessLookupError:
            return  # it was quick

    os.sched_setaffinity(0, {mine})
    try:
        with mock.patch.object(subprocess.Popen, "__init__", begin_apart):
            yield
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def on_one_core() -> Iterator[None]:
    """Keep all threads of this process on one core, those that live already too."""
    cores = os.sched_getaffinity(0)
    _pin_all({min(cores)})
    try:
        yield
    finally:
        _pin_all(cores)


def _pin_all(cores: set[int]) -> None:
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has just ended
            os.sched_setaffinity(int(thread.name), cores)


def settle(pid: int, *, quiet: float = 0.03, within: float = 5.0) -> None:
    """Wait until a process uses hardly any processor time in `quiet` seconds."""
    until = monotonic() + within
    before = _ticks(pid)
    while monotonic() < until:
        sleep(quiet)
        now = _ticks(pid)
        if now - before <= 1:
            return
        before = now


def _ticks(pid: int) -> int:
    """Return the processor time that it has used, in hundredths of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
