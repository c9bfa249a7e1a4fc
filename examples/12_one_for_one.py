"""One for one: children that have nothing to do with each other; only who crashed is new."""

import klemheist
from klemheist import ChildRestarted, Restart, Supervisor, child


class Sensor(klemheist.Actor):
    def __init__(self, pin):
        super().__init__()
        self.pin = pin

    def on_receive(self, message):
        return self.pin + int(message)


specs = [
    child(Sensor, 1, id="door"),  # permanent: it always runs
    child(Sensor, 2, id="window"),
    child(Sensor, 3, id="calibration", restart=Restart.TRANSIENT),  # until it is done
    child(Sensor, 4, id="greeting", restart=Restart.TEMPORARY),  # once, whatever happens
]

with (
    Supervisor.start(specs, max_restarts=3, period=5.0) as sensors,
    sensors.events(ChildRestarted) as restarts,
):
    window = sensors.child("window").ref
    door = sensors.handle("door")  # follows the child across its restarts
    door.tell("open")  # not a number: it crashes
    assert restarts.get(timeout=2.0).id == "door"
    assert door.ask("40", timeout=2.0) == 41
    assert sensors.child("window").ref is window

    sensors.child("calibration").ref.stop()
    print(sensors.snapshot().render())
