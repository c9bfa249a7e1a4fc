"""Everything at once, at random: whatever happens, each ask is answered and nothing is left."""

from __future__ import annotations

import random
import threading
import time

import pykka
import pytest

from klemheist.actors.runtime import POOL, Actor, Exit, rest, start_foreign, zombies
from tests.actors.runtime.test_pool import until

ACTORS = 20
STEPS = 15_000


class Wild(Actor):
    """Does what a die says."""

    def __init__(self, storm, seed):
        super().__init__()
        self.storm, self.die = storm, random.Random(seed)

    def on_start(self):
        if self.die.random() < 0.1:
            raise ValueError("no start")

    def on_receive(self, message):
        n = self.die.randrange(60)
        if n >= len(self.ACTS):
            return message
        return self.ACTS[n](self, self.die.choice(self.storm.refs))

    def ask(self, other):
        return None if other is self.actor_ref else other.ask("nested", timeout=0.05)

    def fail(self, _):
        raise self.die.choice([ValueError, Exit, SystemExit])

    def wait_for_little(self, _):
        self.receive_timeout = 0.005

    ACTS = (
        fail,
        fail,
        fail,
        ask,
        wait_for_little,
        Actor.link,
        Actor.watch,
        lambda self, _: time.sleep(0.002),
        lambda self, _: self.stash(),
        lambda self, _: self.unstash_all(),
        lambda self, _: self.schedule(0.001, "scheduled"),
    )


class WildThread(Wild):
    dispatcher = "thread"


class Foreign(pykka.ThreadingActor):
    use_daemon_thread = True

    def __init__(self, storm, seed):
        super().__init__()
        self.die = random.Random(seed)

    def on_receive(self, message):
        if self.die.random() < 0.05:
            raise ValueError("told by the die")
        return message


class Storm:
    """Actors that come and go, and threads that send to them and end them."""

    def __init__(self, seed):
        self.die = random.Random(seed)
        self.refs, self.gone, self.asked = [], [], []
        for _ in range(ACTORS):
            self.refs.append(self.new())

    def new(self):
        kind = self.die.choice([Wild] * 7 + [WildThread] * 2 + [Foreign])
        return start_foreign(kind, self, self.die.random())

    def drive(self, seed):
        die = random.Random(seed)
        for _ in range(STEPS):
            n = die.randrange(ACTORS)
            ref, chance = self.refs[n], die.random()
            try:
                self.act(ref, chance)
            except pykka.ActorDeadError:
                self.gone.append(ref)
                self.refs[n] = self.new()

    def act(self, ref, chance):
        if chance < 0.4:
            self.asked.append(ref.ask("ask", block=False))
        elif chance < 0.96:
            ref.tell("tell")
        elif chance < 0.98:
            ref.kill()
        elif chance < 0.99:
            ref.exit()
        else:
            self.asked.append(ref.stop(block=False))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("seed", range(3))
def test_after_the_storm_every_ask_has_been_answered_and_nothing_is_left(seed):
    storm = Storm(seed)
    drivers = [threading.Thread(target=storm.drive, args=(seed * 10 + n,)) for n in range(3)]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    refs = {*storm.refs, *storm.gone, *pykka.ActorRegistry.get_all()}
    for ref in refs:
        ref.kill()
    for ref in refs:
        assert ref.ended.get(timeout=10) is not None
    for future in storm.asked:
        until(future.done, "each ask is answered")
    until(lambda: not zombies(), "no thread is held")
    rest()
    assert (POOL.threads, POOL._waiting, POOL._leaves, POOL._shares) == (0, 0, 0, [])
