"""A program that ends without having ended its trees."""

from __future__ import annotations

import subprocess
import sys
import time

PROGRAM = """
import threading
from klemheist import Supervisor, child
from klemheist.actors.runtime import Actor

class Worker(Actor):
    def __init__(self, name):
        super().__init__()
        self.name = name

    def on_stop(self):
        print("stop", self.name, flush=True)

class Hung(Worker):
    def on_receive(self, message):
        message.set()
        threading.Event().wait()

one = Supervisor.start([child(Worker, "a", id="a"), child(Worker, "b", id="b")])
two = Supervisor.start([child(Hung, "c", id="c", shutdown=0.2), child(Worker, "d", id="d")])
hangs = threading.Event()
two.child("c").ref.tell(hangs)
hangs.wait()
print("end of the program", flush=True)
"""


def test_the_trees_are_ended_in_order_and_the_program_is():
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout.splitlines() == ["end of the program", "stop d", "stop b", "stop a"]
    assert done.returncode == 0
    assert done.stderr == ""
    assert time.monotonic() - began < 10
