"""A device's node in the tree: the Device actor, and the supervisor of its sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from klemheist.actors.device.device import Device
from klemheist.actors.device.port import Port
from klemheist.actors.device.reopen import Reopening
from klemheist.actors.session.remote import Numbers

from .child import child
from .dynamic import DynamicSupervisor
from .ref import SupervisorRef
from .supervisor import Supervisor


class DeviceNode(Supervisor):
    """The supervisor of one device; at its end the sessions go first, then the device is released."""

    def __init__(self, port: Port, *, reopening: Reopening, options: dict[str, Any], **flags: Any) -> None:
        self.port = port
        self.numbers = Numbers()
        link = child(Device, port, id="link", kwargs={"reopening": reopening, **options})
        sessions = child(DynamicSupervisor, id="sessions", kwargs={"max_restarts": 1_000_000})
        super().__init__([link, sessions], **flags)

    def sessions(self) -> SupervisorRef[Any]:
        """Return the supervisor of the sessions."""
        ref = self.child("sessions").ref
        assert isinstance(ref, SupervisorRef)
        return ref

    def before_shutdown(self, done: Callable[[], None]) -> None:
        """End the sessions, then leave the device as it was found."""
        ending = self.actor_ref.terminate_child("sessions", block=False)
        ending.add_done_callback(lambda _: self._release(done))

    def _release(self, done: Callable[[], None]) -> None:
        brain = self.port.brain
        if brain is None:
            done()
            return
        self.port.closed.add_done_callback(lambda _: done())
        brain.release()
