"""What holds for all tests together: in the end nothing of ours is left."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from klemheist.actors.runtime import rest

pytest_plugins = ["tests.requirements"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's `&`, which its children inherit
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_in_the_end():
    """No test leaves a thread that runs, or a process: a service embeds what these tests show."""
    threads = set(threading.enumerate())
    processes = children()
    yield
    rest()
    left = [t for t in threading.enumerate() if t not in threads]
    for thread in left:  # one that has just said what it was for may still be on its way out
        thread.join(1.0)
    assert [t for t in left if t.is_alive()] == []
    assert {pid: name for pid, name in children().items() if pid not in processes} == {}


def children():
    """Our child processes, where the system tells: number and name."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text("utf-8")
        except OSError:
            continue  # it has just ended
        name, _, rest = text.rpartition(") ")
        if int(rest.split()[1]) == os.getpid():
            number, _, program = name.partition(" (")
            found[int(number)] = program
    return found
