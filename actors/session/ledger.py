"""What a session holds, entry by entry, so that all of it can be given back.

The ledger belongs to the session's supervisor node and survives the crash of the Session and of its
trackers (DESIGN 2). Registration and look-up are locked operations on the caller's thread; nobody
is asked anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgpack
from loguru import logger

from klemheist.actors.errors import AlreadyHeld

if TYPE_CHECKING:
    from .claims import Claims, Wanted


class EntryKind(StrEnum):
    """Which tracker cleans an entry up."""

    RESOURCE = "resource"
    THREAD = "thread"
    DEPLOYMENT = "deployment"


class EntryState(StrEnum):
    """Where an entry stands."""

    HELD = "held"
    CLEANING = "cleaning"
    GONE = "gone"
    OWED = "owed"


class Act(StrEnum):
    """What moves an entry."""

    CLEAN = "clean"
    DONE = "done"
    FAIL = "fail"
    OWE = "owe"


H, C, G, OWED = EntryState.HELD, EntryState.CLEANING, EntryState.GONE, EntryState.OWED

MOVES: Final[dict[tuple[EntryState, Act], EntryState]] = {
    (H, Act.CLEAN): C,
    (H, Act.DONE): G,  # given back by the user, or dead by itself
    (H, Act.OWE): OWED,
    (C, Act.CLEAN): C,  # a repeated message: the cleanup itself runs once on the device
    (C, Act.DONE): G,
    (C, Act.FAIL): G,  # it was tried once, and reported
    (C, Act.OWE): OWED,
    (OWED, Act.CLEAN): C,
    (OWED, Act.DONE): G,
}


@dataclass(slots=True)
class Entry:
    """One thing that a session holds."""

    number: int
    kind: EntryKind
    key: str
    held: Any = field(repr=False)
    """What the tracker needs to clean it up."""
    state: EntryState = EntryState.HELD
    work: Any = field(default=None, repr=False)
    """The cleanup under way: a tracker that was restarted goes on with it, not once more."""


class Journal(Protocol):
    """Where a ledger is written down; memory first, databases with the store.

    Sessions go on without it: of each, the first record that it does not take is logged.
    """

    def record(self, session_id: str, record: bytes) -> None:
        """Keep one record."""


_NONE: Final[dict[str, Entry]] = {}


class Ledger:
    """The entries of one session, numbered in the order of their registration.

    Args:
        session_id: the session.
        journal: where the entries are written down.
        claims: those on the session's device; what is held may have some of them.
    """

    __slots__ = (
        "_claims",
        "_closed",
        "_entries",
        "_journal",
        "_last",
        "_lock",
        "_unwritten",
        "session_id",
    )

    def __init__(
        self, session_id: str, journal: Journal | None = None, claims: Claims | None = None
    ) -> None:
        self.session_id = session_id
        self._journal = journal
        self._unwritten = False
        self._claims = claims
        self._last = 0
        self._entries: dict[EntryKind, dict[str, Entry]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def register(
        self,
        kind: EntryKind,
        key: str,
        held: Any,
        *,
        check: Callable[[list[Entry]], object] | None = None,
    ) -> Entry | None:
        """Hold one more thing; of what is held already nothing changes.

        Of the same kind and key another thing is refused, for its own cleanup would be lost, unless
        `held.renews` says that one cleanup does for both: then it is replaced in place.

        Args:
            kind: what it is.
            key: its name among those of its kind.
            held: what its tracker needs to clean it up.
            check: called with all entries of this kind, the ledger being locked: it may raise.

        Returns:
            The entry; None where the ledger is closed: the session's cleanup is past this.

        Raises:
            AlreadyHeld: another thing of this kind and key is held; nothing was registered.
            ResourceConflict: it claims what another one holds; nothing was registered.
            Exception: what `check` raised; nothing was registered.
        """
        with self._lock:
            if self._closed:
                return None
            entries = self._entries.setdefault(kind, {})
            entry = entries.get(key)
            if entry is not None and entry.state is EntryState.HELD:
                if entry.held is held:
                    return entry
                if not _renews(held, entry.held):
                    raise AlreadyHeld(kind.value, key, self.session_id)
            if check is not None:
                check(list(entries.values()))
            self._claim(key, held)
            if entry is not None and entry.state is EntryState.HELD:
                self._unclaim(key, entry.held, but=held)
                entry.held = held
                return entry
            self._last += 1
            entry = Entry(self._last, kind, key, held)
            entries[key] = entry
        self._write(entry)
        return entry

    def close(self) -> None:
        """Take nothing more."""
        with self._lock:
            self._closed = True

    def let_go(self) -> None:
        """Take nothing more, and give back all claims: the session has ended."""
        self.close()
        if self._claims is not None:
            self._claims.forget(self.session_id)

    def find(self, kind: EntryKind, key: str) -> Entry | None:
        """Return the entry that holds `key`, if it is held."""
        entry = self._entries.get(kind, _NONE).get(key)
        return entry if entry is not None and entry.state is not EntryState.GONE else None

    def act(self, entry: Entry, act: Act) -> bool:
        """Move an entry; False, and nothing happens, where the table has no such move."""
        with self._lock:
            state = MOVES.get((entry.state, act))
            if state is None:
                return False
            entry.state = state
            if state is EntryState.GONE:
                self._forget(entry)
        self._write(entry)
        return True

    def entries(self, kind: EntryKind | None = None) -> tuple[Entry, ...]:
        """Return a snapshot of what is held, being cleaned or owed, in order of registration."""
        with self._lock:
            if kind is not None:
                found = list(self._entries.get(kind, _NONE).values())
            else:
                found = [entry for each in self._entries.values() for entry in each.values()]
        return tuple(sorted(found, key=_number))

    def drop(self, kind: EntryKind, keep: Callable[[Entry], bool]) -> None:
        """Forget entries that a new boot of the device has made void."""
        for entry in self.entries(kind):
            if not keep(entry):
                self.act(entry, Act.DONE)

    def _forget(self, entry: Entry) -> None:
        """Take out what is gone; where it was registered anew meanwhile, only its own claims."""
        entries = self._entries[entry.kind]
        present = entries.get(entry.key)
        if present is entry:
            del entries[entry.key]
        self._unclaim(entry.key, entry.held, but=None if present in (entry, None) else present.held)

    def _claim(self, key: str, held: object) -> None:
        if self._claims is not None and (claims := _claims_of(held)):
            self._claims.take(claims, self.session_id, key)

    def _unclaim(self, key: str, held: object, *, but: object = None) -> None:
        if self._claims is not None and (claims := _claims_of(held)):
            kept = _claims_of(but)
            gone = [each for each in claims if each not in kept]
            self._claims.give_back(gone, self.session_id, key)

    def _write(self, entry: Entry) -> None:
        if self._journal is None:
            return
        record = [entry.number, entry.kind.value, entry.key, entry.state.value]
        try:
            self._journal.record(self.session_id, msgpack.packb(record))
        except Exception as error:  # noqa: BLE001 -- the store is away: sessions go on
            if not self._unwritten:
                self._unwritten = True
                logger.bind(session=self.session_id).warning(
                    "the journal does not take what session {} holds: {!r}", self.session_id, error
                )


def _number(entry: Entry) -> int:
    return entry.number


def _claims_of(held: object) -> tuple[Wanted, ...]:
    found: tuple[Wanted, ...] = getattr(held, "claims", ())
    return found


def _renews(held: object, known: object) -> bool:
    """Whether one cleanup does for both; so it is for what has none, such as deployments."""
    renews: Callable[[object], bool] | None = getattr(held, "renews", None)
    return renews is None or renews(known)


def cleanup_plan(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return what is to be cleaned, in order: reverse registration, across all kinds (DESIGN 4)."""
    waiting = (EntryState.HELD, EntryState.CLEANING)
    return tuple(
        sorted(
            (entry for entry in entries if entry.state in waiting),
            key=_number,
            reverse=True,
        )
    )
