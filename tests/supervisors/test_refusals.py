"""What is wrong is refused before anything starts; no child's mistake ends its supervisor."""

from __future__ import annotations

import inspect
from typing import get_overloads

import pykka
import pytest

import klemheist
from klemheist import (
    Actor,
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    Exit,
    InvalidArgument,
    PartitionSupervisor,
    Supervisor,
    SupervisorSpec,
    child,
    supervisor,
    system_events,
)
from klemheist.errors import ChildNotFound, InvalidChildSpec, InvalidFlags
from klemheist.testing import Probe, await_idle


class Told(Actor):
    """Runs the calls that it is told."""

    def on_receive(self, message):
        return message()


class Foreign(pykka.ThreadingActor):
    """The same, as others write it."""

    on_receive = Told.on_receive


class Untyped(Exit):
    """An exit that its author wrote without Exit's constructor."""

    def __init__(self, reason):
        self.reason = reason


class Shy(Exception):  # noqa: N818 -- it is
    """Cannot be shown."""

    def __repr__(self):
        raise RuntimeError("not me")

    __str__ = __repr__


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (lambda: klemheist.check_child_specs([], auto_shutdown="bogus"), "invalid_auto_shutdown"),
        (lambda: klemheist.check_child_specs([], auto_shutdown=[]), "invalid_auto_shutdown"),
        (lambda: child(Told, start_timeout=0), "invalid_start_timeout"),
    ],
)
def test_a_check_of_specs_looks_at_all_that_it_is_given(wrong, code):
    with pytest.raises(InvalidChildSpec) as caught:
        wrong()
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


def test_a_share_of_a_restart_is_told_to_be_no_whole_number():
    with pytest.raises(InvalidFlags, match=r"max_restarts=1\.5: use a whole number"):
        Supervisor.start([], max_restarts=1.5)


def raises(make):
    """A call that raises what `make` makes."""

    def call():
        raise make()

    return call


@pytest.fixture(params=[Told, Foreign], ids=["own", "foreign"])
def tree(request):
    with Supervisor.start([child(request.param, id=1)]) as tree:
        yield tree


@pytest.fixture
def spread():
    with PartitionSupervisor.start(child(Told), name="spread", partitions=2) as spread:
        yield spread


@pytest.mark.parametrize(
    "make",
    [
        lambda: Exit("done"),
        lambda: Exit(None),
        lambda: Untyped("done"),
        lambda: Untyped(None),
        lambda: Untyped(ValueError("x")),
        Shy,
    ],
    ids=["Exit(text)", "Exit(None)", "text", "None", "exception", "shy"],
)
def test_whatever_ends_a_child_its_supervisor_restarts_it(tree, make):
    old = tree.child(1).ref
    with Probe() as probe:
        probe.watch(old)
        old.tell(raises(make))
        assert probe.expect_down(old).is_abnormal
    await_idle(tree)
    again = tree.handle(1).wait_ready(5)
    assert again is not old
    assert tree.statistics().restarts == 1


def test_a_start_that_cannot_be_shown_is_a_start_error():
    def never():
        raise Shy

    with Supervisor.start() as tree:
        with pytest.raises(klemheist.StartError, match="whose repr fails"):
            tree.start_child(child(never, id="never"))
        assert tree.is_alive()


@pytest.mark.parametrize("reason", ["foo", None, ValueError("x"), ValueError, 5], ids=repr)
def test_a_child_is_not_ended_by_a_reason_that_is_none(tree, reason):
    ref = tree.child(1).ref
    for end in (ref.exit, tree.exit, tree.shutdown):
        with pytest.raises(InvalidArgument, match=r"^reason=.*: use ExitReason\.NORMAL, "):
            end(reason)
    await_idle(tree)
    assert tree.child(1).ref is ref


WRONG_SUBSCRIPTIONS = [
    (["ChildExited"], {}, "invalid_types", "types='ChildExited': use classes of events, such as"),
    ([klemheist.ChildExited, 5], {}, "invalid_types", "types=5: use classes of events, such as"),
    ([[]], {}, "invalid_types", r"types=\[\]: use classes of events, such as"),
    ([], {"buffer": 0}, "invalid_buffer", "buffer=0: use 1 or more"),
    ([], {"buffer": "x"}, "invalid_buffer", "buffer='x': use 1 or more"),
    ([], {"overflow": "x"}, "invalid_overflow", "overflow='x': use one of "),
    ([], {"overflow": "block"}, "invalid_overflow", "overflow='block': use one of "),
    ([], {"overflow": []}, "invalid_overflow", r"overflow=\[\]: use one of "),
]


@pytest.mark.parametrize(("types", "options", "code", "line"), WRONG_SUBSCRIPTIONS)
def test_a_wrong_subscription_is_refused_and_no_event_meets_it(tree, types, options, code, line):
    for subscribe in (tree.events, system_events):
        with pytest.raises(InvalidFlags, match=f"^{line}") as refused:
            subscribe(*types, **options)
        assert refused.value.code == code
    old = tree.child(1).ref
    old.tell(raises(RuntimeError))
    old.ended.get(timeout=5)
    await_idle(tree)
    assert tree.child(1).ref is not None


def test_a_union_of_events_is_as_good_as_both(tree):
    with tree.events(klemheist.ChildExited | klemheist.ChildRestarted) as events:
        tree.child(1).ref.tell(raises(RuntimeError))
        kinds = [type(events.get(timeout=5)) for _ in range(2)]
    assert kinds == [klemheist.ChildExited, klemheist.ChildRestarted]


class WithInit(Supervisor):
    """Says itself what it supervises."""

    def init(self, *keys):
        return SupervisorSpec([child(Told, id=key) for key in keys])


def partitioned(*args, **options):
    """A partition supervisor that has all that it needs, but for what the case changes."""
    return PartitionSupervisor.start(*(args or (child(Told),)), **{"name": "p", **options})


STARTS = [Supervisor.start, DynamicSupervisor.start, WithInit.start, partitioned]
WRONG_OPTIONS = [
    ({"clock": 5}, "invalid_clock", r"clock=5: use a Clock, such as .*ManualClock\(\), or None"),
    ({"on_event": 5}, "invalid_on_event", "on_event=5: use a function of one event, or None"),
    ({"name": 5}, "invalid_name", "name=5: .*"),
    ({"name": ""}, "invalid_name", "name='': .*"),
]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(("options", "code", "line"), WRONG_OPTIONS)
def test_a_wrong_option_of_any_supervisor_is_refused(start, options, code, line):
    with pytest.raises(InvalidFlags, match=f"^{line}$") as refused:
        start(**options)
    assert refused.value.code == code
    assert refused.value.value == next(iter(options.values()))


WRONG = [
    (lambda: Backoff(mn=5), "invalid_backoff", "mn=5 is unknown; use min, max, factor, .*"),
    (lambda: Backoff(reset_after=-1), "invalid_backoff", "backoff=.*reset_after >= 0"),
    (lambda: Backoff(reset_after=""), "invalid_backoff", "backoff=.*may be None"),
    (lambda: Backoff(max_restarts=1.5), "invalid_backoff", "backoff=.*whole max_restarts.*"),
    (lambda: Backoff(max_restarts=-1), "invalid_backoff", "backoff=.*whole max_restarts.*"),
    (lambda: Backoff(factor=True), "invalid_backoff", "backoff=.*may be None"),
    (lambda: supervisor([]), "missing_id", "id is missing: it must be given"),
    (lambda: supervisor(id="a"), "missing_children", "children is missing: it must be given"),
    (child, "missing_start", "cls is missing: it must be given"),
    (lambda: ChildSpec("a"), "invalid_child_spec", "'a' has no name; use id, start, .*"),
    (lambda: ChildSpec(id=([],), start=Actor), "invalid_name", "id=.*: use something hashable"),
    (lambda: child(Told, kwargs={1: 2}), "invalid_mfa", "args=.*a dict of kwargs"),
    (lambda: SupervisorSpec(bogus=1), "bad_flags", "bogus=1 is unknown; use children, .*"),
    (lambda: SupervisorSpec([], "one"), "bad_flags", "'one' has no name; use children, .*"),
    (lambda: Supervisor.start([], 5), "bad_flags", "5 has no name; use children, .*"),
    (lambda: Supervisor.start(arguments=5), "invalid_arguments", "arguments=5: use a tuple .*"),
    (lambda: DynamicSupervisor.start([]), "bad_flags", r"\[\] has no name; use max_restarts, .*"),
    (lambda: PartitionSupervisor.start(child(Told)), "missing_name", "name is missing: .*"),
    (lambda: PartitionSupervisor.start(name="p"), "missing_child", "child is missing: .*"),
    (lambda: partitioned(children=[]), "invalid_children", r"children=\[\]: .*one child.*"),
    (lambda: partitioned(bogus=1), "bad_flags", "bogus=1 is unknown; use .*"),
]


@pytest.mark.parametrize(("make", "code", "line"), WRONG)
def test_a_wrong_spec_is_refused_with_a_code_and_one_line(make, code, line):
    with pytest.raises(InvalidChildSpec, match=f"^{line}$") as refused:
        make()
    assert refused.value.code == code
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("size", [5, -1, "2", 1.5, True, None], ids=repr)
def test_a_wrong_number_of_partitions_is_refused_with_a_code(spread, size):
    with pytest.raises(InvalidFlags, match=r": use 0 to 2, as it was started with$") as refused:
        spread.resize(size)
    assert refused.value.code == "invalid_partitions"
    assert spread.partitions == 2


@pytest.mark.parametrize("key", [[], ([],), {}], ids=repr)
def test_no_child_has_an_id_that_cannot_be_one(tree, key):
    calls = [
        *(tree.child, tree.child_spec, tree.running, tree.handle),
        *(tree.restart_child, tree.terminate_child, tree.delete_child),
    ]
    for call in calls:
        with pytest.raises(ChildNotFound, match=r"^no child .*: an id is something hashable$"):
            call(key)
    assert tree.is_alive()


def test_a_handle_of_an_unknown_child_is_refused_where_it_is_made(tree, spread):
    with pytest.raises(ChildNotFound, match=r"no child 'zz': children\(\) lists those there are"):
        tree.handle("zz")
    with pytest.raises(ChildNotFound):
        spread.handle(2)


@pytest.mark.parametrize("kind", [Supervisor, DynamicSupervisor, PartitionSupervisor])
def test_editors_are_shown_what_a_start_takes(kind):
    shown = inspect.signature(get_overloads(kind.start)[0].__func__).parameters
    taken = dict(inspect.signature(kind.__init__).parameters)
    for name in ("self", "arguments", "_spec"):
        taken.pop(name, None)
    if taken.pop("more", None):
        every = inspect.signature(Supervisor.__init__).parameters
        taken |= {name: every[name] for name in ("name", "clock", "on_event") if name not in taken}
    assert {name: str(each) for name, each in shown.items() if name != "cls"} == {
        name: str(each) for name, each in taken.items()
    }
