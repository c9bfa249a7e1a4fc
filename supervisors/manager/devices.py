"""The devices of a manager: each is opened once, and shared by its sessions."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from klemheist.actors.background import in_background
from klemheist.actors.device.facts import DeviceEvent
from klemheist.actors.device.port import Port
from klemheist.actors.device.reopen import Reopening
from klemheist.actors.operation import shielded
from klemheist.actors.session.claims import Claim, Claims
from klemheist.actors.session.namespace import Numbers
from klemheist.supervisors.core.child import Restart, child
from klemheist.transports.errors import LinkLost
from klemheist.transports.ports import Finder
from klemheist.transports.registry import create_link
from klemheist.transports.url import parse_url

from .device_node import DeviceNode

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist.actors.runtime import Future
    from klemheist.actors.session.core import SessionCore
    from klemheist.supervisors.tree.ref import SupervisorRef
    from klemheist.transports.repl.attach import Firmware

FIRMWARE: Final[dict[str, Firmware]] = {}
"""What is known of firmwares, for all managers of the process (DESIGN 3.8)."""


@dataclass(slots=True)
class DeviceRecord:
    """What of a device outlives its nodes in the tree."""

    port: Port
    numbers: Numbers = field(default_factory=Numbers)
    roster: dict[str, SessionCore] = field(default_factory=dict)
    """Its live sessions: a node that was restarted starts them again."""
    claims: Claims = field(init=False)
    """What its sessions have to themselves there."""

    def __post_init__(self) -> None:
        self.claims = Claims(self.port.url)

    def pass_on(self, event: DeviceEvent) -> None:
        """Tell the Session actors what happened; on the device's turn."""
        for core in tuple(self.roster.values()):
            if core.actor is not None:
                core.actor.heard(event)


class Devices:
    """Opens devices and finds them again.

    Args:
        branch: gives the supervisor of all devices.
        tell: takes every event of every device; must not block.
    """

    def __init__(
        self,
        branch: Callable[[], SupervisorRef[Any]],
        tell: Callable[[DeviceEvent], object],
    ) -> None:
        self._branch = branch
        self._tell = tell
        self._records: dict[str, DeviceRecord] = {}
        self._lock = threading.Lock()

    def ports(self) -> tuple[Port, ...]:
        """Return the devices that were opened."""
        with self._lock:
            return tuple(record.port for record in self._records.values())

    def claims(self) -> tuple[Claim, ...]:
        """Return what sessions have to themselves, device by device."""
        with self._lock:
            records = tuple(self._records.values())
        return tuple(claim for record in records for claim in record.claims.all())

    def open(self, url: str, options: dict[str, Any]) -> Future[DeviceRecord]:
        """Open a device, or find it open; the future is resolved once it is up.

        Raises (in the future):
            LinkError: it cannot be opened; it may be tried again.
        """
        parsed = parse_url(url)
        key, finder = parsed.key, Finder(parsed)
        with self._lock:
            record = self._records.get(key)
            is_new = record is None
            if record is None:
                port = Port(key, lambda: create_link(url, finder), FIRMWARE)
                record = self._records[key] = DeviceRecord(port)
        if is_new:
            self._start(record, options)
        up = shielded(record.port.ready.map(lambda _: record))
        up.add_done_callback(lambda _: self._forget_failed(record))
        return up

    def node(self, port: Port) -> DeviceNode | None:
        """Return the device's present node; None where it has none (any more)."""
        ref = self._branch().running(port.url)
        actor = None if ref is None else ref.actor()
        return actor if isinstance(actor, DeviceNode) else None

    def strike(self, port: Port, session_id: str) -> None:
        """Take a session that has ended off its device's roster."""
        record = self._records.get(port.url)
        if record is not None:
            record.roster.pop(session_id, None)

    def close(self) -> None:
        """See that every link is closed, and tell whoever still waits for a device."""
        for port in self.ports():
            if port.debts:
                owed = ", ".join(port.debts.labels())
                logger.warning("{} was closed while this was owed to it: {}", port.url, owed)
            port.ready.set_exception(LinkLost(f"{port.url} was closed before it was up"))
            port.done.close("closed")
            link, port.link = port.link, None
            if link is not None:  # else its actor has closed it
                in_background(link.close, name="close")

    def _start(self, record: DeviceRecord, options: dict[str, Any]) -> None:
        port = record.port
        port.listen(self._tell)
        port.listen(record.pass_on)
        spec = child(
            DeviceNode,
            record,
            id=port.url,
            restart=Restart.PERMANENT,
            kwargs={"reopening": Reopening(), "options": options},
        )
        started = self._branch().start_child(spec, block=False)
        started.add_done_callback(
            lambda _: started.exception() and port.ready.set_exception(started.exception())
        )

    def _forget_failed(self, record: DeviceRecord) -> None:
        """Take a device that could not be opened out of the tree."""
        port = record.port
        if port.ready.exception() is None:
            return  # it is up, or only somebody's waiting has ended
        with self._lock:
            if self._records.get(port.url) is record:
                del self._records[port.url]
        branch = self._branch()
        if not branch.ended.done():
            branch.terminate_child(port.url, block=False)
