"""What stands for a session in a handle whose holder has let go of it: it only tells."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from klemheist.actors.errors import SessionClosed
from klemheist.actors.runtime.future import Future

if TYPE_CHECKING:
    from klemheist.actors.done import Done

    from .core import SessionCore

TOLD: Final = frozenset({"created_at", "describe", "epoch", "logical_done", "port", "session_id"})
"""What may still be asked; everything else is refused."""


class Status(StrEnum):
    """Where it stands, in place of a `SessionStatus`."""

    RELEASED = "released"


class Released:
    """A session as somebody sees it who has released it; others may use it as before.

    Args:
        core: the session.
        done: of the attachment that has ended with the release.
    """

    __slots__ = ("_core", "done", "force")

    is_active = False
    status = Status.RELEASED

    def __init__(self, core: SessionCore, done: Done) -> None:
        self._core = core
        self.done = done
        self.force = False
        """Whatever is asked of its end does not count here."""

    def __getattr__(self, name: str) -> Any:
        """Tell a fact of the session.

        Raises:
            SessionClosed: it would be used.
        """
        if name not in TOLD:
            raise self.refusal()
        return getattr(self._core, name)

    def refusal(self) -> SessionClosed:
        """Return the error of whoever uses it all the same."""
        return SessionClosed(
            f"session {self._core.session_id} was released by this holder; "
            "get_or_create_session gives it again"
        )

    def require(self) -> None:
        """Refuse to be used.

        Raises:
            SessionClosed: always.
        """
        raise self.refusal()

    def end(self) -> Future[None]:
        """Do nothing: whoever has released a session does not end it."""
        ended: Future[None] = Future()
        ended.set(None)
        return ended
