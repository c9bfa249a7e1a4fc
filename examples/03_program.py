"""A program: what runs on a device, written once as a class and bound to a session."""

import time

import klemheist


class Blinker(klemheist.Program):  # an immutable template; s.program is a bound copy
    @klemheist.setup
    def init(pin):
        from machine import Pin

        led = Pin(pin, Pin.OUT)

    @klemheist.task(timeout=1.0, idempotent=True)
    def set(state):
        led.value(state)

    @klemheist.task
    def get():
        return led.value()

    @klemheist.thread(restart=True)
    def blink():
        while True:
            led.value(not led.value())
            yield 0.05

    @klemheist.teardown
    def off():
        led.value(0)


PIN = "__import__('machine').Pin(25).value()"

with klemheist.SessionManager() as manager:
    with manager.session("sim:", program=Blinker(pin=25)) as s:
        s.program.set(1)
        assert s.program.get() == 1

        blinking = s.program.blink()  # runs on the device, between our calls
        seen = {s.program.get()}
        while seen != {0, 1}:
            time.sleep(0.01)
            seen.add(s.program.get())
        blinking.stop()
        s.program.set(1)

    with manager.session("sim:") as s:  # the first session ended: its teardown switched the LED off
        assert s(PIN) == 0
        assert not s("'led' in globals()")
