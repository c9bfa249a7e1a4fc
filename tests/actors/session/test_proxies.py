"""Proxies: objects that stay on the device."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle

import pytest

from klemheist import (
    ArgumentError,
    AsyncSessionManager,
    CodeSyntaxError,
    DeviceError,
    DeviceReset,
    Proxy,
    ResultTypeError,
    SessionClosed,
    SessionManager,
    StaleHandle,
)
from klemheist.transports import reactor

from .conftest import HOST
from .test_generators import held

THING = "class Thing:\n size = 1\n def twice(self, x): return 2 * x\nthing = Thing()"


@pytest.fixture(params=["sim:", HOST], ids=["sim", "cpython"])
def session(request, manager, host):
    with (manager if request.param == "sim:" else host).session(request.param) as session:
        session(THING)
        session("items = [1, 2.5, [3], {'a': 1}]")
        yield session


def test_attributes_are_values_or_proxies(session):
    thing = session.proxy("thing")
    assert thing.size == 1
    thing.size = [0.5]
    assert session("thing.size") == [0.5]
    thing.other = session.proxy("items")
    session("items.append(9)")
    assert session("thing.other[-1]") == 9
    del thing.other
    assert not hasattr(thing, "other")
    assert thing.twice(4) == 8
    assert isinstance(thing.twice, Proxy)


def test_items_slices_length_and_membership(session):
    items = session.proxy("items")
    assert (items[0], items[-1], items[1:3], items[::2]) == (1, {"a": 1}, [2.5, [3]], [1, [3]])
    items[0] = "first"
    del items[1]
    assert session("items") == ["first", [3], {"a": 1}]
    assert (len(items), bool(items), [3] in items, 7 in items) == (3, True, True, False)


def test_iteration_gives_each_element(session):
    session("things = [1, thing, 'x']")
    one, other, last = session.proxy("things")
    assert (one, other.size, last) == (1, 1, "x")
    assert sorted(session.proxy("{'a': 1, 'b': 2}")) == ["a", "b"]
    assert dict(session.proxy("{'a': 1}").items()) == {"a": 1}


def test_operators_are_those_of_the_object(session):
    items = session.proxy("[1, 2]")
    assert items == [1, 2]
    assert items != [1]
    assert items == session.proxy("[1, 2]")
    assert items * 2 == [1, 2, 1, 2]
    assert items < [2]
    assert str(items) == "[1, 2]"
    assert hash(session.proxy("7")) == 7
    assert "list" in repr(items)
    assert items.value_() == [1, 2]


def test_errors_are_those_that_python_code_expects(session):
    items = session.proxy("items")
    with pytest.raises(IndexError) as failed:
        items[100]
    assert isinstance(failed.value, DeviceError)
    with pytest.raises(KeyError):
        session.proxy("{}")["none"]
    with pytest.raises(AttributeError):
        items.nothing
    with pytest.raises(DeviceError, match="NameError"):
        session.proxy("nothing")
    with pytest.raises(TypeError):
        items("not callable")


def test_what_cannot_be_sent_or_said_is_refused_and_changes_nothing(session):
    items = session.proxy("items")
    with pytest.raises(ArgumentError):
        items[0] = object()
    with pytest.raises(ArgumentError, match="no name"):
        setattr(items, "a = 1; b", 2)
    with pytest.raises(ArgumentError, match="no name"):
        items.append(**{"a b": 1})
    with pytest.raises(ArgumentError, match="no expression"):
        session.proxy("x = 1")
    with pytest.raises(CodeSyntaxError):
        session.proxy("1 +")
    with pytest.raises(ResultTypeError, match="Thing"):
        session.proxy("thing").value_()
    assert session("len(items)") == 4


def test_python_s_own_questions_are_not_sent(session):
    items = session.proxy("items")
    calls = session._core.port.counters.calls
    assert copy.copy(items) is not items or True
    repr(items)
    assert copy.copy(items) is copy.deepcopy(items) is items
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(items)
    assert not hasattr(items, "__array__")
    assert session._core.port.counters.calls == calls


def test_a_proxy_that_is_collected_is_let_go(session, within):
    proxies = [session.proxy("thing"), session.proxy("items")]
    assert held(session)[0] == 2
    del proxies
    gc.collect()
    assert within(lambda: held(session) == (0, 0))


def test_one_that_is_collected_while_no_link_is_open_goes_with_the_next(
    session, within, monkeypatch
):
    first, other = session.proxy("thing"), session.proxy("items")
    with monkeypatch.context() as patch:
        patch.setattr(reactor, "_current", None)  # the I/O thread ends with the last link
        del first
        gc.collect()
    assert held(session)[0] == 2
    del other
    gc.collect()
    assert within(lambda: held(session) == (0, 0))


def test_hundreds_of_them_leave_nothing(s, within):
    s("things = [object() for _ in range(100)]")
    assert len(list(s.proxy("things"))) == 100
    gc.collect()
    assert within(lambda: held(s) == (0, 0))


def test_the_end_of_a_session_lets_all_go(manager):
    with manager.session("sim:") as watcher:
        with manager.session("sim:") as session:
            session(THING)
            thing = session.proxy("thing")
            number = session._core.namespace.number
            assert held(session)[0] == 1
        assert watcher(f"{number} in __import__('__main__')._k(-1, 'PO')") is False
        with pytest.raises(SessionClosed):
            thing.size


def test_one_of_an_earlier_boot_is_stale(s):
    s("x = [1]")
    items = s.proxy("x")
    with pytest.raises(DeviceReset):
        s("raise SystemExit")
    with pytest.raises(StaleHandle, match="make it again"):
        items[0]
    s("x = [2]")
    assert s.proxy("x")[0] == 2


def test_one_of_another_session_is_refused(manager, s):
    with manager.session("sim:") as other:
        foreign = other.proxy("[1]")
        with pytest.raises(ArgumentError, match="another session"):
            s.proxy("[]").append(foreign)


def test_an_argument_of_a_task_may_be_one(session):
    @session.task
    def put(target, value=0.5, *, at=0):
        target[at] = value
        return len(target)

    items = session.proxy("items")
    assert put(items, "first") == 4
    assert put(items, at=-1, value=session.proxy("thing")) == 4
    assert put.submit(items, at=1).get() == 4
    assert session("items[:3]") == ["first", 0.5, [3]]
    assert session("items[3] is thing")


def test_an_argument_of_a_generator_may_be_one(session):
    @session.task
    def pop_all(stack):
        while stack:
            yield str(stack.pop())

    assert list(pop_all(session.proxy("items"))) == ["{'a': 1}", "[3]", "2.5", "1"]
    assert session("items") == []


def test_an_argument_that_has_gone_or_lives_elsewhere_is_refused(manager, s):
    @s.task
    def size(of):
        return len(of)

    @s.task
    def each(of):
        yield from of

    s("x = [1]")
    items = s.proxy("x")
    with manager.session("sim:") as other:
        for call in (size, each, size.submit):
            with pytest.raises(ArgumentError, match="argument 1: a proxy of another session"):
                call(other.proxy("[1]"))
    with pytest.raises(ArgumentError, match="object of type Proxy cannot be sent"):
        size([items])
    assert size(items) == 1
    with pytest.raises(DeviceReset):
        s("raise SystemExit")
    for call in (size, lambda each_: next(each(each_))):
        with pytest.raises(StaleHandle, match="make it again"):
            call(items)
    assert size([1, 2]) == 2


def test_asyncio_passes_them_too():
    async def main():
        async with AsyncSessionManager() as manager, manager.session("sim:") as s:

            @s.task
            def size(of, more=0):
                return len(of) + more

            await s("x = {'a': [1, 2]}")
            x = await s.proxy("x")
            return await size(x["a"], more=await size(x))

    assert asyncio.run(main()) == 3


def test_user_code_sees_no_name_of_ours(s):
    s.proxy("[1]")
    assert s("sorted(globals())") == []


def test_a_small_board_has_them_too(within):
    with SessionManager() as manager, manager.session("microbit:") as session:
        session("import microbit")
        session("items = [1, 2, [3]]")
        board, items = session.proxy("microbit"), session.proxy("items")
        assert board.running_time() > 0
        assert board.pin0.read_digital() in (0, 1)
        items[0] = 9
        assert list(items) == [9, 2, [3]]

        @session.task
        def total(of, factor):
            return (of[0] + of[1]) * factor

        assert (total(items, 2), total(items, 0.5)) == (22, 5.5)
        del board, items
        gc.collect()
        assert within(lambda: held(session) == (0, 0))


def test_the_twin_for_asyncio():
    async def main():
        async with AsyncSessionManager() as manager, manager.session("sim:") as session:
            await session(THING)
            thing = await session.proxy("thing")
            assert await thing.size == 1
            await thing.size.assign_([1, 2])
            assert await thing.twice(2) == 4
            assert [each async for each in thing.size] == [1, 2]
            assert await thing.size.length_() == 2
            assert await thing.size.contains_(2)
            assert await thing.size.equals_([1, 2])
            assert await (thing.size * 2) == [1, 2, 1, 2]
            assert await thing.size.value_() == [1, 2]
            await thing.size[0].delete_()
            assert await thing.size == [2]
            with pytest.raises(AttributeError, match="assign_"):
                thing.size = 1
            with pytest.raises(AttributeError):
                await thing.nothing

    asyncio.run(main())
