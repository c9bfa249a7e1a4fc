"""What the runtime refuses, where it is given: one line of one type that says what is allowed."""

from __future__ import annotations

import pykka
import pytest

from klemheist.actors.runtime import (
    Actor,
    Bounded,
    Exit,
    ExitReason,
    InvalidArgument,
    Priority,
    register,
    start_foreign,
    whereis,
)


class Foreign(pykka.ThreadingActor):
    """As others write them: runs the calls that it is told."""

    def on_receive(self, message):
        return message()


@pytest.fixture(params=["own", "foreign"])
def victim(request, obedient):
    """An actor that runs calls; of ours, of each kind, or of Pykka's."""
    return obedient.start() if request.param == "own" else start_foreign(Foreign)


class Untyped(Exit):
    """An exit that its author wrote without Exit's constructor."""

    def __init__(self, *reasons):
        self.args = reasons
        for reason in reasons:
            self.reason = reason


def raises(error):
    """A call that raises `error`."""

    def call():
        raise error

    return call


WRONG_REASONS = ["done", None, ValueError("x"), ValueError, 5, []]


@pytest.mark.parametrize("reason", WRONG_REASONS, ids=repr)
def test_only_an_exit_reason_is_taken_for_one(obedient, reason):
    ref, other = obedient.start(), obedient.start()
    ways = [
        lambda: Exit(reason),
        lambda: ref.exit(reason),
        lambda: ref.actor().exit(other, reason),
    ]
    for way in ways:
        with pytest.raises(InvalidArgument, match=r"^reason=.*: use ExitReason\.NORMAL") as refused:
            way()
        assert "\n" not in str(refused.value)
    assert ref.ask("still here", timeout=5) == "still here"
    assert other.is_alive()


def test_an_error_reason_is_of_an_exception():
    with pytest.raises(InvalidArgument, match="exc='broken': use an exception"):
        ExitReason.error("broken")


@pytest.mark.parametrize("reasons", [["done"], [None], []], ids=repr)
def test_a_reason_that_is_none_and_comes_all_the_same_is_a_crash(victim, reasons):
    victim.tell(raises(Untyped(*reasons)))
    ended = victim.ended.get(timeout=5)
    assert ended.is_abnormal
    assert isinstance(ended.exception, InvalidArgument)


def test_an_exit_signal_without_a_reason_is_a_crash(victim):
    victim.signal(victim, "done")
    assert isinstance(victim.ended.get(timeout=5).exception, InvalidArgument)


def test_a_start_that_exits_without_a_reason_has_failed():
    class Never(Actor):
        def on_start(self):
            raise Untyped("done")

    assert isinstance(Never.start().ended.get(timeout=5).exception, InvalidArgument)


def test_an_end_by_an_exception_that_cannot_be_shown_is_an_end(victim):
    class Shy(Exception):  # noqa: N818 -- it is
        def __repr__(self):
            raise RuntimeError("not me")

    victim.tell(raises(Shy()))
    assert repr(victim.ended.get(timeout=5)) == "{error,<Shy, whose repr fails>}"


@pytest.mark.parametrize(
    ("setting", "value", "allowed"),
    [
        ("mailbox", 5, "use Unbounded(), Bounded(capacity) or Priority(key)"),
        ("mailbox", Bounded, "use Unbounded(), Bounded(capacity) or Priority(key)"),
        ("ask_failure", "zz", "use 'reply' or 'crash'"),
        ("ask_failure", [], "use 'reply' or 'crash'"),
        ("dispatcher", "process", "use 'pool' or 'thread'"),
        ("stash_capacity", 0, "use 1 or more"),
        ("inline", "yes", "use True or False"),
        ("trap_exit", 1, "use True or False"),
    ],
)
def test_a_class_with_a_wrong_setting_cannot_be_made(setting, value, allowed):
    with pytest.raises(InvalidArgument) as refused:
        type("Wrong", (Actor,), {setting: value})
    assert str(refused.value) == f"Wrong.{setting}={value!r}: {allowed}"


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: Bounded("many"), "capacity='many': use 1 or more: one message needs room"),
        (lambda: Bounded(True), "capacity=True: use 1 or more: one message needs room"),
        (lambda: Bounded(1, overflow=[]), r"overflow=\[\]: use one of error, .*"),
        (lambda: Bounded(1, timeout="soon"), "timeout='soon': use seconds"),
        (lambda: Priority(5), "key=5: use a function of the message"),
        (lambda: register("x", 5), r"ref=5: use the ref of a klemheist\.Actor, or .*"),
        (lambda: register("", 5), "name='': use a text that is not empty"),
        (lambda: register(5, 5), "name=5: use a text that is not empty"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(make, line):
    with pytest.raises(InvalidArgument, match=f"^{line}$"):
        make()
    assert whereis("x") is None


@pytest.mark.parametrize("ref", ["x", None, 5], ids=repr)
def test_only_refs_of_ours_are_watched_linked_and_ended(obedient, ref):
    actor = obedient.start().actor()
    ways = [
        actor.watch,
        actor.link,
        actor.unlink,
        lambda each: actor.exit(each, ExitReason.SHUTDOWN),
    ]
    for way in ways:
        with pytest.raises(InvalidArgument, match=f"^ref={ref!r}: use the ref of a klemheist"):
            way(ref)
    with pytest.raises(InvalidArgument, match=r"use what watch\(\) returned"):
        actor.unwatch(ref)


def test_a_ref_of_pykka_s_own_is_refused_with_the_way_to_get_one_of_ours(obedient):
    plain = Foreign.start()
    with pytest.raises(InvalidArgument, match=r"start_foreign\(\)"):
        obedient.start().actor().watch(plain)
    plain.stop()


@pytest.mark.parametrize("seconds", ["soon", 0, -1, True], ids=repr)
def test_a_receive_timeout_is_seconds(scheduled, seconds):
    actor = scheduled.start().actor()
    with pytest.raises(InvalidArgument, match="use positive seconds, or None"):
        actor.receive_timeout = seconds
