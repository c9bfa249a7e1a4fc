"""Belay's own tests of classes, overloads and time, anew for our surface.

| Belay | here |
|---|---|
| `test_classes_basic` | `test_classes_basic` |
| `test_classes_mixin` | `test_classes_mixin` |
| `test_classes_setup_arguments` | `test_classes_setup_arguments` |
| `test_classes_setup_autoinit` | `test_classes_setups_run_in_their_order` |
| `test_classes_setup_autoinit_arguments` | `test_classes_setup_without_its_argument` |
| `test_classes_teardown`, `test_classes_teardown_*mocked` | `test_classes_teardown` |
| `test_classes_teardown_ignore_error` | `test_classes_teardown_ignore_error` |
| `test_classes_executer_implementation_overload` | `test_classes_overload` |
| `test_classes_executer_implementation_overload_stomping` | `test_classes_overload_stomping` |
| `test_classes_executer_implementation_overload_mixins_per_implementation*` | `test_classes_overload_mixins_per_implementation` |
| `test_classes_executer_implementation_overload_mixins_per_method` | `test_classes_overload_mixins_per_method` |
| `test_overload_executer_*` | `test_overload_*` |
| `test_auto_sync_*` | `test_conversion_without_sync_raises_error`: only who asks pays |
| `test_resync_*`, `test_sync_time_samples` | `test_sync_time_samples` |
| `test_implementation_specific_snippets` | `test_sync_time_on_either_board` |
| `test_bidirectional_conversion` | `test_the_two_directions_are_inverse` (test_timesync.py) |
| `test_tick_wrap_detection` | `test_a_reading_that_wrapped_is_unwrapped_by_when_it_was` (test_timesync.py) |
| `test_conversion_without_sync_raises_error` | `test_conversion_without_sync_raises_error` |
| `test_device_reset_*`, `test_reconnect_*` | `test_a_reset_makes_the_offset_stale` |
| `test_*return_time*` | `test_a_task_returns_its_time` |
"""

# ruff: noqa: E501, F821, F811 -- a table; functions run on the device, and some are overloads
from __future__ import annotations

import asyncio
import time

import pytest

import klemheist
from klemheist import (
    ArgumentError,
    AsyncSessionManager,
    CapabilityError,
    DeviceError,
    DeviceReset,
    Program,
    ResourceCleanupError,
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


@pytest.mark.parametrize("url", ["sim:", "microbit:"])
def test_classes_mixin(manager, url):
    class Mixin:
        @task
        def foo(x):
            return x * 2

    class Device(Program, Mixin):
        pass

    with manager.session(url, program=Device()) as session:
        assert session.program.foo(5) == 10


def test_classes_teardown_ignore_error(manager):
    class Device(Program):
        @teardown
        def last():
            print("torn down")

        @teardown(ignore_errors=True)
        def end():
            raise ValueError

    with manager.session("sim:", program=Device()) as session:
        output = session.output()
    assert b"".join(output).strip() == b"torn down"


def test_options_of_setup_and_teardown_at_a_session(manager):
    """Belay: `@device.teardown(ignore_errors=True)` drops the option."""
    session = manager.create_session("sim:")
    output = session.output()

    @session.setup()
    def begin(foo):
        bar = foo + 1

    begin(1)
    assert session("bar") == 2

    @session.teardown()
    def last():
        print("torn down")

    @session.teardown(ignore_errors=True)
    def end():
        raise ValueError

    session.close()
    assert b"".join(output).strip() == b"torn down"


def test_without_the_option_a_teardown_that_fails_is_reported_and_harms_no_other(manager):
    session = manager.create_session("sim:")
    output = session.output()

    @session.teardown
    def last():
        print("torn down")

    @session.teardown()
    def end():
        raise ValueError

    with pytest.raises(ResourceCleanupError, match="1 of 2"):
        session.close()
    assert b"".join(output).strip() == b"torn down"


def test_the_options_for_asyncio():
    async def use():
        async with AsyncSessionManager() as manager, manager.session("sim:") as session:

            @session.setup()
            def begin(foo):
                bar = foo + 1

            @session.teardown(ignore_errors=True)
            def end():
                raise ValueError

            await begin(1)
            return await session("bar")

    assert asyncio.run(use()) == 2


# -- overloads; each board gets its own ------------------------------------------------------------

BOARDS = {"sim:": "webassembly", "microbit:": "microbit"}


class WasmMixin:
    @setup(implementation="webassembly")
    def begin():
        setup_var = "webassembly_setup"

    @task(implementation="webassembly")
    def work():
        return "webassembly_task"


class MicrobitMixin:
    @task(implementation="microbit")
    def work():
        return "microbit_task"

    @setup(implementation="microbit")
    def begin():
        setup_var = "microbit_setup"


class TaskMixin(Program):
    @task(implementation="webassembly")
    def work():
        return "webassembly_task"

    @task(implementation="microbit")
    def work():
        return "microbit_task"


class SetupMixin(Program):
    @setup(implementation="webassembly")
    def begin():
        setup_var = "webassembly_setup"

    @setup(implementation="microbit")
    def begin():
        setup_var = "microbit_setup"


class PerImplementation(Program, WasmMixin, MicrobitMixin):
    @task
    def get_setup_var():
        return setup_var


class PerMethod(TaskMixin, SetupMixin):
    @task
    def get_setup_var():
        return setup_var


class Overload(PerMethod):
    @teardown(implementation="webassembly")
    def end():
        print("webassembly_teardown")

    @teardown(implementation="microbit")
    def end():
        print("microbit_teardown")


def judged(manager, program, url):
    """The board's own task and setup are those that run, and what the end prints."""
    with manager.session(url, program=program()) as session:
        assert session.program.work() == f"{BOARDS[url]}_task"
        assert session.program.get_setup_var() == f"{BOARDS[url]}_setup"
        output = session.output()
    return b"".join(output).decode().strip()


@pytest.mark.parametrize("url", BOARDS)
def test_classes_overload(manager, url):
    assert judged(manager, Overload, url) == f"{BOARDS[url]}_teardown"


@pytest.mark.parametrize("url", BOARDS)
def test_classes_overload_stomping(manager, url):
    """A function may be named as our decorators and methods are."""

    class Device(Program):
        @klemheist.setup(implementation="webassembly")
        def setup():
            setup_var = "webassembly"

        @klemheist.setup(implementation="microbit")
        def setup():
            setup_var = "microbit"

        @klemheist.task
        def task():
            return setup_var

    with manager.session(url, program=Device()) as session:
        assert session.program.task() == BOARDS[url]


@pytest.mark.parametrize("url", BOARDS)
def test_classes_overload_mixins_per_implementation(manager, url):
    assert judged(manager, PerImplementation, url) == ""


@pytest.mark.parametrize("url", BOARDS)
def test_classes_overload_mixins_per_method(manager, url):
    assert judged(manager, PerMethod, url) == ""


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


@pytest.mark.parametrize("url", ["sim:", "microbit:"])
def test_sync_time_on_either_board(manager, url):
    with manager.session(url) as session:
        found = session.sync_time()
        now = time.time()
        assert abs(session.host_time(found.ticks(now)) - now) < 0.01


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
