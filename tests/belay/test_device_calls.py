"""Belay's own tests of calls, decorators, output and generators, anew for our surface.

| Belay | here |
|---|---|
| `test_call_various` | `test_call_various` |
| `test_setup_basic`, `test_task_basic` | the same names |
| `test_task_basic_trusted` | `test_a_result_that_is_no_literal_is_refused`: nothing is evaluated |
| `test_task_generators_*`, `test_generators_*` | `test_generators_*` |
| `test_teardown` | `test_teardown` |
| `test_classdecorator_setup` | `test_the_decorators_of_a_program_take_options_or_none` |
| `test_task_exception` | `test_task_exception` |
| `test_print_basic` | `test_print_basic` |
| `test_device_init`, `test_device_init_no_startup` | `test_a_session_begins_with_nothing` |
| `test_device_task` | `test_arguments_by_place_and_name` |
| `test_device_thread` | `test_a_thread_takes_them` |
| `test_device_traceback_execute` | `test_task_exception` |
| `test_parse_belay_response_*` | `test_each_kind_of_value_comes_back` |
"""

# ruff: noqa: F821 -- functions here run on the device
from __future__ import annotations

import pytest

from klemheist import DeviceError, Program, ResultTypeError, setup, task, teardown, thread


def test_call_various(s):
    assert s("foo = 25") is None
    assert s("foo") == 25
    with pytest.raises(DeviceError, match="NameError"):
        s("bar")


def test_a_session_begins_with_nothing(s):
    assert s("sorted(globals())") == []


def test_setup_basic(s):
    @s.setup
    def begin(config):
        foo = config["bar"]

    begin({"bar": 25})
    assert s("config") == {"bar": 25}
    assert s("foo") == 25


def test_task_basic(s):
    @s.task
    def foo(val):
        return 2 * val

    assert foo(5) == 10


def test_a_result_that_is_no_literal_is_refused(s):
    @s.task
    def foo():
        return bytearray(b"\x01")

    with pytest.raises(ResultTypeError, match="bytearray"):
        foo()


def test_arguments_by_place_and_name(s):
    @s.task
    def foo(a, b=0, *rest, **more):
        return a, b, rest, more

    assert foo(1, 2) == (1, 2, (), {})
    assert foo(1, b=2) == (1, 2, (), {})
    assert foo(1, 2, 3, x="y") == (1, 2, (3,), {"x": "y"})


def test_a_thread_takes_them(s, within):
    s("seen = []")

    @s.thread
    def foo(a, b):
        seen.append(a + b)
        yield 0

    foo(1, 2)
    assert within(lambda: s("seen") == [3])


@pytest.mark.parametrize(
    "value", [[1, 2, 3], 1, 1.23, "a", {1}, b"foo", False, None, (1,), {"a": [1.5]}], ids=repr
)
def test_each_kind_of_value_comes_back(s, value):
    same = s.task(source="def same(x):\n return x")
    assert same(value) == value
    assert type(same(value)) is type(value)


def test_generators_basic(s):
    @s.task
    def my_gen(val):
        i = 0
        while True:
            yield i
            i += 1
            if i == val:
                break

    assert list(my_gen(3)) == [0, 1, 2]


def test_generators_communicate(s):
    @s.task
    def my_gen(x):
        x = yield x
        x = yield x

    generator = my_gen(5)
    assert generator.send(None) == 5
    assert generator.send(25) == 25
    with pytest.raises(StopIteration):
        generator.send(50)


def test_teardown(manager):
    with manager.session("sim:") as session:
        output = session.output()

        @session.teardown
        def foo():
            print("torn down")

    assert b"torn down" in b"".join(output)


def test_the_decorators_of_a_program_take_options_or_none():
    class Both(Program):
        @setup
        def foo1():
            a = 1

        @setup()
        def foo2():
            b = 1

        @task
        def foo3():
            return 1

        @task(timeout=1.0)
        def foo4():
            return 1

        @thread
        def foo5():
            yield 1

        @thread(restart=True)
        def foo6():
            yield 1

        @teardown
        def foo7():
            a = 0

        @teardown()
        def foo8():
            b = 0

    roles = [each.mark.role.value for each in Both().marked.values()]
    assert roles == ["setup"] * 2 + ["task"] * 2 + ["thread"] * 2 + ["teardown"] * 2


def test_task_exception(s):
    @s.task
    def foo(val):
        bar = 5
        baz
        return 2 * val

    with pytest.raises(DeviceError, match="NameError") as failed:
        foo(10)
    lines = failed.value.traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == f'  File "{__file__}", line {foo.source.line_map[2]}, in foo'
    assert lines[2] == "    baz"
    assert lines[3].startswith("NameError: name 'baz'")


def test_print_basic(s):
    pieces = []

    @s.task
    def foo():
        print("print from a task.")

    assert foo.with_options(on_output=pieces.append)() is None
    assert s.execute("foo()", on_output=pieces.append) is None
    assert b"".join(pieces).splitlines() == [b"print from a task."] * 2
