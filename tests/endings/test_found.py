"""What the round of endings has found, each as a test of its own."""

from __future__ import annotations

import ast
import threading
import time

import pytest

from klemheist import LinkLost, Resource, ResourceCleanupError, SessionManager, SessionOptions
from klemheist.actors.session import files_tree
from klemheist.actors.session.ledger import EntryKind
from klemheist.supervisors.manager.outcome import _unwanted
from klemheist.supervisors.manager.session_node import SessionNode
from tests.boards.tcp_board import TcpBoard
from tests.ends import crash

SECONDS = 5.0
HOST = "exec:python tests/boards/raw_repl_host.py"


@pytest.fixture(scope="module")
def manager():
    with SessionManager() as manager:
        yield manager


@pytest.mark.req("SES-028")
def test_two_who_want_the_same_thing_cleaned_get_the_same_answer(manager):
    """A failed transfer removed its file while its session ended: one waited for ever."""
    session = manager.create_session("sim:")
    gate, begun, calls = threading.Event(), threading.Event(), []

    def clean(cancel):
        calls.append(1)
        begun.set()
        gate.wait(SECONDS)

    session.resources.register_resource(Resource("led", clean, resource_id="led"))
    core = session._core
    first = core.clean_one(EntryKind.RESOURCE, "led")
    assert begun.wait(SECONDS)
    ending = core.end()
    second = core.clean_one(EntryKind.RESOURCE, "led")
    gate.set()
    assert first.get(timeout=SECONDS).error is None
    assert second.get(timeout=SECONDS).error is None
    ending.get(timeout=SECONDS)
    assert calls == [1]


@pytest.mark.req("SES-123")
def test_what_is_registered_while_the_session_ends_is_cleaned_up_too(manager):
    cleaned = []
    with manager.session("sim:") as session:

        def clean(cancel):
            cleaned.append("first")
            late = Resource("late", lambda _: cleaned.append("late"))
            session.resources.register_resource(late)

        session.resources.register_resource(Resource("first", clean))
    assert cleaned == ["first", "late"]


@pytest.mark.req("SES-006")
def test_a_session_that_is_there_when_its_waiter_gives_up_is_ended(manager):
    """asyncio cancels a task whose result has just come: nobody had the session."""
    creating = manager._core.create("sim:")
    core = creating.get(timeout=SECONDS)
    _unwanted(creating)
    assert core.logical_done.wait(SECONDS)
    assert manager.get_session_stats().active_session_count == 0


def test_a_thread_that_steps_while_its_session_ends_is_stopped_and_not_given_up(manager):
    """Its step was refused, it counted as dead, and its generator stayed on the device."""
    with manager.session("sim:") as session:
        session.execute("steps, closed = [], []")
        seen = []
        look = Resource("look", lambda _: seen.append(session.execute("closed")))
        session.resources.register_resource(look)  # cleaned up after the thread

        @session.thread
        def ticking():
            try:
                while True:
                    steps.append(1)  # noqa: F821
                    yield 0
            finally:
                closed.append(1)  # noqa: F821

        ticking()
        while not session.execute("len(steps)"):
            pass
        slow = Resource("slow", lambda _: session.execute("__import__('time').sleep(0.1)"))
        session.resources.register_resource(slow)
    assert seen == [[1]]


def test_a_cleanup_that_hangs_because_the_device_is_away_is_owed():
    """It was reported as too late, and its `undo` was forgotten."""
    options = SessionOptions(resource_cleanup_timeout=0.3)
    with TcpBoard("sim:") as board, SessionManager(options) as manager:
        session = manager.create_session(board.url)
        port, release = manager.device(board.url), threading.Event()
        undo = "open('undone.txt', 'w').close()"
        hangs = Resource("x", lambda _: release.wait(SECONDS) and None, persistent=True, undo=undo)
        session.resources.register_resource(hangs)
        board.refuse(True)
        board.drop()
        ends = time.monotonic() + SECONDS
        while not port.is_away and time.monotonic() < ends:
            time.sleep(0.005)
        with pytest.raises(ResourceCleanupError, match="1 of them owed"):
            session.close()
        release.set()
        board.refuse(False)
        while (port.debts or not port.is_up) and time.monotonic() < ends:
            time.sleep(0.005)
        with manager.session(board.url) as after:
            assert after.files.exists("undone.txt")


def test_a_tracker_that_crashed_while_nothing_is_started_any_more_is_stood_in_for(manager):
    """The tree starts no tracker while it shuts down: what it was to clean stayed."""
    gate, begun, cleaned = threading.Event(), threading.Event(), []
    session = manager.create_session("sim:")
    session.resources.register_resource(Resource("led", lambda _: cleaned.append(1)))

    def clean(cancel):
        begun.set()
        gate.wait(SECONDS)

    session.resources.register_resource(Resource("slow", clean))
    node = session._core.spawn
    ending = session._core.end()
    assert begun.wait(SECONDS)
    crash(node.actor_ref.handle("resources").wait_ready(SECONDS))
    gate.set()
    ending.get(timeout=SECONDS)
    assert cleaned == [1]


def test_what_becomes_owed_when_the_device_is_back_already_is_done_at_once(manager):
    """It waited for the next time that the device would be away."""
    port = manager.device("sim:")
    with manager.session("sim:") as session:
        port.debts.add_code("one", "open('settled.txt', 'w').close()", boot=None)
        port.settle()
        assert session.files.exists("settled.txt")
        session.files.remove("settled.txt")
    assert not port.debts


def cut_off_once(monkeypatch, carry_out):
    """Lose the link under the next write; `carry_out` is what the device has done of it."""
    whole = files_tree.batched

    def cut_off(board, orders, data):
        monkeypatch.setattr(files_tree, "batched", whole)
        yield from carry_out(whole, board, orders, data)
        raise LinkLost("cut off", maybe_executed=True)

    monkeypatch.setattr(files_tree, "batched", cut_off)


def nothing_of_it(whole, board, orders, data):
    yield from ()


def all_but_its_name(whole, board, orders, data):
    yield from whole(board, [order._replace(target="") for order in orders], data)


def all_of_it(whole, board, orders, data):
    yield from whole(board, orders, data)


@pytest.mark.parametrize("carried_out", [nothing_of_it, all_but_its_name, all_of_it])
@pytest.mark.parametrize("data", [b"x" * 700, b""], ids=["bytes", "empty"])
def test_a_write_of_what_is_there_that_is_cut_off_leaves_no_part(
    manager, monkeypatch, data, carried_out
):
    """The old file was taken for the new one, whose part nobody removed any more."""
    with manager.session("sim:") as session:
        session.files.write("same", data)
        cut_off_once(monkeypatch, carried_out)
        session.files.write("same", data)
        assert [each.name for each in session.files.list("/")] == ["same"]
        session.files.remove("same")


def test_an_empty_file_of_which_nothing_arrived_is_written_all_the_same(manager, monkeypatch):
    """Nothing was there, and nothing was left to send."""
    with manager.session("sim:") as session:
        session.files.list("/")
        cut_off_once(monkeypatch, nothing_of_it)
        session.files.write("empty", b"")
        assert session.files.read("empty") == b""
        session.files.remove("empty")


def test_a_cleanup_is_not_lost_to_a_parser_that_another_thread_has_disturbed(monkeypatch):
    """Python counts for all threads in one place: the cleanup failed, and nothing was sent."""
    whole, left = ast.parse, [1]

    def parse(*args, **kwargs):
        if left and threading.current_thread().name.endswith("cleanup"):
            left.clear()
            raise SystemError("AST constructor recursion depth mismatch (before=39, after=65)")
        return whole(*args, **kwargs)

    with SessionManager() as manager:
        session = manager.create_session("sim:")
        session.execute("cleaned = []")
        clean = Resource("led", lambda _: session.execute("cleaned.append(len(cleaned))"))
        session.resources.register_resource(clean)
        monkeypatch.setattr(ast, "parse", parse)
        session.resources.cleanup_resources()
        assert not left
        assert session.execute("cleaned") == [0]
        session.close()


def test_a_tracker_that_is_not_there_at_once_is_told_again_where_there_is_little_time(monkeypatch):
    """It was told again after half a second: by then its time was up."""
    find, missed, cleaned = SessionNode.find, [], []

    def later(node, kind):
        missed.append(kind)
        return None if len(missed) == 1 else find(node, kind)

    with SessionManager(SessionOptions(resource_cleanup_timeout=0.4)) as manager:
        session = manager.create_session("sim:")
        session.resources.register_resource(Resource("led", lambda _: cleaned.append(1)))
        monkeypatch.setattr(SessionNode, "find", later)
        session.close()
    assert cleaned == [1]


def test_a_thread_has_its_grace_beside_many_other_things():
    """It had the share of one of many in the time for all; then the device was reset."""
    options = SessionOptions(resource_cleanup_timeout=3.0, thread_grace=2.0)
    slow = "def slow():\n while True:\n  __import__('time').sleep(0.3)\n  yield 0"
    with TcpBoard(HOST) as board, SessionManager(options) as manager:
        session = manager.create_session(board.url)
        for _ in range(100):
            session.resources.register_resource(Resource("thing", lambda _: None))
        session.thread(source=slow)()
        port = manager.device(board.url)
        session.close()
        assert port.generation == 1
