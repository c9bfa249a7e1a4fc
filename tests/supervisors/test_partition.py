"""Partition supervisors: what Elixir's cases do not show."""

from __future__ import annotations

import pytest

import klemheist
from klemheist import Supervisor, child
from klemheist.actors.runtime import ActorDead
from klemheist.supervisors.core.errors import (
    ChildRestarting,
    InvalidFlags,
    StartError,
)
from klemheist.supervisors.tree.partition import PartitionSupervisor
from klemheist.testing import ManualClock, await_idle


class Keeper(klemheist.Actor):
    """Keeps what it was started with, and everything it is told."""

    def __init__(self, *args):
        super().__init__()
        self.args, self.kept = args, []

    def on_receive(self, message):
        if isinstance(message, BaseException):
            raise message
        if message == "args":
            return self.args
        self.kept.append(message)
        return self.kept


class Refusing(Keeper):
    """Does not start any more once it is told."""

    refuses = False

    def on_start(self):
        if type(self).refuses:
            raise RuntimeError("told to")


@pytest.fixture
def keepers():
    with PartitionSupervisor.start(child(Keeper), name="keepers", partitions=8) as keepers:
        yield keepers


# -- start ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"name": ""}, "invalid_name"),
        ({"partitions": "4"}, "invalid_partitions"),
        ({"max_restarts": -1}, "invalid_intensity"),
    ],
)
def test_raises_on_bad_options(options, code):
    with pytest.raises(InvalidFlags) as caught:
        PartitionSupervisor.start(child(Keeper), **{"name": "bad"} | options)
    assert caught.value.code == code


def test_it_may_be_the_child_of_a_supervisor():
    keepers = child(
        PartitionSupervisor, child(Keeper), id="spread", kwargs={"name": "kept", "partitions": 2}
    )
    with Supervisor.start([keepers]) as tree:
        spread = tree.child("spread").ref
        assert spread.route(5).ask("here", timeout=5) == ["here"]
        assert [node.path for node in tree.snapshot().walk()] == [
            f"root/spread{rest}" for rest in ("", "/0", "/1")
        ]


# -- stop -----------------------------------------------------------------------------------------


def test_stopping_is_synchronous():
    keepers = PartitionSupervisor.start(child(Keeper), name="short", partitions=2)
    refs = [info.ref for info in keepers.children()]
    keepers.shutdown(timeout=5)
    assert all(ref.ended.done() for ref in [keepers, *refs])
    for use in (lambda: keepers.partitions, keepers.count, lambda: keepers.route(1)):
        with pytest.raises(ActorDead):
            use()
    PartitionSupervisor.start(child(Keeper), name="short", partitions=1).shutdown()


# -- route ----------------------------------------------------------------------------------------


def test_a_key_always_belongs_to_the_same_partition(keepers):
    for key in ("a", ("b", 2), 17, frozenset()):
        assert keepers.route(key) is keepers.route(key)
        assert keepers.partition(key) in range(8)


def test_a_partition_that_crashes_is_started_again_alone(keepers):
    old, others = keepers.route(3), [keepers.route(key) for key in range(8) if key != 3]
    old.tell(ValueError("told to"))
    await_idle(keepers)
    assert keepers.route(3) is not old
    assert [keepers.route(key) for key in range(8) if key != 3] == others


def test_a_partition_that_is_being_restarted_says_so_and_its_handle_waits():
    clock = ManualClock()
    spec = child(Keeper, backoff=klemheist.Backoff(min=1, max=1, jitter=0))
    with PartitionSupervisor.start(spec, name="late", partitions=2, clock=clock) as spread:
        spread.route(1).tell(ValueError("told to"))
        await_idle(spread)
        with pytest.raises(ChildRestarting):
            spread.route(1)
        clock.advance(1)
        assert spread.handle(spread.partition(1)).ask("back", timeout=5) == ["back"]


# -- resize ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("partitions", [9, -1, True])
def test_raises_if_trying_to_increase_the_number_of_partitions(keepers, partitions):
    with pytest.raises(ValueError, match="use 0 to 8"):
        keepers.resize(partitions)
    assert keepers.partitions == 8


def test_one_that_does_not_start_again_leaves_those_before_it_in_use():
    with PartitionSupervisor.start(child(Refusing), name="refusing", partitions=3) as spread:
        spread.resize(1)
        Refusing.refuses = True
        try:
            with pytest.raises(StartError):
                spread.resize(3)
        finally:
            Refusing.refuses = False
        assert spread.partitions == 1
        assert spread.resize(3) == 1


# -- looking --------------------------------------------------------------------------------------
