from __future__ import annotations

import itertools
import threading

import pytest

from klemheist.actors.runtime import Actor, Exit, ExitReason, Ignore

_numbers = itertools.count(1)


class Script:
    """What the children of one test did, and what they shall do at their next starts."""

    def __init__(self):
        self.lines = []
        self.plans = {}
        self.gate = threading.Event()
        self.hanging = threading.Semaphore(0)

    def next_start(self, name):
        plan = self.plans.get(name)
        return plan.pop(0) if plan else None


class Worker(Actor):
    """Obeys: an ExitReason or exception ends it; `hang` blocks on the gate."""

    inline = True

    def __init__(self, name, script):
        super().__init__()
        self.name, self.script = name, script
        self.number = next(_numbers)

    def on_restart(self, reason, attempt):
        self.script.lines.append(f"restart {self.name} {attempt}")

    def on_start(self):
        match self.script.next_start(self.name):
            case "fail":
                raise RuntimeError(f"{self.name} cannot start")
            case "ignore":
                raise Ignore
            case "hang":
                self.script.gate.wait(10)
        self.script.lines.append(f"start {self.name}")

    def on_receive(self, message):
        if isinstance(message, ExitReason):
            raise Exit(message)
        if isinstance(message, BaseException):
            raise message
        if message == "hang":
            self.script.hanging.release()
            self.script.gate.wait(10)
        return self.number

    def on_stop(self):
        self.script.lines.append(f"stop {self.name}")


class PoolWorker(Worker):
    inline = False


class ThreadWorker(PoolWorker):
    dispatcher = "thread"


@pytest.fixture
def script():
    script = Script()
    yield script
    script.gate.set()


@pytest.fixture(params=[Worker, PoolWorker, ThreadWorker], ids=["inline", "pool", "thread"])
def worker(request):
    return request.param


@pytest.fixture
def tools():
    return Tools


class Tools:
    Worker = Worker
    ThreadWorker = ThreadWorker
    Error = RuntimeError

    @staticmethod
    def crash(tree, name):
        """End the child by an exception and wait for its end."""
        ref = tree.handle(name).wait_ready(5)
        ref.tell(RuntimeError("told to die"))
        ref.ended.get(timeout=5)
        return ref

    @staticmethod
    def hang(ref, script):
        """Let the child hang in a handler, and wait until it does."""
        ref.tell("hang")
        assert script.hanging.acquire(timeout=5)

    @staticmethod
    def number(tree, name):
        return tree.handle(name).ask("number", timeout=5)
