from __future__ import annotations

import threading

import pytest

from klemheist.actors.runtime import ExitReason, rest
from klemheist.supervisors import DynamicSupervisor, Supervisor, child
from klemheist.testing import CapturedEvents, ManualClock, Probe, await_idle
from tests.supervisors.otp.children import Died, Hang, Pooled, Threaded, Wrapped

KINDS = [
    pytest.param(Pooled, id="pooled"),
    pytest.param(Threaded, id="thread"),
    pytest.param(Wrapped, id="wrapped"),
]


@pytest.fixture(params=KINDS)
def kind(request):
    """The class of the children: on the pool, on its own thread, or an unmodified Pykka actor."""
    return request.param


@pytest.fixture
def pooled():
    return Pooled


@pytest.fixture
def otp():
    """The words of OTP's suite, for one test."""
    before = set(threading.enumerate())
    with Probe() as probe:
        words = Otp(probe)
        yield words
        words.tidy_up()
    for thread in set(threading.enumerate()) - before:
        thread.join(5)


class Otp:
    def __init__(self, probe):
        self.probe = probe
        self.clock = ManualClock()
        self.events = CapturedEvents()
        self._trees = []
        self._hangs = []

    # -- starting

    def start(self, children=(), **flags):
        """`start_link` with intensity 2 and period 3600, as most cases have it."""
        flags = {"max_restarts": 2, "period": 3600, **flags}
        return self._kept(Supervisor.start(children, **flags, **self._tools()))

    def start_simple(self, template, **flags):
        """The same with strategy simple_one_for_one."""
        flags = {"max_restarts": 2, "period": 3600, **flags}
        return self._kept(DynamicSupervisor.start(template=template, **flags, **self._tools()))

    def start_class(self, cls, *args, **kwargs):
        """A supervisor with an `init`."""
        return self._kept(cls.start_with(*args, **kwargs, **self._tools()))

    def _tools(self):
        return {"clock": self.clock, "on_event": self.events.add}

    def _kept(self, tree):
        if tree is not None:
            self._trees.append(tree)
        return tree

    @staticmethod
    def worker(kind, key="child1", play=None, **spec):
        """A child specification: permanent, one second to stop."""
        return child(kind, play, id=key, **{"shutdown": 1.0, **spec})

    # -- ending

    def end(self, ref, how, *, sup=None):
        """OTP's `terminate`: end an actor in one of its ways, and wait for its end.

        With `sup` also until the supervisor has dealt with it.
        """
        self.probe.watch(ref)
        expected = how
        if how == "kill":
            ref.kill()
            expected = ExitReason.KILLED
        elif how == "abnormal":
            ref.tell("die")
            expected = Died
        elif how == "normal":
            ref.tell("stop")
            expected = ExitReason.NORMAL
        else:
            ref.exit(how)
        self.probe.expect_down(ref, reason=expected)
        if sup is not None:
            self.settle(sup)

    def shut_down(self, sup):
        self.end(sup, ExitReason.SHUTDOWN)

    def expect_down(self, *refs, reason=ExitReason.SHUTDOWN):
        for ref in refs:
            self.probe.expect_down(ref, reason=reason)

    def hang(self, ref):
        """Let an actor hang in a handler, and wait until it does."""
        hang = Hang()
        self._hangs.append(hang)
        ref.tell(hang)
        assert hang.entered.wait(5)

    def settle(self, sup):
        """Wait until the tree is at rest; nobody in it may hang."""
        await_idle(sup)

    def still_up(self, *refs):
        """OTP waits a second to see that nothing happens; here the tree is at rest."""
        return all(ref.reason is None for ref in refs)

    def tidy_up(self):
        for hang in self._hangs:
            hang.over.set()
        for tree in self._trees:
            tree.kill()
        rest()

    # -- looking

    @staticmethod
    def which(sup):
        """`which_children`: newest first; a child whose restart is being tried is restarting."""
        return [(info.id, _pid(info), str(info.type)) for info in reversed(sup.children())]

    @staticmethod
    def pids(sup):
        return {info.id: info.ref for info in sup.children()}

    @staticmethod
    def counts(sup):
        count = sup.count()
        return [count.specs, count.active, count.supervisors, count.workers]


def _pid(info):
    if info.state == "restarting" or (info.state == "starting" and info.last_exit is not None):
        return "restarting"
    return info.ref
