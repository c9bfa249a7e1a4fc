"""The actor of these cases: it tells a probe what becomes of it."""

from __future__ import annotations

import klemheist
from klemheist import Backoff, Restart, Supervisor, child
from klemheist.testing import await_idle


class Exc1(Exception):  # noqa: N818 -- its name there
    """The failure of these cases."""


class Target(klemheist.Actor):
    """Answers, counts, fails as told; says so when it starts, fails and stops.

    Args:
        probe: Who is told.
        failing: How its starts go: each takes one off the list, and fails where it is true.
    """

    def __init__(self, probe, failing=()):
        super().__init__()
        self.probe, self.failing, self.state = probe, failing, 0

    def on_start(self):
        if self.failing and self.failing.pop(0):
            self.probe.tell("start failed")
            raise Exc1("told not to start")
        self.probe.tell("started")

    def on_failure(self, kind, error, traceback):
        self.probe.tell("failed")

    def on_stop(self):
        self.probe.tell("stopped")

    def on_receive(self, message):
        match message:
            case BaseException():
                raise message
            case "increment":
                self.state += 1
            case "state":
                return self.state
            case ("ping", number):
                self.probe.tell(("pong", number))
            case ("wait", gate):
                gate.wait(20)
        return None


def backoff(seconds=1.0, most=10.0, **more):
    """A backoff without jitter."""
    return Backoff(**{"min": seconds, "max": most, "jitter": 0.0} | more)


def tree_of(probe, *, clock=None, failing=(), cls=Target, max_restarts=3, period=5.0, **spec):
    """A supervisor with one target; starts it, and sees it started."""
    spec.setdefault("restart", Restart.PERMANENT)
    one = child(cls, probe.ref, failing, id="target", **spec)
    tree = Supervisor.start([one], clock=clock, max_restarts=max_restarts, period=period)
    probe.expect("started")
    return tree


def fail(tree, probe, error=None):
    """Have the target fail, and see it fail and all that follows at once be over."""
    ref = tree.handle("target").ref
    ref.tell(error or Exc1())
    probe.expect("failed")
    probe.expect_down(ref)
    if tree.reason is None:
        await_idle(tree)
    return ref
