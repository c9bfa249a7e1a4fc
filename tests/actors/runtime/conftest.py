from __future__ import annotations

import threading

import pykka
import pytest

from klemheist.actors.runtime import Actor, rest


class Obedient(Actor):
    """Runs the calls that it is told, raises the exceptions, and answers anything else itself."""

    def __init__(self, journal=None):
        super().__init__()
        self.journal = [] if journal is None else journal

    def on_receive(self, message):
        if isinstance(message, BaseException):
            raise message
        if callable(message):
            return message()
        self.journal.append(message)
        return message

    def on_stop(self):
        self.journal.append("stop")

    def on_exit(self, reason):
        self.journal.append(reason)


class OwnThread(Obedient):
    dispatcher = "thread"


class Inline(Obedient):
    inline = True


@pytest.fixture(params=[Obedient, OwnThread, Inline], ids=["pool", "thread", "inline"])
def obedient(request):
    return request.param


@pytest.fixture(params=[Obedient, OwnThread], ids=["pool", "thread"])
def scheduled(request):
    return request.param


@pytest.fixture
def pooled():
    return Obedient


@pytest.fixture(autouse=True)
def everybody_is_stopped():
    before = set(threading.enumerate())
    yield
    for ref in pykka.ActorRegistry.get_all():
        ref.kill()
    rest()
    for thread in set(threading.enumerate()) - before:
        thread.join(5)  # a thread of an actor's own ends after its actor
