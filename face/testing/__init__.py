"""Tools for tests of what is built on Klemheist: real actors, real trees, and no sleeps.

    from klemheist.testing import ManualClock, Probe, captured_events

    def test_a_sampler_that_crashes_is_started_again():
        with Supervisor.start([child(Sampler)]) as tree, Probe() as probe:
            old = tree.handle("Sampler").ref
            probe.watch(old)
            old.tell("not a number")
            probe.expect_down(old, reason=ValueError)
            assert tree.handle("Sampler").wait_ready(5.0) is not old

Every wait has a deadline in real seconds, and its failure says what came instead.
"""

from klemheist.actors.runtime.clock import ManualClock

from .events import CapturedEvents, captured_events
from .idle import await_idle
from .probe import Probe

__all__ = ["CapturedEvents", "ManualClock", "Probe", "await_idle", "captured_events"]
