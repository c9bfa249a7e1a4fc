"""A handle never gives an incarnation that has ended, however soon one asks."""

from __future__ import annotations

import pytest

import klemheist
from klemheist import Supervisor, child
from klemheist.supervisors.core.errors import ChildRestarting
from klemheist.testing import await_idle


class Worker(klemheist.Actor):
    """Crashes when told to."""

    def on_receive(self, message):
        raise message


def test_the_end_of_a_child_is_known_before_its_supervisor_has_dealt_with_it():
    with Supervisor.start([child(Worker)]) as tree:
        handle = tree.handle("Worker")
        old = handle.ref
        busy = tree.actor_inbox
        await_idle(tree)
        assert busy.hold()  # the supervisor gets no turn
        try:
            old.tell(ValueError("told to"))
            old.ended.get(timeout=5)
            with pytest.raises(ChildRestarting, match="has just ended"):
                _ = handle.ref
            with pytest.raises(TimeoutError):
                handle.wait_ready(0.01)
        finally:
            busy.let_go()
        assert handle.wait_ready(5) is not old
