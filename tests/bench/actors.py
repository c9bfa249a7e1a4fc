"""Our actors beside Pykka's, in one run, in turn: `python -m tests.bench.actors`.

All are ordinary actors on the shared pool: none is inline (DESIGN 8.19).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import math
import subprocess
import sys
import threading
from dataclasses import dataclass
from queue import SimpleQueue
from time import perf_counter

import pykka

from klemheist.actors.runtime import Actor, rest
from tests.bench.cores import on_one_core
from tests.bench.timing import Sample, in_turn

OURS = "klemheist"
PYKKA = "pykka"
IDLE = 50_000


@dataclass(frozen=True, slots=True)
class Row:
    """One line: both sides' samples, in seconds for one of whatever it counts."""

    what: str
    ours: Sample
    theirs: Sample
    goal: float | None
    """How many times as fast ours is to be; None: for comparison only."""
    percentile: float = 0.5

    @property
    def ratio(self) -> float:
        """How many times as fast ours is."""
        return at(self.theirs, self.percentile) / at(self.ours, self.percentile)

    @property
    def met(self) -> bool:
        """Whether it is as fast as it is to be."""
        return self.goal is None or self.ratio >= self.goal


def at(sample: Sample, percentile: float) -> float:
    """The sample's value at a percentile."""
    return sorted(sample.seconds)[max(math.ceil(percentile * sample.n) - 1, 0)]


class Counting:
    """What both kinds of actors do: count, and say when the last one has come."""

    def __init__(self, done=None, last=0):
        super().__init__()
        self.done, self.last, self.count = done, last, 0

    def on_receive(self, message):
        self.count += 1
        if self.count == self.last:
            self.done()
        return message


class OurCounting(Counting, Actor):
    pass


class TheirCounting(Counting, pykka.ThreadingActor):
    use_daemon_thread = True


class Hooked:
    """Has both hooks, so that nothing of a life can be left out."""

    alive = 0

    def on_start(self):
        self.alive = 1

    def on_stop(self):
        self.alive = 0


class OurHooked(Hooked, Actor):
    pass


class TheirHooked(Hooked, pykka.ThreadingActor):
    use_daemon_thread = True


class Busy:
    """Tells itself, for ever."""

    def on_receive(self, message):
        if message != "stop":
            self.actor_ref.tell(message)
        else:
            self.stop()


class OurBusy(Busy, Actor):
    pass


class TheirBusy(Busy, pykka.ThreadingActor):
    use_daemon_thread = True


class Latch:
    """Opens when `count` have come."""

    def __init__(self, count):
        self._left = threading.Semaphore(0)
        self._count = count

    def arrive(self):
        self._left.release()

    def wait(self):
        for _ in range(self._count):
            assert self._left.acquire(timeout=120)


def tell(kind, n=20_000):
    """Seconds for one message, from `tell` to the end of its handling."""
    latch = Latch(1)
    ref = kind.start(latch.arrive, n)
    began = perf_counter()
    send = ref.tell
    for number in range(n):
        send(number)
    latch.wait()
    seconds = perf_counter() - began
    ref.stop()
    return seconds / n


def tell_many(refs_of, each=10):
    """The same, to many actors in turn, which live already."""
    refs, latch = refs_of()
    began = perf_counter()
    for number in range(each):
        for ref in refs:
            ref.tell(number)
    latch.wait()
    return (perf_counter() - began) / (each * len(refs))


def crowd(kind, size=1000, each=10):
    """Many actors of a kind, counting anew for each round."""
    latch = Latch(size)
    refs = [kind.start(latch.arrive, each) for _ in range(size)]

    def anew():
        for ref in refs:
            ref._counts.count = 0
        return refs, latch

    for ref in refs:
        ref._counts = ref._actor_weakref()
    return refs, anew


def ask(kind, n=300):
    """Seconds of each of some questions."""
    ref = kind.start()
    seconds = []
    for number in range(n):
        began = perf_counter()
        ref.ask(number)
        seconds.append(perf_counter() - began)
    ref.stop()
    return seconds


def bare(n=300):
    """Seconds of the least that an ask can be: a thread that sends back what it is sent."""
    there, back = SimpleQueue(), SimpleQueue()

    def answer():
        for _ in range(n):
            back.put(there.get())

    thread = threading.Thread(target=answer)
    thread.start()
    seconds = []
    for number in range(n):
        began = perf_counter()
        there.put(number)
        back.get()
        seconds.append(perf_counter() - began)
    thread.join()
    return seconds


BESIDE_PROGRAM = """
import json, os, sys
from tests.bench import actors
whose, n = sys.argv[1], int(sys.argv[2])
kind, busy = getattr(actors, whose + "Counting"), getattr(actors, whose + "Busy")
others = [busy.start() for _ in range(200)]
for other in others:
    other.tell("go")
print(json.dumps(actors.ask(kind, n)), flush=True)
os._exit(0)
"""


def ask_beside(whose, n):
    """The same, while 200 others have more to do than there is time for. A process of its own:

    200 busy threads take minutes to stop.
    """
    command = [sys.executable, "-c", BESIDE_PROGRAM, whose, str(n)]
    return json.loads(subprocess.check_output(command, text=True, timeout=300))


def awaited(ask_one, kind, n=300):
    """The same from a coroutine, whose loop is never blocked."""

    async def main():
        seconds = []
        for number in range(n):
            began = perf_counter()
            await ask_one(ref, number)
            seconds.append(perf_counter() - began)
        return seconds

    ref = kind.start()
    seconds = asyncio.run(main())
    ref.stop()
    return seconds


def lives(kind, n=3000):
    """Seconds for one whole life: started, stopped, both hooks run."""
    began = perf_counter()
    refs = [kind.start() for _ in range(n)]
    for stopped in [ref.stop(block=False) for ref in refs]:
        stopped.get()
    return (perf_counter() - began) / n


# -- all of them, in turn


def rows(quick=False):
    """All comparisons."""
    rounds = 3 if quick else 9
    both = {OURS: OurCounting, PYKKA: TheirCounting}
    found = in_turn(rounds, {k: lambda c=c: tell(c) for k, c in both.items()}, warm_up=1)
    yield Row("tell, one to one", found[OURS], found[PYKKA], 3.0)
    yield Row("the same, as it is to become", found[OURS], found[PYKKA], 5.0)

    crowds = {k: crowd(c) for k, c in both.items()}
    found = in_turn(
        rounds, {k: lambda a=anew: tell_many(a) for k, (_, anew) in crowds.items()}, warm_up=1
    )
    for refs, _ in crowds.values():
        for stopped in [ref.stop(block=False) for ref in refs]:
            stopped.get()
    yield Row("tell, over 1,000 actors in turn", found[OURS], found[PYKKA], 10.0)

    asks = {k: lambda c=c: ask(c) for k, c in both.items()}
    limits = {OURS: bare, PYKKA: asks[PYKKA]}
    with on_one_core():
        yield pooled_samples("ask, median, on one core", 1.5, rounds, asks)
        yield pooled_samples("a bare thread and two queues, on one core", None, rounds, limits)
    yield pooled_samples("ask, median, left to the scheduler", 1.5, rounds, asks)
    yield pooled_samples("a bare thread and two queues, the same", None, rounds, limits)
    busy = {OURS: lambda: ask_beside("Our", 300), PYKKA: lambda: ask_beside("Their", 8)}
    rounds_beside = 1 if quick else 3
    yield pooled_samples("ask beside 200 busy actors, p99", 20.0, rounds_beside, busy, 0.99, 0)
    loops = {
        OURS: lambda: awaited(lambda ref, m: ref.ask(m, block=False), OurCounting),
        PYKKA: lambda: awaited(lambda ref, m: asyncio.to_thread(ref.ask, m), TheirCounting),
    }
    with on_one_core():
        yield pooled_samples(
            "awaited ask, beside asyncio.to_thread, on one core", 2.0, rounds, loops
        )
    yield pooled_samples("the same, left to the scheduler", 2.0, rounds, loops)
    found = in_turn(
        max(rounds // 3, 2),
        {OURS: lambda: lives(OurHooked), PYKKA: lambda: lives(TheirHooked)},
        warm_up=1,
    )
    yield Row("start and stop, of 3,000", found[OURS], found[PYKKA], 15.0)


def pooled_samples(what, goal, rounds, acts, percentile=0.5, warm_up=1):
    """A row of single questions, all rounds together."""
    seconds = {name: [] for name in acts}
    for number in range(rounds + warm_up):
        for name, act in acts.items():
            taken = act()
            if number >= warm_up:
                seconds[name] += taken
    ours, theirs = (Sample(tuple(seconds[name])) for name in (OURS, PYKKA))
    return Row(what, ours, theirs, goal, percentile)


IDLE_PROGRAM = """
import gc, sys, time, tracemalloc
from klemheist.actors.runtime import Actor
class Idle(Actor):
    def on_receive(self, message):
        return message
def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
count, traced, used = int(sys.argv[1]), sys.argv[2] == "traced", sys.argv[3] == "used"
keep = [Idle.start() for _ in range(100)]
refs = [None] * count
gc.collect()
if traced:
    tracemalloc.start()
before, began = rss(), time.perf_counter()
for n in range(count):
    refs[n] = Idle.start()
took = time.perf_counter() - began
if used:
    for ref in refs:
        ref.tell(1)
    for ref in refs:
        ref.ask(1)
gc.collect()
size = tracemalloc.get_traced_memory()[0] if traced else rss() - before
print(size / count, took)
"""


def idle(count=IDLE, *, traced=False, used=False):
    """Bytes of one idle actor, and the seconds that it took to start them all."""
    flags = ["traced" if traced else "rss", "used" if used else "new"]
    command = [sys.executable, "-c", IDLE_PROGRAM, str(count), *flags]
    size, took = subprocess.check_output(command, text=True, timeout=300).split()
    return float(size), float(took)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    print(f"{'':44} {'klemheist':>10} {'pykka':>10} {'ratio':>7} {'goal':>6}")
    for row in rows(quick=options.quick):
        ours, theirs = (at(s, row.percentile) * 1e6 for s in (row.ours, row.theirs))
        goal = "" if row.goal is None else f"{row.goal:6.1f} " + ("missed", "met")[row.met]
        print(f"{row.what:44} {ours:7.1f} µs {theirs:7.1f} µs {row.ratio:7.1f} {goal}")
    rest()
    for used in (False, True):
        what = "used once" if used else "never used"
        size, took = idle(used=used)
        traced, _ = idle(traced=True, used=used)
        print(f"idle actor of {IDLE:,}, {what}: {size:.0f} B (RSS), {traced:.0f} B (tracemalloc)")
        print(f"  all started in {took:.2f} s")


if __name__ == "__main__":
    main()
