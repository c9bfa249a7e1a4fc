"""What a session is and where it stands, apart from what it does: `SessionCore` adds the calls."""

from __future__ import annotations

import secrets
from _thread import RLock
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from loguru import logger

from klemheist.actors.device.port import Capabilities
from klemheist.actors.done import Done
from klemheist.actors.errors import ResourceConflict, SessionClosed, SessionFaulted
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.streams import Overflow, Publisher, Subscription

from .cleanup import Cleanups
from .ledger import Entry, EntryKind, Ledger
from .meter import Meter
from .names import check_names
from .remote import Namespace
from .resources import Resource
from .status import LIFE, LIVE, SessionStatus, Turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from loguru import Logger

    from klemheist.actors.device.port import Port
    from klemheist.actors.messages import Cleaned
    from klemheist.actors.runtime.future import Future
    from klemheist.actors.sources import Source

    from .budget import Budget
    from .options import SessionOptions
    from .program import Program
    from .spawn import Home, Keeper, Listener, Spawn

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


_LOCK: Final = RLock()
"""Guards short moments of every session: a lock for each would take 88 bytes. A finaliser that
comes by meanwhile may take it once more."""
SILENT: Final[Publisher[bytes]] = Publisher()
"""The output of all sessions whose output nobody has asked for."""
OVER: Final[Publisher[bytes]] = Publisher()
"""The output of all sessions that have ended."""
OVER.close()


class SessionState:
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
        "_home",
        "_keeper",
        "_outlet",
        "actor",
        "budget",
        "cleanups",
        "created_at",
        "done",
        "epoch",
        "exclusive",
        "fault",
        "force",
        "last_used",
        "ledger",
        "logical_done",
        "meter",
        "minimal",
        "namespace",
        "options",
        "port",
        "program",
        "recovers",
        "session_id",
        "spawn",
        "standing",
        "state",
        "status",
        "tasks",
        "watched",
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
        self.meter = (
            None
            if budget is None or budget.memory is None
            else Meter(self.namespace, budget.memory, self.undeployed)
        )
        """Measures the memory that it takes, where that is limited."""
        self.status = SessionStatus.CREATING
        self.fault = ""
        """Why it has faulted; empty while it has not."""
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

    if TYPE_CHECKING:
        namespace: Namespace
        ledger: Ledger
        cleanups: Cleanups
        """Cleans up through the trackers."""
        done: Done
        """Of this attachment; a restart, a takeover or a reconnection brings a new one."""
        logical_done: Done
        """Of the session itself, however many attachments it has."""
        state: dict[str, Any]
        tasks: dict[str, Source]
    else:

        def __getattr__(self, name: str) -> Any:
            """Make a part, for any threads: all of them get the same."""
            make = self.PARTS.get(name)
            if make is None:
                raise AttributeError(f"{type(self).__name__} has no {name!r}", name=name, obj=self)
            with _LOCK:
                part = self.made(name)  # another thread may have been faster
                if part is None:
                    part = make(self)
                    setattr(self, name, part)
            return part

    def made(self, name: str) -> Any:
        """Return a part if it was made; None while nobody has needed it."""
        try:
            return object.__getattribute__(self, name)
        except AttributeError:
            return None

    @property
    def report(self) -> Logger:
        """Where the session logs; made anew each time, for a kept one takes 400 bytes."""
        return logger.bind(session=self.session_id, device=self.port.url)

    # -- what is done by its node ------------------------------------------------------------------

    def run_cleanups(self, timeout: float) -> Future[list[Cleaned]]:
        """Clean up through the trackers, within `timeout` seconds."""
        return self.cleanups.run(timeout)

    def clean_one(self, kind: EntryKind, key: str) -> Future[Cleaned]:
        """Clean one entry up through its tracker."""
        return self.cleanups.one(kind, key)

    # -- status -----------------------------------------------------------------------------------

    def move(self, turn: Turn) -> bool:
        """Move along the table; False, and nothing happens, where it has no such move."""
        with _LOCK:
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
        with _LOCK:
            old, self.done = self.done, Done()
            self.epoch += 1
        old.close("restarted")

    def ended(self) -> None:
        """Tell everybody that it is over."""
        self.move(Turn.END)
        self.move(Turn.CLEANED)
        self.ledger.let_go()
        with _LOCK:
            outlet, self._outlet = self._outlet, OVER
        if outlet is not SILENT:
            outlet.close()
        reason = self.fault or "ended"
        self.done.close(reason)
        self.logical_done.close(reason)

    def refusal(self) -> SessionClosed | SessionFaulted:
        """Return the error of whoever comes too late."""
        if self.fault:
            return SessionFaulted(
                f"session {self.session_id} has faulted ({self.fault}); create a new one"
            )
        return SessionClosed(f"session {self.session_id} is {self.status}; create a new one")

    def describe(self) -> dict[str, Any]:
        """Return a snapshot, for people and for `GetStatus`."""
        return {
            "session_id": self.session_id,
            "device": self.port.url,
            "status": self.status.value,
            "epoch": self.epoch,
            "generation": self.port.generation,
            "created_at": self.created_at,
            "tasks": tuple(self.made("tasks") or ()),
            "held": tuple(f"{e.kind} {e.key}" for e in self.held()),
            "exclusive": self.exclusive,
            "budget": self.budget,
            "memory": 0 if self.meter is None else self.meter.used,
        }

    # -- what it knows and holds -------------------------------------------------------------------

    def held(self, kind: EntryKind | None = None) -> tuple[Entry, ...]:
        """Return a snapshot of what is held, being cleaned or owed, in order of registration."""
        ledger: Ledger | None = self.made("ledger")
        return () if ledger is None else ledger.entries(kind)

    def _make_namespace(self) -> Namespace:
        return Namespace(self._home.numbers, self)

    def _make_ledger(self) -> Ledger:
        return Ledger(self.session_id, self._keeper.journal, self._home.claims)

    PARTS: ClassVar[dict[str, Callable[[Any], Any]]] = {
        "namespace": _make_namespace,
        "ledger": _make_ledger,
        "cleanups": Cleanups,
        "done": lambda _: Done(),
        "logical_done": lambda _: Done(),
        "state": lambda _: {},
        "tasks": lambda _: {},
    }
    """How each part is made that most sessions never need."""

    def remember(self, source: Source) -> None:
        """Know a task by name, for `Call` messages.

        Raises:
            ArgumentError: the name is reserved.
        """
        check_names((source.name,))
        self.tasks[source.name] = source

    def track(self, kind: EntryKind, key: str, held: object) -> None:
        """Hold something until the session ends, and see that its tracker is there.

        Raises:
            SessionClosed: the session has ended, or its cleanup is past this.
            BudgetExceeded: it is more than the session may hold.
            ResourceConflict: it claims what another resource holds.
            ArgumentError: a thread has a name that is ours.
        """
        if kind is EntryKind.THREAD:
            check_names((getattr(held, "name", ""),))
        try:
            entry = self._admitted_entry(kind, key, held)
        except ResourceConflict as conflict:
            self.port.emit("conflict", str(conflict))
            raise
        if entry is None:
            raise self.refusal()
        self._tell_registration(kind, key, held)
        if self.spawn is not None:
            self.spawn.tracker(kind)

    def _admitted_entry(self, kind: EntryKind, key: str, held: object) -> Entry | None:
        check = None if self.budget is None else partial(self.budget.check, kind, key, held)
        return self.ledger.register(kind, key, held, check=check)

    def undeployed(self, name: str = "") -> None:
        """Forget a function whose deployment was undone; all of them without a name."""
        start = f"{name}(" if name else ""
        self.ledger.drop(EntryKind.DEPLOYMENT, lambda entry: not entry.key.startswith(start))

    def _tell_registration(self, kind: EntryKind, key: str, held: object) -> None:
        if isinstance(held, Resource):
            self._keeper.registered(held.resource_type)
            cost = held.estimated_cost
            self.report.debug("{} {} registered, cost {}", held.resource_type, key, cost)
        elif kind is EntryKind.THREAD:
            self.report.debug("thread {} registered: {}", key, getattr(held, "name", ""))

    # -- output -----------------------------------------------------------------------------------

    def output(
        self, capacity: int = 1024, *, overflow: Overflow | str = Overflow.DROP_OLDEST
    ) -> Subscription[bytes]:
        """Return a stream of what this session's calls print, from now on."""
        with _LOCK:
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
