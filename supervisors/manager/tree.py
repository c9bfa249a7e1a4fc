"""What a session manager has and knows: its state, its tree, its devices, its sessions."""

from __future__ import annotations

import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from klemheist.actors.errors import CapabilityError, SessionClosed
from klemheist.actors.runtime import ActorDead, Future
from klemheist.actors.session.core import SessionCore
from klemheist.actors.session.options import SessionOptions
from klemheist.actors.session.typed import check_flag
from klemheist.actors.streams import Publisher
from klemheist.supervisors.core.child import child
from klemheist.supervisors.tree.dynamic import DynamicSupervisor
from klemheist.supervisors.tree.ref import SupervisorRef
from klemheist.supervisors.tree.supervisor import Supervisor
from klemheist.transports.repl.values import ArgumentError
from klemheist.transports.url import parse_url

from .devices import Devices
from .idle import IdleWatch
from .life import LIFE, ManagerState, Move
from .plug import PlugWatch, PortEvent
from .registry import Registry
from .stats import PerformanceMonitor
from .status import status_of
from .status_socket import StatusServer, wanted

if TYPE_CHECKING:
    from klemheist.actors.device.facts import Capabilities, DeviceEvent
    from klemheist.actors.device.port import Port
    from klemheist.actors.session.claims import Claim
    from klemheist.actors.session.ledger import Journal
    from klemheist.supervisors.core.events import TreeEvent
    from klemheist.supervisors.tree.snapshot import Tree

BRANCHES: Final = ("devices", "deployments")


class ManagerTree:
    """One service: where it stands, its tree, its devices, and which sessions there are."""

    def __init__(
        self,
        options: SessionOptions | None = None,
        *,
        journal: Journal | None = None,
        monitor: PerformanceMonitor | None = None,
        status: bool | None = None,
    ) -> None:
        _check_outside(journal, monitor, status)
        self.options = options or SessionOptions()
        self.monitor = monitor or PerformanceMonitor()
        self.monitor.enabled &= self.options.enable_session_metrics
        self.state = ManagerState.INACTIVE
        self.journal = journal
        self._root: SupervisorRef[Any] | None = None
        self.told: Publisher[DeviceEvent | TreeEvent | PortEvent] = Publisher()
        """What happens to devices, to serial ports and in the tree."""
        self._plug = PlugWatch(self.told, self.ports)
        self._devices = Devices(partial(self.branch, "devices"), self._plug.tell)
        self.sessions = Registry(self.options.max_concurrent_sessions)
        self.idle = IdleWatch(self.sessions.live, self.options.default_session_timeout)
        self._closing: Future[None] | None = None
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._status = self._show_status(status)

    # -- state -------------------------------------------------------------------------------------

    def move(self, move: Move) -> None:
        """Move along the table.

        Raises:
            SessionClosed: it has no such move.
        """
        with self._lock:
            self.check(move)
            self.state = LIFE[self.state, move]

    def check(self, move: Move) -> None:
        """Refuse what the table has no move for.

        Raises:
            SessionClosed: as `move`.
        """
        if (self.state, move) not in LIFE:
            raise SessionClosed(f"the manager is {self.state}; make a new one")

    @property
    def newest(self) -> SessionCore | None:
        """The newest live session (SES-002)."""
        return next(reversed(self.sessions.live()), None)

    @property
    def capabilities(self) -> Capabilities | None:
        """What the newest session's device can do (SES-004)."""
        newest = self.newest
        return None if newest is None else newest.capabilities

    def session_on(self, url: str) -> SessionCore | None:
        """Return the newest live session on this device that is nobody's alone (SES-007)."""
        key = parse_url(url).key
        for core in reversed(self.sessions.all()):
            if core.port.url == key and core.is_active and not core.exclusive:
                return core
        return None

    @property
    def is_inherited(self) -> bool:
        """Whether this process was forked from the manager's: all of it is the parent's to end."""
        return os.getpid() != self._process

    @property
    def is_started(self) -> bool:
        """Whether anything runs that has to be closed."""
        return self._root is not None or self._status is not None

    def status(self) -> dict[str, Any]:
        """Return devices, sessions and what they hold as plain data; see `status_of`."""
        return status_of(self)

    def _show_status(self, asked: bool | None) -> StatusServer | None:  # noqa: FBT001 -- passed on
        if not wanted(asked):
            return None
        try:
            return StatusServer(self.status)
        except CapabilityError as error:
            if asked:
                raise
            logger.warning("{}", error)  # a variable of the environment must not stop a service
            return None

    def ports(self) -> tuple[Port, ...]:
        """Return the devices that were opened."""
        return self._devices.ports()

    def claims(self) -> tuple[Claim, ...]:
        """Return what sessions have to themselves on devices."""
        return self._devices.claims()

    def snapshot(self) -> Tree | None:
        """Return the tree; None before anything was started and after the end."""
        if self._root is None:
            return None
        try:
            return self._root.snapshot()
        except ActorDead:
            return None

    def branch(self, name: str) -> SupervisorRef[Any]:
        """Return one of the root's supervisors; the tree is started on first use."""
        with self._lock:
            if self._root is None:
                branches = [child(DynamicSupervisor, id=each) for each in BRANCHES]
                self._root = Supervisor.start(branches, on_event=self.told.publish)
            ref = self._root.running(name)
        assert isinstance(ref, SupervisorRef)
        return ref


def _check_outside(journal: object, monitor: object, status: object) -> None:
    """See that what a manager is given is what it will be used as.

    Raises:
        ArgumentError: it is not; nothing was started.
    """
    if journal is not None and not callable(getattr(journal, "record", None)):
        raise ArgumentError(f"journal={journal!r}: give an object with record(session_id, record)")
    if monitor is not None and not isinstance(monitor, PerformanceMonitor):
        raise ArgumentError(f"monitor={monitor!r}: give a klemheist.PerformanceMonitor")
    if status is not None:
        check_flag("status", status)
