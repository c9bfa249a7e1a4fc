"""How a session is created: validate, detect, create, track, register, in this order (SES-042)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from klemheist.actors.errors import CapabilityError
from klemheist.actors.operation import Steps, operation
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.runtime.errors import ActorDead
from klemheist.actors.session.core import SessionCore
from klemheist.actors.session.functions import RemoteThread, hold_body
from klemheist.actors.session.program import check_program
from klemheist.actors.session.state import MINIMAL
from klemheist.actors.session.typed import check_flag
from klemheist.supervisors.core.child import Restart
from klemheist.transports.errors import LinkLost
from klemheist.transports.repl.values import ArgumentError

from .life import Move
from .outcome import quietly_ended
from .stats import measured

if TYPE_CHECKING:
    from klemheist.actors.device.port import Port
    from klemheist.actors.session.budget import Budget
    from klemheist.actors.session.options import SessionOptions
    from klemheist.actors.session.program import Program

    from .core import ManagerCore
    from .devices import DeviceRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a session is to be like; see `ManagerCore.create`."""

    program: Program | None
    restart: Restart
    exclusive: bool
    wait: float
    budget: Budget | None
    standing: bool
    fallback: bool

    def check(self, options: SessionOptions) -> None:
        """See that they can be met, before anything is done for them.

        Raises:
            ArgumentError: they contradict each other, or the options.
        """
        options.check_budget(self.budget)
        check_flag("exclusive", self.exclusive)
        check_flag("fallback", self.fallback)
        if not isinstance(self.wait, int | float) or not self.wait >= 0:
            raise ArgumentError(f"wait={self.wait!r}: give the seconds to wait, or 0 to be refused")
        if not isinstance(self.restart, Restart):
            raise ArgumentError(f"restart={self.restart!r}: give one of {', '.join(Restart)}")
        check_program(self.program)

    def check_device(self, port: Port) -> None:
        """See that the device says what they need.

        Raises:
            CapabilityError: it does not.
        """
        known = port.capabilities
        if known is None and not self.fallback:
            raise CapabilityError(f"{port.url} does not say what it can; use fallback=True")
        measured = self.budget is not None and self.budget.memory is not None
        if measured and (known is None or known.free_memory < 0):
            raise CapabilityError(
                f"{port.url} does not say how much memory is free; leave Budget.memory out"
            )


@operation
def created(
    manager: ManagerCore, url: str, wishes: Wishes, device: dict[str, Any]
) -> Steps[SessionCore]:
    """Create a session; where that fails, or is cancelled, nothing is left.

    Args:
        manager: whose it is to be.
        url: the device.
        wishes: what it is to be like.
        device: how the device is opened, where it is not open yet.
    """
    began = SYSTEM_CLOCK.monotonic()
    manager.check(Move.CREATE)
    wishes.check(manager.options)
    for option, flag in device.items():
        check_flag(option, flag)
    manager.sessions.take_room()
    try:
        record = yield manager.open(url, device)
        wishes.check_device(record.port)
        core = _core_of(manager, record, wishes)
        yield from _admitted(manager, core, wishes.wait)
    except BaseException:
        manager.sessions.give_room()
        raise
    try:
        yield from _started(manager, core, record)
        yield from _prepared(core)
        manager.register(core)
    except BaseException:
        yield quietly_ended(manager.end(core))
        raise
    measured(manager.monitor.record_session_creation, SYSTEM_CLOCK.monotonic() - began)
    core.report.info("session created for device")
    return core


def _core_of(manager: ManagerCore, record: DeviceRecord, wishes: Wishes) -> SessionCore:
    core = SessionCore(record.port, record, manager.options, manager, budget=wishes.budget)
    if wishes.program is not None:
        core.program = wishes.program.fitting(record.port.capabilities or MINIMAL)
    core.exclusive, core.standing = wishes.exclusive, wishes.standing
    core.recovers = wishes.restart is not Restart.TEMPORARY
    if wishes.fallback:
        core.minimal = MINIMAL
    return core


def _admitted(manager: ManagerCore, core: SessionCore, wait: float) -> Steps[None]:
    """Let a session onto its device, and let the manager know it."""
    try:
        yield manager.sessions.admission.enter(core, wait)
        manager.admit(core)
    except BaseException:
        manager.sessions.admission.leave(core)
        raise


def _started(manager: ManagerCore, core: SessionCore, record: DeviceRecord) -> Steps[None]:
    """Start a session's node in the tree.

    Raises:
        LinkLost: the device's own node has come to its end just now.
    """
    try:
        yield manager.start_node(core, record)
    except ActorDead:
        raise LinkLost(f"{record.port.url} is being started anew; try again") from None


def _prepared(core: SessionCore) -> Steps[None]:
    """Do what the session begins with; where its device is away, wait for that."""
    program = core.program
    if not core.port.is_up:
        yield core.submit(core.namespace.restore, label="creation")
    if program is None:
        return
    for held, may_fail in program.teardowns():
        hold_body(core, held, ignore_errors=may_fail)
    for setup in program.setups():
        yield core.set_up(setup)
    for name in program.starting(everything=core.standing):
        yield RemoteThread(core, program.sources[name], restart=program.restarts(name)).submit()
