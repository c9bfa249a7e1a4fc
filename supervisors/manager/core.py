"""What a session manager does, whichever way it is waited for: every operation gives a `Future`."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from klemheist.actors.errors import (
    CapabilityError,
    ResourceCleanupError,
    SessionClosed,
)
from klemheist.actors.operation import Steps, operation, shielded
from klemheist.actors.runtime import ExitReason, Future, rest
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.session.core import SessionCore
from klemheist.actors.session.functions import RemoteThread, hold_body
from klemheist.actors.session.options import SessionOptions
from klemheist.actors.session.program import check_program
from klemheist.actors.session.state import MINIMAL
from klemheist.actors.session.status import Turn
from klemheist.actors.streams import Publisher
from klemheist.supervisors.core.child import Restart, child
from klemheist.supervisors.tree.dynamic import DynamicSupervisor
from klemheist.supervisors.tree.ref import SupervisorRef
from klemheist.supervisors.tree.supervisor import Supervisor
from klemheist.transports.errors import LinkLost
from klemheist.transports.repl.values import ArgumentError
from klemheist.transports.url import parse_url

from .devices import DeviceRecord, Devices
from .idle import IdleWatch
from .life import LIFE, ManagerState, Move
from .outcome import quietly_ended
from .plug import PlugWatch, PortEvent
from .registry import Registry
from .session_node import spec_of
from .stats import PerformanceMonitor
from .status import status_of
from .status_socket import StatusServer, wanted

if TYPE_CHECKING:
    from klemheist.actors.device.port import Capabilities, DeviceEvent, Port
    from klemheist.actors.session.budget import Budget
    from klemheist.actors.session.claims import Claim
    from klemheist.actors.session.ledger import Journal
    from klemheist.actors.session.program import Program
    from klemheist.supervisors.core.events import TreeEvent
    from klemheist.supervisors.tree.snapshot import Tree


BRANCHES: Final = ("devices", "deployments")


class ManagerCore:
    """The tree of one service: its devices and their sessions."""

    def __init__(
        self,
        options: SessionOptions | None = None,
        *,
        journal: Journal | None = None,
        monitor: PerformanceMonitor | None = None,
        status: bool | None = None,
    ) -> None:
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
        """Return the newest live session on this device (SES-007)."""
        key = parse_url(url).key
        found = [core for core in self.sessions.live() if core.port.url == key]
        return found[-1] if found else None

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
        """Return the tree; None before anything was started."""
        return None if self._root is None else self._root.snapshot()

    def branch(self, name: str) -> SupervisorRef[Any]:
        """Return one of the root's supervisors; the tree is started on first use."""
        with self._lock:
            if self._root is None:
                branches = [
                    child(DynamicSupervisor, id=each) for each in ("devices", "deployments")
                ]
                self._root = Supervisor.start(branches, on_event=self.told.publish)
            ref = self._root.child(name).ref
        assert isinstance(ref, SupervisorRef)
        return ref

    # -- creating ----------------------------------------------------------------------------------

    def device(self, url: str, **options: Any) -> Future[Port]:
        """Open a device, or find it open; the future gives its port once it is up.

        Raises:
            SessionClosed: the manager was shut down.
            UnknownScheme: the URL says nothing.
            LinkError: (in the future) it cannot be opened.
        """
        self.check(Move.CREATE)
        return self._devices.open(url, options).map(lambda record: record.port)

    @operation
    def create(
        self,
        url: str,
        *,
        program: Program | None = None,
        restart: Restart = Restart.PERMANENT,
        exclusive: bool = False,
        wait: float = 0.0,
        budget: Budget | None = None,
        standing: bool = False,
        fallback: bool = False,
        **device: Any,
    ) -> Steps[SessionCore]:
        """Create a session: validate, detect, create, track, register, in this order (SES-042).

        Args:
            url: the device.
            program: its setups run first; its teardowns are held.
            restart: `TEMPORARY` faults in a new boot of the device; others recover.
            exclusive: no other session lives on the device while this one does.
            wait: seconds that it waits for others to end, where they are in its way.
            budget: the most that it may hold; None for that of the options.
            standing: start all of the program's threads, and never call it idle.
            fallback: do without capabilities that the device does not tell (SES-099).
            device: how the device is opened, where it is not open yet.

        Raises (in the future):
            SessionClosed: the manager was shut down.
            SessionLimitError: there is no room for one more.
            ArgumentError: two options contradict each other.
            DeviceBusy: the device is taken exclusively, or is to be.
            CapabilityError: the device does not say what it can (SES-098).
            LinkError: the device cannot be opened.
            DeviceError: a setup failed; nothing is left.
        """
        began = SYSTEM_CLOCK.monotonic()
        self.check(Move.CREATE)
        budget = budget or self.options.budget
        self._check_wishes(budget, wait, restart)
        check_program(program)
        self.sessions.take_room()
        try:
            record = yield self._devices.open(url, device)
            if record.port.capabilities is None and not fallback:
                raise CapabilityError(
                    f"{record.port.url} does not say what it can; use fallback=True"
                )
            if program is not None:
                program = program.fitting(record.port.capabilities or MINIMAL)
            _check_measurable(budget, record.port)
            core = self._new(record, program, budget)
            core.exclusive = exclusive
            yield from self._admitted(core, wait)
        except BaseException:
            self.sessions.give_room()
            raise
        core.standing, core.minimal = standing, MINIMAL if fallback else None
        core.recovers = restart is not Restart.TEMPORARY
        try:
            yield self._start_node(core, record)
            yield from self._prepare(core, program)
            self._register(core)
        except BaseException:
            yield quietly_ended(self.end(core))
            raise
        self.monitor.record_session_creation(SYSTEM_CLOCK.monotonic() - began)
        core.report.info("session created for device")
        return core

    def _check_wishes(self, budget: Budget | None, wait: float, restart: Restart) -> None:
        self.options.check_budget(budget)
        if not isinstance(wait, int | float) or not wait >= 0:
            raise ArgumentError(f"wait={wait!r}: give the seconds to wait, or 0 to be refused")
        if not isinstance(restart, Restart):
            raise ArgumentError(f"restart={restart!r}: give one of {', '.join(Restart)}")

    def _new(
        self, record: DeviceRecord, program: Program | None, budget: Budget | None
    ) -> SessionCore:
        core = SessionCore(record.port, record, self.options, self, budget=budget)
        core.program = program
        return core

    def _admitted(self, core: SessionCore, wait: float) -> Steps[None]:
        """Let a session onto its device and register it, so that whatever happens ends it."""
        try:
            yield self.sessions.admission.enter(core, wait)
            with self._lock:
                self.check(Move.CREATE)  # it may have been shut down meanwhile
                self.sessions.add(core)
        except BaseException:
            self.sessions.admission.leave(core)
            raise

    def _start_node(self, core: SessionCore, record: DeviceRecord) -> Future[Any]:
        node = self._devices.node(record.port)
        if node is None:
            self.check(Move.CREATE)
            raise LinkLost(f"{record.port.url} is being started anew; try again")
        started: Future[Any] = node.sessions().start_child(spec_of(core), block=False)
        record.roster[core.session_id] = core
        return started

    def _prepare(self, core: SessionCore, program: Program | None) -> Steps[None]:
        if program is None and core.port.is_up:
            return
        yield core.submit(core.namespace.restore, label="creation")  # it waits for the device
        if program is None:
            return
        for held in program.teardowns():
            hold_body(core, held)
        for setup in program.setups():
            yield core.set_up(setup)
        for name in program.starting(everything=core.standing):
            yield RemoteThread(core, program.sources[name], restart=program.restarts(name)).submit()

    def is_alone(self, core: SessionCore) -> bool:
        """Whether no other session lives on its device."""
        return self.sessions.on(core.port) == [core]

    def cleaned(self, core: SessionCore, error: ResourceCleanupError | None) -> None:
        """Forget a session whose cleanup is over, but not what failed in it."""
        self.sessions.remove(core, error)

    def gone(self, core: SessionCore) -> None:
        """Start a session no more with its device's node: it has ended."""
        self._devices.strike(core.port, core.session_id)

    def registered(self, resource_type: str) -> None:
        """Count a resource that was registered."""
        self.monitor.record_resource_registration(resource_type)

    def _register(self, core: SessionCore) -> None:
        with self._lock:
            self.move(Move.CREATE)
            if not core.move(Turn.CREATED):
                raise core.refusal()
            self.sessions.count_creation()
        self.idle.watch()

    # -- ending ------------------------------------------------------------------------------------

    def end(self, core: SessionCore) -> Future[None]:
        """End a session, once; the future fails with `ResourceCleanupError` where cleanups failed.

        Ending is shielded: it goes on in the tree whatever happens to the waiter.
        """
        ended: Future[None] = Future()

        def tell(_: object) -> None:
            error = self.sessions.failure(core)
            if error is None:
                ended.set(None)
            else:
                ended.set_exception(error)

        core.logical_done.add_callback(tell)
        if not core.logical_done.is_set():
            core.move(Turn.END)
            self._end_node(core)
        return ended

    def _end_node(self, core: SessionCore) -> None:
        def ended(_: object = None) -> None:
            self.sessions.remove(core, None)  # where its node could not do it any more
            core.ended()

        node = self._devices.node(core.port)
        if node is None:
            ended()
            return
        ending = node.sessions().terminate_child(core.session_id, block=False)
        ending.add_done_callback(ended)

    def close(self) -> Future[None]:
        """End all sessions, release all devices, and stop the tree; once, and shielded.

        Whoever closes again waits for the same end, and is told of no failure.

        Raises (in the future):
            ResourceCleanupError: some cleanups failed; everything was ended all the same.
        """
        with self._lock:
            if self._closing is not None:
                return quietly_ended(self._closing)
            self.move(Move.SHUT_DOWN)
            self._closing = Future()
        closing = self._close()
        closing.add_done_callback(partial(_pass_on, self._closing))
        return shielded(self._closing)

    def dispose(self) -> None:
        """Let go of everything at once, without any cleanup: for emergencies (SES-048)."""
        with self._lock:
            self.move(Move.DISPOSE)
            if self._closing is None:
                self._closing = Future()
        self.sessions.admission.close(SessionClosed("the manager was closed; make a new one"))
        for core in self.sessions.all():
            core.abandon()
            self.sessions.remove(core, None)
        if self._root is not None:
            self._root.kill()
        self._devices.close()
        self._end_events()
        self._closing.set(None)

    def _end_events(self) -> None:
        server, self._status = self._status, None
        if server is not None:
            server.close()
        self._plug.close()
        self.idle.close()
        self.told.close()
        rest()

    @operation
    def _close(self) -> Steps[None]:
        failed: list[ResourceCleanupError] = []
        self.sessions.admission.close(SessionClosed("the manager was closed; make a new one"))
        for core in reversed(self.sessions.all()):
            try:
                yield self.end(core)
            except ResourceCleanupError as error:
                failed.append(error)
        root = self._root
        if root is not None:
            root.exit(ExitReason.SHUTDOWN)
            yield shielded(root.ended)
        self._devices.close()
        self.move(Move.CLEANED)
        self._end_events()
        if failed:
            count = sum(len(error.exceptions) for error in failed)
            raise ResourceCleanupError(f"{count} cleanups failed in {len(failed)} sessions", failed)


def _check_measurable(budget: Budget | None, port: Port) -> None:
    if budget is None or budget.memory is None:
        return
    known = port.capabilities
    if known is None or known.free_memory < 0:
        raise CapabilityError(
            f"{port.url} does not say how much memory is free; leave Budget.memory out"
        )


def _pass_on(to: Future[None], done: Future[None]) -> None:
    error = done.exception()
    if error is None:
        to.set(None)
    else:
        to.set_exception(error)
