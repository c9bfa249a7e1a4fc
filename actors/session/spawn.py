"""What a session needs of the tree above it, injected when it is assembled (DESIGN 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from klemheist.actors.runtime.actor import Actor

from .ledger import EntryKind

if TYPE_CHECKING:
    from klemheist.actors.runtime.future import Future

    from .core import SessionCore


class Spawn(Protocol):
    """The session's node, as the session sees it."""

    def tracker(self, kind: EntryKind) -> None:
        """See that the tracker of this kind runs; it is started on first use. Must not block."""

    def find(self, kind: EntryKind) -> Actor | None:
        """Return the running tracker of this kind."""


class Keeper(Protocol):
    """The manager that the session belongs to, as the session sees it."""

    def end(self, core: SessionCore, /) -> Future[None]:
        """End the session through the tree."""

    def is_alone(self, core: SessionCore, /) -> bool:
        """Whether no other session lives on its device."""

    def gone(self, core: SessionCore, /) -> None:
        """Forget the session: it has ended."""

    def registered(self, resource_type: str, /) -> None:
        """Count a resource that was registered."""
