# ruff: noqa: F821 -- functions here run on the device
from __future__ import annotations

import pytest

from klemheist import (
    DeviceError,
    DeviceMemoryError,
    DeviceReset,
    LinkLost,
    Program,
    Resource,
    Restart,
    SessionClosed,
    SessionFaulted,
    SessionManager,
    setup,
    task,
)
from klemheist.actors.session.ledger import EntryKind
from klemheist.supervisors.core.supervisor_spec import MAX_RESTARTS
from tests.ends import crash


def node_of(session):
    return session._core.spawn


def reset(session):
    with pytest.raises(DeviceReset):
        session("raise SystemExit")


@pytest.fixture(params=["crashed", "killed"])
def ended(request):
    return crash if request.param == "crashed" else lambda ref: ref.kill()


def test_a_session_actor_that_ends_is_restarted_as_a_new_attachment(s, ended, within):
    s("x = 1")
    old, ref, epoch = s.done, s.ref, s.epoch
    ended(ref)
    assert within(lambda: s.epoch == epoch + 1 and s.ref is not ref)
    assert old.is_set()
    assert not s.done.is_set()
    assert not s.logical.done.is_set()
    assert s("x") == 1


@pytest.mark.req("SES-123")
def test_a_tracker_that_ends_is_restarted_and_cleanup_still_happens(manager, ended, within):
    calls = []
    session = manager.create_session("sim:")
    session.resources.register_resource(Resource("thing", lambda _: calls.append(1)))
    tracker = within(lambda: node_of(session).find(EntryKind.RESOURCE))
    ended(tracker.actor_ref)
    session.close()
    assert calls == [1]


@pytest.mark.req("SES-028")
def test_a_tracker_that_ends_in_mid_cleanup_does_not_clean_twice(manager):
    calls = []

    def clean(cancel):
        calls.append(1)
        node_of(session).find(EntryKind.RESOURCE).actor_ref.kill()

    session = manager.create_session("sim:")
    session.resources.register_resource(Resource("thing", clean))
    session.close()
    assert calls == [1]


def test_threads_go_on_when_their_tracker_was_restarted(s, ended, within):
    s("n = [0]")
    thread = s.thread(source="def count():\n while True:\n  n[0] += 1\n  yield 0.01")()
    assert within(lambda: s("n[0]") > 1)
    ended(node_of(s).find(EntryKind.THREAD).actor_ref)
    before = s("n[0]")
    assert within(lambda: s("n[0]") > before + 2)
    assert thread.is_alive


def test_a_session_node_that_is_killed_comes_back_with_the_ledger(manager, within):
    calls = []
    session = manager.create_session("sim:")
    session("x = 1")
    session.resources.register_resource(Resource("thing", lambda _: calls.append(1)))
    old, node = session.done, node_of(session)
    node.actor_ref.kill()
    assert within(lambda: node_of(session) is not node and session.done is not old)
    assert old.is_set()
    assert session("x") == 1
    session.close()
    assert calls == [1]


def test_the_supervisor_of_the_sessions_comes_back_with_them(within):
    with SessionManager() as manager:
        session = manager.create_session("sim:")
        node = node_of(session)
        manager._core._devices.node(session._core.port).sessions().kill()
        assert within(lambda: node_of(session) is not node)
        assert within(lambda: session.ref)
        calls = []
        session.resources.register_resource(Resource("thing", lambda _: calls.append(1)))
        session.close()
        assert calls == [1]


def test_a_session_whose_actor_crashes_too_often_faults_and_is_cleaned_up(manager, within):
    calls = []
    session = manager.create_session("sim:")
    session.resources.register_resource(Resource("thing", lambda _: calls.append(1)))
    for _ in range(4):
        ref = within(lambda: session.ref)
        crash(ref)
    assert session.logical.done.wait(5.0)
    assert calls == [1]
    assert manager.current_session_id != session.session_id
    with pytest.raises(SessionFaulted, match="crashed too often"):
        session("1")


def test_a_call_in_flight_is_told_when_its_device_actor_ends(manager, ended, within):
    with manager.create_session("microbit:") as session:
        session("import microbit as m")
        future = session.submit("m.sleep(20000)")
        port = manager.device("microbit:")
        assert within(lambda: port.brain._intake.current is not None)
        ended(port.brain.actor_ref)
        with pytest.raises(LinkLost, match="started anew") as caught:
            future.get(timeout=5.0)
        assert caught.value.maybe_executed
        assert session("1+1") == 2


def test_a_device_actor_that_crashes_keeps_the_sessions_names(manager, within):
    with manager.session("sim:") as session:
        session("x = 1")
        port = session._core.port
        generation, brain = port.generation, port.brain
        crash(brain.actor_ref)
        assert within(lambda: port.brain not in (None, brain))
        assert session("x") == 1
        assert port.generation == generation


def test_a_new_boot_brings_setups_and_deployments_back(manager):
    with manager.session("sim:") as session:

        @session.setup
        def init(pin):
            double = pin * 2

        init(21)
        double = session.task(source="def double_it():\n return double")
        assert double() == 42
        session("lost = 1")
        reset(session)
        assert double() == 42
        with pytest.raises(DeviceError, match="NameError"):
            session("lost")


@pytest.mark.parametrize("restart", [Restart.PERMANENT, Restart.TEMPORARY])
def test_a_temporary_session_faults_in_a_new_boot_and_others_recover(manager, restart):
    session = manager.session("sim:", restart=restart).__enter__()
    reset(session)
    if restart is Restart.TEMPORARY:
        assert session.logical.done.wait(5.0)
        with pytest.raises(SessionFaulted, match="booted anew"):
            session("1")
    else:
        assert session("1 + 1") == 2
    session.close()


def test_a_session_whose_setup_fails_in_the_new_boot_faults():
    with SessionManager() as manager:
        session = manager.create_session("sim:")
        with manager.session("sim:") as helper:
            helper("from machine import Pin\npin = Pin(3, Pin.OUT)\npin.value(1)")

            @session.setup
            def init():
                from machine import Pin

                1 // Pin(3).value()

            init()
            helper("pin.value(0)")
            reset(helper)
        assert session.logical.done.wait(5.0)
        with pytest.raises((SessionFaulted, SessionClosed), match="setup failed"):
            session("1")


class Counter(Program):
    @setup
    def init(start):
        n = [start]

    @task
    def up():
        n[0] += 1
        return n[0]


def test_a_program_is_bound_to_its_session_and_recovers(manager):
    with manager.session("sim:", program=Counter(start=5)) as session:
        assert (session.program.up(), session.program.up()) == (6, 7)
        reset(session)
        assert session.program.up() == 6


def test_a_program_is_validated_before_anything_is_sent():
    from klemheist import ArgumentError

    with pytest.raises(ArgumentError, match="missing: start; unknown: begin"):
        Counter(begin=1)
    with pytest.raises(ArgumentError, match="object"):
        Counter(start=object())


@pytest.mark.req("SES-006")
def test_a_setup_that_fails_leaves_no_session(manager):
    before = manager.get_session_stats()
    with (
        pytest.raises(DeviceError),
        manager.session("sim:", program=Counter(start=None)) as session,
    ):
        session.program.up()

    class Broken(Program):
        @setup
        def init():
            print(1 / 0)

    with pytest.raises(DeviceError, match="ZeroDivisionError"):
        manager.session("sim:", program=Broken()).__enter__()
    after = manager.get_session_stats()
    assert after.active_session_count == before.active_session_count
    assert after.total_session_count == before.total_session_count + 1


def test_a_heap_filled_to_the_last_byte_is_a_memory_error_and_the_board_serves_again(manager):
    """There is no room left for a question: the board is reset, and nobody waits."""
    with manager.create_session("microbit:") as session:
        session("x = []")
        with pytest.raises(DeviceMemoryError):
            session("while True: x.append(bytearray(100))")
        assert session("6 * 7") == 42


def test_a_device_whose_actor_crashes_too_often_is_there_again_without_delay(within):
    """Its sessions waited for an actor that nobody would start, and kept its node from ending."""
    with SessionManager() as manager:
        session = manager.create_session("sim:")
        session("held = 1")  # something to clean up
        port = session._core.port
        brain = port.brain
        crash(brain.actor_ref)
        for _ in range(MAX_RESTARTS):  # each as soon as it is there: the device is not up yet
            before = brain
            assert within(lambda before=before: port.brain not in (None, before))
            brain = port.brain
            crash(brain.actor_ref)
        with pytest.raises(SessionFaulted):
            session.submit("1 + 1").get(timeout=3)
        with within(lambda: created(manager), seconds=3) as again:
            assert again("2 + 2") == 4


def created(manager):
    """A session, or None while the device is being started anew."""
    try:
        return manager.create_session("sim:")
    except LinkLost:
        return None
