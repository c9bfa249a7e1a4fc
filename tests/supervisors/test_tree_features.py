"""What the tree offers beyond OTP: directives, kept messages, factories, handles, events."""

from __future__ import annotations

import asyncio
import json
import threading

import pykka
import pytest

from klemheist.actors.runtime import (
    Actor,
    ActorDead,
    ActorRestarted,
    DeadLetter,
    Exit,
    ExitReason,
    NameTaken,
    WouldDeadlock,
    register,
    start_foreign,
    whereis,
    zombies,
)
from klemheist.supervisors import (
    Backoff,
    Directive,
    DynamicSupervisor,
    Supervisor,
    SupervisorSpec,
    child,
    system_events,
)
from klemheist.supervisors.core import events as told
from klemheist.supervisors.core.errors import AlreadyStarted, ChildNotFound, MaxChildren, StartError
from klemheist.supervisors.tree.dynamic import supervisor
from klemheist.testing import ManualClock, Probe, await_idle, captured_events


class Worker(Actor):
    """Counts; raises what it is told; waits on an event that it is sent."""

    dispatcher = "thread"

    def __init__(self, *args):
        super().__init__()
        self.args, self.seen = args, []

    def on_receive(self, message):
        self.seen.append(message)
        if isinstance(message, BaseException):
            raise message
        if isinstance(message, Gate):
            message.entered.set()
            message.open.wait(10)
            if message.error is not None:
                raise message.error
        return list(self.seen)


class PykkaWorker(pykka.ThreadingActor):
    """The same as others would have written it."""

    on_receive = Worker.on_receive

    def __init__(self, *args):
        super().__init__()
        self.args, self.seen = args, []


class PoolWorker(Worker):
    dispatcher = "pool"


class Gate:
    def __init__(self, error=None):
        self.error = error
        self.entered, self.open = threading.Event(), threading.Event()


@pytest.fixture(params=[PoolWorker, Worker, PykkaWorker], ids=["pooled", "thread", "wrapped"])
def kind(request):
    return request.param


def crash(tree, key, error, reason=None):
    ref = tree.handle(key).wait_ready(5)
    with Probe() as probe:
        probe.watch(ref)
        ref.tell(error)
        probe.expect_down(ref, reason=reason or type(error))
    await_idle(tree)
    return ref


# -- directives


def test_the_nearest_class_of_an_exception_decides(kind):
    spec = child(
        kind,
        id="a",
        on_error={
            LookupError: Directive.RESUME,
            KeyError: Directive.STOP,
            Exception: "restart",
        },
    )
    with Supervisor.start([spec]) as tree:
        first = tree.child("a").ref
        first.tell(IndexError("resume"))
        assert len(first.ask("still there?", timeout=5)) == 2
        assert tree.child("a").ref is first
        crash(tree, "a", ValueError("restart"))
        second = tree.handle("a").wait_ready(5)
        assert second is not first
        crash(tree, "a", KeyError("stop"))
        assert tree.child("a").state == "stopped"
        assert tree.restart_child("a").ref.is_alive()


def test_an_escalated_error_ends_the_supervisor_with_it(kind):
    inner = supervisor([child(kind, id="a", on_error={OSError: "escalate"})], id="in")
    with Supervisor.start([inner]) as tree, Probe() as probe:
        middle = tree.child("in").ref
        probe.watch(middle)
        middle.child("a").ref.tell(OSError("too much for one"))
        probe.expect_down(middle, reason=OSError)
        await_idle(tree)
        assert tree.child("in").ref is not middle
        assert tree.child("in").restarts == 1


def test_a_stopped_significant_child_ends_its_supervisor():
    spec = child(
        PoolWorker,
        id="a",
        restart="transient",
        significant=True,
        on_error={ValueError: Directive.STOP},
    )
    tree = Supervisor.start([spec], auto_shutdown="any_significant")
    tree.child("a").ref.tell(ValueError())
    assert tree.ended.get(timeout=5) is ExitReason.SHUTDOWN


# -- messages at a restart


def test_messages_are_kept_in_order_without_the_failing_one(kind):
    with Supervisor.start([child(kind, id="a", on_restart_messages="keep")]) as tree:
        ref, gate = tree.child("a").ref, Gate(RuntimeError("while others wait"))
        ref.tell(gate)
        assert gate.entered.wait(5)
        ref.tell("one")
        answer = ref.ask("two", block=False)
        gate.open.set()
        assert answer.get(timeout=5) == ["one", "two"]
        await_idle(tree)
        assert tree.child("a").restarts == 1


def test_kept_messages_survive_a_failing_restart_too():
    starts = []

    class Slow(Worker):
        def on_start(self):
            starts.append(self)
            if len(starts) in (2, 3):
                raise RuntimeError("not yet")

    with Supervisor.start([child(Slow, id="a", on_restart_messages="keep")]) as tree:
        ref, gate = tree.child("a").ref, Gate(RuntimeError("while others wait"))
        ref.tell(gate)
        assert gate.entered.wait(5)
        answer = ref.ask("kept", block=False)
        gate.open.set()
        assert answer.get(timeout=5) == ["kept"]
        assert len(starts) == 4


@pytest.mark.parametrize("end", ["terminate", "stop", "give up", "kill"])
def test_kept_messages_that_nobody_gets_are_refused(kind, end):
    directives = {RuntimeError: Directive.STOP} if end == "stop" else {}
    spec = child(kind, id="a", on_restart_messages="keep", on_error=directives, shutdown=5)
    tree = Supervisor.start([spec], max_restarts=0)
    ref, gate = tree.child("a").ref, Gate(RuntimeError("while others wait"))
    if end == "terminate":
        gate.error = None
    ref.tell(gate)
    assert gate.entered.wait(5)
    answer = ref.ask("lost", block=False)
    if end == "kill":
        tree.kill()
    if end == "terminate":
        terminated = tree.terminate_child("a", block=False)
    gate.open.set()
    with pytest.raises(ActorDead):
        answer.get(timeout=5)
    if end == "terminate":
        terminated.get(timeout=5)
    tree.kill()


def test_who_waits_when_a_child_crashes_is_told_that_it_restarts():
    with Supervisor.start([child(PoolWorker, id="a")]) as tree:
        ref, gate = tree.child("a").ref, Gate(RuntimeError("while others wait"))
        ref.tell(gate)
        assert gate.entered.wait(5)
        answer = ref.ask("lost", block=False)
        gate.open.set()
        with pytest.raises(ActorRestarted):
            answer.get(timeout=5)


# -- factories


def test_a_factory_may_take_its_time_and_say_something(kind):
    def make(name):
        ref = start_foreign(kind, name)
        return ref, f"made {name}"

    with Supervisor.start([child(make, "first", id="a")]) as tree:
        ref = tree.child("a").ref
        assert ref.ask("who?", timeout=5) == ["who?"]
        assert ref not in pykka.ActorRegistry.get_all()
        crash(tree, "a", ValueError())
        assert tree.child("a").restarts == 1
        tree.terminate_child("a")
        assert tree.restart_child("a").info == "made first"


def test_what_a_factory_made_ends_as_the_spec_says(kind):
    """It goes on after what it may, and who waits when it crashes is told that it restarts."""

    def make():
        return start_foreign(kind)

    with Supervisor.start([child(make, id="a", on_error={KeyError: Directive.RESUME})]) as tree:
        ref = tree.child("a").ref
        ref.tell(KeyError("again"))
        assert ref.ask("still there?", timeout=5)
        assert tree.child("a").restarts == 0
        gate = Gate(RuntimeError("while others wait"))
        ref.tell(gate)
        assert gate.entered.wait(5)
        answer = ref.ask("lost", block=False)
        gate.open.set()
        with pytest.raises(ActorRestarted):
            answer.get(timeout=5)


def test_a_class_of_others_learns_of_its_restart():
    told = []

    class Sampler(pykka.ThreadingActor):
        def on_restart(self, reason, attempt):
            told.append((reason.kind, attempt))

        def on_start(self):
            told.append("start")

        def on_receive(self, message):
            raise message

    with Supervisor.start([child(Sampler, id="a")]) as tree:
        crash(tree, "a", ValueError())
        assert tree.child("a").restarts == 1
    assert told == ["start", ("error", 1), "start"]


def test_a_restart_hook_of_others_that_fails_is_a_start_that_failed():
    class Failing(pykka.ThreadingActor):
        def on_restart(self, reason, attempt):
            raise LookupError("what was I doing?")

        def on_receive(self, message):
            raise message

    with (
        Supervisor.start([child(Failing, id="a")], max_restarts=1) as tree,
        captured_events(tree) as events,
    ):
        tree.child("a").ref.tell(ValueError())
        assert isinstance(events.expect(told.ChildStartFailed, id="a").error, LookupError)
        tree.ended.get(timeout=5)


def test_a_factory_declines_raises_or_returns_nonsense():
    def nonsense():
        return 42

    def failing():
        raise LookupError("no such thing")

    with Supervisor.start() as tree:
        assert tree.start_child(child(lambda: None, id="a")) == (None, None)
        for factory, error in ((nonsense, TypeError), (failing, LookupError)):
            with pytest.raises(StartError) as caught:
                tree.start_child(child(factory, id="b"))
            assert isinstance(caught.value.__cause__, error)


def test_a_factory_that_hangs_is_abandoned_and_what_it_makes_later_is_killed():
    gate, made = Gate(), []

    def make():
        gate.entered.set()
        gate.open.wait(10)
        made.append(Worker.start())
        return made[0]

    with Supervisor.start() as tree:
        with pytest.raises(StartError) as caught:
            tree.start_child(child(make, id="a", start_timeout=0.05), timeout=5)
        assert isinstance(caught.value.__cause__, TimeoutError)
        assert len(zombies()) == 1
        gate.open.set()
        while not made:
            gate.entered.wait(0.01)
        assert made[0].ended.get(timeout=5) is ExitReason.KILLED


def test_a_supervisor_with_init_is_a_child_in_three_ways():
    class Team(Supervisor):
        def init(self, size):
            return SupervisorSpec([child(PoolWorker, id=n) for n in range(size)])

    specs = [
        child(Team, 1, id="class"),
        child(Team.start, 2, id="start"),
        child(Team.start_with, 3, id="start_with"),
    ]
    with Supervisor.start(specs) as tree:
        sizes = [len(info.ref.children()) for info in tree.children()]
        assert sizes == [1, 2, 3]
        assert {info.type for info in tree.children()} == {"supervisor"}
        assert tree.snapshot().find("root/start/1").state == "running"
    with Team.start(2) as team:
        assert team.count().active == 2


# -- names and handles


def test_a_name_is_the_supervisors_while_it_lives():
    with DynamicSupervisor.start(name="team") as tree:
        assert whereis("team") is tree
        assert tree.snapshot().path == "team"
        with pytest.raises(NameTaken) as caught:
            Supervisor.start(name="team")
        assert caught.value.ref is tree
    assert whereis("team") is None


def test_a_childs_name_that_is_taken_is_told_with_its_holder():
    class Server(Worker):
        def on_start(self):
            register("server", self.actor_ref)

    with Supervisor.start([child(Server, id="a")]) as tree:
        with pytest.raises(AlreadyStarted) as caught:
            tree.start_child(child(Server, id="b"))
        assert caught.value.ref is tree.child("a").ref
        with pytest.raises(StartError):
            Supervisor.start([child(Server, id="c")])


def test_a_handle_follows_a_child_of_a_template(kind):
    template = child(kind, "first", id="template")
    with DynamicSupervisor.start(template=template, max_children=2) as tree:
        first = tree.start_child(["second"]).ref
        handle = tree.handle(first)
        assert handle.proxy().args.get(timeout=5) == ("first", "second")
        crash_of(first)
        await_idle(tree)
        second = handle.wait_ready(5)
        assert second is not first
        assert handle.proxy().args.get(timeout=5) == ("first", "second")
        assert tree.child(second).restarts == 1
        tree.start_child([])
        with pytest.raises(MaxChildren):
            tree.start_child([])
        tree.terminate_child(second)
        with pytest.raises(ChildNotFound):
            handle.wait_ready(5)


def crash_of(ref):
    ref.tell(RuntimeError("told to"))
    ref.ended.get(timeout=5)


def test_extra_arguments_come_before_a_childs_own():
    with DynamicSupervisor.start(extra_arguments=("extra",)) as tree:
        ref = tree.start_child(child(PoolWorker, "own", id="a")).ref
        assert ref.proxy().args.get(timeout=5) == ("extra", "own")
        assert tree.child_spec("a").args == ("own",)


def test_a_handles_ask_says_that_the_child_restarted():
    with Supervisor.start([child(PoolWorker, id="a")]) as tree:
        gate = Gate(RuntimeError("while others wait"))
        tree.handle("a").tell(gate)
        assert gate.entered.wait(5)
        errors = []

        def ask():
            try:
                tree.handle("a").ask("lost", timeout=5)
            except ActorRestarted as error:
                errors.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        while not len(tree.child("a").ref.actor_inbox):
            gate.entered.wait(0.001)
        gate.open.set()
        asking.join(5)
        assert len(errors) == 1


# -- events, statistics, pictures


def test_events_are_a_stream_of_ones_own():
    inner = supervisor([child(PoolWorker, id="a")], id="in")
    with Supervisor.start([inner]) as tree:
        events = tree.events()
        exits = tree.child("in").ref.events(told.ChildExited, buffer=2)
        for _ in range(3):
            crash(tree.child("in").ref, "a", ValueError())
        assert [event.reason.exception.__class__ for event in take(exits, 2)] == [ValueError] * 2
        assert exits.dropped == 1
        assert {event.path for event in take(events, 12)} == {"root/in"}
    kinds = [type(event) for event in events]
    assert kinds[-1] is told.SupervisorStopped


def take(subscription, count):
    return [subscription.get(timeout=5) for _ in range(count)]


def test_every_event_carries_when_which_and_its_number():
    clock = ManualClock(start=100.0)
    with (
        Supervisor.start([child(PoolWorker, id="a")], clock=clock) as tree,
        tree.events() as events,
    ):
        clock.advance(5)
        old = crash(tree, "a", ValueError())
        exited, restarting, starting, restarted = take(events, 4)
        assert [event.seq for event in (exited, restarting, starting, restarted)] == [3, 4, 5, 6]
        assert (exited.ref, exited.incarnation, exited.monotonic) == (old, 1, 105.0)
        assert restarted.ref is tree.child("a").ref
        assert restarted.incarnation == 2


async def first_of(subscription):
    async for event in subscription:
        return event
    return None


def test_system_events_tell_of_all_trees_and_of_dead_letters():
    with system_events(told.ChildExited, DeadLetter) as events, Supervisor.start() as tree:
        spec = child(PoolWorker, id="a", restart="temporary")
        ref = tree.start_child(spec).ref
        crash(tree, "a", ValueError())
        assert asyncio.run(first_of(events)).id == "a"
        with pytest.raises(ActorDead):
            ref.tell("anybody?")
        assert events.get(timeout=5).message == "anybody?"


def test_statistics_count_by_child_and_all_together():
    with Supervisor.start([child(PoolWorker, id=key) for key in "ab"]) as tree:
        crash(tree, "a", ValueError())
        crash(tree, "a", Exit(), ExitReason.NORMAL)
        seen = tree.statistics()
        assert (seen.starts, seen.restarts, seen.crashes, seen.start_failures) == (4, 2, 1, 0)
        assert (seen.children["a"].restarts, seen.children["b"].restarts) == (2, 0)
        assert seen.children["a"].crashes == 1


def test_a_snapshot_tells_what_hangs():
    gate = Gate()
    specs = [child(PoolWorker, id="a", shutdown=0.01), child(PoolWorker, id="b")]
    with Supervisor.start(specs) as tree:
        tree.child("a").ref.tell(gate)
        assert gate.entered.wait(5)
        tree.child("a").ref.tell("waits")
        node = tree.snapshot().find("root/a")
        assert node.mailbox_len == 1
        assert node.busy_for > 0
        tree.child("a").ref.kill()
        tree.handle("a").wait_ready(5)
        await_idle(tree)
        assert tree.snapshot().find("root/a").zombies == 1
        assert "zombies: 1" in tree.snapshot().render()
        gate.open.set()


def test_a_tree_as_json_and_as_a_picture():
    inner = supervisor([child(PoolWorker, id='"quoted"')], id="in")
    with Supervisor.start([inner]) as tree:
        snapshot = tree.snapshot()
        assert json.loads(snapshot.to_json(indent=1)) == snapshot.to_dict()
        dot = snapshot.to_dot()
        assert dot.startswith("digraph")
        assert r'n1 [label="in\none_for_one"];' in dot
        assert r'n2 [label="\"quoted\"", style=rounded];' in dot
        assert "n0 -> n1;" in dot
        assert "n1 -> n2;" in dot


# -- depth


def deep(levels, leaf):
    spec = leaf
    for level in range(levels):
        spec = supervisor([spec], id=level)
    return spec


@pytest.mark.parametrize("how", ["shutdown", "kill"])
def test_a_tree_of_three_hundred_levels_starts_and_ends(how):
    tree = Supervisor.start([deep(300, child(PoolWorker, id="leaf"))])
    nodes = tree.snapshot().walk()
    *_, leaf = nodes
    assert (leaf.id, leaf.state) == ("leaf", "running")
    if how == "kill":
        tree.kill()
        assert leaf.ref.ended.get(timeout=5) is ExitReason.KILLED
    else:
        tree.shutdown(timeout=10)
        assert leaf.ref.reason is ExitReason.SHUTDOWN


def test_asking_a_supervisor_high_above_from_on_start_is_refused_too(kind):
    class Nosy(kind):
        def on_start(self):
            tree.start_child(child(kind, id="x"))

    with Supervisor.start() as tree:
        with pytest.raises(StartError) as caught:
            tree.start_child(deep(3, child(Nosy, id="leaf")), timeout=5)
        error = caught.value
        while isinstance(error, StartError):
            error = error.__cause__
        assert isinstance(error, WouldDeadlock)


def test_backoff_and_group_restart_go_together():
    clock = ManualClock()
    specs = [
        child(PoolWorker, id="a", backoff=Backoff(min=1, jitter=0)),
        child(PoolWorker, id="b"),
    ]
    tree = Supervisor.start(specs, strategy="one_for_all", clock=clock, max_restarts=0)
    before = tree.child("b").ref
    crash(tree, "a", ValueError())
    assert tree.child("b").ref is before  # it goes on until the restart
    clock.advance(1)
    await_idle(tree)
    assert tree.child("b").ref is not before
    tree.shutdown()
