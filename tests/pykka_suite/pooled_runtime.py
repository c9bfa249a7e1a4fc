"""A pytest plugin for Pykka's own suite: its one runtime becomes ours.

Pykka's suite takes its actor and future classes from a fixture's parameters, which are copied when
that is declared: they are exchanged where the tests are made.
"""

from __future__ import annotations

import queue
import threading
import time

import pytest

from klemheist.actors.runtime import Actor, Future


class StrictFuture(Future):
    """Ours, with Pykka's word for a second result: an exception instead of False."""

    __slots__ = ()

    def set(self, value=None):
        if not super().set(value):
            raise queue.Full

    def set_exception(self, exc_info=None):
        if not super().set_exception(exc_info):
            raise queue.Full

    def set_get_hook(self, func):
        if self.done():
            raise queue.Full
        super().set_get_hook(func)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc):
    from tests.types import Runtime  # Pykka's

    for definition in metafunc._arg2fixturedefs.get("runtime", ()):
        runtime = Runtime("pooled", Actor, threading.Event, StrictFuture, time.sleep)
        definition.params = (pytest.param(runtime, id="pooled"),)
