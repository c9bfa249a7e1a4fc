"""The device's clock against the host's."""

from __future__ import annotations

import asyncio
import time

import pytest

from klemheist import (
    ArgumentError,
    AsyncSessionManager,
    DeviceReset,
    SessionError,
    SessionManager,
    StaleHandle,
    TimeSync,
)
from klemheist.actors.session.timesync import within as common

from .conftest import HOST

PERIOD = 1 << 30


@pytest.mark.parametrize("url", ["sim:", HOST, "microbit:"], ids=["sim", "cpython", "microbit"])
def test_a_reading_of_the_device_lies_between_two_of_the_host(url):
    with SessionManager() as manager, manager.session(url) as session:
        found = session.sync_time()
        assert found.period == PERIOD
        assert found.generation == 1
        session("from time import ticks_ms" if url != "microbit:" else "from utime import ticks_ms")
        before = time.time()
        ticks = session("ticks_ms()")
        after = time.time()
        margin = found.uncertainty + 0.002
        assert before - margin <= session.host_time(ticks) <= after + margin


def test_more_samples_are_no_less_exact():
    samples = [(0.0, 0.5), (0.2, 0.9), (-0.4, 0.3)]
    found = [common(samples[:count], 100.0)[1] for count in (1, 2, 3)]
    assert found == sorted(found, reverse=True)
    assert common(samples, 100.0) == (0.25, pytest.approx(0.05))


def test_samples_on_both_sides_of_a_wrap_are_the_same():
    assert common([(10.0, 10.4), (110.1, 110.5)], 100.0)[0] == pytest.approx(10.25)


def test_after_a_clock_was_set_the_last_sample_counts():
    assert common([(10.0, 10.4), (12.0, 12.2)], 100.0) == (pytest.approx(12.1), pytest.approx(0.1))


@pytest.mark.parametrize("turns", [0, 1, 2, 1000])
def test_a_reading_that_wrapped_is_unwrapped_by_when_it_was(turns):
    sync = TimeSync(offset=1000.0, uncertainty=0.0, period=PERIOD, generation=1)
    then = 1000.0 + turns * PERIOD / 1000 + 5.25
    assert sync.ticks(then) == 5250
    assert sync.host_time(5250, near=then) == pytest.approx(then)
    assert sync.host_time(5250, near=then + PERIOD / 2500) == pytest.approx(then)
    assert sync.host_time(PERIOD - 250, near=then) == pytest.approx(then - 5.5)


def test_the_two_directions_are_inverse():
    sync = TimeSync(offset=1.7e9, uncertainty=0.0, period=PERIOD, generation=1)
    for ticks in (0, 1, 123456, PERIOD - 1):
        assert sync.ticks(sync.host_time(ticks)) == ticks


def test_bad_input_is_refused(s):
    with pytest.raises(SessionError, match=r"sync_time\(\) first"):
        s.host_time(5)
    with pytest.raises(ArgumentError):
        s.sync_time(0)


def test_a_new_boot_has_another_clock(s):
    ticks = s.sync_time(samples=1).ticks(time.time())
    s.host_time(ticks)
    with pytest.raises(DeviceReset):
        s("raise SystemExit")
    s("1")
    with pytest.raises(StaleHandle, match="again"):
        s.host_time(ticks)
    s.sync_time()
    s.host_time(ticks)


def test_the_twin_for_asyncio():
    async def main():
        async with AsyncSessionManager() as manager, manager.session("sim:") as session:
            found = await session.sync_time(samples=3)
            assert 0 < found.uncertainty < 1
            now = time.time()
            assert abs(session.host_time(found.ticks(now)) - now) < 0.01

    asyncio.run(main())
