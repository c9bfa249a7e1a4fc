"""What only a whole process shows."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from klemheist.actors.runtime import pool

HEAD = """
import os, threading, time
from klemheist.actors.runtime import Actor, rest
class Echo(Actor):
    def on_receive(self, message):
        return message() if callable(message) else message
"""


def run(body):
    """Run a program; what it printed. It must end by itself, quickly and silently."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", HEAD + textwrap.dedent(body)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout.split()


def test_a_process_ends_at_once_with_live_actors_and_busy_ones():
    assert run(
        """
        for dispatcher in ("pool", "thread"):
            kind = type("Kind", (Echo,), {"dispatcher": dispatcher})
            refs = [kind.start() for _ in range(10)]
            for ref in refs:
                ref.ask(1)
                ref.tell(lambda: time.sleep(60))
        print("end")
        """
    ) == ["end"]


def test_a_forked_child_has_a_pool_of_its_own_and_idle_actors_go_on():
    assert run(
        """
        old = Echo.start()
        assert old.ask(os.getpid) == os.getpid()
        while old.busy_for() is not None:
            time.sleep(0.001)
        pid = os.fork()
        if not pid:
            assert Echo.start().ask(os.getpid, timeout=10) == os.getpid()
            assert old.ask(os.getpid, timeout=10) == os.getpid()
            print("child", flush=True)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert old.ask(os.getpid, timeout=10) == os.getpid()
        print("parent")
        """
    ) == ["child", "parent"]


FORKED = """
import pykka
from klemheist.actors.runtime import ActorDead, start_foreign
class Foreign(pykka.ThreadingActor):
    def on_receive(self, message):
        return message() if callable(message) else message
class Own(Echo):
    dispatcher = "thread"
def slept(ref):
    while ref.busy_for() is not None:
        time.sleep(0.001)
def dead_here(ref, reply=None):
    for _ in range(2):
        try:
            ref.ask(os.getpid, timeout=10)
        except ActorDead:
            continue
        raise AssertionError("its thread is not in this process")
    assert not ref.is_alive()
    assert "forked" in str(ref.ended.get(timeout=5).info), ref.reason
    if reply is not None:
        assert isinstance(reply.exception(), ActorDead)
def in_child(check):
    pid = os.fork()
    if not pid:
        try:
            check()
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        print("child", flush=True)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""


@pytest.mark.parametrize("start", ["Own.start", "lambda: start_foreign(Foreign)"])
def test_an_actor_whose_thread_stayed_with_the_parent_is_dead_in_the_child(start):
    assert run(
        FORKED
        + f"start = {start}"
        + """
ref, busy, go, entered = start(), start(), threading.Event(), threading.Event()
ref.ask(1)
slept(ref)
reply = busy.ask(lambda: (entered.set(), go.wait(10)), block=False)
entered.wait(10)
in_child(lambda: (dead_here(ref), dead_here(busy, reply)))
go.set()
assert reply.get(timeout=10)
for each in (ref, busy):
    assert each.ask(os.getpid, timeout=10) == os.getpid()
    each.stop()
print("parent")
"""
    ) == ["child", "parent"]


def test_a_pooled_actor_whose_turn_is_under_way_at_a_fork_is_dead_in_the_child(monkeypatch):
    monkeypatch.setenv("KLEMHEIST_WORKERS", "1")
    assert run(
        FORKED
        + """
from klemheist.actors.runtime import POOL
idle, busy, go, entered = Echo.start(), Echo.start(), threading.Event(), threading.Event()
idle.ask(1)
slept(idle)
reply = busy.ask(lambda: (entered.set(), go.wait(10)), block=False)
entered.wait(10)
def check():
    dead_here(busy, reply)
    assert idle.ask(os.getpid, timeout=10) == os.getpid()
    idle.stop()
    assert POOL.rest()
in_child(check)
go.set()
assert reply.get(timeout=10)
print("parent")
"""
    ) == ["child", "parent"]


def test_the_forking_actor_lives_on_in_the_child():
    assert run(
        FORKED
        + """
ref = Own.start()
def fork():
    pid = os.fork()
    if not pid:
        def ask():
            assert ref.ask(os.getpid, timeout=10) == os.getpid()
            print("child", flush=True)
            os._exit(0)
        threading.Thread(target=ask).start()
    return pid
assert os.waitpid(ref.ask(fork, timeout=10), 0)[1] == 0
print("parent")
"""
    ) == ["child", "parent"]


def test_the_size_of_the_pool_is_taken_from_the_environment(monkeypatch):
    monkeypatch.setenv("KLEMHEIST_WORKERS", "3")
    assert run("from klemheist.actors.runtime import POOL; print(POOL.size)") == ["3"]
    usual = min(4, os.cpu_count())
    for wrong in ("0", "many", ""):
        monkeypatch.setenv("KLEMHEIST_WORKERS", wrong)
        assert pool._size() == usual


def test_nothing_is_left_when_the_last_actor_has_stopped():
    assert run(
        """
        refs = [Echo.start() for _ in range(100)]
        for ref in refs:
            ref.ask(1)
        for ref in refs:
            ref.stop()
        rest()
        print(threading.active_count())
        """
    ) == ["1"]


def test_an_actor_that_has_ended_is_freed_at_once_and_leaves_nothing():
    assert (
        run(
            """
        import gc, weakref
        class Busy(Echo):
            def on_start(self):
                self.schedule(60, "never")
                self.watch(other)
            def on_receive(self, message):
                self.stash()
                return message
        other = Echo.start()
        gc.disable()
        for _ in range(3):
            ref = Busy.start()
            ref.tell(1)
            ref.actor().post(ref.actor().unstash_all)
            actor = weakref.ref(ref.actor())
            ref.stop()
            deadline = time.monotonic() + 5
            while actor() is not None and time.monotonic() < deadline:
                time.sleep(0.001)
            print(actor() is None and len(other._ended._callbacks) == 0)
        """
        )
        == ["True"] * 3
    )


def test_what_has_ended_is_freed_at_once_and_not_by_the_garbage_collector():
    assert run(
        """
        import gc
        def life():
            ref = Echo.start()
            ref.ask(1)
            ref.stop()
            assert not ref.stop()
            try:
                ref.tell(2)
            except Exception as error:
                assert type(error).__name__ == "ActorDead", error
        life()
        gc.collect()
        gc.disable()
        for _ in range(10):
            life()
        assert gc.collect() < 10, "each of them left something"
        print("end")
        """
    ) == ["end"]


def test_a_child_that_is_forked_amid_ends_of_inline_actors_has_its_locks():
    assert run(
        """
        class Inline(Echo):
            inline = True

        def churn():
            while True:
                Inline.start().exit()

        for _ in range(2):
            threading.Thread(target=churn, daemon=True).start()
        for _ in range(40):
            pid = os.fork()
            if not pid:
                ref = Inline.start()
                ref.exit()
                ref.ended.get(timeout=5)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        print("all")
        os._exit(0)
        """
    ) == ["all"]
