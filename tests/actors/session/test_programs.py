"""Programs as classes: overloads, inheritance, mixins; and what all tasks can be told."""

# ruff: noqa: F821, F811 -- functions here run on the device, and some are overloads
from __future__ import annotations

import asyncio
import traceback

import pytest

from klemheist import (
    ArgumentError,
    AsyncSessionManager,
    CapabilityError,
    DeviceError,
    DeviceReset,
    Program,
    setup,
    task,
    teardown,
    thread,
)
from klemheist.actors.device.facts import Capabilities

from .conftest import HOST


def device(platform, implementation):
    text = f"{platform} (name='{implementation}', version=(1, 2, 3))"
    return Capabilities(platform, text, False, False, False, -1, 700)


class Sensor(Program):
    @setup
    def init(pin):
        number = pin

    @setup(implementation="circuitpython")
    def wake(delay):
        waited = delay

    @setup(implementation="micropython")
    def wake():
        waited = 0

    @task(implementation="circuitpython")
    def read():
        return "circuitpython"

    @task(implementation="rp2")
    def read():
        return "rp2"

    @task
    def read():
        return "any", waited

    @task
    def name():
        return "sensor"


def chosen(program, name, *facts):
    return program.fitting(device(*facts)).sources[name].text


class TestOverloads:
    def test_the_platform_goes_before_the_implementation_and_that_before_any(self):
        sensor = Sensor(pin=1, delay=2)
        assert "'rp2'" in chosen(sensor, "read", "rp2", "micropython").replace('"', "'")
        assert "'rp2'" in chosen(sensor, "read", "rp2", "circuitpython").replace('"', "'")
        assert '"circuitpython"' in chosen(sensor, "read", "nRF52840", "circuitpython")
        assert '"any"' in chosen(sensor, "read", "esp32", "micropython")

    def test_the_one_that_fits_is_deployed(self, manager):
        with manager.session("sim:", program=Sensor(pin=1, delay=2)) as session:
            assert session.program.read() == ("any", 0)

    def test_where_none_fits_the_error_names_what_there_is(self, manager):
        class Narrow(Program):
            @task(implementation="circuitpython")
            def read():
                return 1

            @task(implementation="rp2")
            def read():
                return 2

        sessions = manager.get_session_stats().active_session_count
        with (
            pytest.raises(CapabilityError, match=r"read is for circuitpython, rp2, .*webassembly"),
            manager.session("sim:", program=Narrow()),
        ):
            pass
        assert manager.get_session_stats().active_session_count == sessions

    def test_a_subclass_adds_one_or_overrides_all(self):
        class More(Sensor):
            @task(implementation="esp32")
            def read():
                return "esp32"

        class Other(Sensor):
            @task
            def read():
                return "other"

        assert '"esp32"' in chosen(More(pin=1, delay=2), "read", "esp32", "micropython")
        assert '"rp2"' in chosen(More(pin=1, delay=2), "read", "rp2", "micropython")
        assert '"other"' in chosen(Other(pin=1, delay=2), "read", "rp2", "micropython")

    def test_the_values_are_those_of_all_setups(self):
        with pytest.raises(ArgumentError, match="missing: delay"):
            Sensor(pin=1)


class Loud:
    """A mixin: no program itself."""

    @setup
    def voice():
        sound = "beep"

    @task
    def speak():
        return sound, number

    @teardown
    def hush():
        print("hush")


class Base(Program):
    @setup
    def init(pin):
        number = pin

    @task
    def name():
        return "base"

    @task
    def gone():
        return 1

    @teardown
    def off():
        print("off", number)


class Derived(Loud, Base):
    gone = None

    @setup
    def later():
        double = 2 * number

    @task
    def name():
        return "derived", double

    @teardown
    def last():
        print("last")


class TestInheritance:
    def test_what_is_overridden_is_replaced_and_mixins_take_part(self, manager):
        with manager.session("sim:", program=Derived(pin=4)) as session:
            assert session.program.name() == ("derived", 8)
            assert session.program.speak() == ("beep", 4)
            assert not hasattr(session.program, "gone")

    def test_setups_run_from_the_base_on_and_teardowns_in_reverse(self, manager):
        assert " ".join(Derived.overloads) == "init name off voice speak hush later last"
        with manager.session("sim:", program=Derived(pin=4)) as session:
            output = session.output()
        assert b"".join(output).split() == [b"last", b"hush", b"off", b"4"]


class Failing(Program):
    @setup
    def init(zero):
        # a comment that is not sent
        def divide(x):
            """Neither is this."""
            return x / zero

    @task
    def fails(
        x: int,
    ):
        # nor this

        return divide(x)

    @thread
    def dies():
        yield 0
        divide(2)


def shown(error):
    """What Python prints of an exception."""
    return "".join(traceback.format_exception_only(error))


@pytest.mark.parametrize("url", ["sim:", HOST], ids=["sim", "cpython"])
class TestTracebacks:
    @pytest.fixture
    def session(self, url, manager, host):
        boards = manager if url == "sim:" else host
        with boards.session(url, program=Failing(zero=0)) as session:
            yield session

    def test_of_a_program_s_task_and_the_function_of_a_setup(self, session):
        with pytest.raises(DeviceError) as failed:
            session.program.fails(1)
        lines = failed.value.traceback.splitlines()
        assert lines[0] == "Traceback (most recent call last):"
        assert lines[1].startswith(f'  File "{__file__}", line ')
        assert lines[1].endswith(", in fails")
        assert lines[2] == "    return divide(x)"
        assert lines[3].endswith(", in divide")
        assert lines[4] == "    return x / zero"
        assert lines[5].startswith("ZeroDivisionError")
        source = session.program.fails.source
        assert f"line {source.line_map[-1]}, in fails" in lines[1]
        assert failed.value.traceback in shown(failed.value)
        assert str(failed.value).startswith("ZeroDivisionError")

    def test_of_an_executed_text_and_a_function_of_it(self, session):
        session("a = 1\n\ndef f():\n    return 1 / 0\n")
        for code, lines in (
            ("x = 1\ny = f()", ['"<code>", line 2, in <module>', "    y = f()"]),
            ("f()", ['"<code>", line 1, in <module>', "    f()"]),
        ):
            with pytest.raises(DeviceError) as failed:
                session(code)
            for each in (*lines, '"<code>", line 4, in f', "    return 1 / 0"):
                assert each in failed.value.traceback

    def test_of_a_setup_at_the_top_level(self, session):
        @session.setup
        def wrong():
            fine = 1
            bad = fine[0]

        with pytest.raises(DeviceError) as failed:
            wrong()
        assert f'File "{__file__}"' in failed.value.traceback
        assert "    bad = fine[0]" in failed.value.traceback

    def test_of_a_task_given_as_text(self, session):
        with pytest.raises(DeviceError) as failed:
            session.task(source="def t():\n    # not sent\n    return 1 / 0")()
        assert '"<source>", line 3, in t\n    return 1 / 0' in failed.value.traceback


def test_a_thread_that_dies_leaves_its_traceback_in_the_event(manager):
    with (
        manager.events() as events,
        manager.session("sim:", program=Failing(zero=0)) as session,
    ):
        session.program.dies()
        event = next(each for each in events if getattr(each, "kind", "") == "thread died")
    assert b"    return x / zero" in event.data
    assert b", in dies" in event.data


@pytest.mark.parametrize("marked_first", [True, False])
def test_a_plain_function_beside_an_overload_of_its_name_is_refused(marked_first):
    def plain():
        return 1

    marked = task(implementation="rp2")(plain)
    both = (marked, plain) if marked_first else (plain, marked)
    body = type(Program).__prepare__("Mixed", (Program,))
    body["read"] = both[0]
    with pytest.raises(ArgumentError, match="read is marked"):
        body["read"] = both[1]


class TestOptions:
    def test_a_call_s_output_goes_to_who_asked_for_it(self, s):
        pieces = []

        @s.task(on_output=pieces.append)
        def speak(word):
            print(word)
            return len(word)

        assert speak("hello") == 5
        quiet = speak.with_options(on_output=None)
        assert quiet("nothing") == 7
        assert speak.submit("later").get() == 5
        assert b"".join(pieces).split() == [b"hello", b"later"]

    def test_other_options_are_for_the_copy_alone(self, s):
        one = s.task(source="def one():\n return 1")
        other = one.with_options(timeout=2.0, idempotent=True)
        assert (one.options.timeout, one.options.idempotent) == (None, False)
        assert (other.options.timeout, other.options.idempotent) == (2.0, True)
        assert other() == one() == 1

    def test_one_whose_taker_raises_is_interrupted(self, s):
        def taker(_):
            raise RuntimeError("enough")

        speak = s.task(source="def speak():\n print('x')\n return 1")
        with pytest.raises(RuntimeError, match="enough"):
            speak.with_options(on_output=taker)()
        assert speak() == 1

    def test_the_twin_for_asyncio(self):
        async def main():
            async with AsyncSessionManager() as manager, manager.session("sim:") as session:
                pieces = []
                speak = session.task(source="def speak():\n print('x')\n return 1")
                assert await speak.with_options(on_output=pieces.append)() == 1
                assert b"".join(pieces).strip() == b"x"

        asyncio.run(main())


class Blinking(Program):
    @setup
    def led(pin, period=0.5):
        on = pin + period

    @setup
    def count(period=2, times=3):
        every = period * times


@pytest.mark.parametrize(("values", "found"), [({}, (1.5, 6)), ({"period": 4}, (5, 12))])
def test_a_setups_parameters_may_have_defaults_as_they_may_in_a_session(manager, values, found):
    with manager.session("sim:", program=Blinking(pin=1, **values)) as s:
        assert (s("on"), s("every")) == found


def test_a_default_that_cannot_be_sent_is_refused_with_the_program():
    class Bad(Program):
        @setup
        def init(what=object):
            it = what

    with pytest.raises(ArgumentError, match=r"Bad\(what=…\)"):
        Bad()


class Chained(Program):
    @task
    def total(n):
        return n + below(n)

    @task
    def below(n):
        return total(n - 1) if n else 0

    @task
    def each(n):
        for k in range(n):
            yield total(k)

    @thread
    def sums():
        while True:
            found.append(total(2))
            yield 0.05


def test_a_function_is_sent_with_the_tasks_that_it_uses_and_again_after_a_boot(manager):
    with manager.session("sim:", program=Chained()) as s:
        assert s.program.total(3) == 6
        with pytest.raises(DeviceReset):
            s("import machine; machine.reset()")
        assert list(s.program.each(3)) == [0, 1, 3]


def test_a_thread_is_sent_with_the_tasks_that_it_uses(manager, within):
    with manager.session("sim:", program=Chained()) as s:
        s("found = []")
        s.program.sums()
        assert within(lambda: s("found[:1]") == [3])


def test_a_task_may_use_a_task_of_the_function_around_it(manager):
    with manager.session("sim:") as s:

        @s.task
        def one():
            return 1

        @s.task
        def two():
            return one() + one()

        assert two() == 2
        signatures = {each.signature for each in s.resources.get_deployed_methods()}
        assert signatures == {"one()", "two()"}


def test_a_name_that_a_task_binds_itself_is_no_other_task(manager):
    with manager.session("sim:") as s:

        @s.task
        def one():
            return 1

        @s.task
        def two(x):
            one = x
            return one + len([x for two in range(1)])

        assert two(1) == 2
        assert [each.signature for each in s.resources.get_deployed_methods()] == ["two(x)"]


def test_a_task_uses_the_others_as_they_are_now(s):
    """One that was deployed before went on with what it had been sent with."""
    f = s.task(source="def f():\n return g()")
    outer = s.task(source="def outer():\n return f()")
    s.task(source="def g():\n return 1")
    assert (f(), outer()) == (1, 1)
    s.task(source="def g():\n return 2")
    assert (outer(), f()) == (2, 2)


def test_a_name_that_an_inner_function_binds_is_the_others_all_the_same(s):
    s.task(source="def sq(x):\n return x * x")
    uses = s.task(
        source="def uses(x):\n def inner():\n  sq = 3\n  return sq\n return sq(x) + inner()"
    )
    assert uses(4) == 19
