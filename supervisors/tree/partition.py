"""`PartitionSupervisor`: the same child several times over, and a key says which one to talk to.

with PartitionSupervisor.start(child(Counter), name="counters", partitions=4) as counters:
    counters.route("user-17").tell("seen")        # always the same of the four

It takes apart an actor that everybody has to pass through.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

import pykka

from klemheist.actors.runtime.check import shown
from klemheist.supervisors.core.child import ChildSpec, checked_spec
from klemheist.supervisors.core.errors import ChildNotFound, InvalidFlags
from klemheist.supervisors.core.flags import AutoShutdown
from klemheist.supervisors.core.keys import known_only
from klemheist.supervisors.core.supervisor_spec import MAX_RESTARTS, PERIOD

from .handle import ChildHandle
from .ref import SupervisorRef
from .supervisor import Supervisor

if TYPE_CHECKING:
    from klemheist.actors.runtime import ActorRef, Clock
    from klemheist.supervisors.core.events import TreeEvent

A = TypeVar("A", bound=pykka.Actor)

_NOT_HERE = {"children", "arguments", "_spec"}
"""What a supervisor takes otherwise."""


class PartitionSupervisorRef(SupervisorRef[A]):
    """A partition supervisor, for everybody else."""

    @property
    def partitions(self) -> int:
        """How many partitions keys are spread over just now."""
        return self._partitioned().partitions

    def partition(self, key: Hashable) -> int:
        """The number, and the id, of the partition that `key` belongs to.

        An integer goes to its remainder; anything else by its `hash()`, which for strings differs
        from one run of Python to the next.

        Raises:
            ChildNotFound: There are no partitions, after `resize(0)`.
        """
        count = self.partitions
        if not count:
            raise ChildNotFound(f"{self} has no partitions: resize() it")
        return (key if isinstance(key, int) else hash(key)) % count

    def route(self, key: Hashable) -> ActorRef[Any]:
        """The partition that `key` belongs to: the incarnation that runs.

        `handle(partition(key))` gives a reference that follows its restarts.

        Raises:
            ChildNotFound: There are no partitions, after `resize(0)`.
            ChildRestarting: Just now it does not run.
        """
        return ChildHandle(self, self.partition(key)).ref

    def resize(self, partitions: int) -> int:
        """Spread keys over fewer partitions, or over as many as there were in the beginning.

        The last ones are stopped, and started again in a new incarnation; what belonged to them is
        for others now. Waits until that is done: each stop has its child's `shutdown` time.

        Args:
            partitions: How many there shall be.

        Returns:
            How many there were.

        Raises:
            InvalidFlags: It is more than in the beginning, or below 0, or no number.
            StartError: One did not start; those before it are in use.
        """
        supervisor = self._partitioned()
        most = supervisor.most
        is_number = isinstance(partitions, int) and not isinstance(partitions, bool)
        if not is_number or not 0 <= partitions <= most:
            raise _invalid("partitions", partitions, f"use 0 to {most}, as it was started with")
        with supervisor.resizing:
            before = supervisor.partitions
            for number in range(before, partitions):
                self.restart_child(number)
                supervisor.partitions = number + 1
            supervisor.partitions = partitions  # nobody is sent to one that is about to stop
            for number in reversed(range(partitions, before)):
                self.terminate_child(number)
        return before

    def _partitioned(self) -> PartitionSupervisor:
        return cast("PartitionSupervisor", self._supervisor())


class PartitionSupervisor(Supervisor):
    """A supervisor of partitions: equal children with the ids 0, 1, 2 and so on.

    Each is restarted by itself. It may be a child as well: give `child()` its `kwargs`.

    Args:
        child: What each partition is; its id is replaced.
        name: Registered for it while it lives, and its name in paths.
        partitions: How many there are; the number of processors by default.
        with_args: Called with the child's arguments and the partition's number; gives the arguments
            of that partition.
        max_restarts: As in `Supervisor`, for all partitions together.
        period: As in `Supervisor`.
        more: `clock` and `on_event`, as in `Supervisor`.

    Raises:
        InvalidChildSpec: The child's spec is wrong.
        InvalidFlags: Another argument is wrong.
    """

    ref_class = PartitionSupervisorRef

    @known_only(InvalidFlags, "bad_flags")
    def __init__(
        self,
        child: ChildSpec,
        *,
        name: str,
        partitions: int | None = None,
        with_args: Callable[[tuple[Any, ...], int], Iterable[Any]] | None = None,
        max_restarts: int = MAX_RESTARTS,
        period: float = PERIOD,
        **more: Any,
    ) -> None:
        most = (os.cpu_count() or 1) if partitions is None else partitions
        if not isinstance(name, str) or not name:
            raise _invalid("name", name, "give it one: others find it by that")
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise _invalid("partitions", partitions, "use 1 or more")
        if with_args is not None and not callable(with_args):
            raise _invalid("with_args", with_args, "use a function of the arguments and the number")
        if more.get("auto_shutdown", AutoShutdown.NEVER) != AutoShutdown.NEVER:
            raise _invalid("auto_shutdown", more["auto_shutdown"], "a partition is never the last")
        for name_of_none in _NOT_HERE & more.keys():
            value = more[name_of_none]
            raise _invalid(name_of_none, value, "partitions have one child and no init")
        spec = checked_spec(child, AutoShutdown.NEVER)
        super().__init__(
            [_partition(spec, number, with_args) for number in range(most)],
            name=name,
            max_restarts=max_restarts,
            period=period,
            **more,
        )
        self.most = most
        """Partitions that it began with."""
        self.partitions = most
        """Partitions that are in use."""
        self.resizing = allocate_lock()
        """Held by whoever changes `partitions`."""

    @overload  # type: ignore[override]  # another constructor, as for every class
    @classmethod
    def start(
        cls,
        child: ChildSpec,
        *,
        name: str,
        partitions: int | None = None,
        with_args: Callable[[tuple[Any, ...], int], Iterable[Any]] | None = None,
        max_restarts: int = MAX_RESTARTS,
        period: float = PERIOD,
        clock: Clock | None = None,
        on_event: Callable[[TreeEvent], object] | None = None,
    ) -> PartitionSupervisorRef[Any]: ...

    @overload
    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> PartitionSupervisorRef[Any]: ...

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> PartitionSupervisorRef[Any]:
        """Start it and wait until all its partitions are up.

        Raises:
            StartError: One did not start; those before it have been stopped.
        """
        return cast("PartitionSupervisorRef[Any]", super().start(*args, **kwargs))


def _partition(
    spec: ChildSpec, number: int, with_args: Callable[[tuple[Any, ...], int], Iterable[Any]] | None
) -> ChildSpec:
    args = spec.args if with_args is None else tuple(with_args(spec.args, number))
    return replace(spec, id=number, args=args)


def _invalid(name: str, value: object, advice: str) -> InvalidFlags:
    return InvalidFlags(f"invalid_{name}", value, f"{name}={shown(value)}: {advice}")
