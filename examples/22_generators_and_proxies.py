"""What stays on the device, and is used from here: generators, proxies, and the device's clock."""

import time

import klemheist

with klemheist.SessionManager() as manager, manager.session("sim:") as s:

    @s.task
    def averages(size):
        total, values = 0, []
        while True:
            value = yield total / max(len(values), 1)
            values.append(value)
            total = sum(values[-size:])

    running = averages(10)  # nothing is sent yet
    next(running)
    assert running.send(3) == 3.0
    assert running.send(6) == 4.5
    running.close()  # or let it go: it is closed on the device too

    s("import time\nfrom machine import Pin")
    led = s.proxy("Pin(25, Pin.OUT)")
    led.value(1)
    assert led.value() == 1

    s("readings = {'a': [1, 2, 3]}")
    readings = s.proxy("readings")
    assert readings["a"] == [1, 2, 3]
    readings["b"] = [4]
    assert sorted(readings) == ["a", "b"]

    @s.task
    def measure():
        return 21.5, time.ticks_ms()

    s.sync_time()
    temperature, ticks = measure()
    assert abs(s.host_time(ticks) - time.time()) < 1.0

    @s.task
    def chatty(n):
        print("working on", n)
        return n * n

    assert chatty.with_options(on_output=lambda piece: print(piece.decode()))(4) == 16
