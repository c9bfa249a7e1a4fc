from __future__ import annotations

import asyncio
import threading
import time

import pytest
from loguru import logger

from klemheist import (
    AlreadyHeld,
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


@pytest.mark.req("SES-036", "SES-123")
def test_a_second_resource_of_an_id_is_refused_and_the_first_is_cleaned_up_once(manager):
    calls = []
    first, second = (
        Resource("led", lambda _, name=name: calls.append(name), resource_id="led")
        for name in ("first", "second")
    )
    with manager.session("sim:") as session:
        hold = session.resources.register_resource
        hold(first)
        hold(first)  # nothing is added, and nothing is lost
        with pytest.raises(AlreadyHeld, match="another resource of the id 'led'; give this one"):
            hold(second)
        assert session.resources.get_active_resources() == (first,)
        assert session.resources.unregister_resource("led")
        hold(second)
    assert calls == ["second"]


@pytest.mark.req("SES-053")
def test_a_thread_of_the_session_is_not_replaced_by_one_of_the_user_s(manager, within):
    with manager.session("sim:") as session:
        session("n = [0]")
        ticking = session.thread(source="def tick():\n while True:\n  n[0] += 1\n  yield 0.005")()
        resources = session.resources
        with pytest.raises(AlreadyHeld, match="another thread of the id"):
            resources.register_background_thread(ticking.thread_id, "mine")
        resources.register_background_thread("t1", "mine")
        resources.register_background_thread("t1", "mine")
        assert len(resources.get_active_threads()) == 2
        ticking.stop()
        assert not ticking.is_alive


@pytest.mark.parametrize("name", ["file /a.txt", "objects on the device", "teardown off"])
def test_what_the_session_holds_itself_does_not_take_the_place_of_a_resource(manager, name):
    calls = []
    with manager.session("sim:") as session:
        held = Resource("mine", lambda _: calls.append(1), resource_id=name)
        session.resources.register_resource(held)
        with pytest.raises(AlreadyHeld):
            OWN[name](session)
    assert calls == [1]


def _off(session):
    @session.teardown
    def off():
        pass


OWN = {
    "file /a.txt": lambda s: s.files.write("/a.txt", b"a", temporary=True),
    "objects on the device": lambda s: s.proxy("[]"),
    "teardown off": _off,
}


def test_a_temporary_file_that_is_written_twice_is_held_once(manager):
    with manager.session("sim:") as session:
        for text in (b"a", b"b"):
            session.files.write("/twice.txt", text, temporary=True)
        assert len(session.resources.get_active_resources()) == 1
    with manager.session("sim:") as session:
        assert not session.files.exists("/twice.txt")


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


@pytest.mark.req("SES-028")
def test_no_batch_is_begun_after_the_cleanup(manager):
    """The same for calls that would go out together."""
    judge, session = manager.create_session("sim:"), manager.create_session("sim:")
    task = session.task(source="def add(n): __import__('sys').modules.setdefault('late', n)")
    task.submit(0).get()
    judge("__import__('sys').modules.pop('late', 0)")
    busy = judge.submit("__import__('time').sleep(0.2)")
    late = [task.submit(n) for n in range(1, 9)]
    session._core._calls.clear()
    session.close()
    for future in late:
        with pytest.raises(SessionClosed):
            future.get(timeout=10)
    busy.get(timeout=10)
    assert judge("'late' in __import__('sys').modules") is False
    judge.close()


@pytest.mark.req("SES-028", "SES-100", "SES-102")
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
    assert ("INFO", "session ended, 0 resources cleaned up") in told
    assert {each["extra"]["device"] for each in log if "session" in each["extra"]} == {"sim:"}


@pytest.mark.req("SES-114")
def test_the_log_counts_the_resources_that_were_cleaned_up_and_nothing_else(manager, log):
    def fails(cancel):
        raise OSError("stuck")

    session = manager.create_session("sim:")
    session.task(source="def f():\n    return 1")()
    session.thread(source="def tick():\n while True:\n  yield 0.05")()
    for number in range(3):
        session.resources.register_resource(
            Resource("led", lambda _: None, resource_id=f"{number}")
        )
    session.resources.register_resource(Resource("led", fails))
    assert len(session.resources.get_active_resources()) == 4
    with pytest.raises(ResourceCleanupError):
        session.close()
    with manager.session("sim:") as empty:
        empty.task(source="def f():\n    return 1")()
    told = {
        each["extra"].get("session"): each["message"]
        for each in log
        if each["message"].startswith("session ended")
    }
    assert told[session.session_id] == "session ended, 3 resources cleaned up"
    assert told[empty.session_id] == "session ended, 0 resources cleaned up"


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
