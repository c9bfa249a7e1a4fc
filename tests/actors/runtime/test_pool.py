from __future__ import annotations

import contextvars
import threading
import time

import pykka
import pytest

from klemheist.actors.runtime import POOL, TIMERS, Actor, ActorDead, WouldDeadlock, rest
from klemheist.actors.runtime.pool import Pool
from klemheist.actors.runtime.scheduled import THROUGHPUT
from tests.actors.runtime.racing import race


def workers():
    return {t for t in threading.enumerate() if t.name.startswith("klemheist-worker")}


def until(condition, what):
    """Wait for what other threads do; a failure, and no flake, is what takes five seconds."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.001)


def test_the_pool_starts_with_the_first_actor_and_ends_with_the_last(pooled):
    assert not workers()
    first, second = pooled.start(), pooled.start()
    assert first.ask(threading.current_thread, timeout=5) in workers()
    first.stop()
    assert workers()
    second.stop()
    assert not workers()
    assert POOL.threads == 0


def test_a_share_keeps_the_pool_without_actors():
    POOL.enter()
    assert workers()
    assert not POOL.rest()
    POOL.leave()
    assert POOL.rest()
    assert not workers()


def test_workers_are_daemons_and_never_more_than_the_pool_s_size(pooled):
    refs = [pooled.start() for _ in range(50)]
    futures = [ref.ask(threading.current_thread, block=False) for ref in refs for _ in range(20)]
    threads = {future.get(timeout=5) for future in futures}
    assert all(thread.daemon for thread in threads)
    assert len(threads) <= POOL.size


def test_a_handler_never_runs_on_its_caller_s_thread(scheduled):
    ref = scheduled.start()
    assert ref.ask(threading.current_thread, timeout=5) is not threading.current_thread()


def test_twenty_nested_asks_on_a_pool_of_two_finish(monkeypatch):
    monkeypatch.setattr(POOL, "size", 2)

    class Nested(Actor):
        def on_receive(self, depth):
            return depth if depth == 0 else Nested.start().ask(depth - 1, timeout=10)

    assert Nested.start().ask(20, timeout=10) == 0
    until(lambda: POOL.threads <= 2, "the spare threads end")


def test_turns_that_sleep_hold_nobody_up(pooled, monkeypatch):
    monkeypatch.setattr(POOL, "size", 2)
    gate = threading.Event()
    sleepers = [pooled.start() for _ in range(6)]
    for ref in sleepers:
        ref.tell(lambda: gate.wait(20))
    assert pooled.start().ask("hello", timeout=10) == "hello"
    gate.set()
    for ref in sleepers:
        assert ref.ask(1, timeout=10) == 1
    until(lambda: POOL.threads <= 2, "the spare threads end")


def test_the_watch_over_the_pool_ends_when_all_is_quiet(pooled):
    ref = pooled.start()
    ref.ask(1, timeout=5)
    until(lambda: POOL._watch is None, "nobody watches an idle pool")
    assert len(TIMERS) == 0


def test_one_busy_actor_does_not_starve_another(monkeypatch):
    pool = Pool(1)
    monkeypatch.setattr("klemheist.actors.runtime.life.POOL", pool)
    order = []

    class Noisy(Actor):
        def on_receive(self, message):
            order.append(message)

    gate, blocker = threading.Event(), Noisy.start()
    blocker.actor().post(gate.wait, 5)
    one, other = Noisy.start(), Noisy.start()
    for n in range(THROUGHPUT * 3):
        one.tell(n)
    answer = other.ask("mine", block=False)
    gate.set()
    answer.get(timeout=5)
    one.ask("last", timeout=5)
    assert order.index("mine") <= THROUGHPUT * 2
    for ref in (one, other, blocker):
        ref.stop()
    assert pool.rest()


def test_turns_never_overlap_and_keep_the_order_of_each_sender():
    class Checker(Actor):
        def __init__(self):
            super().__init__()
            self.busy, self.seen = False, []

        def on_receive(self, message):
            assert not self.busy
            self.busy = True
            self.seen.append(message)
            self.busy = False
            return len(self.seen)

    ref = Checker.start()
    actor = ref.actor()
    senders = [
        threading.Thread(target=lambda s=s: [ref.tell((s, n)) for n in range(2000)])
        for s in range(4)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert ref.ask("end", timeout=20) == 8001
    for s in range(4):
        assert [n for who, n in actor.seen[:-1] if who == s] == list(range(2000))


def test_a_message_of_any_type_arrives_as_it_is(obedient):
    ref = obedient.start()
    for message in ((), (print, ()), ("a", "b"), None, {}, [], 1):
        assert ref.ask(message, timeout=5) == message
        ref.tell(message)
    assert ref.ask("x", timeout=5) == "x"


def test_an_actor_that_asks_itself_is_told_instead_of_hanging(scheduled):
    ref = scheduled.start()
    with pytest.raises(WouldDeadlock):
        ref.ask(lambda: ref.ask(1), timeout=5)
    with pytest.raises(WouldDeadlock):
        ref.ask(ref.stop, timeout=5)
    assert ref.ask(1, timeout=5) == 1


def test_a_proxy_of_oneself_works(scheduled):
    ref = scheduled.start()
    future = ref.ask(lambda: ref.proxy().on_receive("later"), timeout=5)
    assert future.get(timeout=5) == "later"


def test_each_actor_has_its_own_context(pooled):
    variable = contextvars.ContextVar("variable", default="none")
    one, other = pooled.start(), pooled.start()
    one.ask(lambda: variable.set("mine") and None, timeout=5)
    for _ in range(10):
        assert other.ask(variable.get, timeout=5) == "none"
        assert one.ask(variable.get, timeout=5) == "mine"
    assert variable.get() == "none"


def test_what_racing_with_a_stop_asks_is_always_answered(scheduled):
    for _ in range(5):
        ref = scheduled.start()
        race(ref, ref.stop, asks=1000, threads=2)


def test_tells_racing_with_a_stop_are_handled_or_dead_letters(pooled):
    from klemheist.actors.runtime import DEAD_LETTERS

    dead = []
    undo = DEAD_LETTERS.subscribe(lambda letter: dead.append(letter.message))
    journal, refused, go = [], [], threading.Barrier(2)
    ref = pooled.start(journal)

    def fire():
        go.wait()
        for n in range(10_000):
            try:
                ref.tell(n)
            except ActorDead:
                refused.append(n)

    thread = threading.Thread(target=fire)
    thread.start()
    go.wait()
    ref.stop()
    thread.join()
    undo()
    handled = [n for n in journal if isinstance(n, int)]
    assert sorted(handled + dead) == list(range(10_000))
    assert set(refused) <= set(dead)


def test_an_actor_without_on_start_has_started_at_once(pooled):
    ref = pooled.start()
    assert ref.has_started
    assert ref.started.get(timeout=5) is None


def test_messages_sent_in_the_constructor_wait_for_on_start(scheduled):
    class Early(scheduled):
        def __init__(self, journal):
            super().__init__(journal)
            self.actor_ref.tell("first")

        def on_start(self):
            self.journal.append("start")

    journal = []
    ref = Early.start(journal)
    ref.ask("second", timeout=5)
    assert journal == ["start", "first", "second"]


def test_a_wrong_dispatcher_is_refused():
    class Wrong(Actor):
        """Its class is right; what is set on it later is looked at when it starts."""

    Wrong.dispatcher = "process"
    with pytest.raises(ValueError, match="use 'pool' or 'thread'"):
        Wrong.start()
    pykka.ActorRegistry._actor_refs.clear()


def test_a_subclass_may_have_slots(scheduled):
    class Slotted(scheduled):
        __slots__ = ("value",)

        def on_start(self):
            self.value = 5

    ref = Slotted.start()
    assert ref.proxy().value.get(timeout=5) == 5


def test_the_registry_is_still_pykka_s(pooled):
    refs = [pooled.start() for _ in range(5)]
    assert pykka.ActorRegistry.get_all() == refs
    assert pykka.ActorRegistry.get_by_urn(refs[2].actor_urn) is refs[2]
    assert pykka.ActorRegistry.get_by_class(pooled) == refs
    assert pykka.ActorRegistry.stop_all(timeout=5) == [True] * 5
    assert pykka.ActorRegistry.get_all() == []
    pykka.ActorRegistry.unregister(refs[0])


def test_urns_are_unique_and_are_urns(pooled):
    urns = {pooled.start().actor_urn for _ in range(20)}
    assert len(urns) == 20
    assert all(urn.startswith("urn:uuid:") for urn in urns)


def test_rest_is_harmless_in_a_turn(pooled):
    ref = pooled.start()
    ref.ask(rest, timeout=5)
    assert ref.ask(1, timeout=5) == 1


def test_who_comes_while_the_last_thread_is_about_to_leave_is_served():
    served = threading.Event()

    class Inbox:
        ref = None

        def run(self, worker):
            served.set()

    class Racing(Pool):
        late = False

        def _wanted(self):
            wanted = super()._wanted()
            if self.late and threading.current_thread() is not here:
                self.late = False
                pool.enter()
                pool.submit(Inbox())
            return wanted

    here = threading.current_thread()
    pool = Racing(1)
    pool.enter()
    pool.late = True
    pool.leave()
    assert served.wait(5)
    pool.leave()
    assert pool.rest()
