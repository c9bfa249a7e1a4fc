from __future__ import annotations

import asyncio
import threading
import time

import pytest
from loguru import logger

from klemheist import (
    Resource,
    ResourceCleanupError,
    SessionClosed,
    SessionManager,
    SessionOptions,
)


@pytest.fixture
def log():
    lines = []
    logger.enable("klemheist")
    sink = logger.add(lambda line: lines.append(line.record), level="DEBUG")
    yield lines
    logger.remove(sink)
    logger.disable("klemheist")


class DeviceTimer(Resource):
    """The specification's example: a timer on the device that must be stopped there."""

    def __init__(self, session):
        super().__init__("DeviceTimer", estimated_cost=50)
        self.session = session
        session.execute("import machine\ntimer = machine.Timer(-1)\nticks = []")
        session.execute(
            "timer.init(period=5, mode=machine.Timer.PERIODIC, callback=lambda t: ticks.append(1))"
        )

    def cleanup(self, cancel):
        self.session.execute("timer.deinit()")
        before = self.session.execute("len(ticks)")
        self.session.execute("__import__('time').sleep(0.05)")
        self.ticked = self.session.execute("len(ticks)") - before


@pytest.mark.req("SES-062", "SES-063", "SES-123")
def test_a_device_timer_is_stopped_on_the_device_without_user_code(manager):
    with manager.session("sim:") as session:
        timer = DeviceTimer(session)
        session.resources.register_resource(timer)
        assert (timer.resource_type, timer.estimated_cost) == ("DeviceTimer", 50)
        assert timer.resource_id
        assert timer.created_at.tzinfo is not None
        session("__import__('time').sleep(0.05)")
        assert session("len(ticks)") > 0
    assert timer.ticked == 0


@pytest.mark.req("SES-124")
def test_a_hardware_resource_replaces_try_and_finally(manager):
    """The pin is low afterwards, as the `finally` of the migration example left it."""
    with manager.session("sim:") as session:
        session("from machine import Pin\nled = Pin(7, Pin.OUT)")
        led = Resource("hardware", lambda _: session.execute("led.value(0)"))
        session.resources.register_resource(led)
        session("led.value(1)")
        with manager.session("sim:") as other:
            assert other("__import__('machine').Pin(7).value()") == 1
    with manager.session("sim:") as other:
        assert other("__import__('machine').Pin(7).value()") == 0


@pytest.mark.req("SES-028", "SES-102")
def test_a_cleanup_that_gives_its_resource_back_is_over_when_it_ends(manager):
    """Its end was told to nobody: the session waited for the deadline, or lost what went wrong."""
    session = manager.create_session("sim:")

    def clean(cancel):
        assert session.resources.unregister_resource("it")
        raise OSError("went wrong after that")

    session.resources.register_resource(Resource("thing", clean, resource_id="it"))
    with pytest.raises(ResourceCleanupError) as failed:
        session.close()
    assert [str(each) for each in failed.value.exceptions] == ["went wrong after that"]


@pytest.mark.req("SES-028")
def test_nothing_is_begun_after_the_cleanup(manager):
    """A call whose thread was about to queue it when its session ended."""
    judge, session = manager.create_session("sim:"), manager.create_session("sim:")
    busy = judge.submit("__import__('time').sleep(0.2)")
    late = session.submit("__import__('__main__').__dict__.setdefault('late', 1)")
    session._core._calls.clear()  # the end did not see it: it was not known yet
    session.close()
    with pytest.raises(SessionClosed):
        late.get(timeout=10)
    busy.get(timeout=10)
    assert judge("hasattr(__import__('__main__'), 'late')") is False
    judge.close()


@pytest.mark.req("SES-028", "SES-043", "SES-100", "SES-102")
def test_everything_is_cleaned_in_reverse_order_and_failures_come_together(manager):
    order = []

    def fails(name):
        def clean(cancel):
            order.append(name)
            raise OSError(name)

        return clean

    session = manager.create_session("sim:")
    hold = session.resources.register_resource
    hold(Resource("a", lambda _: order.append("a")))
    hold(Resource("b", fails("b")))
    session.teardown(_teardown)
    output = session.output()
    hold(Resource("c", lambda _: order.append(next(iter(output)))))
    hold(Resource("d", fails("d")))
    output.put(b"c")
    with pytest.raises(ResourceCleanupError) as failed:
        session.close()
    assert order == ["d", b"c", "b", "a"]
    assert [str(each) for each in failed.value.exceptions] == ["d", "b"]
    assert b"torn down" in b"".join(output)
    with pytest.raises(ResourceCleanupError):
        session.close()  # whoever asks again is told the same, and nothing runs again
    assert len(order) == 4


def _teardown():
    print("torn down")


@pytest.mark.req("SES-028")
def test_a_slow_cleanup_runs_once(manager):
    """Its message is repeated meanwhile: the tracker might have crashed."""
    calls = []

    def slow(cancel):
        calls.append(1)
        time.sleep(0.7)

    with manager.session("sim:") as session:
        session.resources.register_resource(Resource("slow", slow))
    assert calls == [1]


@pytest.mark.req("SES-088", "SES-100")
def test_a_cleanup_that_hangs_is_abandoned_and_the_others_run():
    gate, calls, tokens = threading.Event(), [], []

    def hangs(cancel):
        tokens.append(cancel)
        gate.wait(10)

    with SessionManager(SessionOptions(resource_cleanup_timeout=0.4)) as manager:
        session = manager.create_session("sim:")
        session.resources.register_resource(Resource("first", lambda _: calls.append("first")))
        session.resources.register_resource(Resource("hangs", hangs, resource_id="hangs"))
        began = time.monotonic()
        with pytest.raises(ResourceCleanupError) as failed:
            session.close()
        assert time.monotonic() - began < 2.0
        assert isinstance(failed.value.exceptions[0], TimeoutError)
        assert tokens[0].cancelled
        assert calls == ["first"]
    gate.set()


@pytest.mark.req("SES-062")
def test_a_cleanup_may_be_a_coroutine(manager):
    calls = []

    async def clean(cancel):
        await asyncio.sleep(0)
        calls.append(1)

    with manager.session("sim:") as session:
        session.resources.register_resource(Resource("thing", clean))
    assert calls == [1]


@pytest.mark.req("SES-036", "SES-037", "SES-038", "SES-039", "SES-110")
def test_the_tracker_lists_and_counts_what_it_holds(s):
    hold, calls = s.resources.register_resource, []
    hold(Resource("led", lambda _: calls.append(1), estimated_cost=3))
    hold(Resource("led", estimated_cost=4))
    hold(Resource("timer", estimated_cost=5))
    s.resources.register_background_thread("t1", "blink")
    s.resources.register_deployed_method("f()", "00")
    stats = s.resources.get_resource_stats()
    assert (stats.total_resources, stats.total_resource_cost) == (3, 12)
    assert stats.resources_by_type == {"led": 2, "timer": 1}
    assert (stats.background_threads, stats.deployed_methods) == (1, 1)
    s.resources.cleanup_resources()
    assert calls == [1]
    assert s.resources.get_active_resources() == ()
    assert s("1 + 1") == 2


@pytest.mark.req("SES-040")
def test_leaving_the_tracker_cleans_up(s):
    calls = []
    with s.resources as tracker:
        tracker.register_resource(Resource("thing", lambda _: calls.append(1)))
    assert calls == [1]
    assert s.is_active


@pytest.mark.req("SES-087")
def test_without_tracking_registrations_are_ignored_and_operations_go_on(within):
    calls = []
    with (
        SessionManager(SessionOptions(enable_resource_tracking=False)) as manager,
        manager.session("sim:") as session,
    ):
        session.resources.register_resource(Resource("thing", lambda _: calls.append(1)))
        assert session.resources.get_active_resources() == ()
        assert session.task(source="def f():\n return 1")() == 1
        assert session.resources.get_deployed_methods() == ()
        session("n = [0]")
        session.thread(source="def count():\n while True:\n  n[0] += 1\n  yield 0.01")()
        assert within(lambda: session("n[0]") > 2)
    assert calls == []


@pytest.mark.req("SES-101", "SES-111", "SES-112", "SES-113", "SES-114")
def test_the_log_tells_the_life_of_a_session(manager, log):
    def fails(cancel):
        raise OSError("stuck")

    session = manager.create_session("sim:")
    session.resources.register_resource(
        Resource("led", fails, resource_id="led-1", estimated_cost=7)
    )
    session.resources.register_background_thread("t1", "blink")
    with pytest.raises(ResourceCleanupError):
        session.close()
    told = [
        (each["level"].name, each["message"])
        for each in log
        if each["extra"].get("session") == session.session_id
    ]
    assert ("INFO", "session created for device") in told
    assert ("DEBUG", "led led-1 registered, cost 7") in told
    assert ("DEBUG", "thread t1 registered: blink") in told
    assert ("WARNING", "cleanup of resource led-1 failed: stuck") in told
    assert ("INFO", "session ended, 1 resources cleaned up") in told
    assert {each["extra"]["device"] for each in log if "session" in each["extra"]} == {"sim:"}


@pytest.mark.req("SES-126", "SES-086")
@pytest.mark.parametrize("enabled", [True, False])
def test_the_performance_monitor_records_only_where_metrics_are_enabled(enabled):
    with SessionManager(SessionOptions(enable_session_metrics=enabled)) as manager:
        with manager.session("sim:") as session:
            session.resources.register_resource(Resource("led"))
        numbers = manager.performance.snapshot()
        assert manager.get_session_stats().total_session_count == 1
    assert numbers.sessions_created == (1 if enabled else 0)
    assert (numbers.creation_longest > 0) is enabled
    assert numbers.resources_registered == ({"led": 1} if enabled else {})


@pytest.mark.req("SES-126")
def test_the_performance_monitor_takes_the_records_of_others():
    from klemheist import PerformanceMonitor

    monitor = PerformanceMonitor()
    monitor.record_session_creation(0.25)
    monitor.record_session_creation(0.75)
    monitor.record_resource_registration("led")
    numbers = monitor.snapshot()
    assert (numbers.sessions_created, numbers.creation_median) == (2, 0.5)
    assert numbers.resources_registered == {"led": 1}
