"""Elixir's cases of the PartitionSupervisor.

Adapted: there is no `:via`, so where a case goes by a via tuple, ours goes by the registered name.
"""

from __future__ import annotations

import os
import random

import pytest

import klemheist
from klemheist import DynamicSupervisor, PartitionSupervisor, child, whereis
from klemheist.supervisors.core.errors import ChildNotFound, InvalidChildSpec, InvalidFlags
from klemheist.supervisors.core.info import ChildCount
from klemheist.testing import Probe

CPUS = os.cpu_count()


class Agent(klemheist.Actor):
    """Says what it was started with."""

    def __init__(self, *args):
        super().__init__()
        self.args = args

    def on_receive(self, message):
        return self.args


@pytest.fixture
def eight():
    with PartitionSupervisor.start(child(Agent), name="eight", partitions=8) as eight:
        yield eight


@pytest.fixture
def agents():
    with PartitionSupervisor.start(child(Agent, "hello"), name="agents") as agents:
        yield agents


# -- child_spec -----------------------------------------------------------------------------------


def test_child_spec_uses_the_atom_name_as_id():
    """Adapted: `child()` takes the class's name, as for every child, or the id that it is given."""
    spec = child(PartitionSupervisor, child(Agent), kwargs={"name": "Foo"})
    assert (spec.id, spec.start, spec.kind) == (
        "PartitionSupervisor",
        PartitionSupervisor,
        "supervisor",
    )


def test_child_spec_uses_the_via_value_as_id():
    """Adapted: as above."""
    spec = child(PartitionSupervisor, child(Agent), id=("bar", "baz"), kwargs={"name": "Foo"})
    assert spec.id == ("bar", "baz")


# -- start_link/1 ---------------------------------------------------------------------------------


def test_start_link_1_on_success_with_atom_name():
    with PartitionSupervisor.start(child(DynamicSupervisor), name="dynamic") as spread:
        assert spread.partitions == CPUS
        keys = [f"key {number}" for number in range(100)]
        for key in keys:
            spread.route(key).start_child(child(Agent, key, id=key))
        refs = [info.ref for each in spread.children() for info in each.ref.children()]
        assert sorted(ref.ask("", timeout=5) for ref in refs) == sorted((key,) for key in keys)


def test_start_link_1_on_success_with_via_name(agents):
    assert whereis("agents").partitions == CPUS
    assert whereis("agents").route(0).ask("", timeout=5) == ("hello",)


def test_start_link_1_with_arguments():
    """Adapted: the remainder of a negative key is Python's: 2 for -1 of 3."""
    with PartitionSupervisor.start(
        child(Agent, "unused"), name="three", partitions=3, with_args=lambda _, number: [number]
    ) as three:
        assert three.partitions == 3
        found = [three.route(key).ask("", timeout=5) for key in (0, 1, 2, 3, -1)]
        assert found == [(0,), (1,), (2,), (0,), (2,)]


def test_start_link_1_raises_without_name():
    with pytest.raises(InvalidFlags) as caught:
        PartitionSupervisor.start(child(Agent))
    assert caught.value.code == "missing_name"
    with pytest.raises(InvalidFlags) as caught:
        PartitionSupervisor.start(child(Agent), name=None)
    assert caught.value.code == "invalid_name"


def test_start_link_1_raises_without_child_spec():
    with pytest.raises(InvalidFlags) as caught:
        PartitionSupervisor.start(name="Foo")
    assert caught.value.code == "missing_child"
    with pytest.raises(InvalidChildSpec):
        PartitionSupervisor.start(Agent, name="Foo")


@pytest.mark.parametrize("partitions", [0, -1, 1.5, True])
def test_start_link_1_raises_on_bad_partitions(partitions):
    with pytest.raises(InvalidFlags) as caught:
        PartitionSupervisor.start(child(Agent), name="Foo", partitions=partitions)
    assert caught.value.code == "invalid_partitions"


def test_start_link_1_raises_on_bad_with_arguments():
    with pytest.raises(InvalidFlags) as caught:
        PartitionSupervisor.start(child(Agent), name="Foo", with_args=123)
    assert caught.value.code == "invalid_with_args"


def test_start_link_1_raises_with_bad_auto_shutdown():
    with pytest.raises(InvalidFlags) as caught:
        PartitionSupervisor.start(child(Agent), name="Foo", auto_shutdown="any_significant")
    assert caught.value.code == "invalid_auto_shutdown"


# -- stop/1 ---------------------------------------------------------------------------------------


def test_stop_1_is_synchronous():
    PartitionSupervisor.start(child(Agent), name="short").shutdown(timeout=5)
    assert whereis("short") is None


def test_stop_1_with_via_tuple():
    short = PartitionSupervisor.start(child(Agent), name="short")
    with Probe() as probe:
        probe.watch(short, *(info.ref for info in short.children()))
        whereis("short").shutdown(timeout=5)
        probe.expect_down(short, reason="shutdown")
    assert not short.is_alive()


# -- partitions/1 ---------------------------------------------------------------------------------


def test_partitions_1_raises_noproc_for_unknown_atom_partition_supervisor():
    """Adapted: nobody has an unknown name; one that is gone is no process."""
    assert whereis("unknown") is None


def test_partitions_1_raises_noproc_for_unknown_via_partition_supervisor():
    gone = PartitionSupervisor.start(child(Agent), name="gone")
    gone.shutdown()
    with pytest.raises(klemheist.ActorDead):
        _ = gone.partitions


# -- resize!/1 ------------------------------------------------------------------------------------


def test_resize_1_resizes_the_number_of_children(eight):
    shuffled = list(range(9))
    random.Random(1).shuffle(shuffled)
    for count in [*reversed(range(9)), *range(9), *shuffled]:
        eight.resize(count)
        assert eight.partitions == count
        assert eight.count() == ChildCount(specs=8, active=count, supervisors=0, workers=8)
        assert len({eight.route(key) for key in range(8) if count}) == count


def test_resize_1_raises_on_lookup_after_resizing_to_zero(eight):
    assert eight.resize(0) == 8
    with pytest.raises(ChildNotFound, match="no partitions"):
        eight.route(0)
    assert eight.resize(8) == 0


def test_resize_1_raises_if_trying_to_increase_the_number_of_partitions(eight):
    with pytest.raises(ValueError, match="partitions=9: use 0 to 8"):
        eight.resize(9)


# -- which_children/1 -----------------------------------------------------------------------------


def test_which_children_1_returns_all_partitions(agents):
    assert agents.partitions == CPUS
    assert [(info.id, info.ref, info.type) for info in agents.children()] == [
        (number, agents.route(number), "worker") for number in range(CPUS)
    ]


# -- count_children/1 -----------------------------------------------------------------------------


def test_count_children_1_with_workers(agents):
    assert agents.count() == ChildCount(specs=CPUS, active=CPUS, supervisors=0, workers=CPUS)


def test_count_children_1_with_supervisors():
    with PartitionSupervisor.start(child(DynamicSupervisor), name="of") as spread:
        assert spread.count() == ChildCount(specs=CPUS, active=CPUS, supervisors=CPUS, workers=0)


def test_count_children_1_raises_noproc_for_unknown_partition_supervisor():
    gone = PartitionSupervisor.start(child(Agent), name="gone")
    gone.shutdown()
    with pytest.raises(klemheist.ActorDead):
        gone.count()


def test_count_children_1_with_via_tuple(agents):
    assert whereis("agents").count() == agents.count()
