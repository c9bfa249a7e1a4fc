"""The contexts of a session, and what the specification's executors do under our names."""

from __future__ import annotations

import asyncio

import pytest

from klemheist import (
    ArgumentError,
    AsyncSessionManager,
    DeviceReset,
    Program,
    Resource,
    ResourceCleanupError,
    SessionClosed,
    SessionManager,
    SessionOptions,
    setup,
    teardown,
)


@pytest.fixture
def questions(s, monkeypatch):
    """How often the device was asked to list a directory."""
    asked = []
    operations = s.files._files
    ask = operations.list
    monkeypatch.setattr(operations, "list", lambda path: asked.append(path) or ask(path))
    return asked


def names(state):
    return [each.name for each in state.entries]


@pytest.mark.req("SES-072", "SES-075")
def test_a_directory_is_asked_for_once_and_then_known(s, questions):
    s.files.write("known.txt", b"x", temporary=True)
    first = s.file_system_context.get_state("/")
    assert "known.txt" in names(first)
    assert s.file_system_context.get_state() is first
    assert s.files.get_state("//") is first
    assert questions == ["/"]


@pytest.mark.req("SES-073")
@pytest.mark.parametrize("path", ["/other.txt", "other.txt", "/", None])
def test_after_an_invalidation_the_device_is_asked(s, questions, path):
    before = s.files.get_state("/")
    s.execute("open('other.txt', 'w').close()")
    assert s.files.get_state("/") is before
    s.files.invalidate_cache(path)
    assert "other.txt" in names(s.files.get_state("/"))
    assert len(questions) == 2
    s.files.remove("other.txt")


def test_an_invalidation_of_one_directory_leaves_the_others_known(s, questions):
    s.files.mkdir("one")
    s.files.mkdir("two")
    for path in ("/one", "/two"):
        s.files.get_state(path)
    s.files.invalidate_cache("/one/file.txt")
    for path in ("/one", "/two"):
        s.files.get_state(path)
    assert questions == ["/one", "/two", "/one"]
    s.files.remove("one")
    s.files.remove("two")


def test_an_answer_from_before_an_invalidation_is_not_kept(s, questions):
    state = s.files._state("/")
    s.files.invalidate_cache("/")
    state.get()
    s.files.get_state("/")
    assert len(questions) == 2


@pytest.mark.req("SES-075")
def test_what_one_session_knows_another_does_not(manager, s, questions):
    s.files.get_state("/")
    with manager.session("sim:") as other:
        s.execute("open('new.txt', 'w').close()")
        assert "new.txt" in names(other.files.get_state("/"))
        assert "new.txt" not in names(s.files.get_state("/"))
    s.files.remove("new.txt")


def test_a_new_boot_is_asked_anew():
    with SessionManager() as manager, manager.session("sim:") as s:
        s.execute("open('lost.txt', 'w').close()")
        old = s.files.get_state("/")
        with pytest.raises(DeviceReset):
            s.execute("raise SystemExit")
        s.execute("1")
        assert s.files.get_state("/").generation == old.generation + 1


@pytest.mark.req("SES-076")
def test_at_the_session_s_end_nothing_is_known_any_more(manager):
    with manager.session("sim:") as s:
        s.files.get_state("/")
        assert s._core.file_cache.get("/", s.generation)
    assert s._core._file_cache is None
    with pytest.raises(SessionClosed):
        s.files.get_state("/")


@pytest.mark.req("SES-072", "SES-073")
def test_the_file_system_context_of_asyncio():
    async def main():
        async with AsyncSessionManager() as manager, manager.session("sim:") as s:
            first = await s.file_system_context.get_state("/")
            assert await s.files.get_state("/") is first
            s.files.invalidate_cache()
            assert await s.files.get_state("/") is not first

    asyncio.run(main())


def test_what_the_session_itself_changes_is_asked_anew(s, questions):
    s.files.get_state("/")
    s.files.write("mine.txt", b"x", temporary=True)
    assert "mine.txt" in names(s.files.get_state("/"))
    s.files.read("mine.txt")
    s.files.get_state("/")
    assert len(questions) == 2


# -- protocol metrics ------------------------------------------------------------------------------


@pytest.mark.req("SES-081")
def test_metrics_of_the_protocol_add_up(manager, s):
    s.device_context.register_protocol_metrics({"retries": 2, "seconds": 0.5})
    with manager.session("sim:") as other:
        other.device_context.register_protocol_metrics({"retries": 1})
    found = s.device.get_protocol_metrics()
    assert (found["retries"], found["seconds"]) == (3, 0.5)
    before = found["calls"]
    s.execute("1")
    assert s.device.get_protocol_metrics()["calls"] > before


@pytest.mark.parametrize("metrics", [{"x": "many"}, {"x": True}, {"x": None}, {"calls": 1}])
def test_metrics_that_are_none_are_refused_whole(s, metrics):
    with pytest.raises(ArgumentError, match="metric"):
        s.device.register_protocol_metrics({"good": 1, **metrics})
    assert "good" not in s.device.get_protocol_metrics()


@pytest.mark.req("SES-097")
def test_in_production_nothing_is_measured_and_in_development_everything():
    def used(options):
        with SessionManager(options) as manager, manager.session("sim:") as s:
            s.resources.register_resource(Resource("led"))
            s.device.register_protocol_metrics({"retries": 1})
            held = s.resources.get_resource_stats().total_resources
            counted = manager.performance.snapshot()
            return held, counted.sessions_created, "retries" in s.device.get_protocol_metrics()

    assert used(SessionOptions()) == (1, 1, True)
    assert used(SessionOptions(enable_session_metrics=False)) == (1, 0, False)
    off = SessionOptions(enable_session_metrics=False, enable_resource_tracking=False)
    assert used(off) == (0, 0, False)


# -- set-up and tear-down --------------------------------------------------------------------------


class Ordered(Program):
    @setup
    def first(base):
        order = [base]

    @setup
    def second(step):
        order.append(order[-1] + step)  # noqa: F821

    @teardown
    def leave():
        import builtins

        builtins.left = order  # noqa: F821


@pytest.mark.req("SES-070")
def test_setups_make_the_session_what_it_is_once_capabilities_are_known():
    with SessionManager() as manager:
        seen = []
        manager._core.monitor.record_session_creation = lambda _: seen.append(manager.capabilities)
        with manager.session("sim:", program=Ordered(base=1, step=2)) as s:
            assert seen[0].platform == "webassembly"
            assert s.execute("order") == [1, 3]


@pytest.mark.req("SES-071")
def test_teardowns_have_their_turn_among_all_cleanups_last_registered_first(manager):
    seen = []
    with manager.session("sim:") as s:
        s.execute("order = []")
        tell = lambda _: seen.append(s.execute("order"))  # noqa: E731
        s.resources.register_resource(Resource("early", tell))

        @s.teardown
        def leave():
            order.append("teardown")  # noqa: F821

        s.resources.register_resource(Resource("late", tell))
    assert seen == [[], ["teardown"]]


def test_teardowns_of_the_same_name_all_run_and_the_same_one_defined_anew_runs_once(manager):
    session = manager.create_session("sim:")
    output = session.output()

    @session.teardown
    def leave():
        print("first")

    for _ in range(2):

        @session.teardown
        def leave():  # noqa: F811
            print("second")

    @session.teardown
    def leave():  # noqa: F811
        raise ValueError("third")

    assert [each.resource_id for each in session.resources.get_active_resources()] == [
        *("teardown leave", "teardown leave 2", "teardown leave 3")
    ]
    with pytest.raises(ResourceCleanupError, match="1 of 3"):
        session.close()
    assert b"".join(output).split() == [b"second", b"first"]
