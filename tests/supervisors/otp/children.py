"""The children of the suite: one obedient actor on three kinds of threads, and what it shall do.

What an incarnation does in `on_start` and `on_stop` is its `Play`'s affair, which all incarnations
of a child share. So one class serves for all of OTP's helper modules.
"""

from __future__ import annotations

import queue
import threading

import pykka

from klemheist.actors.runtime import Actor, Exit, ExitReason, Ignore

LONG = 10.0
"""Seconds after which what hangs goes on: a failing test must end."""


class Died(Exception):  # noqa: N818  what OTP's helper dies of
    """The reason of a child that was told to die."""


class Play:
    """Does nothing (OTP's supervisor_1)."""

    def starting(self, actor):
        """In `on_start`."""

    def stopping(self, actor):
        """In `on_stop`."""


class IgnoresFirst(Play):
    """Declines its first start."""

    def __init__(self):
        self.starts = 0

    def starting(self, actor):
        self.starts += 1
        if self.starts == 1:
            raise Ignore


class IgnoresLater(IgnoresFirst):
    """Starts once, then declines."""

    def starting(self, actor):
        self.starts += 1
        if self.starts > 1:
            raise Ignore


class FailsLater(Play):
    """Starts once; every later start fails."""

    def __init__(self):
        self.starts = 0

    def starting(self, actor):
        self.starts += 1
        if self.starts > 1:
            raise RuntimeError("it starts only once")


class FailsWhile(Play):
    """Fails to start while `failing` is set (OTP's supervisor_deadlock).

    The failing start waits until the test has seen it: `wait_for_try`, then `fail`.
    """

    def __init__(self):
        self.failing = False
        self.tried = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)

    def starting(self, actor):
        if self.failing:
            self.tried.release()
            self.go_on.acquire(timeout=LONG)
            if self.failing:
                raise RuntimeError("it is not to start now")

    def wait_for_try(self):
        assert self.tried.acquire(timeout=LONG)

    def fail(self):
        self.go_on.release()


class SlowStop(Play):
    """Takes until `over` is set to stop (OTP's supervisor_2)."""

    def __init__(self):
        self.entered = threading.Event()
        self.over = threading.Event()

    def stopping(self, actor):
        self.entered.set()
        self.over.wait(LONG)


class Asks(Play):
    """Asks the test whether to start (OTP's supervisor_3): see `Asked`."""

    def __init__(self, name, asked):
        self.name, self.asked = name, asked

    def starting(self, actor):
        question = Question(self.name, actor.actor_ref)
        self.asked.put(question)
        question.answered.wait(LONG)
        if not question.ok:
            raise RuntimeError("told not to start")


class Question:
    """A child waits in `on_start` for `answer`."""

    def __init__(self, name, ref):
        self.name, self.ref = name, ref
        self.answered = threading.Event()
        self.ok = False

    def answer(self, *, ok=True):
        self.ok = ok
        self.answered.set()


class Asked:
    """The questions of `Asks`, in the order they come."""

    def __init__(self):
        self._questions = queue.SimpleQueue()
        self.put = self._questions.put

    def expect(self, name):
        question = self._questions.get(timeout=LONG)
        assert question.name == name
        return question


class StopsWith(Play):
    """Ends with a reason of its own when told to end (OTP's supervisor_4)."""

    def __init__(self, reason):
        self.reason = reason

    def stopping(self, actor):
        if self.reason.exception is not None:
            raise self.reason.exception
        raise Exit(self.reason)


class Journal(Play):
    """Writes down who starts and stops."""

    def __init__(self, name, lines):
        self.name, self.lines = name, lines

    def starting(self, actor):
        self.lines.append(f"start {self.name}")

    def stopping(self, actor):
        self.lines.append(f"stop {self.name}")


class Hang:
    """A message: its handler hangs until the test lets it go."""

    def __init__(self):
        self.entered = threading.Event()
        self.over = threading.Event()


class Obedient:
    """`die`: crash; `stop`: end normally; an ExitReason: end with it; `Hang`: hang."""

    def __init__(self, play=None, *_more):
        super().__init__()
        self.play = play or Play()

    def on_start(self):
        self.play.starting(self)

    def on_stop(self):
        self.play.stopping(self)

    def on_receive(self, message):
        match message:
            case "die":
                raise Died
            case "stop":
                self.stop()
            case ExitReason(exception=None):
                raise Exit(message)
            case ExitReason():
                raise message.exception
            case Hang():
                message.entered.set()
                message.over.wait(LONG)


class Pooled(Obedient, Actor):
    dispatcher = "pool"


class Threaded(Obedient, Actor):
    dispatcher = "thread"


class Wrapped(Obedient, pykka.ThreadingActor):
    """An unmodified Pykka actor."""
