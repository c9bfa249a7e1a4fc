"""The children of these cases, and how they are ended."""

from __future__ import annotations

import itertools
import threading

import klemheist
from klemheist import ExitReason, Ignore, child
from klemheist.testing import Probe, await_idle

WHATEVER = RuntimeError("whatever")
"""Elixir's `:whatever`: any reason that is neither normal nor shutdown."""

_ids = itertools.count()


class Sleepy(klemheist.Actor):
    """Waits for ever; answers that it does."""

    def on_receive(self, message):
        return "awake"


class ThreadSleepy(Sleepy):
    """The same on a thread of its own."""

    dispatcher = "thread"


class Stubborn(Sleepy):
    """Ends as it wants when it is told to shut down."""

    def __init__(self, reason):
        super().__init__()
        self.reason = reason

    def on_stop(self):
        raise klemheist.Exit(self.reason)


class Hanging(Sleepy):
    """Does not end before the gate is opened."""

    dispatcher = "thread"

    def __init__(self, gate):
        super().__init__()
        self.gate = gate

    def on_stop(self):
        self.gate.wait(20)


class Starter:
    """A factory that does at each start what it is told, and the last thing again and again.

    What it does: `ok2` starts a worker, `ok3` one with something to say, `ignore` declines, `error`
    and `exit` raise, `unknown` returns what no factory may.
    """

    def __init__(self, *plan):
        self.plan = list(plan)
        self.calls = []
        self.called = threading.Condition()

    def __call__(self):
        what = self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]
        with self.called:
            self.calls.append(what)
            self.called.notify_all()
        match what:
            case "ok2":
                return Sleepy.start()
            case "ok3":
                return Sleepy.start(), "extra"
            case "ignore":
                raise Ignore
            case "unknown":
                return "unknown"
            case "exit":
                raise SystemExit("oops")
        raise RuntimeError(what)

    def expect(self, *calls):
        """Wait until it has been called at least so often, and with these."""
        with self.called:
            assert self.called.wait_for(lambda: len(self.calls) >= len(calls), 5)
            assert self.calls[: len(calls)] == list(calls)


def worker(start, *args, **spec):
    """The spec of one more child; Elixir's have no ids, ours get new ones."""
    return child(start, *args, **{"id": f"child {next(_ids)}"} | spec)


def sleepy_worker(**spec):
    return worker(Sleepy, **spec)


def started(supervisor, spec):
    """Start a child that must start."""
    ref = supervisor.start_child(spec, timeout=5).ref
    assert ref is not None
    return ref


def assert_kill(ref, reason):
    """Have a process exit with a reason, and see it down."""
    with Probe() as probe:
        probe.watch(ref)
        ref.exit(reason if isinstance(reason, ExitReason) else ExitReason.error(reason))
        probe.expect_down(ref)


def counted(supervisor, *, settled=True):
    """Workers and active ones, when all that was under way has had its effect."""
    if settled:
        await_idle(supervisor)
    count = supervisor.count()
    return {"workers": count.workers, "active": count.active}
