"""Trees, what is kept of children, names, scaling: cases 56, 57, 72, 73, 76 to 79, 87 and 88."""

from __future__ import annotations

import gc
import os
import time
import weakref

import pytest

from klemheist.actors.runtime import ExitReason, register, whereis
from klemheist.supervisors import INFINITY, DynamicSupervisor, child
from klemheist.supervisors.core.errors import AlreadyPresent, AlreadyStarted
from klemheist.supervisors.tree.dynamic import supervisor
from klemheist.supervisors.tree.supervisor import Supervisor
from tests.supervisors.otp.children import FailsLater, Journal, Play
from tests.supervisors.otp.test_restart import Big

STRATEGIES = ["one_for_all", "one_for_one", "rest_for_one"]
LARGE = int(os.environ.get("KLEMHEIST_MANY", "10000"))
"""How many children the last case starts; OTP's own 100,000 by the variable."""


class Deaf(Supervisor):
    """A forged runtime: the notice of a child's end gets lost."""

    def child_ended(self, key, ref):
        """Nobody tells."""


def test_child_unlink(otp, kind):
    """The notice of the child's end is dropped by a forged runtime; terminating it still works."""
    sup = otp._kept(Deaf.start([otp.worker(kind, "naughty_child")], **otp._tools()))
    ref = otp.pids(sup)["naughty_child"]
    otp.end(ref, "normal")
    sup.terminate_child("naughty_child", timeout=5)
    assert otp.which(sup) == [("naughty_child", None, "worker")]
    # also where it ends only when told to: it is found out at its deadline
    sup.restart_child("naughty_child")
    terminated = sup.terminate_child("naughty_child", block=False)
    otp.clock.advance(1.0)
    terminated.get(timeout=5)
    assert otp.counts(sup) == [1, 0, 0, 1]


def test_tree(otp, kind):
    flags = {"max_restarts": 4, "period": 3600}
    workers = [otp.worker(kind, key) for key in ("child1", "child2")]
    top = otp.start(strategy="one_for_all", **flags)
    sup1 = top.start_child(supervisor(workers, id="supchild1", **flags)).ref
    sup2 = top.start_child(supervisor([], id="supchild2", **flags)).ref
    top.start_child(supervisor([], id="supchild3", restart="transient", **flags))
    top.terminate_child("supchild3")
    assert otp.counts(top) == [3, 2, 3, 0]
    first_two = otp.pids(sup1)
    assert list(first_two) == ["child1", "child2"]
    assert (otp.counts(sup1), otp.counts(sup2)) == ([2, 2, 0, 2], [0, 0, 0, 0])
    # children that were added later
    third = sup2.start_child(otp.worker(kind, "child3", FailsLater())).ref
    fourth = sup2.start_child(otp.worker(kind, "child4")).ref
    assert (otp.counts(sup1), otp.counts(sup2)) == ([2, 2, 0, 2], [2, 2, 0, 2])
    # only who dies is restarted
    otp.end(fourth, "abnormal", sup=top)
    assert otp.pids(sup1) == first_two
    assert otp.pids(sup2)["child3"] is third
    assert otp.pids(sup2)["child4"] is not fourth
    # the tree is restarted, without those that were added later
    otp.end(third, "abnormal")
    otp.expect_down(sup2, sup1)
    otp.settle(top)
    assert otp.counts(top) == [3, 3, 3, 0]
    new = otp.pids(top)
    assert list(otp.pids(new["supchild1"])) == ["child1", "child2"]
    assert otp.counts(new["supchild1"]) == [2, 2, 0, 2]
    for key in ("supchild2", "supchild3"):
        assert otp.which(new[key]) == []
        assert otp.counts(new[key]) == [0, 0, 0, 0]


def _counted(otp, template, counts):
    sup = otp.start_simple(template)
    for total in (1000, 2000):
        for _ in range(1000):
            sup.start_child([])
        assert otp.counts(sup) == counts(total)
        assert len(otp.which(sup)) == total
    assert otp.which(sup) == otp.which(sup)
    for ref in otp.pids(sup).values():
        ref.kill()
    otp.settle(sup)
    assert otp.counts(sup) == [1, 0, 0, 0]


def test_count_children(otp, pooled):
    """Pooled children only: two thousand threads prove nothing."""
    _counted(otp, otp.worker(pooled, restart="temporary"), lambda n: [1, n, 0, n])


def test_count_children_supervisor(otp, pooled):
    """As `count_children`."""
    template = otp.worker(pooled, restart="temporary", shutdown=INFINITY, type="supervisor")
    _counted(otp, template, lambda n: [1, n, n, 0])


@pytest.mark.parametrize("strategy", [*STRATEGIES, "simple_one_for_one"])
def test_do_not_save_start_parameters_for_temporary_children(otp, pooled, strategy):
    """Weak references tell what is kept, where OTP compares the sizes of the states."""
    kept = {
        restart: _arguments_kept(otp, pooled, strategy, restart)
        for restart in ("permanent", "transient", "temporary")
    }
    assert kept == {"permanent": 100, "transient": 100, "temporary": 0}


def _arguments_kept(otp, pooled, strategy, restart):
    simple = strategy == "simple_one_for_one"
    if simple:
        sup = otp.start_simple(child(pooled, None, id="child", restart=restart))
    else:
        sup = otp.start(strategy=strategy)
    kept = []
    for n in range(100):
        big = Big()
        kept.append(weakref.ref(big))
        sup.start_child([big] if simple else child(pooled, None, big, id=n, restart=restart))
    del big
    otp.settle(sup)
    gc.collect()
    return sum(each() is not None for each in kept)


@pytest.mark.parametrize("how", ["kill", "normal", "abnormal", "supervisor"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_do_not_save_child_specs_for_temporary_children(otp, kind, strategy, how):
    sup = otp.start(strategy=strategy)
    stays_down = {
        "permanent": how == "supervisor",
        "transient": how in ("supervisor", "normal"),
    }
    for n, restart in enumerate(("permanent", "transient", "temporary"), 1):
        spec = otp.worker(kind, f"child{n}", restart=restart)
        ref = sup.start_child(spec).ref
        if how == "supervisor":
            sup.terminate_child(spec.id)
        else:
            otp.end(ref, how, sup=sup)
        if restart == "temporary":
            assert sup.start_child(spec).ref.is_alive()
        elif stays_down[restart]:
            with pytest.raises(AlreadyPresent):
                sup.start_child(spec)
            sup.restart_child(spec.id)
        else:
            with pytest.raises(AlreadyStarted):
                sup.start_child(spec)
    otp.shut_down(sup)


def test_simple_one_for_one_scale_many_temporary_children(otp, pooled):
    sup = otp.start_simple(otp.worker(pooled, restart="temporary"))

    def seconds(count):
        refs = [sup.start_child([]).ref for _ in range(count)]
        begin = time.perf_counter()
        for ref in refs:
            sup.terminate_child(ref)
        return time.perf_counter() - begin

    small = seconds(1000)
    assert seconds(10_000) <= 50 * small


class Named(Play):
    """Registers its actor in `on_start`, as a server that is started with a name."""

    def __init__(self, name):
        self.name = name

    def starting(self, actor):
        register(self.name, actor.actor_ref)


class Restless:
    """Case 79's tree: a named supervisor with a named server, each alone under `one_for_all`."""

    def __init__(self, otp, kind):
        server = otp.worker(kind, "child", Named("server"), shutdown=2.0)
        middle = child(
            Supervisor,
            [server],
            id="middle",
            kwargs={"strategy": "one_for_all", "period": 60, "name": "sup2"},
            shutdown=2.0,
        )
        self.otp = otp
        self.top = otp.start([middle], strategy="one_for_all", max_restarts=3, period=60)
        self.sup, self.server = whereis("sup2"), whereis("server")
        assert self.sup is not None
        assert self.server is not None

    def stop(self):
        self.otp.end(self.top, "kill")
        assert whereis("sup2") is None
        assert whereis("server") is None


def test_simple_global_supervisor(otp, kind):
    """Names of this process for OTP's global ones; the runtime makes a kill go down the tree."""
    tree = Restless(otp, kind)
    otp.end(tree.sup, "kill", sup=tree.top)
    otp.expect_down(tree.server, reason=ExitReason.KILLED)
    assert whereis("sup2") not in (None, tree.sup)
    assert whereis("server") not in (None, tree.server)
    tree.stop()
    for how in ("kill", "normal"):
        tree = Restless(otp, kind)
        otp.end(tree.server, how, sup=tree.top)
        assert whereis("server") not in (None, tree.server)
        assert whereis("sup2") is tree.sup
        tree.stop()
    tree = Restless(otp, kind)
    tree.sup.terminate_child("child")
    assert whereis("server") is None
    tree.sup.restart_child("child")
    assert whereis("server") not in (None, tree.server)
    tree.stop()


def test_order_of_children(otp, kind):
    """What the children write down stands for OTP's traces."""
    lines = []
    ids = ["ch7", "ch3", "ch10", "ch2", "ch5"]
    specs = [otp.worker(kind, key, Journal(key, lines)) for key in ids]
    sup = otp.start(specs, strategy="rest_for_one")
    assert lines == [f"start {key}" for key in ids]
    before = otp.pids(sup)
    del lines[:]
    otp.end(before["ch10"], "abnormal", sup=sup)
    assert lines == ["stop ch5", "stop ch2", "start ch10", "start ch2", "start ch5"]
    after = otp.pids(sup)
    assert [key for key in ids if after[key] is before[key]] == ["ch7", "ch3"]
    del lines[:]
    otp.shut_down(sup)
    assert lines == [f"stop {key}" for key in reversed(ids)]


def test_scale_start_stop_many_children(otp, pooled):
    """Adapted: 10,000 children against 1,000 for OTP's 100,000, for the time that a test may take.

    The limit is OTP's, 10 times linear. `KLEMHEIST_MANY=100000` gives OTP's own number.
    """
    sup = otp.start()

    def seconds(count):
        specs = [child(pooled, id=n, shutdown=1.0) for n in range(count)]
        begin = time.perf_counter()
        for spec in specs:
            sup.start_child(spec)
        started = time.perf_counter()
        for n in range(count):
            sup.terminate_child(n)
        stopped = time.perf_counter()
        for n in range(count):
            sup.delete_child(n)
        return started - begin, stopped - started

    (start, stop), (start_many, stop_many) = seconds(1000), seconds(LARGE)
    limit = LARGE / 1000 * 10
    assert start_many <= limit * start
    assert stop_many <= limit * stop


def test_a_dynamic_tree_ends_all_its_children_when_killed(otp, kind):
    """Not of the suite: the cascade of `simple_global_supervisor`, with many children."""
    sup = otp._kept(DynamicSupervisor.start(**otp._tools()))
    refs = [sup.start_child(otp.worker(kind, n)).ref for n in range(5)]
    otp.end(sup, "kill")
    otp.expect_down(*refs, reason=ExitReason.KILLED)
