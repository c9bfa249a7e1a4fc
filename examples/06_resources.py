"""What a session holds is given back when it ends, without a line of user code, however it ends."""

from klemheist import Resource, SessionManager


class HardwareCleanupResource(Resource):
    """Instead of try/finally around every use of the hardware."""

    def __init__(self, session):
        super().__init__("Hardware")
        self.session = session

    def cleanup(self, cancel):
        self.session("led.value(0)\nmotor.value(0)")


class DeviceTimerResource(Resource):
    """A timer on the device: released there, or it would go on firing for the next user."""

    def __init__(self, session, name):
        super().__init__("DeviceTimer", resource_id=name, estimated_cost=50)
        self.session = session

    def cleanup(self, cancel):
        self.session(f"{self.resource_id}.deinit()")


STATE = "[machine.Pin(1).value(), machine.Pin(2).value(), machine.Timer.active()]"

with SessionManager() as manager:

    def careless(s):
        s("from machine import Pin, Timer")
        s("led, motor = Pin(1, Pin.OUT), Pin(2, Pin.OUT)")
        s.resources.register_resource(HardwareCleanupResource(s))
        s("led.value(1)\nmotor.value(1)")
        s("timer = Timer(period=20, callback=lambda t: None)")
        s.resources.register_resource(DeviceTimerResource(s, "timer"))
        assert s.resources.get_resource_stats().total_resource_cost == 50
        assert s("Timer.active()") == 1
        raise ValueError("and nobody switched anything off")

    try:
        manager.execute_in_session("sim:", careless)
    except ValueError as error:
        print(error)

    with manager.session("sim:") as s:
        s("import machine")
        assert s(STATE) == [0, 0, 0]
    assert manager.get_session_stats().active_session_count == 0
