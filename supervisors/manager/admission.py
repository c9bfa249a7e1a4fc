"""Who may live on a device beside whom: many sessions, or one alone; who waits comes in turn."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from klemheist.actors.errors import DeviceBusy
from klemheist.actors.runtime import TIMERS, Future

if TYPE_CHECKING:
    from klemheist.actors.device.port import Port
    from klemheist.actors.session.core import SessionCore


@dataclass(slots=True)
class _Room:
    """The sessions of one device, and those that wait for it, the first one first."""

    inside: list[SessionCore] = field(default_factory=list)
    waiting: deque[tuple[SessionCore, Future[None]]] = field(default_factory=deque)

    def admits(self, core: SessionCore) -> bool:
        if core.exclusive:
            return not self.inside
        return not any(each.exclusive for each in self.inside)


class Admission:
    """The doors of all devices. Nobody overtakes one who waits: an exclusive session gets in."""

    def __init__(self) -> None:
        self._rooms: defaultdict[Port, _Room] = defaultdict(_Room)
        self._lock = threading.Lock()

    def enter(self, core: SessionCore, wait: float) -> Future[None]:
        """Let a session in; `leave` ends its stay, and its waiting too.

        Args:
            core: the session.
            wait: seconds that it waits at most; 0 to be refused at once.

        Raises (in the future):
            DeviceBusy: others were there until the end.
        """
        entered: Future[None] = Future()
        with self._lock:
            room = self._rooms[core.port]
            admitted = not room.waiting and room.admits(core)
            if admitted:
                room.inside.append(core)
            elif wait > 0:
                room.waiting.append((core, entered))
            busy = _busy(room, core)
        if admitted:
            entered.set(None)
        elif wait > 0:
            timer = TIMERS.call_later(wait, entered.set_exception, busy)
            entered.add_done_callback(lambda _: timer.cancel())
        else:
            entered.set_exception(busy)
        return entered

    def leave(self, core: SessionCore) -> None:
        """Take a session out, wherever it is; those who waited for that come in."""
        with self._lock:
            room = self._rooms.get(core.port)
            if room is None:
                return
            room.inside = [each for each in room.inside if each is not core]
            room.waiting = deque(each for each in room.waiting if each[0] is not core)
            entering = []
            while room.waiting and room.admits(room.waiting[0][0]):
                next_core, entered = room.waiting.popleft()
                room.inside.append(next_core)
                entering.append(entered)
            if not room.inside and not room.waiting:
                del self._rooms[core.port]
        for entered in entering:
            entered.set(None)  # one whose time was up meanwhile is taken out by whoever gave up

    def close(self, error: Exception) -> None:
        """Tell all who wait that nobody comes in any more."""
        with self._lock:
            waiting = [each for room in self._rooms.values() for _, each in room.waiting]
        for entered in waiting:
            entered.set_exception(error)


def _busy(room: _Room, core: SessionCore) -> DeviceBusy:
    alone = [each for each in room.inside if each.exclusive]
    holders = ", ".join(each.session_id for each in alone or room.inside)
    by = f"exclusively by session {holders}" if alone else f"by session {holders}"
    if not holders or not (alone or core.exclusive):
        by = "next by a session that waits for it"
    return DeviceBusy(
        f"{core.port.url} is used {by}, and one side wants it exclusively; "
        "end the other session, or wait for that with wait=…"
    )
