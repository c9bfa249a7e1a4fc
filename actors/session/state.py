"""What a session is and where it stands, apart from what it does: `SessionCore` adds the calls."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from loguru import logger

from klemheist.actors.device.facts import Capabilities
from klemheist.actors.done import Done
from klemheist.actors.errors import SessionClosed, SessionFaulted
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.streams import Overflow, Publisher, Subscription

from .part import MAKING, InParts
from .status import LIFE, LIVE, SessionStatus, Turn
from .telling import close_apart, tell_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from loguru import Logger

    from klemheist.actors.device.port import Port

    from .budget import Budget
    from .file_system import FileSystemCache
    from .options import SessionOptions
    from .program import Program
    from .spawn import Home, Keeper, Listener, Spawn
    from .timesync import TimeSync

MINIMAL: Final = Capabilities(
    platform="unknown",
    firmware="",
    raw_paste=False,
    threads=False,
    single_floats=False,
    free_memory=-1,
    longest_source=700,
)
"""What every device can do, for a session that is created without asking (SES-099)."""


SILENT: Final[Publisher[bytes]] = Publisher()
"""The output of all sessions whose output nobody has asked for."""
OVER: Final[Publisher[bytes]] = Publisher()
"""The output of all sessions that have ended."""
OVER.close()


class SessionState(InParts):
    """One logical session on one device: it stays while its actors come and go.

    Of its parts most sessions need few, and ten thousand may be idle: each is made when somebody
    first looks at it (`PARTS`).

    Args:
        port: the device.
        home: what the device has for all its sessions.
        options: those of the manager.
        keeper: the manager.
        budget: the most that it may hold.
    """

    __slots__ = (
        "_file_cache",
        "_home",
        "_keeper",
        "_outlet",
        "actor",
        "budget",
        "created_at",
        "done",
        "epoch",
        "exclusive",
        "fault",
        "force",
        "last_used",
        "logical_done",
        "minimal",
        "options",
        "port",
        "program",
        "recovers",
        "session_id",
        "spawn",
        "standing",
        "state",
        "status",
        "time_sync",
        "told",
        "watched",
        "why",
    )  # one table of so many names would take 1.3 KB more

    def __init__(
        self,
        port: Port,
        home: Home,
        options: SessionOptions,
        keeper: Keeper,
        *,
        budget: Budget | None = None,
    ) -> None:
        self.session_id = secrets.token_hex(8)
        self.created_at = datetime.now(UTC)
        self.port = port
        self.options = options
        self._home = home
        self._keeper = keeper
        self.budget = budget
        self.status = SessionStatus.CREATING
        self.fault = ""
        """Why it has faulted; empty while it has not."""
        self.why = "ended"
        """What its end is told as, where it has not faulted."""
        self.program: Program | None = None
        self.exclusive = False
        """No other session lives on the device."""
        self.recovers = True
        """It comes back in a new boot of its device; else it faults."""
        self.standing = False
        """It belongs to a standing program: it is never idle."""
        self.minimal: Capabilities | None = None
        """What stands for capabilities that the device does not tell (SES-099)."""
        self.force = False
        """Its end may soft-reset the device, whoever else lives there (DESIGN 4, Threads)."""
        self.epoch = 0
        self.last_used = SYSTEM_CLOCK.monotonic()
        self.spawn: Spawn | None = None
        """Starts trackers under the session's node; set when it is assembled."""
        self.actor: Listener | None = None
        """Its Session actor, while one runs: told what happens to the device."""
        self.watched = False
        """It ends when its user holds nothing of it any more; set by its manager."""
        self._outlet = SILENT
        self._file_cache: FileSystemCache | None = None
        self.time_sync: TimeSync | None = None
        """How the device's clock went by the host's when they were last compared."""

    if TYPE_CHECKING:
        done: Done
        """Of this attachment; a restart, a takeover or a reconnection brings a new one."""
        logical_done: Done
        """Of the session itself, however many attachments it has."""
        told: Done
        """Ours: closed when those two are, and their callbacks have run."""
        state: dict[str, Any]
        """The user's own."""

    PARTS: ClassVar[dict[str, Callable[[Any], Any]]] = {
        "done": lambda _: Done(),
        "logical_done": lambda _: Done(),
        "told": lambda _: Done(),
        "state": lambda _: {},
    }
    """How each part is made that most sessions never need."""

    @property
    def report(self) -> Logger:
        """Where the session logs; made anew each time, for a kept one takes 400 bytes."""
        return logger.bind(session=self.session_id, device=self.port.url)

    # -- status -----------------------------------------------------------------------------------

    def move(self, turn: Turn) -> bool:
        """Move along the table; False, and nothing happens, where it has no such move."""
        with MAKING:
            status = LIFE.get((self.status, turn))
            if status is None:
                return False
            self.status = status
        return True

    @property
    def is_active(self) -> bool:
        """Whether calls are taken (SES-022)."""
        return self.status in LIVE

    @property
    def capabilities(self) -> Capabilities | None:
        """What the device can do; None before it was detected."""
        return self.port.capabilities or self.minimal

    def attach(self) -> None:
        """Begin a new attachment: the old one's `done` is closed."""
        with MAKING:
            old, self.done = self.done, Done()
            self.epoch += 1
        close_apart(old, "restarted")

    def ended(self) -> None:
        """Tell everybody that it is over, once; `told` is closed when they know."""
        self.move(Turn.END)
        if not self.move(Turn.CLEANED):
            return
        with MAKING:
            outlet, self._outlet = self._outlet, OVER
        if outlet is not SILENT:
            outlet.close()
        tell_end(self, self.fault or self.why)

    def refusal(self) -> SessionClosed | SessionFaulted:
        """Return the error of whoever comes too late."""
        if self.fault:
            return SessionFaulted(
                f"session {self.session_id} has faulted ({self.fault}); create a new one"
            )
        return SessionClosed(f"session {self.session_id} is {self.status}; create a new one")

    # -- output -----------------------------------------------------------------------------------

    def output(
        self, capacity: int = 1024, *, overflow: Overflow | str = Overflow.DROP_OLDEST
    ) -> Subscription[bytes]:
        """Return a stream of what this session's calls print, from now on."""
        with MAKING:
            if self._outlet is SILENT:
                self._outlet = Publisher()
        return self._outlet.subscribe(buffer=capacity, overflow=overflow, dropped=dropped_mark)

    def _output_to(self, also: Callable[[bytes], object] | None) -> Callable[[bytes], object]:
        if also is None:
            return self._outlet.publish

        def put(data: bytes) -> None:
            self._outlet.publish(data)
            also(data)

        return put


def dropped_mark(count: int) -> bytes:
    """Return what stands in a byte stream where pieces were dropped."""
    return b"\r\n[%d pieces of output dropped]\r\n" % count
