"""Generator tasks: iterated here, run there, closed whatever happens."""

from __future__ import annotations

import asyncio
import gc

import pytest

import klemheist
from klemheist import (
    ArgumentError,
    AsyncSessionManager,
    DeviceError,
    DeviceReset,
    LinkLost,
    LinkTimeout,
    ResourceCleanupError,
    ResultTypeError,
    SessionClosed,
    SessionManager,
    SessionOptions,
    StaleHandle,
)
from klemheist.transports.repl.procedures import evaluated
from tests.boards.tcp_board import TcpBoard

from .conftest import HOST

COUNT = "def count(n):\n for i in range(n):\n  yield i\n return n * 2"
CAREFUL = "def careful():\n try:\n  yield 1\n  yield 2\n finally:\n  closed.append(1)"


def held(session):
    """How many objects the device holds for a session."""
    code = f"len(PO.get({session._core.namespace.number},()))"
    frame, _ = session._core.submit(lambda board: evaluated(board, code)).get()
    return int(frame.text), len(session._core.objects._entries)


@pytest.fixture(scope="module")
def microbit():
    with SessionManager() as manager, manager.session("microbit:") as session:
        yield session


@pytest.fixture(params=["sim:", HOST, "microbit:"], ids=["sim", "cpython", "microbit"])
def session(request, manager, host):
    if request.param == "microbit:":
        yield request.getfixturevalue("microbit")
        return
    with (manager if request.param == "sim:" else host).session(request.param) as session:
        yield session


def test_its_values_come_one_by_one_and_typed(session):
    @session.task
    def values():
        yield 1
        yield 2.5
        yield ["x", (1, None)]
        yield b"\x00\xff"

    assert list(values()) == [1, 2.5, ["x", (1, None)], b"\x00\xff"]
    assert held(session) == (0, 0)


def test_send_gives_a_value_to_the_yield_that_waits(session):
    echo = session.task(source="def echo(x):\n while x:\n  x = yield x\n return [x]")
    generator = echo(5)
    assert next(generator) == 5
    assert generator.send("text") == "text"
    assert generator.send(0.5) == 0.5
    with pytest.raises(StopIteration) as end:
        generator.send(0)
    assert end.value.value == [0]
    assert list(generator) == []
    assert held(session) == (0, 0)


@pytest.mark.parametrize("value", ["", "text", 0, False, 2.5, None])
def test_what_it_returns_is_what_stop_iteration_holds(s, value):
    returns = s.task(source=f"def returns():\n yield 1\n return {value!r}")
    generator = returns()
    next(generator)
    with pytest.raises(StopIteration) as end:
        next(generator)
    assert end.value.value == value
    assert type(end.value.value) is type(value)
    assert held(s) == (0, 0)


def test_close_closes_it_on_the_device(session):
    session("closed = []")
    generator = session.task(source=CAREFUL)()
    assert next(generator) == 1
    generator.close()
    generator.close()
    assert session("closed") == [1]
    assert list(generator) == []
    assert held(session) == (0, 0)


def test_one_that_is_collected_is_closed_on_the_device(session, within):
    session("closed = []")
    generator = session.task(source=CAREFUL)()
    next(generator)
    del generator
    gc.collect()
    assert within(lambda: session("closed") == [1])
    assert within(lambda: held(session) == (0, 0))


def test_the_end_of_a_session_closes_all_of_them(manager):
    with manager.session("sim:") as session:
        session("closed = []\nclass Tell:\n def append(self, x): print('closed')")
        session("closed = Tell()")
        output = session.output()
        careful = session.task(source=CAREFUL)
        left = [careful() for _ in range(3)]
        for each in left:
            next(each)
        numbers = session._core.namespace.numbers
    assert b"".join(output).count(b"closed") == 3
    assert len(set(numbers.free_entries)) == len(numbers.free_entries)
    with pytest.raises(SessionClosed):
        next(left[0])
    left[0].close()  # it is closed already


def test_one_that_fails_to_close_keeps_none_of_the_others(manager):
    session = manager.create_session("sim:")
    session("closed = []")
    output = session.output()
    fails = session.task(source="def fails():\n try:\n  yield 1\n finally:\n  print('x')\n  1/0")
    left = [fails(), fails()]
    for each in left:
        next(each)
    with pytest.raises(ResourceCleanupError, match="1 of"):
        session.close()
    assert b"".join(output).count(b"x") == 2


def test_an_explicit_close_tells_what_its_finally_raised(s):
    fails = s.task(source="def fails():\n try:\n  yield 1\n finally:\n  1/0")
    generator = fails()
    next(generator)
    with pytest.raises(DeviceError, match="ZeroDivisionError"):
        generator.close()
    assert held(s) == (0, 0)


def test_cleaning_up_in_mid_session_makes_its_generators_stale(s):
    s("closed = []")
    careful = s.task(source=CAREFUL)
    generator = careful()
    next(generator)
    s.resources.cleanup_resources()
    assert s("closed") == [1]
    with pytest.raises(StaleHandle):
        next(generator)
    assert list(careful()) == [1, 2]


def test_an_exception_ends_it_with_the_lines_of_the_host(s):
    @s.task
    def fails(n):
        yield n
        # a comment that is not sent
        yield 1 / (n - n)

    generator = fails(2)
    next(generator)
    with pytest.raises(DeviceError, match="ZeroDivisionError") as failed:
        next(generator)
    line = fails.source.line_map[0] + 3
    assert f'test_generators.py", line {line}, in fails' in failed.value.traceback
    assert "yield 1 / (n - n)" in failed.value.traceback
    assert "Pn" not in failed.value.traceback
    assert list(generator) == []


def test_throw_raises_where_it_waits(session):
    code = "def catches():\n try:\n  yield 1\n except KeyError as e:\n  yield str(e)"
    generator = session.task(source=code)()
    next(generator)
    assert "lost" in generator.throw(KeyError("lost"))
    with pytest.raises(DeviceError, match="ValueError: wrong"):
        generator.throw(ValueError("wrong"))
    assert list(generator) == []


def test_throw_knows_the_session_s_own_exceptions(s):
    class OddError(Exception):
        pass

    s("class OddError(Exception): pass")
    code = "def catches():\n try:\n  yield 1\n except OddError as e:\n  yield e.args[0]"
    generator = s.task(source=code)()
    next(generator)
    assert generator.throw(OddError(5)) == 5
    with pytest.raises(StopIteration):
        next(generator)


def test_what_was_thrown_before_the_first_next_is_raised_here(s):
    generator = s.task(source=COUNT)(3)
    with pytest.raises(ValueError, match="early"):
        generator.throw(ValueError("early"))
    assert list(generator) == []


def test_an_argument_that_cannot_be_sent_changes_nothing(s):
    count = s.task(source=COUNT)
    with pytest.raises(ArgumentError):
        count(object())
    generator = count(3)
    with pytest.raises(TypeError, match="just-started"):
        generator.send(1)
    next(generator)
    with pytest.raises(ArgumentError):
        generator.send(object())
    assert list(generator) == [1, 2]


def test_a_wrong_number_of_arguments_is_refused_before_anything_is_sent(s):
    with pytest.raises(ArgumentError, match="missing: n"):
        s.task(source=COUNT)()


def test_a_value_that_no_literal_can_say_leaves_it_waiting(s):
    strange = s.task(source="def strange():\n yield iter([])\n yield 2")
    generator = strange()
    with pytest.raises(ResultTypeError):
        next(generator)
    assert next(generator) == 2


def test_one_of_an_earlier_boot_is_stale(s):
    generator = s.task(source=COUNT)(3)
    next(generator)
    with pytest.raises(DeviceReset):
        s("raise SystemExit")
    for _ in range(2):
        with pytest.raises(StaleHandle, match="make it again"):
            next(generator)
    assert list(s.task(source=COUNT)(2)) == [0, 1]


def test_a_stale_one_that_is_collected_leaves_its_number_to_who_has_it_now(host):
    with host.session(HOST) as session:
        task = session.task(source=COUNT)
        old = task(9)
        next(old)
        with pytest.raises(DeviceReset):
            session.execute("raise SystemExit")
        new = task(9)
        assert next(new) == 0
        del old
        gc.collect()
        assert session("1 + 1") == 2  # what the finaliser asked for comes first
        assert session.task(source="def other():\n return 'other'")() == "other"
        assert next(new) == 1


def test_one_that_hangs_at_the_end_keeps_none_of_the_others(within):
    stuck = "def stuck():\n import time\n try:\n  yield 1\n finally:\n  time.sleep(30)"
    options = SessionOptions(resource_cleanup_timeout=0.5)
    with SessionManager(options) as manager, manager.session("sim:") as other:
        session = manager.create_session("sim:")
        proxy = session.proxy("object()")
        generator = session.task(source=stuck)()
        next(generator)
        space = session._core.namespace.number
        with pytest.raises(ResourceCleanupError, match="1 of"):
            session.close()
        import_all = "import __main__\nspaces = list(__main__._k(-1, 'PO'))"
        assert within(lambda: other.execute(import_all) or space not in other("spaces"))
        assert other.generation == 1, "else nothing could be left"
        del proxy, generator


def test_a_step_of_unknown_fate_says_so_and_ends_it(host):
    with host.session(HOST) as session:
        slow = session.task(source="def slow():\n import time\n yield 1\n time.sleep(9)\n yield 2")
        generator = slow.with_options(timeout=0.3)()
        assert next(generator) == 1
        with pytest.raises(LinkTimeout) as failed:
            next(generator)
        assert failed.value.maybe_executed
        assert list(generator) == []
        assert session("1 + 1") == 2


def test_one_that_never_began_costs_the_device_nothing(s):
    s.task(source=COUNT)(3).close()
    assert s.resources.get_active_resources() == ()


def test_its_output_is_streamed_step_by_step(s):
    @s.task
    def prints():
        for i in range(2):
            print("step", i)
            yield i

    pieces = []
    assert list(prints.with_options(on_output=pieces.append)()) == [0, 1]
    assert b"".join(pieces).split() == [b"step", b"0", b"step", b"1"]


def test_a_small_heap_holds_several_and_forgets_them(microbit, within):
    count = microbit.task(source=COUNT)
    list(count(2))
    free = "[__import__('gc').collect(), __import__('gc').mem_free()][1]"
    before = microbit(free)
    for _ in range(4):
        several = [count(9) for _ in range(3)]
        assert [next(each) for each in several] == [0, 0, 0]
        assert [next(each) for each in several] == [1, 1, 1]
        del several
        gc.collect()
        assert within(lambda: held(microbit) == (0, 0))
    assert microbit(free) >= before - 200


def test_the_twin_for_asyncio():
    async def main():
        async with AsyncSessionManager() as manager, manager.session("sim:") as session:
            echo = session.task(source="def echo(x):\n while x:\n  x = yield x\n return 7")
            count = session.task(source=COUNT)
            assert [each async for each in count(3)] == [0, 1, 2]
            generator = echo(1)
            assert await anext(generator) == 1
            assert await generator.send(5) == 5
            with pytest.raises(StopAsyncIteration) as end:
                await generator.send(0)
            assert end.value.args == (7,)
            generator = count(3)
            await anext(generator)
            await generator.close()
            with pytest.raises(StopAsyncIteration):
                await anext(generator)
            fails = count(1)
            await anext(fails)
            with pytest.raises(DeviceError, match="ValueError"):
                await fails.throw(ValueError)

    asyncio.run(main())


def test_one_of_a_program(manager):
    class Counter(klemheist.Program):
        @klemheist.task
        def count(n):
            yield from range(n)

    with manager.session("sim:", program=Counter()) as session:
        assert list(session.program.count(3)) == [0, 1, 2]


def test_what_a_device_was_away_for_is_let_go_when_it_is_back(within):
    """A session that ends while its device is away owes the close of its generators."""
    with TcpBoard("sim:") as board, SessionManager() as manager:
        watcher = manager.create_session(board.url)
        watcher("import __main__\n__main__.closed = []")
        session = manager.create_session(board.url)
        session("from __main__ import closed")
        generator = session.task(source=CAREFUL)()
        next(generator)
        proxy = session.proxy("closed")
        board.refuse(True)
        board.drop()
        assert within(lambda: session._core.port.is_away)
        with pytest.raises(ResourceCleanupError):
            session.close()
        board.refuse(False)
        assert within(lambda: watcher.status == "active", 10)
        assert watcher("__main__.closed") == [1]
        code = f"{session._core.namespace.number} in PO"
        frame, _ = watcher._core.submit(lambda board: evaluated(board, code)).get()
        assert frame.text == "False"
        del proxy


def test_a_link_that_drops_in_mid_step_ends_it_and_closes_it_there(within):
    with TcpBoard("sim:") as board, SessionManager() as manager:
        session = manager.create_session(board.url)
        session("closed = []")
        generator = session.task(source=CAREFUL)()
        next(generator)
        step = generator._generator.sent(None, None)
        board.drop()
        error = step.exception() if step.done() else None
        try:
            value = step.get()
        except LinkLost as lost:
            error = lost
        if error is None:  # it was faster than the cable
            assert value == 2
        else:
            assert error.maybe_executed is True
            assert list(generator) == []
            assert within(lambda: session("closed") == [1])
