"""A session's node in the tree: owns the ledger, supervises Session and trackers, and cleans up.

However the session ends — closed, shut down with the tree, faulted — it ends through here:
teardowns and cleanups in reverse order of registration, then the namespace goes, then the actors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from klemheist.actors.device.debts import Debt
from klemheist.actors.messages import Cleaned
from klemheist.actors.operation import Steps, operation
from klemheist.actors.runtime import TIMERS, Actor, ActorRef, ExitReason, Future
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.session.actor import SessionActor
from klemheist.actors.session.cleaners import Cleaner, DeploymentCleaner, ResourceCleaner
from klemheist.actors.session.cleanup import failures
from klemheist.actors.session.core import SessionCore
from klemheist.actors.session.ledger import EntryKind
from klemheist.actors.session.remote import Namespace
from klemheist.actors.session.status import Turn
from klemheist.actors.session.threads import ThreadCleaner
from klemheist.supervisors.core.child import ChildSpec, Restart, child
from klemheist.supervisors.core.supervisor_spec import SupervisorSpec
from klemheist.supervisors.tree.ref import SupervisorRef
from klemheist.supervisors.tree.supervisor import Supervisor
from klemheist.transports.errors import LinkError

TRACKERS: Final[dict[EntryKind, type[Cleaner]]] = {
    EntryKind.RESOURCE: ResourceCleaner,
    EntryKind.THREAD: ThreadCleaner,
    EntryKind.DEPLOYMENT: DeploymentCleaner,
}
NAMES: Final = {
    EntryKind.RESOURCE: "resources",
    EntryKind.THREAD: "threads",
    EntryKind.DEPLOYMENT: "deployments",
}
CLOSE_WITHIN: Final = 5.0
"""Seconds that the end of a session waits for its namespace to be closed."""
CLOSE_AT_LAST: Final = 60.0
"""Seconds after which a namespace that could not be closed is owed."""


_AT_FIRST: Final = SupervisorSpec([child(SessionActor, id="session")])


class SessionNode(Supervisor):
    """The supervisor of one session."""

    # beyond 30 names in one instance Python shares no table of them: 1.3 KB for each session
    __slots__ = ("_stand_ins", "_wanted", "core")

    def __init__(self, core: SessionCore, **flags: Any) -> None:
        super().__init__(_spec=_AT_FIRST, **flags)
        self.core = core
        self._wanted: tuple[EntryKind, ...] = ()
        self._stand_ins: dict[EntryKind, ActorRef[Any]] | None = None  # until it ends
        core.spawn = self

    def _equip(self, child: Any) -> None:
        """Tell its Session whose it is: so one spec does for all sessions."""
        if isinstance(child, SessionActor):
            child.core = self.core

    def on_restart(self, reason: ExitReason, attempt: int) -> None:
        """A new node is a new attachment of the same session."""
        self.core.report.warning("session restarted after {}, attempt {}", reason, attempt)
        self.core.attach()

    def on_start(self) -> None:
        """Begin, with the trackers of what the ledger holds."""
        super().on_start()
        for entry in self.core.held():
            self.tracker(entry.kind)

    # -- Spawn: what the session needs of its node -------------------------------------------------

    def tracker(self, kind: EntryKind) -> None:
        """See that the tracker of this kind runs; it is started on first use."""
        if kind not in self._wanted:
            self._wanted = (*self._wanted, kind)
            spec = child(TRACKERS[kind], self.core, id=NAMES[kind])
            cast("SupervisorRef[Any]", self.actor_ref).start_child(spec, block=False)

    def find(self, kind: EntryKind) -> Actor | None:
        """Return the running tracker of this kind; at the end there is always one."""
        ref = self.running(NAMES[kind])
        if self._stand_ins is not None and (ref is None or ref.ended.done()):
            ref = self._stand_in(kind, self._stand_ins)
        return None if ref is None else ref.actor()

    def _stand_in(
        self, kind: EntryKind, stand_ins: dict[EntryKind, ActorRef[Any]]
    ) -> ActorRef[Any]:
        """Start a tracker beside the tree, which starts none any more while it shuts down."""
        ref = stand_ins.get(kind)
        if ref is None or ref.ended.done():
            started: Any = TRACKERS[kind].start(self.core)
            ref = stand_ins[kind] = started
        return ref

    # -- the end -----------------------------------------------------------------------------------

    def before_shutdown(self, done: Callable[[], None]) -> None:
        """Clean up while Session and trackers still run."""
        self._clean_up().add_done_callback(lambda _: done())

    @operation
    def _clean_up(self) -> Steps[None]:
        core = self.core
        if core.move(Turn.FAULT):  # nobody asked for this end: see `ManagerCore.end`
            core.fault = "its actors crashed too often"
        core.move(Turn.END)
        stand_ins = self._stand_ins = {}
        core.stop_calls()
        ends = SYSTEM_CLOCK.monotonic() + core.options.resource_cleanup_timeout
        cleaned: list[Cleaned] = []
        resources = _resources(core)
        if core.held():
            cleaned += yield core.run_cleanups(ends - SYSTEM_CLOCK.monotonic())
        core.ledger.close()
        resources |= _resources(core)
        if core.held():  # it was registered meanwhile, or is owed
            cleaned += yield core.run_cleanups(ends - SYSTEM_CLOCK.monotonic())
        core.stop_all_calls()
        yield self._close_namespace()
        for ref in stand_ins.values():
            ref.stop(block=False)
        error = failures(cleaned)
        count = sum(each.error is None and each.number in resources for each in cleaned)
        core.report.info("session ended, {} resources cleaned up", count)
        core.cleaned(error)

    def _close_namespace(self) -> Future[Any]:
        """Drop the namespace on the device; where the device is away, that is owed.

        Nobody waits for it longer than `CLOSE_WITHIN`: another session may hold the device.
        """
        core = self.core
        namespace: Namespace | None = core.made("namespace")
        settled: Future[Any] = Future()
        if namespace is None or namespace.is_new:
            settled.set(None)
            return settled
        closing = core.cleanup_call(namespace.close, SYSTEM_CLOCK.monotonic() + CLOSE_AT_LAST)
        enough = TIMERS.call_later(CLOSE_WITHIN, settled.set, None)

        def closed(future: Future[Any]) -> None:
            enough.cancel()
            if isinstance(future.exception(), LinkError):
                label = f"{core.session_id}/namespace"
                core.port.debts.add(Debt(label, namespace.close, namespace.opened))
                core.port.settle()
            elif (error := future.exception()) is not None:
                core.report.warning("its namespace is still on the device: {}", error)
            settled.set(None)

        closing.add_done_callback(closed)
        return settled


def _resources(core: SessionCore) -> set[int]:
    """Return the numbers of the resources that are to be cleaned up: threads and tasks are none."""
    return {entry.number for entry in core.held(EntryKind.RESOURCE)}


_ANY_SESSION: Final = child(SessionNode, id="a session", restart=Restart.TRANSIENT)


def spec_of(core: SessionCore) -> ChildSpec:
    """Return how a session's node is started and ended."""
    patience = core.options.resource_cleanup_timeout + CLOSE_WITHIN + 1.0
    return _ANY_SESSION.having(id=core.session_id, args=(core,), shutdown=patience)
