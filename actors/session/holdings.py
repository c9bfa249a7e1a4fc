"""What a session knows and holds: registered on the caller's thread, cleaned up by trackers."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from klemheist.actors.errors import ResourceConflict, SessionError

from .cleanup import Cleanups
from .ledger import Entry, EntryKind, EntryState, Ledger
from .meter import MemoryMeter
from .names import check_names
from .remote import Namespace
from .resources import DeployedMethodInfo, OwnResource, Resource
from .state import SessionState

if TYPE_CHECKING:
    from klemheist.actors.device.port import Port
    from klemheist.actors.messages import Cleaned
    from klemheist.actors.runtime.future import Future
    from klemheist.actors.sources import Source

    from .budget import Budget
    from .options import SessionOptions
    from .spawn import Home, Keeper


class Holdings(SessionState):
    """One logical session, and what it knows and has to give back."""

    __slots__ = ("cleanups", "ledger", "meter", "namespace", "tasks")

    def __init__(
        self,
        port: Port,
        home: Home,
        options: SessionOptions,
        keeper: Keeper,
        *,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(port, home, options, keeper, budget=budget)
        self.meter = (
            None
            if budget is None or budget.memory is None
            else MemoryMeter(self.namespace, budget.memory, self.undeployed)
        )
        """Measures the memory that it takes, where that is limited."""

    if TYPE_CHECKING:
        cleanups: Cleanups
        """Cleans up through the trackers."""
        ledger: Ledger
        namespace: Namespace
        tasks: dict[str, Source]

    def _make_namespace(self) -> Namespace:
        return Namespace(self._home.numbers, self)

    def _make_ledger(self) -> Ledger:
        return Ledger(self.session_id, self._keeper.journal, self._home.claims)

    PARTS: ClassVar = SessionState.PARTS | {
        "cleanups": Cleanups,
        "ledger": _make_ledger,
        "namespace": _make_namespace,
        "tasks": lambda _: {},
    }

    def describe(self) -> dict[str, Any]:
        """Return a snapshot, for people and for `GetStatus`."""
        return {
            "session_id": self.session_id,
            "device": self.port.url,
            "status": self.status.value,
            "epoch": self.epoch,
            "generation": self.port.generation,
            "created_at": self.created_at,
            "tasks": tuple(self.made("tasks") or ()),
            "held": tuple(f"{e.kind} {e.key}" for e in self.held()),
            "exclusive": self.exclusive,
            "budget": self.budget,
            "memory": 0 if self.meter is None else self.meter.used,
        }

    def held(self, kind: EntryKind | None = None) -> tuple[Entry, ...]:
        """Return a snapshot of what is held, being cleaned or owed, in order of registration."""
        ledger: Ledger | None = self.made("ledger")
        return () if ledger is None else ledger.entries(kind)

    def ended(self) -> None:
        """Take nothing more, and tell everybody that it is over."""
        self.ledger.let_go()
        super().ended()

    def remember(self, source: Source) -> None:
        """Know a task by name, for `Call` messages.

        Raises:
            ArgumentError: the name is reserved.
        """
        check_names((source.name,))
        known = self.tasks.get(source.name)
        self.tasks[source.name] = source
        if known is None or known.hash != source.hash:
            self._outdate({source.name})

    def _outdate(self, names: set[str]) -> None:
        """Send those again that use these tasks, or use one that does."""
        more = {each.name for each in self.tasks.values() if each.names & names} - names
        for name in more:
            self.namespace.outdate(name)
        if more:
            self._outdate(names | more)

    def track(self, kind: EntryKind, key: str, held: object) -> None:
        """Hold something until the session ends, and see that its tracker is there.

        Raises:
            SessionClosed: the session has ended, or its cleanup is past this.
            BudgetExceeded: it is more than the session may hold.
            ResourceConflict: it claims what another resource holds.
            ArgumentError: a thread has a name that is ours.
        """
        if kind is EntryKind.THREAD:
            check_names((getattr(held, "name", ""),))
        try:
            entry = self._admitted_entry(kind, key, held)
        except ResourceConflict as conflict:
            self.port.emit("conflict", str(conflict))
            raise
        if entry is None:
            raise self.refusal()
        self._tell_registration(kind, key, held)
        if self.spawn is not None:
            self.spawn.tracker(kind)

    def _admitted_entry(self, kind: EntryKind, key: str, held: object) -> Entry | None:
        check = None if self.budget is None else partial(self.budget.check, kind, key, held)
        return self.ledger.register(kind, key, held, check=check)

    def undeployed(self, name: str = "") -> None:
        """Forget a function whose deployment was undone; all of them without a name."""
        start = f"{name}(" if name else ""
        ledger: Ledger | None = self.made("ledger")
        if ledger is not None:
            ledger.drop(EntryKind.DEPLOYMENT, lambda entry: not entry.key.startswith(start))

    def _tell_registration(self, kind: EntryKind, key: str, held: object) -> None:
        if isinstance(held, Resource):
            self._keeper.registered(held.resource_type)
            cost = held.estimated_cost
            self.report.debug("{} {} registered, cost {}", held.resource_type, key, cost)
        elif kind is EntryKind.THREAD:
            self.report.debug("thread {} registered: {}", key, getattr(held, "name", ""))

    def deployed(self, source: Source) -> None:
        """Record a deployment that worked; on the device's turn."""
        if not self.options.enable_resource_tracking:
            return
        signature = f"{source.name}({', '.join(source.parameters)})"
        info = DeployedMethodInfo(
            signature=signature,
            code_hash=source.hash,
            deployed_at=datetime.now(UTC),
            session_id=self.session_id,
        )
        try:
            self.track(EntryKind.DEPLOYMENT, signature, info)
        except SessionError:
            return  # it is ending: its namespace goes anyway

    # -- what is owed ------------------------------------------------------------------------------

    def owe(self, entry: Entry) -> bool:
        """Leave a cleanup to the device's debts, where there is code for it (DESIGN 4)."""
        resource = entry.held
        is_due = entry.state in (EntryState.HELD, EntryState.CLEANING)
        if not is_due or not isinstance(resource, Resource) or resource.undo is None:
            return False
        self.port.debts.add_code(
            f"{self.session_id}/{resource.resource_id}",
            resource.undo,
            boot=None if resource.persistent else self.port.board.boot,
        )
        self.port.settle()
        return True

    def owe_late(self, entry: Entry) -> bool:
        """Leave a cleanup whose time is up to the device's debts, where it cannot meet its `undo`.

        A user's may still be at it on a device that is there; ours was cancelled.
        """
        is_over = isinstance(entry.held, OwnResource) or not self.port.is_up
        return is_over and self.owe(entry)

    # -- what is done by its node ------------------------------------------------------------------

    def run_cleanups(self, timeout: float) -> Future[list[Cleaned]]:
        """Clean up through the trackers, within `timeout` seconds."""
        return self.cleanups.run(timeout)

    def clean_one(self, kind: EntryKind, key: str) -> Future[Cleaned]:
        """Clean one entry up through its tracker."""
        return self.cleanups.one(kind, key)
