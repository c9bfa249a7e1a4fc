"""The round of crashes: `python -m tests.supervisors.crash_round --crashes 100000 --seed 1`.

A tree of about a thousand actors, of all strategies and kinds of thread, in which leaf after leaf
dies in some way. Each death must bring exactly the restarts that its supervisor's strategy says;
nothing hangs, nothing is left over, and the process does not grow.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import random
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pykka

from klemheist.actors.runtime import Actor, Exit, ExitReason, rest, zombies
from klemheist.supervisors import DynamicSupervisor, Supervisor, child
from klemheist.supervisors.core.events import ChildRestarted
from klemheist.supervisors.tree.dynamic import supervisor
from klemheist.testing import await_idle

TOGETHER = 16
"""As many supervisors lose a child at the same time."""
WARM_UP = 4000
"""Crashes before the count begins, after everybody has crashed once: the last exit is kept."""
PATIENCE = 20.0
"""Seconds after which a restart that has not come is missing."""
GROWTH = 2_000_000
"""Bytes that the process may grow by between the first tenth and the end."""
FLAGS = {"max_restarts": 10**9, "period": 1.0}
WAYS = ("raise", "kill", "normal", "exit", "ask")


class Leaf:
    """Dies as it is told to."""

    def on_receive(self, way):
        match way:
            case "raise" | "ask":
                raise RuntimeError(way)
            case "normal":
                self.stop()
            case "exit":
                raise Exit(ExitReason.shutdown("enough"))


class PoolLeaf(Leaf, Actor):
    ask_failure = "crash"


class ThreadLeaf(Leaf, Actor):
    dispatcher = "thread"
    ask_failure = "crash"


class PykkaLeaf(Leaf, pykka.ThreadingActor):
    pass


def leaves(count, cls=PoolLeaf):
    return [child(cls, id=n) for n in range(count)]


def branches():
    """About a thousand actors: 930 on the pool, 20 with threads of their own, 60 supervisors."""
    yield supervisor(leaves(10, ThreadLeaf), id="threads", **FLAGS)
    yield supervisor(leaves(10, PykkaLeaf), id="pykka", **FLAGS)
    for n in range(20):
        yield supervisor(leaves(20), id=f"one {n}", strategy="one_for_one", **FLAGS)
        yield supervisor(leaves(6), id=f"all {n}", strategy="one_for_all", **FLAGS)
        yield supervisor(leaves(10), id=f"rest {n}", strategy="rest_for_one", **FLAGS)
    yield child(DynamicSupervisor, id="dynamic", kwargs=FLAGS)


@dataclass
class Report:
    """What a round found."""

    crashes: int = 0
    restarts: int = 0
    expected: int = 0
    early: int = 0
    late: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def growth(self):
        return self.late - self.early


class Round:
    """One tree, and what is known of it from outside."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.report = Report()
        self.came = threading.Condition()
        self.tree = Supervisor.start(list(branches()), on_event=self.note, **FLAGS)
        self.groups = {info.id: info.ref for info in self.tree.children()}
        dynamic = self.groups["dynamic"]
        for spec in leaves(200):
            dynamic.start_child(spec)

    def note(self, event):
        if isinstance(event, ChildRestarted):
            with self.came:
                self.report.restarts += 1
                if self.report.restarts >= self.report.expected:
                    self.came.notify_all()

    def run(self, crashes):
        report, began = self.report, time.monotonic()
        self.everybody()
        for _ in range(WARM_UP // TOGETHER):
            self.lap()
        before = report.crashes
        while report.crashes < before + crashes:
            self.lap()
            if not report.early and report.crashes >= before + crashes // 10:
                report.early = self.at_rest()
        report.late = self.at_rest()
        report.seconds = time.monotonic() - began
        self.look()
        self.tree.shutdown(timeout=PATIENCE)
        rest()
        return report

    def at_rest(self):
        """Bytes of memory, each time after the same: looking at a tree of a thousand takes some."""
        await_idle(self.tree, timeout=PATIENCE)
        return resident()

    def everybody(self):
        """Each leaf dies once: the dynamic ones alone would take tens of thousands of crashes."""
        sizes = {name: len(ref.children()) for name, ref in self.groups.items()}
        for place in range(max(sizes.values())):
            self.deaths({name: place for name, size in sizes.items() if place < size})

    def lap(self):
        """One death each in some supervisors at the same time; then all restarts that follow."""
        sizes = {
            name: len(self.groups[name].children())
            for name in self.random.sample(sorted(self.groups), TOGETHER)
        }
        self.deaths({name: self.random.randrange(size) for name, size in sizes.items()})

    def deaths(self, places):
        """The children at these places die at the same time; wait for all restarts that follow."""
        victims = []
        for name, place in places.items():
            children = self.groups[name].children()
            victims.append(children[place])
            everybody, after = len(children), len(children) - place
            concerned = {"all": everybody, "rest": after}.get(name.split()[0], 1)
            with self.came:
                self.report.expected += concerned
        for victim in victims:
            self.end(victim.ref, self.random.choice(WAYS))
        self.report.crashes += len(victims)
        with self.came:
            done = self.came.wait_for(
                lambda: self.report.restarts >= self.report.expected, PATIENCE
            )
        if not done:
            raise AssertionError(f"restarts are missing: {self.report}\n{self.picture()}")

    def end(self, ref, way):
        if way == "kill":
            ref.kill()
        elif way == "ask" and ref.actor_class.__dict__.get("ask_failure") == "crash":
            answer = ref.ask(way, block=False)
            if not isinstance(_error(answer), RuntimeError):
                self.report.faults.append(f"{ref} answered {answer}")
        else:
            ref.tell("raise" if way == "ask" else way)

    def look(self):
        """Everybody is there, every death and restart is counted, nothing hangs."""
        report = self.report
        counts = [ref.statistics() for ref in self.groups.values()]
        if sum(count.restarts for count in counts) != report.restarts:
            report.faults.append(f"statistics count {sum(c.restarts for c in counts)} restarts")
        for node in self.tree.snapshot().walk():
            if node.state != "running" or node.ref.has_ended or node.mailbox_len:
                report.faults.append(f"{node.path} is {node.state}, {node.mailbox_len} wait")
        if report.restarts != report.expected:
            report.faults.append(f"{report.restarts} restarts, not {report.expected}")
        if self.tree.snapshot().restarts_in_window or self.tree.statistics().crashes:
            report.faults.append("a crash climbed to the root")
        if zombies():
            report.faults.append(f"zombies: {zombies()}")

    def picture(self):
        rows = self.tree.snapshot().render().splitlines()
        return "\n".join(row for row in rows if "starting" in row or "stop" in row)


def _error(future):
    try:
        future.get(timeout=PATIENCE)
    except Exception as error:  # noqa: BLE001  it is looked at
        return error.with_traceback(None)  # else it holds this thread's frames, and they the past
    return None


def resident():
    """Bytes of memory that the process has now."""
    gc.collect()
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)  # what the allocator keeps for later is not ours
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    return pages * 4096


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crashes", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print growth and faults as data")
    options = parser.parse_args()
    report = Round(options.seed).run(options.crashes)
    if options.json:
        print(json.dumps({"growth": report.growth, "faults": report.faults}))
        return 0
    print(f"{report.crashes:,} crashes, {report.restarts:,} restarts, all accounted for")
    print(f"{report.seconds:.1f} s; growth {report.growth / 1e6:.2f} MB")
    print("\n".join(report.faults) or "no fault found")
    return int(bool(report.faults) or report.growth > GROWTH)


if __name__ == "__main__":
    sys.exit(main())
