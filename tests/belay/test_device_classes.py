"""Belay's own tests of classes, overloads and time, anew for our surface.

| Belay | here |
|---|---|
| `test_classes_basic` | `test_classes_basic` |
| `test_classes_setup_arguments` | `test_classes_setup_arguments` |
| `test_classes_setup_autoinit` | `test_classes_setups_run_in_their_order` |
| `test_classes_setup_autoinit_arguments` | `test_classes_setup_without_its_argument` |
| `test_classes_teardown*` | `test_classes_teardown` |
| `test_overload_executer_*` | `test_overload_*` |
| `test_auto_sync_*`, `test_resync_*`, `test_sync_time_samples` | `test_sync_time_samples` |
| `test_bidirectional_conversion`, `test_tick_wrap_detection` | test_timesync.py |
| `test_conversion_without_sync_raises_error` | `test_conversion_without_sync_raises_error` |
| `test_device_reset_*`, `test_reconnect_*` | `test_a_reset_makes_the_offset_stale` |
| `test_*_return_time_*` | `test_a_task_returns_its_time` |
"""

# ruff: noqa: F821, F811 -- functions here run on the device, and some are overloads
from __future__ import annotations

import time

import pytest

from klemheist import (
    ArgumentError,
    CapabilityError,
    DeviceError,
    DeviceReset,
    Program,
    SessionError,
    StaleHandle,
    setup,
    task,
    teardown,
)


def test_classes_basic(manager):
    class Device(Program):
        @setup
        def begin():
            foo = 10
            bar = 42

        @task
        def get_times_foo(val):
            return val * foo

        @task
        def get_times_bar(val):
            return val * bar

    with manager.session("sim:", program=Device()) as session:
        assert [session.program.get_times_foo(n) for n in (1, 2)] == [10, 20]
        assert [session.program.get_times_bar(n) for n in (1, 2)] == [42, 84]
        with manager.session("sim:") as other, pytest.raises(DeviceError):
            other("foo")


def test_classes_setup_arguments(manager):
    class Device(Program):
        @setup
        def setup1(baz):
            foo = baz + 1

        @setup()
        def setup2(baz):
            bar = baz + 2

    with manager.session("sim:", program=Device(baz=111)) as session:
        assert session("(foo, bar, baz)") == (112, 113, 111)


def test_classes_setups_run_in_their_order(manager):
    class Device(Program):
        @setup
        def setup1():
            foo = 10
            bar = 42

        @setup
        def setup2():
            foo = 100

    with manager.session("sim:", program=Device()) as session:
        assert session("(foo, bar)") == (100, 42)


def test_classes_setup_without_its_argument():
    class Device(Program):
        @setup
        def begin(foo):
            pass

    with pytest.raises(ArgumentError, match="missing: foo"):
        Device()
    with pytest.raises(ArgumentError, match="unknown: bar"):
        Device(foo=1, bar=2)


def test_classes_teardown(manager):
    class Device(Program):
        @teardown
        def end():
            print("torn down")

    with manager.session("sim:", program=Device()) as session:
        output = session.output()
    assert b"".join(output).strip() == b"torn down"


def test_overload_mixing_error():
    def build():
        class Device(Program):
            def foo():
                pass

            @task(implementation="circuitpython")
            def foo():
                pass

    with pytest.raises(ArgumentError, match="foo is marked here and plain there"):
        build()


@pytest.mark.parametrize("catchall_first", [True, False])
def test_overload_order_does_not_matter(manager, catchall_first):
    if catchall_first:

        class Device(Program):
            @task
            def foo():
                return "any"

            @task(implementation="micropython")
            def foo():
                return "micropython"
    else:

        class Device(Program):
            @task(implementation="micropython")
            def foo():
                return "micropython"

            @task
            def foo():
                return "any"

    with manager.session("sim:", program=Device()) as session:
        assert session.program.foo() == "micropython"


def test_overload_no_matching_error(manager):
    class Device(Program):
        @task(implementation="missing_implementation")
        def foo():
            pass

    with (
        pytest.raises(CapabilityError, match="missing_implementation"),
        manager.session("sim:", program=Device()),
    ):
        pass


@pytest.mark.parametrize("samples", [1, 5, 10, 20])
def test_sync_time_samples(s, samples):
    found = s.sync_time(samples)
    now = time.time()
    assert abs(s.host_time(found.ticks(now)) - now) < 0.01


def test_conversion_without_sync_raises_error(s):
    with pytest.raises(SessionError, match=r"call sync_time\(\) first"):
        s.host_time(1)


def test_a_reset_makes_the_offset_stale(s):
    ticks = s.sync_time().ticks(time.time())
    with pytest.raises(DeviceReset):
        s("raise SystemExit")
    s("1")
    with pytest.raises(StaleHandle):
        s.host_time(ticks)


def test_a_task_returns_its_time(s):
    @s.task
    def measure():
        import time

        return 42, time.ticks_ms()

    found = s.sync_time()
    before = time.time()
    value, ticks = measure()
    after = time.time()
    assert value == 42
    margin = found.uncertainty + 0.002
    assert before - margin <= s.host_time(ticks) <= after + margin
