"""Our actors beside Thespian's `simpleSystemBase`: `python -m tests.bench.thespians`.

That base has no threads: whoever tells or asks runs the actor's code there and then. It is the
least that Thespian costs, and no actor of it ever runs beside its caller.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from thespian.actors import Actor, ActorExitRequest, ActorSystem

from klemheist.actors.runtime import Actor as OurActor
from klemheist.actors.runtime import rest
from tests.bench.actors import Latch, ask, idle, tell
from tests.bench.actors import OurCounting as Ours
from tests.bench.timing import Sample, in_turn

TELLS, ASKS, LIVES = 5_000, 300, 1_000
IDLE = 10_000
OURS, THEIRS = "klemheist", "thespian"


class Echo(Actor):
    """Answers a question; what it is told it counts."""

    count = 0

    def receiveMessage(self, message, sender):  # noqa: N802 -- Thespian's name
        """Count, and answer who asked."""
        if message == "ask":
            self.send(sender, message)
        self.count += 1


class OurLife(OurActor):
    """Says when it has started."""

    def __init__(self, arrive):
        super().__init__()
        self.arrive = arrive

    def on_start(self):
        """Say so."""
        self.arrive()


class Their:
    """A system of Thespian's in this process, and what it takes."""

    def __init__(self):
        self.system = ActorSystem("simpleSystemBase", transientUnique=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.system.shutdown()

    def tell(self):
        """Seconds for one message, handled when `tell` returns."""
        actor, send = self.system.createActor(Echo), self.system.tell
        began = perf_counter()
        for number in range(TELLS):
            send(actor, number)
        seconds = perf_counter() - began
        self.system.tell(actor, ActorExitRequest())
        return seconds / TELLS

    def ask(self):
        """Seconds for one question, at the mean of some."""
        actor = self.system.createActor(Echo)
        began = perf_counter()
        for _ in range(ASKS):
            assert self.system.ask(actor, "ask", 5) == "ask"
        seconds = perf_counter() - began
        self.system.tell(actor, ActorExitRequest())
        return seconds / ASKS

    def lives(self):
        """Seconds to start one of many, and to stop it."""
        began = perf_counter()
        actors = [self.system.createActor(Echo) for _ in range(LIVES)]
        started = perf_counter()
        for actor in actors:
            self.system.tell(actor, ActorExitRequest())
        return (started - began) / LIVES, (perf_counter() - started) / LIVES

    def idle(self, count=IDLE):
        """Resident bytes of one of many that do nothing."""
        keep = [self.system.createActor(Echo) for _ in range(100)]
        gc.collect()
        before = _resident()
        keep += [self.system.createActor(Echo) for _ in range(count)]
        gc.collect()
        return (_resident() - before) / count


def our_ask():
    """The same of ours."""
    return sum(ask(Ours, ASKS)) / ASKS


def our_lives():
    """The same of ours, both hooks run."""
    latch = Latch(LIVES)
    began = perf_counter()
    refs = [OurLife.start(latch.arrive) for _ in range(LIVES)]
    latch.wait()  # a start comes back before `on_start` has run
    started = perf_counter()
    for stopped in [ref.stop(block=False) for ref in refs]:
        stopped.get()
    return (started - began) / LIVES, (perf_counter() - started) / LIVES


def rows(rounds=5):
    """Everything that both can say, in turn: what, ours, theirs, and the unit of both."""
    with Their() as their:
        told = in_turn(rounds, {OURS: lambda: tell(Ours, TELLS), THEIRS: their.tell}, warm_up=1)
        yield _row("tell, one to one", told)
        asked = in_turn(rounds, {OURS: our_ask, THEIRS: their.ask}, warm_up=1)
        yield _row("ask", asked)
        both = [(our_lives(), their.lives()) for _ in range(rounds + 1)][1:]
    for place, what in enumerate(("start", "stop")):
        ours, theirs = (
            Sample(tuple(each[side][place] for each in both)) for side in range(len(both[0]))
        )
        yield _row(f"{what}, of {LIVES:,}", {OURS: ours, THEIRS: theirs})
    rest()
    yield "an idle actor", idle(IDLE)[0], _their_idle(), "bytes"


def _row(what, samples):
    return what, samples[OURS].median, samples[THEIRS].median, "s"


def _their_idle():
    """In a process of its own, as ours is measured."""
    program = "from tests.bench.thespians import Their\nwith Their() as t: print(t.idle())"
    return float(subprocess.check_output([sys.executable, "-c", program], text=True, timeout=300))


def _resident():
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096


if __name__ == "__main__":
    for row in rows(*map(int, sys.argv[1:])):
        print(json.dumps(row))
