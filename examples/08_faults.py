"""The board reboots under a session: what was deployed is deployed again, without a line for it."""

import klemheist

with klemheist.SessionManager() as manager:
    events = manager.events()
    with manager.session("sim:") as s:

        @s.task
        def area(width, height):
            return width * height

        assert area(6, 7) == 42
        boot = s.generation

        try:
            s("import machine; machine.reset()")
        except klemheist.DeviceReset as error:
            assert error.maybe_executed  # sent once; its end is unknown, and it says so
            print(error)

        assert area(6, 7) == 42  # a new boot, the function sent again
        assert s.generation == boot + 1

        try:
            s("1 / 0")
        except klemheist.DeviceError as error:  # what the device's code raises is no fault of ours
            print(error)
