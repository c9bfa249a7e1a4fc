"""A forked child has the tree of its parent, and none of the threads that its actors had."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, time
import pykka
from klemheist import INFINITY, Actor, ActorDead, Supervisor, child

class Own(Actor):
    dispatcher = "thread"
    def on_receive(self, message):
        return os.getpid()

class Pooled(Own):
    dispatcher = "pool"

class Foreign(pykka.ThreadingActor):
    def on_receive(self, message):
        return os.getpid()

def in_child(check):
    pid = os.fork()
    if not pid:
        try:
            check()
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        print("child", flush=True)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0

def left():
    began = time.monotonic()
    tree.__exit__(None, None, None)
    assert time.monotonic() - began < 2.0, "it waited for a thread that is not there"

def asked():
    for id in ("own", "foreign"):
        ref = tree.child(id).ref
        try:
            ref.ask(1, timeout=5)
        except ActorDead:
            pass
        else:
            raise AssertionError("its thread is not in this process")
        assert tree.handle(id).wait_ready(5) is not ref, "its supervisor has started another"
        assert tree.handle(id).ask(1, timeout=5) == os.getpid()
    assert tree.handle("pooled").ask(1, timeout=5) == os.getpid()

children = [
    child(Own, id="own", shutdown=INFINITY),
    child(Foreign, id="foreign"),
    child(Pooled, id="pooled"),
]
with Supervisor.start(children, max_restarts=5) as tree:
    for id in ("own", "foreign", "pooled"):
        tree.handle(id).ask(1, timeout=5)
        while tree.child(id).ref.busy_for() is not None:
            time.sleep(0.001)
    in_child(CHECK)
    for id in ("own", "foreign", "pooled"):
        assert tree.handle(id).ask(1, timeout=5) == os.getpid()
print("parent")
"""


@pytest.mark.parametrize("check", ["left", "asked", "lambda: (asked(), left())"])
def test_a_child_whose_thread_is_not_there_is_dead_and_nobody_waits_for_it(check):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM.replace("CHECK", check)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.split(), done.returncode) == (["child", "parent"], 0), done.stderr
