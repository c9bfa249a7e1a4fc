"""`SessionManager` and `AsyncSessionManager`: the one object a service makes.

    with klemheist.SessionManager() as manager:
        with manager.session("sim:") as s:
            assert s("6 * 7") == 42
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from klemheist.actors.device.port import Capabilities, Port
from klemheist.actors.errors import SessionClosed
from klemheist.actors.operation import shielded
from klemheist.actors.runtime import ActorRef, Future
from klemheist.actors.session.core import SessionCore
from klemheist.actors.session.handles import AsyncSession, Session
from klemheist.actors.session.ledger import Journal
from klemheist.actors.session.options import SessionOptions
from klemheist.actors.session.program import Program
from klemheist.actors.session.resources import CancelToken
from klemheist.actors.streams import Stream

from .child import Restart
from .deployment import AsyncStandingProgram, StandingProgram
from .manager_core import ManagerCore, ManagerState
from .outcome import awaited, got, quietly, quietly_async, with_result, with_result_async
from .retry import with_retry, with_retry_async
from .session_node import SessionNode
from .snapshot import Tree
from .stats import PerformanceMonitor, SessionStats

T = TypeVar("T")


class ManagerView:
    """What needs no waiting: the same for both managers."""

    def __init__(
        self, options: SessionOptions | None = None, *, journal: Journal | None = None
    ) -> None:
        self._core = ManagerCore(options, journal=journal)

    def __repr__(self) -> str:
        stats = self._core.stats()
        return f"<{type(self).__name__} {self.state}, {stats.active_session_count} sessions>"

    @property
    def options(self) -> SessionOptions:
        """The clocks and limits of all sessions."""
        return self._core.options

    @property
    def state(self) -> ManagerState:
        """Inactive, Active, Shutdown or Disposed (SES-003)."""
        return self._core.state

    @property
    def current_session_id(self) -> str | None:
        """The id of the newest live session (SES-002)."""
        newest = self._core.newest
        return None if newest is None else newest.session_id

    @property
    def capabilities(self) -> Capabilities | None:
        """What the newest session's device can do (SES-004)."""
        return self._core.capabilities

    @property
    def performance(self) -> PerformanceMonitor:
        """Counts and times what this manager does (SES-018, SES-126)."""
        return self._core.monitor

    def get_session_stats(self) -> SessionStats:
        """Return the sessions in numbers (SES-014)."""
        return self._core.stats()

    def devices(self) -> tuple[Port, ...]:
        """Return the devices that this manager has opened."""
        return self._core.ports()

    def snapshot(self) -> Tree | None:
        """Return the supervision tree; None before anything was started."""
        return self._core.snapshot()

    def events(self, capacity: int = 1024) -> Stream[Any]:
        """Return a stream of what happens to devices and in the tree, from now on."""
        return self._core.events(capacity)


def cancellable(future: Future[T], cancel: CancelToken | None) -> Future[T]:
    """Cancel a future when its token is cancelled; leaves no callback behind."""
    if cancel is not None:
        undo = cancel.on_cancel(lambda reason: future.cancel(str(reason)))
        future.add_done_callback(lambda _: undo())
    return future



def _sync(core: SessionCore) -> Session:
    return Session(core, lambda: _session_ref(core), core.program)


def _async(core: SessionCore) -> AsyncSession:
    return AsyncSession(core, lambda: _session_ref(core), core.program)


def _session_ref(core: SessionCore) -> ActorRef[Any]:
    node = core.spawn
    ref = node.child("session").ref if isinstance(node, SessionNode) else None
    if ref is None:
        raise SessionClosed(f"session {core.session_id} has ended; create a new one")
    return ref


class SessionContext:
    """What `manager.session(…)` returns: the session lives as long as the `with`."""

    def __init__(self, create: Callable[[], Future[SessionCore]]) -> None:
        self._create = create
        self._core: SessionCore | None = None

    def __enter__(self) -> Session:
        self._core = self._create().get()
        return _sync(self._core)

    def __exit__(self, *_: object) -> None:
        assert self._core is not None
        self._core.end().get()


class AsyncSessionContext:
    """`SessionContext` for asyncio."""

    def __init__(self, create: Callable[[], Future[SessionCore]]) -> None:
        self._create = create
        self._core: SessionCore | None = None

    async def __aenter__(self) -> AsyncSession:
        self._core = await self._create()
        return _async(self._core)

    async def __aexit__(self, *_: object) -> None:
        assert self._core is not None
        await shielded(self._core.end())


class SessionManager(ManagerView):
    """Creates, tracks and ends sessions, for threads. A context manager; leaving it ends all.

    Args:
        options: the clocks and limits of all sessions.
        journal: where ledgers are written down; memory only where it is not given.
    """

    def create_session(
        self,
        device: str,
        *,
        fallback: bool = False,
        timeout: float | None = None,
        cancel: CancelToken | None = None,
    ) -> Session:
        """Create a session; end it with `close()`, or with the manager (SES-005).

        Args:
            device: its URL.
            fallback: not needed: a device that does not say what it can gets the least of all.
            timeout: seconds for all of it; what was half done is undone.
            cancel: gives up when it is cancelled; what was half done is undone (SES-006).
        """
        return _sync(got(cancellable(self._core.create(device), cancel), timeout))

    def get_or_create_session(self, device: str) -> Session:
        """Return the newest live session on a device, or a new one (SES-007)."""
        core = self._core.session_on(device)
        return _sync(core or self._core.create(device).get())

    def session(
        self,
        device: str,
        *,
        program: Program | None = None,
        exclusive: bool = False,
        restart: Restart = Restart.PERMANENT,
        fresh: bool = False,
        resume_app: bool = False,
    ) -> SessionContext:
        """Return a context manager whose session lives as long as the `with`; always a new one.

        Args:
            device: its URL.
            program: what to set up; `session.program` is its bound copy.
            exclusive: no other session lives on the device meanwhile.
            restart: `TEMPORARY` faults when the device boots anew; others recover.
            fresh: soft-reset the device when it is opened.
            resume_app: start its own program again when it is closed.
        """
        options = {"fresh": fresh, "resume_app": resume_app}
        return SessionContext(
            lambda: self._core.create(
                device, program=program, exclusive=exclusive, restart=restart, **options
            )
        )

    def end_session(self, session_id: str) -> None:
        """End a session (SES-008).

        Raises:
            SessionNotFound: no live session has this id (SES-009).
            ResourceCleanupError: some cleanups failed; all others were done.
        """
        self._core.end(self._core.find(session_id)).get()

    def execute_in_session(
        self, device: str, operation: Callable[[Session], T], *, cancel: CancelToken | None = None
    ) -> T:
        """Run `operation(session)` in a session of its own, and end it (SES-010 to SES-013).

        Raises:
            BaseException: what `operation` raised, after the cleanup.
            ResourceCleanupError: cleanups failed; its `result` is what `operation` returned.
        """
        core = cancellable(self._core.create(device), cancel).get()
        try:
            result = operation(_sync(core))
        except BaseException:
            quietly(core.end())
            raise
        return with_result(core.end(), result)

    def execute_with_retry(
        self, device: str, operation: Callable[[Session], T], max_retries: int = 3
    ) -> T:
        """`execute_in_session`, tried again after recoverable errors: 2, 4, 8 … seconds later.

        Raises:
            SessionError: "Operation failed after N attempts".
        """
        return with_retry(lambda: self.execute_in_session(device, operation), max_retries)

    def deploy(
        self, device: str, program: Program, *, restart: Restart = Restart.PERMANENT
    ) -> StandingProgram:
        """Run a program on a device until it is stopped; restarted on fault."""
        record = self._core.deploy(device, program, restart)
        record.ready.get()
        return StandingProgram(self._core, record)

    def device(self, url: str) -> Port:
        """Open a device, or find it open, and return it once it is up."""
        return self._core.device(url).get()

    def close(self) -> None:
        """End all sessions and release all devices; idempotent (SES-015).

        Raises:
            ResourceCleanupError: some cleanups failed; everything was ended all the same.
        """
        self._core.close().get()

    def __enter__(self) -> SessionManager:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncSessionManager(ManagerView):
    """Creates, tracks and ends sessions, for asyncio. A context manager; leaving it ends all.

    Args:
        options: the clocks and limits of all sessions.
        journal: where ledgers are written down; memory only where it is not given.
    """

    async def create_session(
        self,
        device: str,
        *,
        fallback: bool = False,
        timeout: float | None = None,
        cancel: CancelToken | None = None,
    ) -> AsyncSession:
        """Create a session; end it with `close()`, or with the manager (SES-005).

        Args:
            device: its URL.
            fallback: not needed: a device that does not say what it can gets the least of all.
            timeout: seconds for all of it; what was half done is undone.
            cancel: gives up when it is cancelled; what was half done is undone (SES-006).
        """
        creating = cancellable(self._core.create(device), cancel)
        return _async(await awaited(creating, timeout))

    async def get_or_create_session(self, device: str) -> AsyncSession:
        """Return the newest live session on a device, or a new one (SES-007)."""
        core = self._core.session_on(device)
        return _async(core or await self._core.create(device))

    def session(
        self,
        device: str,
        *,
        program: Program | None = None,
        exclusive: bool = False,
        restart: Restart = Restart.PERMANENT,
        fresh: bool = False,
        resume_app: bool = False,
    ) -> AsyncSessionContext:
        """Return a context manager whose session lives as long as the `with`; always a new one.

        Args:
            device: its URL.
            program: what to set up; `session.program` is its bound copy.
            exclusive: no other session lives on the device meanwhile.
            restart: `TEMPORARY` faults when the device boots anew; others recover.
            fresh: soft-reset the device when it is opened.
            resume_app: start its own program again when it is closed.
        """
        options = {"fresh": fresh, "resume_app": resume_app}
        return AsyncSessionContext(
            lambda: self._core.create(
                device, program=program, exclusive=exclusive, restart=restart, **options
            )
        )

    async def end_session(self, session_id: str) -> None:
        """End a session (SES-008).

        Raises:
            SessionNotFound: no live session has this id (SES-009).
            ResourceCleanupError: some cleanups failed; all others were done.
        """
        await shielded(self._core.end(self._core.find(session_id)))

    async def execute_in_session(
        self,
        device: str,
        operation: Callable[[AsyncSession], Awaitable[T]],
        *,
        cancel: CancelToken | None = None,
    ) -> T:
        """Run `operation(session)` in a session of its own, and end it (SES-010 to SES-013).

        Raises:
            BaseException: what `operation` raised, after the cleanup.
            ResourceCleanupError: cleanups failed; its `result` is what `operation` returned.
        """
        core = await cancellable(self._core.create(device), cancel)
        try:
            result = await operation(_async(core))
        except BaseException:
            await quietly_async(core.end())
            raise
        return await with_result_async(core.end(), result)

    async def execute_with_retry(
        self, device: str, operation: Callable[[AsyncSession], Awaitable[T]], max_retries: int = 3
    ) -> T:
        """`execute_in_session`, tried again after recoverable errors: 2, 4, 8 … seconds later.

        Raises:
            SessionError: "Operation failed after N attempts".
        """
        return await with_retry_async(
            lambda: self.execute_in_session(device, operation), max_retries
        )

    async def deploy(
        self, device: str, program: Program, *, restart: Restart = Restart.PERMANENT
    ) -> AsyncStandingProgram:
        """Run a program on a device until it is stopped; restarted on fault."""
        record = self._core.deploy(device, program, restart)
        await shielded(record.ready)
        return AsyncStandingProgram(self._core, record)

    async def device(self, url: str) -> Port:
        """Open a device, or find it open, and return it once it is up."""
        return await self._core.device(url)

    async def close(self) -> None:
        """End all sessions and release all devices; idempotent (SES-015).

        Raises:
            ResourceCleanupError: some cleanups failed; everything was ended all the same.
        """
        await shielded(self._core.close())

    async def __aenter__(self) -> AsyncSessionManager:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
