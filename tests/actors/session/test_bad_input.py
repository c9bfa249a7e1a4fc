"""What bad input gets: a typed error that says what to do, and a device left as it was."""

from __future__ import annotations

import asyncio

import pytest

from klemheist import (
    ArgumentError,
    AsyncSession,
    AsyncSessionManager,
    CancelToken,
    DeviceError,
    DeviceReset,
    KlemheistError,
    Program,
    Resource,
    SessionClosed,
    SessionManager,
    SessionNotFound,
    SessionOptions,
    StaleHandle,
    setup,
    task,
    thread,
)


@pytest.fixture
def untouched(manager):
    """The device was asked nothing, and what it was told is in no session's namespace."""
    port = manager.device("sim:")
    before = port.counters.calls
    yield port
    assert port.counters.calls == before


RESERVED = [
    "klemheist_running = 1",
    "import time as klemheist_time",
    "def klemheist_f():\n    pass",
    "class klemheist_C:\n    pass",
    "for klemheist_n in range(3):\n    pass",
    "del klemheist_running",
    "__name__ = 'mine'",
    "x = 1\nif x:\n    klemheist_x = 2",
]


@pytest.mark.parametrize("code", RESERVED)
def test_code_that_takes_a_name_of_ours_is_not_sent(s, untouched, code):
    with pytest.raises(ArgumentError, match="is reserved for Klemheist on the device; use another"):
        s.execute(code)


def test_reading_a_name_of_ours_is_well_and_functions_have_names_of_their_own(s):
    assert s.execute("'klemheist_running' in globals()") is False
    s.execute("def f():\n    klemheist_local = 1\n    return klemheist_local")
    assert s.execute("f()") == 1


def test_tasks_threads_and_setups_take_no_name_of_ours_either(s, untouched):
    with pytest.raises(ArgumentError, match="reserved"):
        s.task(source="def klemheist_task():\n    return 1")
    with pytest.raises(ArgumentError, match="reserved"):
        s.thread(source="def klemheist_thread():\n    yield 1")()
    assert s.resources.get_active_threads() == ()

    @s.setup
    def begin(klemheist_pin):
        pin = klemheist_pin

    with pytest.raises(ArgumentError, match="reserved"):
        begin(1)


class Bad(Program):
    @setup
    def init():
        klemheist_led = 1


def test_a_program_that_takes_one_creates_no_session(manager):
    sessions = manager.get_session_stats().active_session_count
    with (
        pytest.raises(ArgumentError, match="klemheist_led"),
        manager.session("sim:", program=Bad()),
    ):
        pass
    assert manager.get_session_stats().active_session_count == sessions


class Good(Program):
    @task
    def add(a, b):
        return a + b

    @thread
    def tick():
        while True:
            yield 0.05


@pytest.fixture(scope="module")
def ended():
    """All that a user can hold of a session that has ended."""
    with SessionManager() as manager:
        with manager.session("sim:", program=Good()) as s:
            held = {
                "task": s.task(source="def f():\n    return 1"),
                "thread": s.thread(source="def t():\n    yield 1"),
                "ticking": s.program.tick(),
                "setup": s.setup(_body),
            }
            s.task(source="def known():\n    return 1")()
        yield s, held, manager


def _body(n):
    x = n


USES = {
    "execute": lambda s, held: s.execute("1"),
    "statements": lambda s, held: s("x = 1"),
    "submit": lambda s, held: s.submit("1").get(timeout=5.0),
    "a task": lambda s, held: held["task"](),
    "a task of its program": lambda s, held: s.program.add(1, 2),
    "a thread": lambda s, held: held["thread"](),
    "a setup": lambda s, held: held["setup"](1),
    "a teardown": lambda s, held: s.teardown(_left),
    "a resource": lambda s, held: s.resources.register_resource(Resource("x")),
    "a claim": lambda s, held: s.resources.claim("pin", 1),
    "files": lambda s, held: s.files.write("x.txt", b"x"),
    "what it knows of files": lambda s, held: s.files.get_state("/"),
    "its actor": lambda s, held: s.ref,
    "a with": lambda s, held: s.__enter__(),
    "an asyncio with": lambda s, held: asyncio.run(AsyncSession(s._core, s._finder).__aenter__()),
    "its output": lambda s, held: s.output(),
    "a context": lambda s, held: s.context("device"),
    "an id of a thread": lambda s, held: s.executor.allocate_thread_id("f"),
}


def _left():
    pass


def _yields():
    yield 1


def _awaited(session):
    return AsyncSession(session._core, session._finder)


@pytest.mark.parametrize("use", USES)
def test_a_session_is_not_used_after_its_end(ended, use):
    session, held, manager = ended
    calls = manager.devices()[0].counters.calls
    with pytest.raises(SessionClosed, match="is ended; create a new one"):
        USES[use](session, held)
    assert manager.devices()[0].counters.calls == calls
    assert manager.claims() == ()


@pytest.mark.parametrize("timeout", [-1, float("nan"), "2"])
@pytest.mark.parametrize(
    "use",
    [
        lambda s, timeout: s.execute("1", timeout=timeout),
        lambda s, timeout: s.execute("1", timeout=timeout, on_output=print),
        lambda s, timeout: s.submit("1", timeout=timeout),
    ],
)
def test_a_timeout_that_is_no_time_is_refused(manager, s, use, timeout):
    calls = manager.devices()[0].counters.calls
    with pytest.raises(ArgumentError, match=r"timeout=.*: give seconds, from 0 on") as refused:
        use(s, timeout)
    assert not refused.value.is_recoverable
    assert manager.devices()[0].counters.calls == calls


def test_a_time_for_creation_that_is_none_is_refused(manager):
    sessions = manager.get_session_stats().total_session_count
    with pytest.raises(ArgumentError, match="timeout=-1"):
        manager.create_session("sim:", timeout=-1)
    assert manager.get_session_stats().total_session_count == sessions


def test_a_task_s_timeout_that_is_no_time_is_refused(s):
    double = s.task(source="def double(n):\n    return n * 2")
    assert double(2) == 4
    with pytest.raises(ArgumentError, match="timeout=-1"):
        double.with_options(timeout=-1)(2)
    assert double(4) == 8


def test_what_is_harmless_after_the_end_stays_so(ended):
    session, held, _ = ended
    session.close()
    held["ticking"].stop()
    assert not held["ticking"].is_alive
    assert session.resources.get_resource_stats().total_resources == 0
    assert (session.is_active, session.status) == (False, "ended")


def test_a_handle_of_an_earlier_boot_is_stale(within):
    with SessionManager() as manager, manager.session("sim:") as s:
        ticking = s.thread(source="def tick():\n while True:\n  yield 0.05")()
        with pytest.raises(DeviceReset):
            s.execute("raise SystemExit")
        s.execute("1")
        assert within(lambda: not ticking.is_alive)
        with pytest.raises(StaleHandle, match="start it again"):
            ticking.stop()


def test_a_cancelled_token_creates_nothing(manager):
    token = CancelToken()
    token.cancel("changed my mind")
    sessions = manager.get_session_stats().total_session_count
    with pytest.raises(KlemheistError):
        manager.create_session("sim:", cancel=token)
    assert manager.get_session_stats().total_session_count == sessions


@pytest.mark.parametrize(
    "options",
    [
        {"call_timeout": 0},
        {"call_timeout": "soon"},
        {"call_timeout": float("nan")},
        {"max_concurrent_sessions": True},
        {"max_concurrent_sessions": 1.5},
        {"enable_session_metrics": 5},
        {"enable_resource_tracking": "no"},
        {"budget": 5},
        {"default_session_timeout": None},
    ],
)
def test_options_that_make_no_sense_make_no_manager(options):
    with pytest.raises(ArgumentError, match=next(iter(options))):
        SessionOptions(**options)


@pytest.mark.parametrize("nobody", ["no such id", None, [], 5])
def test_what_is_no_session_id_is_nobodys(manager, nobody):
    for use in (manager.end_session, lambda it: manager.register_session_cleanup(it, print)):
        with pytest.raises(SessionNotFound, match="no live session"):
            use(nobody)


def test_a_closed_manager_has_no_tree():
    with SessionManager() as manager, manager.session("sim:"):
        assert manager.snapshot() is not None
    assert manager.snapshot() is None


def _async(manager):
    """The other twin, on the same core."""
    twin = AsyncSessionManager()
    twin._core = manager._core
    return twin


WRONG = {
    "code is 5; give it as text": lambda m, s: s(5),
    "5 is no path on the device": lambda m, s: s.files.read(5),
    "data of type str cannot be written; give bytes": lambda m, s: s.files.write("/a", "text"),
    "data of type int cannot be written; give bytes": lambda m, s: s.files.write("/a", 5),
    "'pin' is no kind and name; write claims=": lambda m, s: Resource("x", claims=["pin"]),
    "5 is no resource; make it a klemheist.Resource": (
        lambda m, s: s.resources.register_resource(5)
    ),
    r"program=Good: give an instance, Good\(…\)": lambda m, s: m.deploy("sim:", Good),
    "program=5: give an instance of a klemheist.Program": (
        lambda m, s: m.session("sim:", program=5).__enter__()
    ),
    "wait='soon': give the seconds to wait": (
        lambda m, s: m.session("sim:", exclusive=True, wait="soon").__enter__()
    ),
    "on_output=5: give a function": lambda m, s: s("print(1)", on_output=5),
    "on_output=6: give a function": lambda m, s: s.task(_left, on_output=6),
    "on_output=7: give a function": lambda m, s: s.task(_left).with_options(on_output=7),
    "on_output=8: give a function": lambda m, s: s.task(_yields).with_options(on_output=8),
    "on_output='x': give a function": lambda m, s: asyncio.run(_awaited(s)("1", on_output="x")),
    "on_progress=5: give a function": lambda m, s: s.files.read("/a", on_progress=5),
    "on_progress=6: give a function": lambda m, s: s.files.write("/a", b"", on_progress=6),
    "on_progress=7: give a function": lambda m, s: s.files.sync("docs", on_progress=7),
    "on_progress='x': give a function": (
        lambda m, s: asyncio.run(_awaited(s).files.read("/a", on_progress="x"))
    ),
    "None is no folder of the host; give its path": lambda m, s: s.files.sync(None, "/"),
    "None is no path on the device; give it as text": lambda m, s: s.files.sync("docs", None),
    r"_left.map takes lists, .*; give \[5\] where": lambda m, s: s.task(_left).map(5),
    "_left.map takes lists": lambda m, s: asyncio.run(_awaited(s).task(_left).map([1], 5)),
    "journal=5: give an object with record": lambda m, s: SessionManager(journal=5),
    "monitor=5: give a klemheist.PerformanceMonitor": lambda m, s: SessionManager(monitor=5),
    "status='x': give True or False": lambda m, s: SessionManager(status="x"),
    "exclusive='yes': give True or False": lambda m, s: m.create_session("sim:", exclusive="yes"),
    "fallback=3: give True or False": lambda m, s: m.create_session("sim:", fallback=3),
    "fresh=3: give True or False": lambda m, s: m.session("sim:", fresh=3).__enter__(),
    "cancel=5: give a klemheist.CancelToken": lambda m, s: m.create_session("sim:", cancel=5),
    "cancel=6: give a klemheist.CancelToken": lambda m, s: m.end_session(s.session_id, cancel=6),
    "operation=5: give a function": lambda m, s: m.execute_in_session("sim:", 5),
    "operation=6: give a function": lambda m, s: m.execute_with_retry("sim:", 6),
    "operation=7: give a function": (
        lambda m, s: asyncio.run(_async(m).execute_in_session("sim:", 7))
    ),
    "cleanup=5: give a function": lambda m, s: m.register_session_cleanup(s.session_id, 5),
    "cleanup=6: give a function": lambda m, s: Resource("x", 6),
    "estimated_cost=True: give a whole number": lambda m, s: Resource("x", estimated_cost=True),
    "resource_type=None: give a text": lambda m, s: Resource(None),
    "claims=5: write claims=": lambda m, s: Resource("x", claims=5),
    "thread_id=None: give a text": lambda m, s: s.resources.register_background_thread(None, "x"),
    "method_name=None: give a text": lambda m, s: s.resources.register_background_thread("x", None),
    r"thread_id=\[\]: give a text": lambda m, s: s.resources.unregister_background_thread([]),
    r"resource_id=\[\]: give a text": lambda m, s: s.resources.unregister_resource([]),
    "signature=5: give a text": lambda m, s: s.resources.register_deployed_method(5, "hash"),
    r"signature=\[\]: give a text": lambda m, s: s.resources.is_method_deployed([], "hash"),
    "timeout=-1: give seconds": lambda m, s: s.resources.cleanup_resources(timeout=-1),
    "timeout='x': give seconds": lambda m, s: s.resources.cleanup_resources(timeout="x"),
    "timeout=-2: give seconds": lambda m, s: s.context("session", timeout=-2),
    "__k is reserved for Klemheist": lambda m, s: s("__k = 1"),
    "max_retries='x': give at least 1, a whole number": (
        lambda m, s: m.execute_with_retry("sim:", lambda _: 1, max_retries="x")
    ),
    "max_retries=0: give at least 1": (
        lambda m, s: m.execute_with_retry("sim:", lambda _: 1, max_retries=0)
    ),
}


@pytest.mark.parametrize("told", WRONG)
def test_what_is_of_a_wrong_kind_is_told_before_anything_is_sent(manager, s, untouched, told):
    sessions = manager.get_session_stats().active_session_count
    with pytest.raises(ArgumentError, match=told) as caught:
        WRONG[told](manager, s)
    assert "\n" not in str(caught.value)
    assert manager.get_session_stats().active_session_count == sessions


@pytest.mark.parametrize("before", ["# a comment\n", "\n  # two\n\n# comments\n", "\n\n"])
def test_comments_before_an_expression_count_as_lines_and_nothing_else(s, before):
    assert s.execute(f"{before}6 * 7  # and one after it") == 42
    with pytest.raises(DeviceError) as caught:
        s.execute(f"{before}1 / 0\n# the end")
    line = before.count("\n") + 1
    assert f'File "<code>", line {line}, in <module>' in caught.value.traceback
    assert "1 / 0" in caught.value.traceback
