"""The main job on each of the three boards."""

# ruff: noqa: F821 -- functions here run on the device
from __future__ import annotations

import pytest

from klemheist import DeviceError, Program, SessionManager, setup, task, teardown, thread

from .conftest import HOST


class Blinker(Program):
    @setup
    def init(pin):
        seen = [0]
        number = pin

    @task(timeout=5.0, idempotent=True)
    def get():
        return (number, seen[0])

    @thread
    def blink():
        while True:
            seen[0] += 1
            yield 0.02

    @teardown
    def off():
        print("off", number)


@pytest.mark.req("SES-001", "SES-029", "SES-051", "SES-053")
@pytest.mark.parametrize("url", ["sim:", "microbit:", HOST], ids=["sim", "microbit", "cpython"])
def test_the_main_job(url, within):
    with SessionManager() as manager:
        with manager.session(url, program=Blinker(pin=25)) as session:
            output = session.output()
            session.program.blink()
            assert within(lambda: session.program.get()[1] > 2)
            assert session.program.get()[0] == 25
            with manager.session(url) as other, pytest.raises(DeviceError, match="NameError"):
                other("number")
        assert b"off 25" in b"".join(output)
        with manager.session(url) as after:
            for name in ("seen", "number", "get", "blink"):
                assert after(f"hasattr(__import__('__main__'), {name!r})") is False
