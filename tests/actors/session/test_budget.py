"""What a session may hold at most, and that going beyond it changes nothing on the device."""

from __future__ import annotations

import pytest

from klemheist import (
    ArgumentError,
    Budget,
    BudgetExceeded,
    CapabilityError,
    DeviceError,
    DeviceReset,
    LinkTimeout,
    Program,
    Resource,
    ResultTypeError,
    SessionManager,
    SessionOptions,
    setup,
)


@pytest.mark.req("SES-017")
def test_a_resource_beyond_the_budget_is_not_registered(manager):
    with manager.session("sim:", budget=Budget(cost=100)) as s:
        s.resources.register_resource(Resource("x", resource_id="a", estimated_cost=60))
        with pytest.raises(BudgetExceeded, match="cost: 110 would be held") as refused:
            s.resources.register_resource(Resource("x", resource_id="b", estimated_cost=50))
        assert (refused.value.what, refused.value.wanted, refused.value.limit) == ("cost", 110, 100)
        assert [each.resource_id for each in s.resources.get_active_resources()] == ["a"]
        s.resources.unregister_resource("a")
        s.resources.register_resource(Resource("x", resource_id="b", estimated_cost=100))
        assert s.resources.get_resource_stats().total_resource_cost == 100


@pytest.mark.req("SES-017")
def test_the_budget_is_visible(manager):
    with manager.session("sim:", budget=Budget(memory=20_000, threads=2, cost=100)) as s:
        s.execute("held = bytearray(2000)")
        stats = s.resources.get_resource_stats()
        assert stats.budget == Budget(memory=20_000, threads=2, cost=100)
        assert 2000 <= stats.memory < 4000
        assert s._core.describe()["budget"].threads == 2
        assert s._core.describe()["memory"] == stats.memory


@pytest.mark.req("SES-017")
def test_a_thread_beyond_the_budget_is_not_started(manager):
    with manager.session("sim:", budget=Budget(threads=1)) as s:

        @s.thread
        def ticking():
            while True:
                yield 0.05

        first = ticking()
        with pytest.raises(BudgetExceeded, match="threads: 2"):
            ticking()
        assert len(s.resources.get_active_threads()) == 1
        first.stop()
        ticking()


@pytest.mark.req("SES-017")
@pytest.mark.parametrize("url", ["sim:", "microbit:"])
def test_code_that_takes_too_much_memory_is_undone(manager, url):
    with manager.session(url, budget=Budget(memory=1500)) as s:
        s.execute("kept = 1")
        used = s.resources.get_resource_stats().memory
        with pytest.raises(BudgetExceeded, match="memory"):
            s.execute("kept = 2\nbig = bytearray(2000)\nsmall = 1")
        assert s.execute("kept") == 1
        for name in ("big", "small"):
            with pytest.raises(DeviceError, match="NameError"):
                s.execute(name)
        assert s.resources.get_resource_stats().memory == pytest.approx(used, abs=64)
        s.execute("some = bytearray(300)")
        s.execute("del some")
        s.execute("some = bytearray(300)")


@pytest.mark.req("SES-017")
def test_a_task_that_takes_too_much_memory_is_not_called(manager):
    with manager.session("sim:", budget=Budget(memory=6000)) as s:
        s.execute("calls = []")

        @s.task
        def small(n):
            calls.append(n)  # noqa: F821
            return n + 1

        assert small(1) == 2
        text = "'" + "x" * 12000 + "'"
        too_large = s.task(source=f"def large():\n calls.append(0)\n return {text}")
        with pytest.raises(BudgetExceeded, match="memory"):
            too_large()
        assert s.execute("calls") == [1]
        assert [each.signature for each in s.resources.get_deployed_methods()] == ["small(n)"]
        assert small(2) == 3


@pytest.mark.req("SES-017")
def test_code_that_fails_keeps_what_it_bound_and_is_counted(manager):
    with manager.session("sim:", budget=Budget(memory=20_000)) as s:
        with pytest.raises(DeviceError, match="ZeroDivision"):
            s.execute("held = bytearray(3000)\n1/0")
        assert s.execute("len(held)") == 3000
        assert s.resources.get_resource_stats().memory >= 3000


class Greedy(Program):
    @setup
    def init(n):
        held = bytearray(n)


@pytest.mark.req("SES-017")
def test_a_program_too_large_for_its_budget_is_not_set_up(manager):
    with (
        pytest.raises(BudgetExceeded, match="memory"),
        manager.session("sim:", program=Greedy(n=5000), budget=Budget(memory=2000)),
    ):
        pass
    with manager.session("sim:", program=Greedy(n=1000), budget=Budget(memory=20_000)) as s:
        assert s.execute("len(held)") == 1000


@pytest.mark.req("SES-017")
def test_a_new_boot_begins_a_new_account():
    budget = Budget(memory=20_000)
    with (
        SessionManager() as manager,
        manager.session("sim:", program=Greedy(n=1000), budget=budget) as s,
    ):
        s.execute("more = bytearray(5000)")
        with pytest.raises(DeviceReset):
            s.execute("raise SystemExit")
        assert s.execute("len(held)") == 1000
        assert 1000 <= s.resources.get_resource_stats().memory < 5000


def test_the_options_give_every_session_its_budget():
    with SessionManager(SessionOptions(budget=Budget(cost=5))) as manager:
        with manager.session("sim:") as s, pytest.raises(BudgetExceeded):
            s.resources.register_resource(Resource("x", estimated_cost=6))
        with manager.session("sim:", budget=Budget(cost=6)) as s:
            s.resources.register_resource(Resource("x", estimated_cost=6))


@pytest.mark.parametrize("limit", [-1, 1.5, "many", True])
@pytest.mark.parametrize("what", ["memory", "threads", "cost"])
def test_a_limit_that_is_no_count_is_refused(what, limit):
    with pytest.raises(ArgumentError, match=what):
        Budget(**{what: limit})


@pytest.mark.parametrize("cost", [-1, 1.5, "much"])
def test_a_cost_that_is_no_count_is_refused(cost):
    with pytest.raises(ArgumentError, match="estimated_cost"):
        Resource("x", estimated_cost=cost)


def test_memory_is_not_limited_where_the_device_does_not_say_it(manager, monkeypatch):
    monkeypatch.setitem(manager.device("sim:").board.facts, "free", -1)
    with (
        pytest.raises(CapabilityError, match=r"leave Budget\.memory out"),
        manager.session("sim:", budget=Budget(memory=1000)),
    ):
        pass
    assert manager.get_session_stats().active_session_count == 0


NAMESPACES = "import __main__\nspaces = sorted(__main__._k(-1, 'S'))"


@pytest.mark.req("SES-017")
def test_a_measured_call_that_is_given_up_leaves_nothing_behind(manager):
    with manager.session("sim:") as other:
        other.execute(NAMESPACES)
        before = other("spaces")
        with manager.session("sim:", budget=Budget(memory=50_000)) as s:
            s.execute("held = [1]")
            with pytest.raises(LinkTimeout):
                s.execute("import time; time.sleep(9)", timeout=0.3)
            boot = s.generation
            s.close()
        assert other.generation == boot, "else nothing could be left"
        other.execute(NAMESPACES)
        assert other("spaces") == before


@pytest.mark.req("SES-017")
def test_a_call_without_a_literal_is_measured_too(manager):
    with manager.session("sim:", budget=Budget(memory=20_000)) as s:
        s.execute("held = []")
        with pytest.raises(ResultTypeError):
            s.execute("held.append(bytearray(3000)) or object")
        assert s.resources.get_resource_stats().memory >= 3000
