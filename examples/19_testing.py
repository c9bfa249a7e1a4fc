"""Testing what is built on a tree: real actors, a clock moved by hand, and no sleeps."""

import klemheist
from klemheist import Backoff, ChildRestarted, Supervisor, child
from klemheist.testing import ManualClock, Probe, await_idle, captured_events


class Thermometer(klemheist.Actor):
    def __init__(self, alarm):
        super().__init__()
        self.alarm = alarm

    def on_receive(self, message):
        celsius = float(message)
        if celsius > 60:
            self.alarm.tell(("hot", celsius))
        return celsius


def test_a_high_temperature_sets_off_the_alarm():
    with Probe() as alarm:
        thermometer = Thermometer.start(alarm.ref)
        alarm.tell(thermometer, "21.5")
        alarm.expect_nothing(thermometer)  # once it has handled what it was sent
        alarm.tell(thermometer, "61")
        alarm.expect(("hot", 61.0))
        thermometer.stop()


def test_a_broken_reading_restarts_it_after_a_second():
    clock = ManualClock()
    spec = child(Thermometer, None, id="kitchen", backoff=Backoff(min=1.0, max=60.0, jitter=0))
    with (
        Supervisor.start([spec], clock=clock) as tree,
        Probe() as probe,
        captured_events(tree) as events,
    ):
        first = tree.handle("kitchen").ref
        first.tell("E7")
        probe.expect_down(first, reason=ValueError)

        await_idle(tree)
        assert tree.child("kitchen").next_attempt_in == 1.0
        clock.advance(1.0)
        assert events.expect(ChildRestarted, id="kitchen").attempt == 1


test_a_high_temperature_sets_off_the_alarm()
test_a_broken_reading_restarts_it_after_a_second()
