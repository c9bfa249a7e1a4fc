from __future__ import annotations

import threading
import time

import pytest

from klemheist.actors.runtime import (
    POOL,
    TIMERS,
    Actor,
    ActorDead,
    ExitReason,
    register,
    start_foreign,
    whereis,
    zombies,
)
from tests.actors.runtime.racing import race
from tests.actors.runtime.test_foreign import Plain
from tests.actors.runtime.test_pool import until


def hang(ref):
    """Let the actor hang in a handler: its gate, and the future of who asked."""
    entered, gate = threading.Event(), threading.Event()
    asked = ref.ask(lambda: (entered.set(), gate.wait(20)) and "late", block=False)
    assert entered.wait(5)
    return gate, asked


@pytest.fixture(params=["pool", "thread", "foreign"])
def start(request, pooled):
    if request.param == "foreign":
        return lambda journal=None: start_foreign(Plain, journal)
    kind = type("Kind", (pooled,), {"dispatcher": request.param})
    return lambda journal=None: kind.start(journal)


def test_a_killed_actor_is_gone_at_once_whatever_its_code_does(start):
    journal = []
    ref = start(journal)
    gate, asked = hang(ref)
    queued = ref.ask("queued", block=False)
    register("hanging", ref)
    ref.kill()
    assert ref.reason is ExitReason.KILLED
    assert ref.ended.get(timeout=5) is ExitReason.KILLED
    assert zombies() == [ref]
    assert whereis("hanging") is None
    for future in (asked, queued):
        with pytest.raises(ActorDead):
            future.get(timeout=5)
    with pytest.raises(ActorDead):
        ref.tell("more")
    gate.set()
    until(lambda: not zombies(), "the thread ends when the code does")
    assert journal == []


def test_the_pool_goes_on_beside_zombies(pooled, monkeypatch):
    monkeypatch.setattr(POOL, "size", 2)
    hanging = [pooled.start() for _ in range(5)]
    gates = [hang(ref)[0] for ref in hanging]
    for ref in hanging:
        ref.kill()
    assert set(zombies()) == set(hanging)
    other = pooled.start()
    assert other.ask(1, timeout=10) == 1
    for gate in gates:
        gate.set()
    until(lambda: not zombies(), "zombies leave")
    assert other.ask(2, timeout=10) == 2
    until(lambda: POOL.threads <= 2, "and the pool is what it was")


def test_a_zombie_s_tells_work_and_what_it_does_to_itself_does_not(pooled):
    done, entered, gate = threading.Event(), threading.Event(), threading.Event()
    other = pooled.start(journal := [])
    ref = pooled.start()
    actor = ref.actor()

    def zombie():
        entered.set()
        gate.wait(20)
        other.tell("from a zombie")
        actor.schedule(60, "never")
        actor.watch(other)
        actor.link(other)
        done.set()

    ref.tell(zombie)
    assert entered.wait(5)
    ref.kill()
    gate.set()
    assert done.wait(5)
    assert actor.post(print) is False
    assert other.ask("x", timeout=5) == "x"
    assert journal == ["from a zombie", "x"]
    assert not actor._actor_schedules
    assert not actor._actor_watches
    until(lambda: POOL._watch is None, "nobody watches an idle pool")
    assert len(TIMERS) == 0


def test_a_killed_actor_runs_no_further_message(pooled):
    ref = pooled.start(journal := [])
    gate, _ = hang(ref)
    for n in range(10):
        ref.tell(n)
    ref.kill()
    gate.set()
    until(lambda: not zombies(), "the thread ends when the code does")
    assert journal == []


def test_a_kill_while_on_start_hangs_fails_the_start(scheduled):
    entered, gate = threading.Event(), threading.Event()

    class Hanging(scheduled):
        def on_start(self):
            entered.set()
            gate.wait(20)

    ref = Hanging.start()
    assert entered.wait(5)
    ref.kill()
    with pytest.raises(ActorDead):
        ref.started.get(timeout=5)
    assert ref.reason is ExitReason.KILLED
    gate.set()
    until(lambda: not zombies(), "the thread ends when the code does")


def test_a_kill_while_on_stop_hangs_gives_killed(start):
    entered, gate = threading.Event(), threading.Event()
    ref = start()
    actor = ref.actor()
    actor.on_stop = lambda: (entered.set(), gate.wait(20))
    stopping = ref.stop(block=False)
    assert entered.wait(5)
    ref.kill()
    assert ref.reason is ExitReason.KILLED
    assert stopping.get(timeout=5) is True
    gate.set()
    until(lambda: not zombies(), "the thread ends when the code does")


def test_an_actor_may_kill_itself(start):
    ref = start(journal := [])
    with pytest.raises(ActorDead):
        ref.ask(ref.kill, timeout=5)
    assert ref.reason is ExitReason.KILLED
    assert ref not in zombies()
    assert journal == []


def test_a_killed_loop_in_python_on_its_own_thread_is_broken_off():
    entered, left = threading.Event(), threading.Event()

    class Looping(Actor):
        dispatcher = "thread"

        def on_receive(self, message):
            entered.set()
            try:
                while True:
                    time.sleep(0.001)
            finally:
                left.set()

    ref = Looping.start()
    ref.tell("go")
    assert entered.wait(5)
    ref.kill()
    assert left.wait(5)
    until(lambda: not zombies(), "the thread has ended")


def test_a_second_kill_and_a_kill_of_the_dead_are_harmless(obedient):
    ref = obedient.start()
    ref.kill()
    ref.kill()
    assert ref.reason is ExitReason.KILLED
    stopped = obedient.start()
    stopped.stop()
    stopped.kill()
    assert stopped.reason is ExitReason.NORMAL


def test_kills_racing_with_messages_lose_no_reply_and_no_thread(pooled):
    for _ in range(100):
        ref = pooled.start()
        race(ref, ref.kill)
    until(lambda: not zombies(), "no zombie is left")
    assert POOL.rest()


def test_how_long_a_turn_has_been_running_is_known(start):
    ref = start()
    ref.ask("x", timeout=5)
    until(lambda: ref.busy_for() is None, "it is idle")
    gate, _ = hang(ref)
    assert ref.busy_for() >= 0
    gate.set()
    until(lambda: ref.busy_for() is None, "it is idle again")
    ref.stop()
    assert ref.busy_for() is None
