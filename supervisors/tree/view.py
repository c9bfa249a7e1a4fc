"""`View`: what a supervisor tells about itself, on any thread, without stopping anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from klemheist.actors.runtime import ActorDead, Future, zombies
from klemheist.supervisors.core.entry import ChildState
from klemheist.supervisors.core.errors import ChildNotFound
from klemheist.supervisors.core.info import ChildInfo, SupervisorStatistics, info_of, statistics_of
from klemheist.supervisors.core.requests import key_of

from .driver import Driver
from .ref import SupervisorRef
from .snapshot import Node, Tree
from .teller import gone

if TYPE_CHECKING:
    from collections.abc import Hashable

    from klemheist.actors.runtime import ActorRef
    from klemheist.supervisors.core.child import ChildSpec
    from klemheist.supervisors.core.entry import Entry


class View(Driver):
    """The reading half of a supervisor."""

    @property
    def template(self) -> ChildSpec | None:
        """What all children are, in a simple_one_for_one."""
        return self._core.template

    def children(self) -> list[ChildInfo]:
        """The children in start order."""
        now = self.timers.clock.monotonic()
        with self._reading:
            return [info_of(entry, now) for entry in self._core.children.values()]

    def child(self, key: Hashable) -> ChildInfo:
        """One child, by its id, or in a dynamic supervisor by its ref (an `Incarnation`)."""
        with self._reading:
            return info_of(self._entry(key_of(self._core, key)), self.timers.clock.monotonic())

    def running(self, key: Hashable) -> ActorRef[Any] | None:
        """The incarnation of a child that runs, as in `child`; None also where there is no child.

        For those who look one up often: it asks nothing else.
        """
        with self._reading:
            entry = self._core.children.get(key)
            return None if entry is None else entry.running

    def child_by_key(self, key: Hashable) -> ChildInfo:
        """One child, by the id that the supervisor itself goes by."""
        with self._reading:
            return info_of(self._entry(key), self.timers.clock.monotonic())

    def key_of(self, key: Hashable) -> Hashable:
        """The id that the supervisor itself goes by; children of a template have one too."""
        with self._reading:
            return key_of(self._core, key)

    def ready(self, key: Hashable) -> Future[ActorRef[Any]]:
        """A future of the child's running incarnation.

        Raises:
            ChildNotFound: There is none, and none will come by itself.
            ActorDead: The supervisor is gone.
        """
        with self._reading:
            entry = self._core.children.get(key)
            if self._released:
                raise ActorDead(f"{self} not found: it has ended")
            if entry is None or entry.state is ChildState.FAILED:
                raise gone(key)
            runs = entry.alive and entry.state is ChildState.RUNNING
            if not runs or entry.ref.is_retired:  # its end is known here before it is dealt with
                if self._awaited is None:
                    self._awaited = {}
                return self._awaited.setdefault(key, Future())
            ref = entry.ref
        waiter: Future[ActorRef[Any]] = Future()
        waiter.set(ref)
        return waiter

    def statistics(self) -> SupervisorStatistics:
        """What happened under this supervisor so far."""
        with self._reading:
            return statistics_of(self._core.totals, self._core.children)

    def snapshot(self) -> Tree:
        """The tree from here down."""
        core = self._core
        now = self.timers.clock.monotonic()
        with self._reading:
            entries = [
                (info_of(entry, now), entry.ref, entry.killed) for entry in core.children.values()
            ]
            window = core.window
            used, strategy = window.count(now), core.spec.strategy
        held = set(zombies())
        return Tree(
            path=self.path,
            ref=self._actor_self,
            strategy="dynamic" if core.dynamic else strategy,
            max_restarts=window.max_restarts,
            period=window.period,
            restarts_in_window=used,
            children=tuple(
                self._node(info, ref, sum(each in held for each in killed))
                for info, ref, killed in entries
            ),
        )

    def _node(self, info: ChildInfo, ref: ActorRef[Any] | None, held: int) -> Node:
        under = None
        if isinstance(ref, SupervisorRef):
            supervisor = cast("View | None", ref.actor())
            under = None if supervisor is None else supervisor.snapshot()
        return Node(
            id=info.id,
            path=f"{self.path}/{info.id}",
            type=info.type,
            state=info.state,
            ref=ref,
            restarts=info.restarts,
            last_exit=info.last_exit,
            next_attempt_in=info.next_attempt_in,
            mailbox_len=0 if ref is None else len(ref.actor_inbox),
            busy_for=None if ref is None else ref.busy_for(),
            zombies=held,
            tree=under,
        )

    def _entry(self, key: Hashable) -> Entry:
        entry = self._core.children.get(key)
        if entry is None:
            raise ChildNotFound(f"no child {key!r}: children() lists those there are")
        return entry
