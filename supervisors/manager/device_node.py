"""A device's node in the tree: the Device actor, and the supervisor of its sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from klemheist.actors.device.device import Device
from klemheist.actors.device.states import DeviceState
from klemheist.supervisors.core.child import child
from klemheist.supervisors.tree.dynamic import DynamicSupervisor
from klemheist.supervisors.tree.ref import SupervisorRef
from klemheist.supervisors.tree.supervisor import Supervisor

from .session_node import spec_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist.actors.device.reopen import Reopening
    from klemheist.actors.session.core import SessionCore

    from .devices import DeviceRecord

UNLIMITED = 1_000_000
"""No fault of one session climbs past its own entry (DESIGN 2)."""


class Sessions(DynamicSupervisor):
    """The sessions of one device. Started anew, it starts again those that live.

    Args:
        roster: the live sessions by id, kept by the manager.
        flags: see `DynamicSupervisor`.
    """

    def __init__(self, roster: dict[str, SessionCore], **flags: Any) -> None:
        super().__init__(max_restarts=UNLIMITED, **flags)
        self._roster = roster

    def on_start(self) -> None:
        """Begin, with the sessions that an earlier incarnation had."""
        super().on_start()
        ref = cast("SupervisorRef[Any]", self.actor_ref)
        for core in tuple(self._roster.values()):
            ref.start_child(spec_of(core), block=False)


class DeviceNode(Supervisor):
    """The supervisor of one device; at its end the sessions go first, then the device is released.

    Args:
        record: what outlives this node.
        reopening: how the device is opened again.
        options: how it is opened first: `fresh`, `resume_app`.
        flags: see `Supervisor`.
    """

    def __init__(
        self, record: DeviceRecord, *, reopening: Reopening, options: dict[str, Any], **flags: Any
    ) -> None:
        self.port = record.port
        link = child(Device, self.port, id="link", kwargs={"reopening": reopening, **options})
        sessions = child(Sessions, record.roster, id="sessions")
        super().__init__([link, sessions], **flags)

    def sessions(self) -> SupervisorRef[Any]:
        """Return the supervisor of the sessions."""
        ref = self.running("sessions")
        assert isinstance(ref, SupervisorRef)
        return ref

    def before_shutdown(self, done: Callable[[], None]) -> None:
        """End the sessions, do what is owed, then leave the device as it was found."""
        if self.port.brain is None:  # it crashed too often: sessions must not wait for the next one
            self.port.state = DeviceState.DOWN
        ref = cast("SupervisorRef[Any]", self.actor_ref)
        ending = ref.terminate_child("sessions", block=False)
        ending.add_done_callback(lambda _: self._settle(done))

    def _settle(self, done: Callable[[], None]) -> None:
        self.port.settle_at_last().add_done_callback(lambda _: self._release(done))

    def _release(self, done: Callable[[], None]) -> None:
        brain = self.port.brain
        if brain is None:
            done()
            return
        self.port.closed.add_done_callback(lambda _: done())
        brain.release()
