from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter

import pykka
import pytest

from klemheist.actors.runtime import (
    Actor,
    ActorDead,
    AskTimeout,
    Exit,
    ExitReason,
    Future,
    Ignore,
    ManualClock,
    Timers,
    WouldDeadlock,
    spawn,
    start_linked,
    watch_exit,
)
from tests.actors.runtime.racing import race


class Echo(Actor):
    def __init__(self, journal=None):
        super().__init__()
        self.journal = [] if journal is None else journal

    def on_receive(self, message):
        if isinstance(message, BaseException):
            raise message
        if callable(message):
            return message()
        return message

    def on_stop(self):
        self.journal.append("stop")

    def on_failure(self, kind, error, traceback):
        self.journal.append(f"failure {kind.__name__}")

    def on_exit(self, reason):
        self.journal.append(repr(reason))


class ThreadEcho(Echo):
    dispatcher = "thread"


class InlineEcho(Echo):
    inline = True


@pytest.fixture(params=[Echo, ThreadEcho, InlineEcho], ids=["pool", "thread", "inline"])
def echo(request):
    return request.param


def ended(ref):
    return ref.ended.get(timeout=5)


class Unborn(Actor):
    def __init__(self):
        self.value = 1


def test_a_constructor_that_does_not_call_ours_is_told_so():
    with pytest.raises(TypeError, match=r"Unborn.__init__ must call super\(\).__init__\(\)"):
        Unborn.start()
    with pytest.raises(AttributeError, match="'Unborn' object has no attribute 'other'"):
        _ = Unborn().other


def test_ask_tell_proxy_and_stop_work_as_in_pykka(echo):
    ref = echo.start()
    assert ref in pykka.ActorRegistry.get_all()
    assert ref.ask("hello", timeout=5) == "hello"
    assert ref.proxy().on_receive("x").get(timeout=5) == "x"
    assert ref.stop() is True
    assert ref.stop() is False
    assert not ref.is_alive()
    assert ref not in pykka.ActorRegistry.get_all()
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("too late")
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("too late")


def test_a_stop_runs_on_stop_then_on_exit_with_normal(echo):
    journal = []
    ref = echo.start(journal)
    ref.stop()
    assert ref.reason is ExitReason.NORMAL
    assert journal == ["stop", "normal"]


def test_a_crash_in_a_tell_ends_with_the_error_and_runs_on_failure(echo):
    journal, error = [], ValueError("x")
    ref = echo.start(journal)
    ref.tell(error)
    assert ended(ref).exception is error
    assert journal == ["failure ValueError", "{error,ValueError('x')}"]


def test_an_error_in_an_ask_is_the_askers_and_the_actor_lives_on(echo):
    ref = echo.start()
    with pytest.raises(ValueError, match="x"):
        ref.ask(ValueError("x"), timeout=5)
    assert ref.ask(1, timeout=5) == 1
    ref.stop()


def test_ask_failure_crash_does_both(echo):
    class Strict(echo):
        ask_failure = "crash"

    ref = Strict.start()
    with pytest.raises(ValueError, match="x"):
        ref.ask(ValueError("x"), timeout=5)
    assert ended(ref).is_abnormal


def test_exit_raised_in_a_handler_ends_with_its_reason(echo):
    journal, reason = [], ExitReason.shutdown("done")
    ref = echo.start(journal)
    with pytest.raises(ActorDead):
        ref.ask(Exit(reason), timeout=5)
    assert ended(ref) == reason
    assert journal == ["stop", "{shutdown,'done'}"]


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, asyncio.CancelledError])
def test_a_base_exception_crashes_only_that_actor_and_its_asker_is_told(echo, kind):
    bystander, ref = echo.start(), echo.start()
    with pytest.raises(ActorDead) as caught:
        ref.ask(kind(), timeout=5)
    assert isinstance(caught.value.__cause__, kind)
    assert isinstance(ended(ref).exception, kind)
    assert bystander.ask(1, timeout=5) == 1
    bystander.stop()


def test_a_keyboard_interrupt_in_a_thread_actor_crashes_only_it():
    ref = Echo.start()
    ref.tell(KeyboardInterrupt())
    assert isinstance(ended(ref).exception, KeyboardInterrupt)


def test_ctrl_c_in_an_inline_turn_crashes_the_actor_and_reaches_the_main_thread():
    ref = InlineEcho.start()
    with pytest.raises(KeyboardInterrupt):
        ref.tell(KeyboardInterrupt())
    assert isinstance(ended(ref).exception, KeyboardInterrupt)


def test_what_a_signals_handler_raises_in_an_inline_turn_is_the_main_threads():
    class Struck(BaseException):
        pass

    bystander, ref = Echo.start(), InlineEcho.start()
    with pytest.raises(Struck):
        ref.tell(Struck())
    assert isinstance(ended(ref).exception, Struck)
    assert bystander.ask(1, timeout=5) == 1
    bystander.stop()


def test_an_error_in_on_stop_becomes_the_reason(echo):
    class Bad(echo):
        def on_stop(self):
            raise KeyError("k")

    ref = Bad.start()
    ref.stop()
    assert isinstance(ref.reason.exception, KeyError)


def test_exit_overtakes_what_waits_and_fails_queued_asks():
    gate, ref = threading.Event(), Echo.start()
    ref.tell(lambda: gate.wait(5))
    queued = ref.ask("queued", block=False)
    ref.exit(ExitReason.SHUTDOWN)
    gate.set()
    assert ended(ref) is ExitReason.SHUTDOWN
    with pytest.raises(ActorDead):
        queued.get(timeout=5)


def test_a_second_stop_waits_for_on_stop():
    gate, ref = threading.Event(), Echo.start()
    ref.tell(lambda: gate.wait(5))
    first, second = ref.stop(block=False), ref.stop(block=False)
    gate.set()
    assert first.get(timeout=5) is True
    assert second.get(timeout=5) is True


def test_a_kill_abandons_a_hanging_handler_and_answers_its_asker():
    gate, journal = threading.Event(), []
    ref = Echo.start(journal)
    asked, queued = ref.ask(lambda: gate.wait(5), block=False), ref.ask(1, block=False)
    ref.kill()
    assert ended(ref) is ExitReason.KILLED
    for future in (asked, queued):
        with pytest.raises(ActorDead):
            future.get(timeout=5)
    gate.set()
    assert journal == []


def test_every_ask_racing_with_a_stop_is_answered(echo):
    for _ in range(50):
        ref = echo.start()
        race(ref, ref.stop)


def test_watch_exit_calls_exactly_once_also_when_already_dead(echo):
    seen, ref = [], echo.start()
    watch_exit(ref, seen.append)
    unwatch = watch_exit(ref, lambda _: seen.append("no"))
    unwatch()
    ref.stop()
    ref.kill()
    watch_exit(ref, seen.append)
    assert seen == [ExitReason.NORMAL, ExitReason.NORMAL]


def test_start_linked_returns_when_on_start_has_run_and_is_not_registered(echo):
    class Slow(echo):
        def on_start(self):
            self.journal.append("started")

    journal = []
    ref = start_linked(Slow, journal)
    assert journal == ["started"]
    assert ref not in pykka.ActorRegistry.get_all()
    ref.stop()


@pytest.mark.parametrize("error", [ValueError("x"), Ignore()])
def test_start_linked_raises_what_on_start_raised(echo, error):
    class Bad(echo):
        def on_start(self):
            raise error

    with pytest.raises(type(error)):
        start_linked(Bad, timeout=5)


def test_start_linked_kills_what_does_not_start_in_time():
    gate = threading.Event()

    class Hanging(Actor):
        def on_start(self):
            gate.wait(5)

    with pytest.raises(AskTimeout):
        start_linked(Hanging, timeout=0.02)
    gate.set()


def test_on_restart_runs_before_on_start_in_the_new_incarnation(echo):
    class Again(echo):
        def on_restart(self, reason, attempt):
            self.journal.append((reason, attempt))

        def on_start(self):
            self.journal.append("start")

    journal = []
    ref = spawn(Again, (journal,), restarted=(ExitReason.KILLED, 2))
    ref.started.get(timeout=5)
    assert journal == [(ExitReason.KILLED, 2), "start"]
    ref.stop()


def test_scheduled_messages_come_and_end_with_the_actor():
    clock, seen = ManualClock(), []

    class Timed(Actor):
        inline = True
        timers = Timers(clock)

        def on_start(self):
            self.schedule(1, "once")
            self.schedule(1, "again", every=2)
            self.schedule(1, "never").cancel()

        def on_receive(self, message):
            seen.append((clock.monotonic(), message))

    ref = Timed.start()
    clock.advance(5)
    assert seen == [(1, "once"), (1, "again"), (3, "again"), (5, "again")]
    ref.stop()
    clock.advance(10)
    assert len(seen) == 4
    assert len(Timed.timers) == 0


def test_a_put_inside_a_turn_never_nests_and_keeps_the_order():
    journal = []

    class A(Actor):
        inline = True

        def on_receive(self, message):
            journal.append(f"begin {message}")
            if message < 2:
                other.tell(message)
                self.actor_ref.tell(message + 1)
            journal.append(f"end {message}")

    class B(Actor):
        inline = True

        def on_receive(self, message):
            journal.append(f"other {message}")

    other, a = B.start(), A.start()
    a.tell(0)
    assert journal[:2] == ["begin 0", "end 0"]
    assert [line for line in journal if "other" in line] == ["other 0", "other 1"]
    for n in range(3):
        assert journal.index(f"end {n}") == journal.index(f"begin {n}") + 1
    a.stop()
    other.stop()


def test_turns_of_an_inline_actor_never_overlap_and_none_is_lost():
    class Counter(Actor):
        inline = True
        busy = value = 0

        def add(self):
            assert not self.busy
            self.busy = 1
            self.value += 1
            self.busy = 0

    ref = Counter.start()
    actor = ref.actor()
    threads = [
        threading.Thread(target=lambda: [actor.post(actor.add) for _ in range(2000)])
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ref.ask(pykka.messages.ProxyGetAttr(("value",)), timeout=5) == 12_000
    ref.stop()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_each_post_to_an_inline_actor_that_ends_is_run_or_lost_or_refused(end):
    """Whatever moment it ends at; and nobody is left spinning on what came too late."""
    each, rounds, found = 200, 40, Counter()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)

    class Journal(Actor):
        inline = True

        def __init__(self):
            super().__init__()
            self.run, self.lost, self.some = [], [], threading.Event()

        def note(self, *key):
            self.run.append(key)
            if len(self.run) == each // 2:
                self.some.set()

        def post_lost(self, fn, args):
            self.lost.append(args)

    def fire(actor, name, refused):
        refused += [(name, n) for n in range(each) if not actor.post(actor.note, name, n)]

    try:
        for _ in range(rounds):
            ref, refused = Journal.start(), []
            actor = ref.actor()
            threads = [threading.Thread(target=fire, args=(actor, s, refused)) for s in "abc"]
            for thread in threads:
                thread.start()
            assert actor.some.wait(5)
            ref.kill() if end == "kill" else ref.stop(timeout=5)
            for thread in threads:
                thread.join(5)
                assert not thread.is_alive()
            told = actor.run + actor.lost + refused
            assert len(told) == len(set(told)) == 3 * each
            found += Counter(run=len(actor.run), lost=len(actor.lost), refused=len(refused))
    finally:
        sys.setswitchinterval(before)
    assert found["run"]
    assert found["lost"]
    assert found["refused"]


def test_a_second_thread_leaves_its_item_and_goes():
    entered, gate, ref = threading.Event(), threading.Event(), InlineEcho.start()
    worker = threading.Thread(target=lambda: ref.tell(lambda: (entered.set(), gate.wait(5))))
    worker.start()
    assert entered.wait(5)
    answer = ref.ask("mine", block=False)
    assert not answer.done()
    gate.set()
    assert answer.get(timeout=5) == "mine"
    worker.join()
    ref.stop()


def test_blocking_on_an_inline_actor_inside_a_turn_is_refused_before_anything_is_sent():
    outcome, a, b = Future(), InlineEcho.start(), InlineEcho.start()

    def handler():
        try:
            b.ask(lambda: outcome.set("ran"))
        except WouldDeadlock as error:
            outcome.set(error)

    a.tell(handler)
    assert isinstance(outcome.get(timeout=5), WouldDeadlock)
    a.stop()
    b.stop()


def test_post_to_a_dead_actor_says_so():
    ref = InlineEcho.start()
    actor = ref.actor()
    ref.stop()
    assert actor.post(print) is False


def test_thread_actors_leave_no_thread():
    before = set(threading.enumerate())
    refs = [ThreadEcho.start() for _ in range(5)]
    threads = set(threading.enumerate()) - before
    assert len(threads) == 5
    assert all(thread.daemon for thread in threads)
    for ref in refs:
        ref.stop()
    for thread in threads:
        thread.join(5)
    assert not threads & set(threading.enumerate())


def test_exit_reasons_are_values():
    error = ValueError("x")
    assert ExitReason.shutdown("a") == ExitReason.shutdown("a")
    assert len({ExitReason.error(error), ExitReason.error(error), ExitReason.KILLED}) == 2
    assert ExitReason.shutdown("a").is_normal
    assert ExitReason.KILLED.is_abnormal
    assert [repr(r) for r in (ExitReason.NORMAL, ExitReason.NOPROC)] == ["normal", "noproc"]


def test_who_waits_no_longer_for_an_end_does_not_speak_for_the_others():
    ref, told = Echo.start(), []
    watch_exit(ref, told.append)
    ref.ended.cancel("as Ctrl-C does")
    ref.started.cancel()
    assert not ref.ended.done()
    ref.stop()
    assert told == [ExitReason.NORMAL]
