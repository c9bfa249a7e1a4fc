"""`session.resources`: the user's view of what a session holds (SES-030 to SES-041)."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from klemheist.actors.errors import AlreadyHeld
from klemheist.actors.operation import cancellable
from klemheist.transports.repl.values import ArgumentError

from .claims import wanted
from .ledger import Act, EntryKind, EntryState
from .resources import BackgroundThreadInfo, DeployedMethodInfo, Resource, ResourceUsageStats
from .threads import ThreadRecord
from .typed import check_text

if TYPE_CHECKING:
    from .core import SessionCore
    from .resources import CancelToken


class TrackerView:
    """Registration and look-up, at once and on the caller's thread; see `ResourceTracker`."""

    def __init__(self, core: SessionCore) -> None:
        self._core = core

    @property
    def session_id(self) -> str:
        """The session whose tracker this is."""
        return self._core.session_id

    def _register(self, kind: EntryKind, key: str, held: object) -> None:
        if self._core.options.enable_resource_tracking:
            self._core.track(kind, key, held)

    # -- threads

    def register_background_thread(self, thread_id: str, method_name: str) -> None:
        """Record a thread that your own code started on the device (SES-030).

        Raises:
            AlreadyHeld: a thread that the session itself started has this id.
            ArgumentError: the id or the name is no text.
        """
        check_text("thread_id", thread_id)
        check_text("method_name", method_name)
        record = ThreadRecord(thread_id, None, name=method_name)
        self._register(EntryKind.THREAD, thread_id, record)

    def unregister_background_thread(self, thread_id: str) -> bool:
        """Forget a thread; False where none of this id is held (SES-031)."""
        check_text("thread_id", thread_id)
        entry = self._core.ledger.find(EntryKind.THREAD, thread_id)
        return entry is not None and self._core.ledger.act(entry, Act.DONE)

    def get_active_threads(self) -> tuple[BackgroundThreadInfo, ...]:
        """Return a snapshot of the threads (SES-032)."""
        return tuple(
            BackgroundThreadInfo(
                thread_id=entry.key,
                method_name=entry.held.name,
                registered_at=entry.held.registered_at,
                session_id=self.session_id,
            )
            for entry in self._core.ledger.entries(EntryKind.THREAD)
        )

    # -- deployments

    def register_deployed_method(self, signature: str, code_hash: str) -> None:
        """Record a deployment (SES-033)."""
        check_text("signature", signature)
        check_text("code_hash", code_hash)
        info = DeployedMethodInfo(
            signature=signature,
            code_hash=code_hash,
            deployed_at=datetime.now(UTC),
            session_id=self.session_id,
        )
        self._register(EntryKind.DEPLOYMENT, signature, info)

    def is_method_deployed(self, signature: str, code_hash: str) -> bool:
        """Whether this very code is deployed under this signature (SES-034)."""
        check_text("signature", signature)
        entry = self._core.ledger.find(EntryKind.DEPLOYMENT, signature)
        return entry is not None and entry.held.code_hash == code_hash

    def get_deployed_methods(self) -> tuple[DeployedMethodInfo, ...]:
        """Return a snapshot of the deployments (SES-035)."""
        return tuple(entry.held for entry in self._core.ledger.entries(EntryKind.DEPLOYMENT))

    # -- resources

    def register_resource(self, resource: Resource) -> None:
        """Hold a resource until the session ends (SES-036); one that is held already stays so.

        Raises:
            ArgumentError: it is no `Resource`.
            AlreadyHeld: another resource of this id is held: its cleanup would be lost.
            SessionClosed: the session has ended, or its cleanup is past this.
            BudgetExceeded: it costs more than the session's budget has left.
            ResourceConflict: it claims what another resource holds.
        """
        if not isinstance(resource, Resource):
            raise ArgumentError(f"{resource!r} is no resource; make it a klemheist.Resource")
        self._register(EntryKind.RESOURCE, resource.resource_id, resource)

    def unregister_resource(self, resource_id: str) -> bool:
        """Forget a resource without its cleanup, and give back its claims.

        Returns:
            False where none of this id is held.
        """
        check_text("resource_id", resource_id)
        entry = self._core.ledger.find(EntryKind.RESOURCE, resource_id)
        return entry is not None and self._core.ledger.act(entry, Act.DONE)

    def claim(self, kind: str, name: int | str) -> Resource:
        """Have a pin, a timer, a file or anything else of the device to oneself (SES-017).

        It is given back with `unregister_resource`, and at the session's end, however it ends. A
        second claim of the same session is the first one. Without tracking there are no claims.

        Args:
            kind: what it is, such as "pin"; your own word does.
            name: which one; of kind "file", its path.

        Raises:
            ResourceConflict: another resource there has it; the error names its session.
            AlreadyHeld: a resource of this session has its id and claims something else.
        """
        kind, text = wanted(kind, name)
        resource = Resource(kind, resource_id=f"{kind} {text}", claims=[(kind, text)])
        try:
            self.register_resource(resource)
        except AlreadyHeld:
            entry = self._core.ledger.find(EntryKind.RESOURCE, resource.resource_id)
            if entry is None or entry.held.claims != resource.claims:
                raise
            held: Resource = entry.held
            return held
        return resource

    def get_active_resources(self) -> tuple[Resource, ...]:
        """Return a snapshot of the resources that are not cleaned up yet (SES-037)."""
        return tuple(
            entry.held
            for entry in self._core.ledger.entries(EntryKind.RESOURCE)
            if entry.state is EntryState.HELD
        )

    def get_resource_stats(self) -> ResourceUsageStats:
        """Return what is held, in numbers (SES-038)."""
        resources = self.get_active_resources()
        return ResourceUsageStats(
            total_resources=len(resources),
            total_resource_cost=sum(each.estimated_cost for each in resources),
            resources_by_type=dict(Counter(each.resource_type for each in resources)),
            background_threads=len(self.get_active_threads()),
            deployed_methods=len(self.get_deployed_methods()),
            memory=0 if self._core.meter is None else self._core.meter.used,
            budget=self._core.budget,
        )


class ResourceTracker(TrackerView):
    """What one session holds. As a context manager, it cleans up when it is left (SES-040)."""

    def cleanup_resources(
        self, *, timeout: float | None = None, cancel: CancelToken | None = None
    ) -> None:
        """Clean up everything that is held now; the session goes on (SES-039).

        Cancelled, the cleanup under way goes on by itself, and the rest stays held.

        Args:
            timeout: seconds for all of it; None for `resource_cleanup_timeout`.
            cancel: gives up when it is cancelled (SES-041).

        Raises:
            ArgumentError: `timeout` is no time; nothing was begun.
            ResourceCleanupError: some failed; all others were done.
            FutureCancelled: `cancel` was cancelled.
        """
        cancellable(lambda: self._core.cleanup(timeout), cancel).get()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cleanup_resources()


class AsyncResourceTracker(TrackerView):
    """`ResourceTracker` for asyncio."""

    async def cleanup_resources(
        self, *, timeout: float | None = None, cancel: CancelToken | None = None
    ) -> None:
        """Clean up everything that is held now; the session goes on (SES-039).

        Cancelled, the cleanup under way goes on by itself, and the rest stays held.

        Args:
            timeout: seconds for all of it; None for `resource_cleanup_timeout`.
            cancel: gives up when it is cancelled (SES-041).

        Raises:
            ArgumentError: `timeout` is no time; nothing was begun.
            ResourceCleanupError: some failed; all others were done.
            FutureCancelled: `cancel` was cancelled.
        """
        await cancellable(lambda: self._core.cleanup(timeout), cancel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cleanup_resources()
