"""A session's node in the tree: owns the ledger, supervises Session and trackers, and cleans up.

However the session ends — closed, shut down with the tree, faulted — it ends through here: teardowns
and cleanups in reverse order of registration, then the namespace goes, then the actors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from loguru import logger

from klemheist.actors.device.debts import Debt
from klemheist.actors.errors import ResourceCleanupError
from klemheist.actors.operation import Steps, operation
from klemheist.actors.runtime import Actor, Future
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.session.actor import SessionActor
from klemheist.actors.session.cleaners import Cleaner, DeploymentCleaner, ResourceCleaner
from klemheist.actors.session.cleanup import Cleanups
from klemheist.actors.session.core import SessionCore, failures
from klemheist.actors.session.ledger import EntryKind
from klemheist.actors.session.status import Turn
from klemheist.actors.session.threads import ThreadCleaner
from klemheist.transports.errors import LinkError

from .child import child
from .errors import ChildNotFound
from .supervisor import Supervisor

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
"""Seconds for the namespace to be closed, once everything in it has been cleaned up."""


class SessionNode(Supervisor):
    """The supervisor of one session."""

    def __init__(
        self,
        core: SessionCore,
        *,
        recovers: bool,
        ended: Callable[[SessionCore, ResourceCleanupError | None], object],
        **flags: Any,
    ) -> None:
        spec = child(SessionActor, core, id="session", kwargs={"recovers": recovers})
        super().__init__([spec], **flags)
        self.core = core
        self._ended = ended
        self._cleanups = Cleanups(core)
        self._wanted: set[EntryKind] = set()
        core.spawn = self
        core.run_cleanups = self._cleanups.run
        core.clean_one = self._cleanups.one

    # -- Spawn: what the session needs of its node ---------------------------------------------------

    def tracker(self, kind: EntryKind) -> None:
        """See that the tracker of this kind runs; it is started on first use."""
        if kind not in self._wanted:
            self._wanted.add(kind)
            spec = child(TRACKERS[kind], self.core, self._cleanups.report, id=NAMES[kind])
            self.actor_ref.start_child(spec, block=False)

    def find(self, kind: EntryKind) -> Actor | None:
        """Return the running tracker of this kind."""
        try:
            ref = self.child(NAMES[kind]).ref
        except ChildNotFound:
            return None
        return None if ref is None else ref.actor()

    # -- the end -------------------------------------------------------------------------------------

    def before_shutdown(self, done: Callable[[], None]) -> None:
        """Clean up while Session and trackers still run."""
        self._clean_up().add_done_callback(lambda _: done())

    @operation
    def _clean_up(self) -> Steps[None]:
        core = self.core
        core.move(Turn.END)
        limit = core.options.resource_cleanup_timeout
        cleaned = yield core.run_cleanups(limit)
        core.ledger.close()
        yield self._close_namespace()
        error = failures(cleaned)
        count = len(cleaned) - (len(error.exceptions) if error is not None else 0)
        logger.bind(session=core.session_id, device=core.port.url).info(
            "session ended, {} resources cleaned up", count
        )
        self._ended(core, error)
        core.ended("ended")

    def _close_namespace(self) -> Future[Any]:
        """Drop the namespace on the device; where the device is away, that is owed."""
        core = self.core
        namespace = core.namespace
        closing = core.cleanup_call(namespace.close, SYSTEM_CLOCK.monotonic() + CLOSE_WITHIN)
        settled: Future[Any] = Future()

        def closed(future: Future[Any]) -> None:
            if isinstance(future.exception(), LinkError) and namespace.boot:
                label = f"{core.session_id}/namespace"
                core.port.debts.add(Debt(label, namespace.close, namespace.boot))
            settled.set(None)

        closing.add_done_callback(closed)
        return settled
