"""What `SessionManager` and `AsyncSessionManager` have in common: all that needs no waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from klemheist.actors.notebook import grid
from klemheist.actors.session.options import configured
from klemheist.actors.session.typed import check_function
from klemheist.actors.streams import Overflow

from .core import ManagerCore
from .deployment import Deployments
from .session_node import SessionNode
from .sharing import Shared
from .unclosed import warn_if_dropped

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist.actors.device.facts import Capabilities
    from klemheist.actors.device.port import Port
    from klemheist.actors.runtime import ActorRef
    from klemheist.actors.session.claims import Claim
    from klemheist.actors.session.core import SessionCore
    from klemheist.actors.session.ledger import Journal
    from klemheist.actors.session.options import SessionOptions
    from klemheist.actors.session.resources import CancelToken
    from klemheist.actors.streams import Subscription
    from klemheist.supervisors.tree.snapshot import Tree

    from .life import ManagerState
    from .stats import PerformanceMonitor, SessionStats

_COLUMNS = ("session", "device", "status", "held")


class ManagerView:
    """What needs no waiting: the same for both managers."""

    def __init__(
        self,
        options: SessionOptions | Callable[[SessionOptions], SessionOptions] | None = None,
        *,
        journal: Journal | None = None,
        monitor: PerformanceMonitor | None = None,
        status: bool | None = None,
    ) -> None:
        self._core = ManagerCore(
            configured(options), journal=journal, monitor=monitor, status=status
        )
        self._deployments = Deployments(self._core)
        self._shared = Shared(self._core.session_on, self._core.create)
        warn_if_dropped(self, self._core)

    def __repr__(self) -> str:
        stats = self._core.sessions.stats()
        return f"<{type(self).__name__} {self.state}, {stats.active_session_count} sessions>"

    def _repr_html_(self) -> str:
        rows = (
            (core.session_id, core.port.url, core.status, len(core.ledger.entries()))
            for core in self._core.sessions.all()
        )
        return grid(f"{type(self).__name__}, {self.state}", _COLUMNS, rows)

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
        return self._core.sessions.stats()

    def register_session_cleanup(
        self, session_id: str, cleanup: Callable[[object], object]
    ) -> Callable[[], None]:
        """Call `cleanup(reason)` once when a session ends; at once if it has ended (DONE-024).

        It runs after the session's own cleanup, on a thread for all callbacks of this end, which
        waits for them up to `resource_cleanup_timeout`. What a session holds is better registered
        as a `Resource`.

        Returns:
            A function that takes it back.

        Raises:
            SessionNotFound: no session of this manager had this id lately.
            ArgumentError: `cleanup` is no function.
        """
        done = self._core.sessions.done(session_id)
        check_function("cleanup", cleanup)
        return done.add_callback(cleanup)

    def devices(self) -> tuple[Port, ...]:
        """Return the devices that this manager has opened."""
        return self._core.ports()

    def status(self) -> dict[str, Any]:
        """Return devices, sessions and what each holds as plain data: what `klemheist top` shows.

        Keys: `pid`, `program`, `version`, `time`, `state`, `sessions`, `restarts` and `devices`. Of
        each device `url`, `state`, `generation`, `calls`, their `rate` in a second, `median` and
        `p99` seconds (None without calls in the last ten seconds), `waiting` calls, `faults`,
        `reopened`, `owed` cleanups, `restarts` and its `sessions`.
        """
        return self._core.status()

    def claims(self) -> tuple[Claim, ...]:
        """Return what sessions have to themselves on devices: pins, timers, files (SES-017)."""
        return self._core.claims()

    def snapshot(self) -> Tree | None:
        """Return the supervision tree; None before anything was started and after the end."""
        return self._core.snapshot()

    def events(
        self,
        *types: type,
        buffer: int = 1024,
        overflow: Overflow | str = Overflow.DROP_OLDEST,
    ) -> Subscription[Any]:
        """Return a stream of what happens to devices, serial ports and in the tree, from now on.

        `DeviceEvent`, `PortAppeared` and `PortGone`, and the events of the tree. Ports are watched
        while somebody listens to their events; `list_ports()` says what is there.

        Args:
            types: the classes of events that are wanted; none for all.
            buffer: events that are kept for a consumer who is behind.
            overflow: what becomes of more; nothing waits for its audience, so not `block`.

        Raises:
            ValueError: the policy is `block`, or unknown.
        """
        return self._core.told.subscribe(*types, buffer=buffer, overflow=overflow)

    def dispose(self) -> None:
        """Let go of everything at once, without any cleanup: for emergencies (SES-048).

        Calls under way fail with `SessionClosed`, links are closed; nothing is undone on devices.
        """
        self._core.dispose()

    def _ref_of(self, core: SessionCore) -> ActorRef[Any]:
        """Return the ref of a session's actor: for its handle, which keeps the manager so.

        Raises:
            SessionClosed, SessionFaulted: it takes no calls any more.
        """
        node = core.spawn
        if not core.is_active or not isinstance(node, SessionNode):
            raise core.refusal()
        found: ActorRef[Any] | None = node.child("session").ref
        if found is None:
            raise core.refusal()
        return found


def ended_by(core: SessionCore, cancel: CancelToken | None) -> None:
    """End a session when the token is cancelled; leaves no callback behind."""
    if cancel is not None:
        undo = cancel.on_cancel(lambda _: core.end())
        core.logical_done.add_callback(lambda _: undo())
