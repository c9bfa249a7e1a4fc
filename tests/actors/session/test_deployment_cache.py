from __future__ import annotations

import asyncio
import dataclasses

import pytest

from klemheist import (
    ArgumentError,
    AsyncSessionManager,
    DeployedMethodInfo,
    DeviceError,
    ResultTypeError,
)
from klemheist.actors.session import remote


@pytest.fixture
def deployments(monkeypatch):
    """The texts of functions that were sent to a device, in order."""
    sent = []
    execute = remote.Namespace._execute

    def spy(self, board, text, *rest):
        sent.append(text)
        return execute(self, board, text, *rest)

    monkeypatch.setattr(remote.Namespace, "_execute", spy)
    return sent


@pytest.mark.req("SES-056", "SES-057", "SES-059", "SES-068")
def test_a_task_is_sent_at_its_first_call_only(s, deployments):
    @s.task
    def add(a, b):
        return a + b

    assert deployments == []
    assert [add(i, 1) for i in range(4)] == [1, 2, 3, 4]
    assert len(deployments) == 1


@pytest.mark.req("SES-060")
def test_a_changed_body_is_deployed_again(s, deployments):
    first = s.task(source="def f():\n return 1")
    assert first() == 1
    second = s.task(source="def f():\n return 2")
    assert second() == 2
    assert len(deployments) == 2
    assert first() == 1


@pytest.mark.req("SES-058")
def test_what_did_not_arrive_is_not_registered(s, deployments):
    broken = s.task(source="def f(x=missing):\n return 1")
    with pytest.raises(DeviceError, match="NameError"):
        broken()
    assert s.resources.get_deployed_methods() == ()
    with pytest.raises(DeviceError, match="NameError"):
        broken()
    assert len(deployments) == 2


@pytest.mark.req("SES-033", "SES-034", "SES-035", "SES-065", "SES-066")
def test_a_deployment_counts_only_with_its_signature_and_its_hash(s):
    s.executor.register_method_deployment("f(a)", "1234")
    assert s.executor.is_method_deployed("f(a)", "1234")
    assert not s.executor.is_method_deployed("f(a)", "4321")
    assert not s.executor.is_method_deployed("g(a)", "1234")
    (info,) = s.resources.get_deployed_methods()
    assert (info.signature, info.code_hash, info.session_id) == ("f(a)", "1234", s.session_id)


@pytest.mark.req("SES-033", "SES-057")
def test_a_called_task_is_among_the_deployed_methods(s):
    @s.task
    def add(a, b):
        return a + b

    add(1, 2)
    assert s.resources.is_method_deployed("add(a, b)", add.source.hash)


@pytest.mark.req("SES-055")
def test_a_deployed_method_is_an_immutable_record():
    names = [field.name for field in dataclasses.fields(DeployedMethodInfo)]
    assert names == ["signature", "code_hash", "deployed_at", "session_id"]
    with pytest.raises(TypeError):
        DeployedMethodInfo(signature="f()")
    info = DeployedMethodInfo(signature="f()", code_hash="", deployed_at=None, session_id="")
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.signature = "g()"


@pytest.mark.req("SES-061")
def test_the_end_of_a_session_invalidates_its_deployments(manager, deployments):
    for _ in range(2):
        with manager.session("sim:") as session:
            assert session.task(source="def f():\n return 1")() == 1
        assert session.resources.get_deployed_methods() == ()
    assert len(deployments) == 2


@pytest.mark.req("SES-060")
def test_entries_that_a_new_boot_frees_do_not_collide(manager):
    with manager.session("sim:") as one, manager.session("sim:") as two:
        f = one.task(source="def f():\n return 'f'")
        g = two.task(source="def g():\n return 'g'")
        h = two.task(source="def h():\n return 'h'")
        assert (f(), g(), h()) == ("f", "g", "h")
        with pytest.raises(Exception, match="boot"):
            one("raise SystemExit")
        assert (h(), f(), g(), f(), h()) == ("h", "f", "g", "f", "h")


def test_a_setup_runs_at_the_top_level_with_its_parameters_as_names(s):
    @s.setup
    def init(pin, factor=2):
        double = pin * factor

    init(21)
    assert (s("pin"), s("factor"), s("double")) == (21, 2, 42)
    with pytest.raises(ArgumentError, match="init: missing"):
        init()


def test_a_teardown_runs_at_the_end_and_takes_no_parameters(manager):
    with manager.session("sim:") as session:
        output = session.output()

        @session.teardown
        def off():
            print("bye")

        with pytest.raises(ArgumentError, match="a teardown takes no parameters"):

            @session.teardown
            def wrong(pin):
                print(pin)

    assert b"".join(output).strip() == b"bye"


def test_what_no_literal_can_say_is_refused_either_way(s):
    @s.task
    def same(x):
        return x

    with pytest.raises(ArgumentError, match="object") as refused:
        same(object())
    assert "\n" not in str(refused.value)
    with pytest.raises(ResultTypeError, match="is of type"):
        s("__import__('time')")
    assert same([1, {"a": 2.5}]) == [1, {"a": 2.5}]


def test_sources_that_cannot_run_there_are_refused_by_name_and_change_nothing(s):
    from klemheist import SourceUnavailable

    outside = 1
    with pytest.raises(SourceUnavailable, match="lambda"):
        s.task(lambda x: x)
    with pytest.raises(SourceUnavailable, match="outside"):

        @s.task
        def uses():
            return outside

    scope = {}
    exec("def unseen(): return 1", scope)
    with pytest.raises(SourceUnavailable, match=r"s\.task\(source="):
        s.thread(scope["unseen"])
    assert s._core.tasks == {}


def test_a_task_goes_by_its_own_timeout(s):
    from klemheist import LinkTimeout

    @s.task(timeout=0.2)
    def slow():
        import time

        time.sleep(5)

    with pytest.raises(LinkTimeout) as late:
        slow()
    assert late.value.maybe_executed
    assert s("1 + 1") == 2


STATUS = "def get_status():\n return {'on': True, 'level': 0.5}"


@pytest.mark.req("SES-125")
def test_code_returns_a_value_of_the_type_that_is_asked_for(manager, s):
    s(STATUS)
    status = s.execute("get_status()", result_type=dict)
    assert status == {"on": True, "level": 0.5}
    assert s("status = get_status()", result_type=type(None)) is None
    assert s.execute("get_status()['level']", result_type=float) == 0.5
    with pytest.raises(ResultTypeError, match="of type dict, not list; the code has run"):
        s.execute("get_status()", result_type=list)
    calls = manager.devices()[0].counters.calls
    with pytest.raises(ArgumentError, match="result_type='dict': give a class"):
        s.execute("get_status()", result_type="dict")
    assert manager.devices()[0].counters.calls == calls


@pytest.mark.req("SES-125")
def test_the_same_for_asyncio():
    async def main():
        async with AsyncSessionManager() as manager, manager.session("sim:") as s:
            await s(STATUS)
            assert await s.execute("get_status()['on']", result_type=bool) is True
            with pytest.raises(ResultTypeError):
                await s.execute("get_status()", result_type=int)

    asyncio.run(main())


@pytest.mark.req("SES-125")
def test_code_in_a_session_returns_typed_values(s):
    s("def get_status():\n return {'on': True, 'level': 0.5, 'name': 'x', 'raw': b'\\0'}")
    assert s.execute("get_status()") == {"on": True, "level": 0.5, "name": "x", "raw": b"\0"}
