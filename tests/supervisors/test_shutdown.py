from __future__ import annotations

import threading
import time

import pytest

from klemheist.actors.runtime import ActorDead, AskTimeout, ExitReason
from klemheist.supervisors.core import events as told
from klemheist.supervisors.core.child import BRUTAL_KILL, INFINITY, child
from klemheist.supervisors.tree.dynamic import DynamicSupervisor
from klemheist.supervisors.tree.supervisor import Supervisor


def test_children_stop_in_reverse_order(worker, script):
    with Supervisor.start([child(worker, name, script, id=name) for name in "abc"]) as tree:
        del script.lines[:]
    assert script.lines == ["stop c", "stop b", "stop a"]
    assert tree.reason is ExitReason.SHUTDOWN


def test_a_stop_in_pykkas_way_ends_the_children_too_and_then_returns(worker, script):
    tree = Supervisor.start([child(worker, "a", script, id="a")])
    assert tree.stop() is True
    assert tree.reason is ExitReason.NORMAL
    assert script.lines[-1] == "stop a"


def test_a_child_that_hangs_is_abandoned_at_its_deadline_and_reported(script, tools):
    events = []
    specs = [
        child(tools.ThreadWorker, "a", script, id="a"),
        child(tools.ThreadWorker, "hung", script, id="hung", shutdown=0.1),
    ]
    tree = Supervisor.start(specs, on_event=events.append)
    hung = tree.child("hung").ref
    tools.hang(hung, script)
    start = time.monotonic()
    tree.shutdown(timeout=5)
    assert 0.1 <= time.monotonic() - start < 3
    assert hung.reason is ExitReason.KILLED
    assert script.lines[-1] == "stop a"
    assert [event.id for event in events if isinstance(event, told.ChildKilled)] == ["hung"]


def test_brutal_kill_asks_nothing(worker, script):
    tree = Supervisor.start([child(worker, "a", script, id="a", shutdown=BRUTAL_KILL)])
    ref = tree.child("a").ref
    tree.shutdown()
    assert ref.reason is ExitReason.KILLED
    assert "stop a" not in script.lines


def test_infinity_waits(script, tools):
    tree = Supervisor.start([child(tools.ThreadWorker, "a", script, id="a", shutdown=INFINITY)])
    tools.hang(tree.child("a").ref, script)
    with pytest.raises(AskTimeout):
        tree.shutdown(timeout=0.05)
    script.gate.set()
    assert tree.ended.get(timeout=5) is ExitReason.SHUTDOWN
    assert script.lines[-1] == "stop a"


def test_a_shutdown_overtakes_a_hanging_start(script, tools):
    script.plans["a"] = ["hang"]
    tree = Supervisor.start()
    started = tree.start_child(
        child(tools.ThreadWorker, "a", script, id="a", shutdown=0.05), block=False
    )
    queued = tree.start_child(child(tools.Worker, "b", script, id="b"), block=False)
    assert tree.shutdown(timeout=5) is ExitReason.SHUTDOWN
    for future in (started, queued):
        with pytest.raises(ActorDead):
            future.get(timeout=5)


class Cleaning(Supervisor):
    """Its cleanup is done by somebody else, later."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.asked = []

    def before_shutdown(self, done):
        self.asked.append(done)


def test_the_cleanup_runs_while_the_children_live_and_crashed_ones_come_back(script, tools):
    tree = Cleaning.start([child(tools.Worker, "a", script, id="a")])
    asked = tree.actor().asked
    tree.exit()
    assert len(asked) == 1
    tools.crash(tree, "a")
    assert tree.handle("a").ask(0, timeout=5)
    assert not tree.ended.done()
    threading.Thread(target=asked[0]).start()
    assert tree.ended.get(timeout=5) is ExitReason.SHUTDOWN
    assert script.lines[-1] == "stop a"


def test_the_cleanup_runs_also_when_the_supervisor_gives_up(script, tools):
    tree = Cleaning.start([child(tools.Worker, "a", script, id="a")], max_restarts=0)
    asked = tree.actor().asked
    tools.crash(tree, "a")
    assert not tree.ended.done()
    asked[0]()
    assert tree.ended.get(timeout=5) is ExitReason.SHUTDOWN


def test_giving_up_during_the_cleanup_ends_it(script, tools):
    tree = Cleaning.start([child(tools.Worker, "a", script, id="a")], max_restarts=0)
    tree.exit()
    tools.crash(tree, "a")
    assert tree.ended.get(timeout=5) is ExitReason.SHUTDOWN


def test_a_cleanup_that_raises_does_not_prevent_the_end(script, tools):
    class Bad(Supervisor):
        def before_shutdown(self, done):
            raise RuntimeError("no cleanup today")

    tree = Bad.start([child(tools.Worker, "a", script, id="a")])
    assert tree.shutdown(timeout=5) is ExitReason.SHUTDOWN
    assert script.lines[-1] == "stop a"


def test_a_cleanup_that_never_ends_is_cut_off_by_the_parents_deadline(script, tools):
    inner = child(Cleaning, (child(tools.Worker, "a", script, id="a"),), id="in", shutdown=0.05)
    tree = Supervisor.start([inner])
    leaf = tree.child("in").ref.child("a").ref
    assert tree.shutdown(timeout=5) is ExitReason.SHUTDOWN
    assert leaf.reason is ExitReason.KILLED


def test_a_dynamic_supervisor_stops_all_at_once(script, tools):
    tree = DynamicSupervisor.start()
    refs = []
    for n in range(5):
        spec = child(tools.ThreadWorker, str(n), script, id=n, shutdown=0.2)
        refs.append(tree.start_child(spec).ref)
        tools.hang(refs[-1], script)
    start = time.monotonic()
    tree.shutdown(timeout=5)
    assert time.monotonic() - start < 0.8
    assert {ref.reason for ref in refs} == {ExitReason.KILLED}


def test_nothing_is_left_after_a_tree_with_threads(script, tools):
    before = set(threading.enumerate())
    specs = [child(tools.ThreadWorker, str(n), script, id=n) for n in range(5)]
    with Supervisor.start(specs):
        workers = set(threading.enumerate()) - before
        assert sum(thread.name.startswith("ThreadWorker") for thread in workers) == 5
    for thread in workers:
        thread.join(5)
    assert set(threading.enumerate()) <= before
