"""The public face as a type checker sees it: checked by mypy in strict mode, never run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_type

import klemheist
from klemheist import (
    AsyncProxy,
    AsyncSession,
    AsyncSessionManager,
    Call,
    Capabilities,
    ChildRestarted,
    Execute,
    Future,
    PartitionSupervisor,
    Proxy,
    Publisher,
    RemoteGenerator,
    Resource,
    Restart,
    Session,
    SessionManager,
    SessionOptions,
    SessionStats,
    StandingProgram,
    Strategy,
    Stream,
    Subscription,
    Supervisor,
    child,
)
from klemheist.testing import Probe, captured_events


class Blinker(klemheist.Program):
    @klemheist.task(timeout=1.0, idempotent=True)
    def set(state: int) -> None: ...  # type: ignore[misc]


class Lamp(Resource):
    def cleanup(self, cancel: klemheist.CancelToken) -> None:
        assert_type(cancel.cancelled, bool)


class Overloaded(klemheist.Program):
    @klemheist.setup(implementation="circuitpython")
    def wake() -> None: ...  # type: ignore[misc]


class Sampler(klemheist.Actor):
    def on_receive(self, message: Any) -> float:
        return float(message)


def threads() -> None:
    with SessionManager(SessionOptions(call_timeout=5.0)) as manager:
        assert_type(manager.get_session_stats(), SessionStats)
        assert_type(manager.capabilities, Capabilities | None)
        assert_type(manager.current_session_id, str | None)
        with manager.session("sim:", program=Blinker(), restart=Restart.TRANSIENT) as s:
            assert_type(s, Session)

            @s.task
            def add(a: int, b: int) -> int:
                return a + b

            assert_type(add(2, 3), int)
            assert_type(add.submit(2, 3), Future[int])
            assert_type(add.map([2], [3]), list[int])
            assert_type(s.submit("1 + 1").get(timeout=1.0), Any)
            assert_type(s.execute("1 + 1"), Any)
            assert_type(s.execute("1 + 1", result_type=int), int)

            @s.task
            def count(n: int) -> Iterator[int]:
                yield from range(n)

            assert_type(count(3), RemoteGenerator[int])
            assert_type(next(count(3)), int)
            assert_type(s.proxy("x"), Proxy)
            assert_type(s.sync_time().offset, float)
            assert_type(add.with_options(timeout=1.0)(1, 2), int)
            s.resources.register_resource(Lamp("Lamp", estimated_cost=1))
            s.ref.tell(Execute("x = 1"))
            s.ref.ask(Call("add", (2, 3)), timeout=2.0)
        assert_type(manager.execute_in_session("sim:", number), int)
        assert_type(manager.deploy("sim:", Blinker()), StandingProgram)


def number(session: Session) -> int:
    return int(session("42"))


async def coroutines() -> None:
    async with AsyncSessionManager() as manager, manager.session("sim:") as s:
        assert_type(s, AsyncSession)

        @s.task
        def add(a: int, b: int) -> int:
            return a + b

        assert_type(await add(2, 3), int)
        assert_type(await s.execute("1 + 1", result_type=int), int)
        assert_type(await add.submit(2, 3), int)
        assert_type(await add.map([2], [3]), list[int])

        @s.task
        def count(n: int) -> Iterator[int]:
            yield from range(n)

        async for each in count(3):
            assert_type(each, int)
        assert_type(await s.proxy("x"), AsyncProxy)
        assert_type(await manager.execute_in_session("sim:", async_number), int)


async def async_number(session: AsyncSession) -> int:
    return int(await session("42"))


def supervision() -> None:
    with Supervisor.start([child(Sampler)], strategy=Strategy.ONE_FOR_ALL) as tree:
        assert_type(tree.snapshot().render(), str)
        with Probe() as probe, captured_events(tree) as events:
            assert_type(probe.expect_down(tree, reason=ValueError), klemheist.ExitReason)
            assert_type(events.expect(ChildRestarted, id="Sampler").attempt, int)
    with PartitionSupervisor.start(child(Sampler), name="samplers") as samplers:
        assert_type(samplers.partition("key"), int)


def streams(numbers: Stream[int], publisher: Publisher[str]) -> None:
    for number in numbers:
        assert_type(number, int)
    assert_type(numbers.get(timeout=1.0), int)
    assert_type(publisher.subscribe(), Subscription[str])


async def streams_async(numbers: Stream[int]) -> None:
    async for number in numbers:
        assert_type(number, int)
    assert_type(await numbers.aget(), int)


def errors(error: klemheist.LinkTimeout) -> None:
    assert_type(error.maybe_executed, bool)
    assert isinstance(error, TimeoutError)
