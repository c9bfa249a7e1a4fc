"""What a session manager does, whichever way it is waited for: every operation gives a `Future`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, StrEnum, auto
from typing import Any, Final

from loguru import logger

from klemheist.actors.device.port import Capabilities, DeviceEvent, Port
from klemheist.actors.device.reopen import Reopening
from klemheist.actors.errors import (
    ResourceCleanupError,
    SessionClosed,
    SessionError,
    SessionLimitError,
    SessionNotFound,
)
from klemheist.actors.operation import Steps, operation, shielded
from klemheist.actors.runtime import TIMERS, ExitReason, Future
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.session.core import SessionCore
from klemheist.actors.session.functions import RemoteThread, hold_body
from klemheist.actors.session.ledger import Journal
from klemheist.actors.session.options import SessionOptions
from klemheist.actors.session.program import Program
from klemheist.actors.session.status import Turn
from klemheist.actors.streams import Stream
from klemheist.transports.registry import create_link
from klemheist.transports.repl.procedures import Firmware
from klemheist.transports.url import parse_url

from .child import Backoff, Restart, child
from .deployment import Deployment, DeploymentActor
from .device_node import DeviceNode
from .dynamic import DynamicSupervisor
from .errors import ChildNotFound
from .events import TreeEvent
from .ref import SupervisorRef
from .session_node import CLOSE_WITHIN, SessionNode
from .snapshot import Tree
from .stats import PerformanceMonitor, SessionStats
from .supervisor import Supervisor

FIRMWARE: Final[dict[str, Firmware]] = {}
"""What is known of firmwares, for all managers of the process (DESIGN 3.8)."""

KEPT_FAILURES: Final = 100
"""Cleanup errors that are kept for whoever ends a session once more."""


class ManagerState(StrEnum):
    """SES-003."""

    INACTIVE = "Inactive"
    ACTIVE = "Active"
    SHUTDOWN = "Shutdown"
    DISPOSED = "Disposed"


class Move(Enum):
    """What moves a manager."""

    CREATE = auto()
    SHUT_DOWN = auto()
    CLEANED = auto()
    DISPOSE = auto()


M = ManagerState

LIFE: Final[dict[tuple[ManagerState, Move], ManagerState]] = {
    (M.INACTIVE, Move.CREATE): M.ACTIVE,
    (M.ACTIVE, Move.CREATE): M.ACTIVE,
    (M.ACTIVE, Move.SHUT_DOWN): M.SHUTDOWN,
    (M.INACTIVE, Move.SHUT_DOWN): M.SHUTDOWN,
    (M.SHUTDOWN, Move.CLEANED): M.DISPOSED,
    **{(state, Move.DISPOSE): M.DISPOSED for state in ManagerState},
}
"""SES-044 to SES-049: every other move is refused."""


class ManagerCore:
    """The tree of one service: its devices and their sessions."""

    def __init__(
        self, options: SessionOptions | None = None, *, journal: Journal | None = None
    ) -> None:
        self.options = options or SessionOptions()
        self.monitor = PerformanceMonitor(enabled=self.options.enable_session_metrics)
        self.state = ManagerState.INACTIVE
        self._journal = journal
        self._root: SupervisorRef[Any] | None = None
        self._sessions: dict[str, SessionCore] = {}
        self._creating = 0
        self._failures: dict[str, ResourceCleanupError | None] = {}
        self._ports: dict[str, Port] = {}
        self._nodes: dict[str, SupervisorRef[Any]] = {}
        self._events: tuple[Stream[Any], ...] = ()
        self._lock = threading.RLock()

    # -- state ---------------------------------------------------------------------------------------

    def move(self, move: Move) -> None:
        """Move along the table.

        Raises:
            SessionClosed: it has no such move.
        """
        with self._lock:
            state = LIFE.get((self.state, move))
            if state is None:
                raise SessionClosed(f"the manager is {self.state}; make a new one")
            self.state = state

    @property
    def newest(self) -> SessionCore | None:
        """The newest live session."""
        with self._lock:
            return next(reversed(self._sessions.values()), None)

    @property
    def capabilities(self) -> Capabilities | None:
        """What the newest session's device can do (SES-004)."""
        newest = self.newest
        return None if newest is None else newest.port.capabilities

    def stats(self) -> SessionStats:
        """Return the sessions in numbers (SES-109)."""
        with self._lock:
            return SessionStats(
                active_session_count=len(self._sessions),
                total_session_count=self.monitor.created,
                max_session_count=self.options.max_concurrent_sessions,
            )

    def find(self, session_id: str) -> SessionCore:
        """Return a live session.

        Raises:
            SessionNotFound: none has this id.
        """
        core = self._sessions.get(session_id)
        if core is None:
            raise SessionNotFound(f"no live session {session_id!r}; snapshot() shows those that are")
        return core

    def session_on(self, url: str) -> SessionCore | None:
        """Return the newest live session on this device."""
        key = parse_url(url).key
        with self._lock:
            found = [c for c in self._sessions.values() if c.port.url == key and c.is_active]
        return found[-1] if found else None

    def ports(self) -> tuple[Port, ...]:
        """Return the devices that were opened."""
        with self._lock:
            return tuple(self._ports.values())

    def snapshot(self) -> Tree | None:
        """Return the tree; None before anything was started."""
        return None if self._root is None else self._root.snapshot()

    # -- events --------------------------------------------------------------------------------------

    def events(self, capacity: int = 1024) -> Stream[Any]:
        """Return a stream of what happens to devices and in the tree, from now on."""
        stream: Stream[Any] = Stream(capacity)
        with self._lock:
            self._events = (*self._events, stream)
        return stream

    def _tell(self, event: DeviceEvent | TreeEvent) -> None:
        for stream in self._events:
            stream.put(event)

    # -- devices -------------------------------------------------------------------------------------

    def device(self, url: str, **options: Any) -> Future[Port]:
        """Open a device, or find it open; the future gives its port once it is up.

        Raises (in the future):
            LinkError: it cannot be opened.
        """
        key = parse_url(url).key
        self.move(Move.CREATE)
        with self._lock:
            port = self._ports.get(key)
            if port is None:
                port = self._ports[key] = Port(key, lambda: create_link(url), FIRMWARE)
                port.listen(self._tell)
                self._start_device(port, options)
        up = shielded(port.ready.map(lambda _: port))
        up.add_done_callback(lambda future: future.exception() and self._forget_device(port))
        return up

    def _start_device(self, port: Port, options: dict[str, Any]) -> None:
        spec = child(
            DeviceNode,
            port,
            id=port.url,
            restart=Restart.PERMANENT,
            kwargs={"reopening": Reopening(), "options": options},
        )
        started = self._branch("devices").start_child(spec, block=False)
        started.add_done_callback(lambda future: self._device_started(port, future))

    def _device_started(self, port: Port, started: Future[Any]) -> None:
        error = started.exception()
        if error is None:
            self._nodes[port.url] = started.get().ref
        else:
            port.ready.set_exception(error)

    def _forget_device(self, port: Port) -> None:
        """Take a device that could not be opened out of the tree: it may be tried again."""
        if not isinstance(port.ready.exception(), Exception):
            return  # only somebody's waiting ended, not the opening
        with self._lock:
            if self._ports.get(port.url) is port:
                del self._ports[port.url]
        if self._root is not None and not self._root.ended.done():
            self._branch("devices").terminate_child(port.url, block=False)

    def _branch(self, name: str) -> SupervisorRef[Any]:
        with self._lock:
            if self._root is None:
                branches = [child(DynamicSupervisor, id=each) for each in ("devices", "deployments")]
                self._root = Supervisor.start(branches, name="root", on_event=self._tell)
            ref = self._root.child(name).ref
        assert isinstance(ref, SupervisorRef)
        return ref

    # -- sessions ------------------------------------------------------------------------------------

    @operation
    def create(
        self,
        url: str,
        *,
        program: Program | None = None,
        restart: Restart = Restart.PERMANENT,
        exclusive: bool = False,
        autostart: bool = False,
        **device: Any,
    ) -> Steps[SessionCore]:
        """Create a session: validate, detect, create, track, register, in this order (SES-042).

        Args:
            url: the device.
            program: its setups run first; its teardowns are held.
            restart: `TEMPORARY` faults in a new boot of the device; others recover.
            exclusive: no other session lives on the device while this one does.
            autostart: start all of the program's threads, as a standing deployment does.
            device: how the device is opened, where it is not open yet.

        Raises (in the future):
            SessionClosed: the manager was shut down.
            SessionLimitError: there is no room for one more.
            SessionError: the device is taken exclusively, or is to be.
            LinkError: the device cannot be opened.
            DeviceError: a setup failed; nothing is left.
        """
        began = SYSTEM_CLOCK.monotonic()
        self.move(Move.CREATE)
        with self._room():
            port = yield self.device(url, **device)
            core = self._new(port, program, exclusive=exclusive)
            try:
                yield self._start_node(core, restart)
                yield from self._prepare(core, program, autostart=autostart)
                core.move(Turn.CREATED)
            except BaseException:
                yield self.end(core)
                raise
        self.monitor.record_session_creation(SYSTEM_CLOCK.monotonic() - began)
        logger.bind(session=core.session_id, device=port.url).info("session created for device")
        return core

    @contextmanager
    def _room(self) -> Iterator[None]:
        limit = self.options.max_concurrent_sessions
        with self._lock:
            if len(self._sessions) + self._creating >= limit:
                raise SessionLimitError(
                    f"{limit} sessions are live, the limit of max_concurrent_sessions; end one"
                )
            self._creating += 1
        try:
            yield
        finally:
            with self._lock:
                self._creating -= 1

    def _new(self, port: Port, program: Program | None, *, exclusive: bool) -> SessionCore:
        """Make a session's core and register it, so that whatever happens ends it."""
        node = self._nodes[port.url].actor()
        assert isinstance(node, DeviceNode)
        with self._lock:
            others = [c for c in self._sessions.values() if c.port is port]
            if any(c.exclusive for c in others) or (exclusive and others):
                raise SessionError(
                    f"{port.url} is in use and one side wants it exclusively; end the other session"
                )
            core = SessionCore(port, node.numbers, self.options, journal=self._journal)
            core.exclusive, core.program = exclusive, program
            core.end = lambda: self.end(core)
            self._sessions[core.session_id] = core
        return core

    def _start_node(self, core: SessionCore, restart: Restart) -> Future[Any]:
        node = self._nodes[core.port.url].actor()
        assert isinstance(node, DeviceNode)
        spec = child(
            SessionNode,
            core,
            id=core.session_id,
            shutdown=self.options.resource_cleanup_timeout + CLOSE_WITHIN + 1.0,
            kwargs={"recovers": restart is not Restart.TEMPORARY, "ended": self._ended},
        )
        return node.sessions().start_child(spec, block=False)  # type: ignore[no-any-return]

    def _prepare(self, core: SessionCore, program: Program | None, *, autostart: bool) -> Steps[None]:
        yield core.submit(core.namespace.ready, label="creation")
        if program is None:
            return
        for held in program.teardowns():
            hold_body(core, held)
        for setup in program.setups():
            yield core.set_up(setup)
        for name in program.starting(everything=autostart):
            yield RemoteThread(core, program.sources[name], restart=program.restarts(name)).submit()

    # -- standing programs ---------------------------------------------------------------------------

    def deploy(self, url: str, program: Program, restart: Restart) -> Deployment:
        """Start a standing program; its record's `ready` says when it runs."""
        self.move(Move.CREATE)
        record = Deployment(parse_url(url).key, program, restart)
        spec = child(
            DeploymentActor,
            self,
            record,
            id=record.number,
            restart=restart,
            backoff=Backoff(),
        )
        self._branch("deployments").start_child(spec, block=False)
        record.ready.add_done_callback(
            lambda ready: ready.exception() and self.undeploy(record)
        )
        return record

    @operation
    def undeploy(self, record: Deployment) -> Steps[None]:
        """Stop a standing program for good, and end its session."""
        record.stopping = True
        if self._root is not None and not self._root.ended.done():
            try:
                yield self._branch("deployments").terminate_child(record.number, block=False)
            except ChildNotFound:
                pass
        if record.core is not None:
            yield self.end(record.core)

    # -- ending --------------------------------------------------------------------------------------

    def end(self, core: SessionCore) -> Future[None]:
        """End a session, once; the future fails with `ResourceCleanupError` where cleanups failed.

        Ending is shielded: it goes on in the tree whatever happens to the waiter.
        """
        ended: Future[None] = Future()

        def tell(_: object) -> None:
            error = self._failures.get(core.session_id)
            if error is None:
                ended.set(None)
            else:
                ended.set_exception(error)

        core.logical_done.add_callback(tell)
        node = self._nodes.get(core.port.url)
        actor = None if node is None else node.actor()
        if isinstance(actor, DeviceNode) and not core.logical_done.is_set():
            ending = actor.sessions().terminate_child(core.session_id, block=False)
            ending.add_done_callback(lambda _: self._ended(core, None) or core.ended("ended"))
        return ended

    def _ended(self, core: SessionCore, error: ResourceCleanupError | None) -> None:
        """Unregister a session whose cleanup is done (SES-043)."""
        with self._lock:
            if self._sessions.pop(core.session_id, None) is not None and error is not None:
                self._failures[core.session_id] = error
                while len(self._failures) > KEPT_FAILURES:
                    del self._failures[next(iter(self._failures))]

    @operation
    def close(self) -> Steps[None]:
        """End all sessions, release all devices, and stop the tree; once.

        Raises (in the future):
            ResourceCleanupError: some cleanups failed; everything was ended all the same.
        """
        with self._lock:
            if self.state in (ManagerState.SHUTDOWN, ManagerState.DISPOSED):
                return
            self.move(Move.SHUT_DOWN)
            cores = list(self._sessions.values())
        failed: list[ResourceCleanupError] = []
        for core in reversed(cores):
            try:
                yield self.end(core)
            except ResourceCleanupError as error:
                failed.append(error)
        root = self._root
        if root is not None:
            root.exit(ExitReason.SHUTDOWN)
            yield shielded(root.ended)
        self.move(Move.CLEANED)
        for stream in self._events:
            stream.close()
        TIMERS.rest()
        if failed:
            count = sum(len(error.exceptions) for error in failed)
            raise ResourceCleanupError(f"{count} cleanups failed in {len(failed)} sessions", failed)
