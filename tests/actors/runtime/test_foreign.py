from __future__ import annotations

import asyncio
import queue
import threading

import pykka
import pytest

from klemheist.actors.runtime import (
    Actor,
    ActorDead,
    ActorRef,
    Exit,
    ExitReason,
    Ignore,
    WouldDeadlock,
    spawn,
    start_foreign,
)
from klemheist.actors.runtime.foreign_inbox import _WAKE, ForeignInbox
from tests.actors.runtime.racing import race


class Plain(pykka.ThreadingActor):
    """What somebody wrote for Pykka alone, hooks without super() included."""

    use_daemon_thread = True

    def __init__(self, journal=None, fail=None):
        super().__init__()
        self.journal = [] if journal is None else journal
        self.fail = fail

    def on_start(self):
        if self.fail is not None:
            raise self.fail

    def on_receive(self, message):
        if isinstance(message, BaseException):
            raise message
        if callable(message):
            return message()
        self.journal.append(message)
        return message

    def on_stop(self):
        self.journal.append("stop")

    def on_failure(self, kind, error, traceback):
        self.journal.append(kind.__name__)


def test_it_is_pykka_s_actor_with_our_ref():
    ref = start_foreign(Plain)
    assert isinstance(ref, ActorRef)
    assert isinstance(ref.actor(), Plain)
    assert ref.started.get(timeout=5) is None
    assert ref.ask("hello", timeout=5) == "hello"
    assert ref.proxy().on_receive("x").get(timeout=5) == "x"
    assert ref in pykka.ActorRegistry.get_all()
    assert ref.ask(lambda: ref.actor().actor_ref is ref, timeout=5)
    assert ref.stop() is True
    assert ref.ended.get(timeout=5) is ExitReason.NORMAL
    assert ref.stop() is False
    assert not ref.is_alive()
    assert ref not in pykka.ActorRegistry.get_all()
    with pytest.raises(ActorDead):
        ref.tell("too late")


def test_the_class_is_not_changed_and_ours_needs_no_wrapping(pooled):
    start_foreign(Plain).stop()
    assert Plain.__mro__[1] is pykka.ThreadingActor
    plain = Plain.start()
    assert type(plain) is pykka.ActorRef
    plain.stop()
    assert start_foreign(pooled).actor_class is pooled


def test_a_crash_in_a_tell_is_the_reason_and_an_error_in_an_ask_the_asker_s():
    journal, error = [], ValueError("x")
    ref = start_foreign(Plain, journal)
    with pytest.raises(ValueError, match="y"):
        ref.ask(ValueError("y"), timeout=5)
    ref.tell(error)
    assert ref.ended.get(timeout=5) == ExitReason.error(error)
    assert journal == ["ValueError"]


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, asyncio.CancelledError, BaseException])
def test_a_base_exception_ends_only_it_and_its_asker_is_told(kind):
    bystander, ref = start_foreign(Plain), start_foreign(Plain)
    with pytest.raises(ActorDead):
        ref.ask(kind(), timeout=5)
    assert isinstance(ref.ended.get(timeout=5).exception, kind)
    assert bystander.ask(1, timeout=5) == 1


def test_exit_in_a_handler_is_its_reason():
    journal, reason = [], ExitReason.shutdown("done")
    ref = start_foreign(Plain, journal)
    with pytest.raises(ActorDead):
        ref.ask(Exit(reason), timeout=5)
    assert ref.ended.get(timeout=5) == reason
    assert journal == ["stop"]


@pytest.mark.parametrize("error", [ValueError("x"), Ignore(), SystemExit()])
def test_a_start_that_fails_is_known(error):
    ref = spawn(Plain, (), {"fail": error})
    with pytest.raises(type(error)):
        ref.started.get(timeout=5)
    reason = ref.ended.get(timeout=5)
    assert reason is ExitReason.NORMAL if isinstance(error, Ignore) else reason.exception is error


def test_an_order_to_exit_overtakes_what_waits():
    journal, gate = [], threading.Event()
    ref = start_foreign(Plain, journal)
    ref.tell(lambda: gate.wait(5))
    queued = ref.ask("queued", block=False)
    ref.exit(ExitReason.SHUTDOWN)
    gate.set()
    assert ref.ended.get(timeout=5) is ExitReason.SHUTDOWN
    assert journal == ["stop"]
    with pytest.raises(ActorDead):
        queued.get(timeout=5)


def test_an_error_in_on_stop_is_the_reason():
    ref = start_foreign(Plain)
    ref.actor().on_stop = lambda: 1 / 0
    ref.stop()
    assert isinstance(ref.ended.get(timeout=5).exception, ZeroDivisionError)


def test_every_ask_racing_with_its_end_is_answered():
    for _ in range(30):
        ref = start_foreign(Plain)
        race(ref, ref.stop)


def test_spawned_it_is_prepared_and_not_registered():
    prepared = []
    ref = spawn(Plain, prepare=prepared.append)
    assert prepared == [ref.actor()]
    assert ref not in pykka.ActorRegistry.get_all()
    ref.stop()
    assert ref.ended.get(timeout=5) is ExitReason.NORMAL


def test_a_supervisor_may_let_it_go_on():
    journal = []
    ref = spawn(Plain, (journal,), prepare=lambda a: setattr(a, "_actor_resumes", lambda _: True))
    ref.tell(ValueError("x"))
    assert ref.ask("alive", timeout=5) == "alive"
    ref.stop()
    assert journal == ["alive", "stop"]


def test_what_it_leaves_can_go_to_the_next_incarnation():
    gate, journal = threading.Event(), []
    ref = spawn(Plain, prepare=lambda a: setattr(a, "_actor_keeps", True))
    ref.tell(lambda: gate.wait(5))
    ref.tell(ValueError("it fails"))
    ref.tell("kept")
    asked = ref.ask("answered", block=False)
    gate.set()
    ref.ended.get(timeout=5)
    left = ref.leftovers()
    again = spawn(Plain, (journal,), inherit=left)
    assert asked.get(timeout=5) == "answered"
    assert journal == ["kept", "answered"]
    again.stop()


def test_links_work_between_both_kinds(pooled):
    one, other = start_foreign(Plain), pooled.start()
    actor = other.actor()
    other.ask(lambda: actor.link(one), timeout=5)
    other.kill()
    assert one.ended.get(timeout=5) is ExitReason.KILLED


def test_asking_itself_is_refused():
    ref = start_foreign(Plain)
    with pytest.raises(WouldDeadlock):
        ref.ask(lambda: ref.ask(1), timeout=5)


def test_a_wrapped_class_is_made_once():
    assert start_foreign(Plain).actor_class is start_foreign(Plain).actor_class
    assert start_foreign(Plain).actor_class.__name__ == "Plain"
    assert not issubclass(start_foreign(Plain).actor_class, Actor)


class LatePost(queue.SimpleQueue):
    """Whoever sleeps at it is not as fast as one who posts just then, when it is to be woken."""

    late = None

    def put(self, item):
        super().put(item)
        late, self.late = self.late, None
        if late is not None and item is _WAKE:
            late()


def test_a_post_that_comes_with_its_end_does_not_take_what_wakes_its_thread():
    """The thread slept for ever."""
    inner = LatePost()
    inbox = ForeignInbox(inner)
    inbox.ref = start_foreign(Plain)
    inner.late = lambda: inbox.put("too late")
    inbox.close()
    assert inner.get(timeout=0) is _WAKE
    inbox.ref.stop()
