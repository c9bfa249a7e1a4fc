"""What a session needs of the tree above it, injected when it is assembled (DESIGN 1)."""

from __future__ import annotations

from typing import Protocol

from klemheist.actors.runtime.actor import Actor

from .ledger import EntryKind


class Spawn(Protocol):
    """The session's node, as the session sees it."""

    def tracker(self, kind: EntryKind) -> None:
        """See that the tracker of this kind runs; it is started on first use. Must not block."""

    def find(self, kind: EntryKind) -> Actor | None:
        """Return the running tracker of this kind."""
