"""The live sessions of a manager, and how many more there may be."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, TypeVar

from klemheist.actors.errors import SessionLimitError, SessionNotFound

from .admission import Admission
from .stats import SessionStats

if TYPE_CHECKING:
    from klemheist.actors.device.port import Port
    from klemheist.actors.done import Done
    from klemheist.actors.errors import ResourceCleanupError
    from klemheist.actors.session.core import SessionCore

T = TypeVar("T")

KEPT_ENDS: Final = 1_000
"""Ends of sessions that are kept for whoever registers late."""
KEPT_FAILURES: Final = 100
"""Cleanup errors that are kept for whoever ends a session once more."""


class Registry:
    """Which sessions there are. All of it is quick and locked.

    Args:
        limit: how many sessions may live at once (SES-085).
    """

    def __init__(self, limit: int) -> None:
        self.admission = Admission()
        """Who may live on each device."""
        self._limit = limit
        self._sessions: dict[str, SessionCore] = {}
        self._failures: dict[str, ResourceCleanupError] = {}
        self._ended: dict[str, Done] = {}
        self._taken = 0
        """Sessions that live or are being created."""
        self._created = 0
        self._lock = threading.Lock()

    def take_room(self) -> None:
        """Reserve room for a session that is about to be created.

        Raises:
            SessionLimitError: there is none.
        """
        with self._lock:
            if self._taken >= self._limit:
                raise SessionLimitError(
                    f"{self._limit} sessions are live, the limit of max_concurrent_sessions; "
                    "end one"
                )
            self._taken += 1

    def give_room(self) -> None:
        """Give back the room of a session that was not added."""
        with self._lock:
            self._taken -= 1

    def add(self, core: SessionCore) -> None:
        """Know a session from its first moment on, so that whatever happens ends it."""
        with self._lock:
            self._sessions[core.session_id] = core

    def count_creation(self) -> None:
        """Count one session that was created and is live."""
        with self._lock:
            self._created += 1

    def remove(self, core: SessionCore, error: ResourceCleanupError | None) -> None:
        """Forget a session whose cleanup is done, but not what failed in it (SES-043)."""
        with self._lock:
            if self._sessions.pop(core.session_id, None) is None:
                return
            self._taken -= 1
            _keep(self._ended, core.session_id, core.logical_done, KEPT_ENDS)
            if error is not None:
                _keep(self._failures, core.session_id, error, KEPT_FAILURES)
        self.admission.leave(core)

    def failure(self, core: SessionCore) -> ResourceCleanupError | None:
        """Return what failed in the cleanup of a session that has ended."""
        return self._failures.get(core.session_id)

    def all(self) -> list[SessionCore]:
        """Return the sessions, oldest first, those that begin or end too."""
        with self._lock:
            return list(self._sessions.values())

    def live(self) -> list[SessionCore]:
        """Return the sessions that take calls, oldest first."""
        return [core for core in self.all() if core.is_active]

    def on(self, port: Port) -> list[SessionCore]:
        """Return the sessions of one device."""
        return [core for core in self.all() if core.port is port]

    def find(self, session_id: str) -> SessionCore:
        """Return a session.

        Raises:
            SessionNotFound: none has this id (SES-009).
        """
        core = self._sessions.get(session_id) if isinstance(session_id, str) else None
        if core is None:
            raise SessionNotFound(
                f"no live session {session_id!r}; snapshot() shows those that are"
            )
        return core

    def done(self, session_id: str) -> Done:
        """Return what tells of a session's end, for one that has lately ended too.

        Raises:
            SessionNotFound: none had this id lately.
        """
        ended = self._ended.get(session_id) if isinstance(session_id, str) else None
        return self.find(session_id).logical_done if ended is None else ended

    def stats(self) -> SessionStats:
        """Return the sessions in numbers (SES-109)."""
        return SessionStats(
            active_session_count=len(self.live()),
            total_session_count=self._created,
            max_session_count=self._limit,
        )


def _keep(known: dict[str, T], key: str, value: T, most: int) -> None:
    """Add an entry, and drop the oldest beyond `most`."""
    known[key] = value
    while len(known) > most:
        del known[next(iter(known))]
