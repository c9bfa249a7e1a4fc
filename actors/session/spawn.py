"""What a session needs of the tree above it, injected when it is assembled (DESIGN 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from klemheist.actors.runtime.actor import Actor

from .ledger import EntryKind

if TYPE_CHECKING:
    from klemheist.actors.device.facts import DeviceEvent
    from klemheist.actors.errors import ResourceCleanupError
    from klemheist.actors.runtime.future import Future
    from klemheist.actors.runtime.ref import ActorRef

    from .claims import Claims
    from .core import SessionCore
    from .ledger import Journal
    from .namespace import Numbers


class Spawn(Protocol):
    """The session's node, as the session sees it."""

    def tracker(self, kind: EntryKind) -> None:
        """See that the tracker of this kind runs; it is started on first use. Must not block."""

    def find(self, kind: EntryKind) -> Actor | None:
        """Return the running tracker of this kind."""


class Listener(Protocol):
    """Who is told what happens to the session's device: its actor."""

    def heard(self, event: DeviceEvent, /) -> None:
        """Take an event, on the device's turn. Must not block."""


class Home(Protocol):
    """What a device has for all its sessions."""

    @property
    def numbers(self) -> Numbers:
        """Its namespaces' and functions' numbers."""

    @property
    def claims(self) -> Claims:
        """What its sessions have to themselves."""


class Finder(Protocol):
    """Finds a session's actor: the user's manager, which lives while a handle has it."""

    def _ref_of(self, core: SessionCore, /) -> ActorRef[Any]:
        """Return the Session actor's ref."""


class Keeper(Protocol):
    """The manager that the session belongs to, as the session sees it."""

    @property
    def journal(self) -> Journal | None:
        """Where ledgers are written down."""

    @property
    def is_inherited(self) -> bool:
        """Whether this process was forked from the manager's: the session is its parent's."""

    def end(self, core: SessionCore, /) -> Future[None]:
        """End the session through the tree."""

    def is_alone(self, core: SessionCore, /) -> bool:
        """Whether no other session lives on its device."""

    def cleaned(self, core: SessionCore, error: ResourceCleanupError | None, /) -> None:
        """Forget the session, but not what failed in its cleanup, which is over."""

    def gone(self, core: SessionCore, /) -> None:
        """Start the session no more: it has ended."""

    def registered(self, resource_type: str, /) -> None:
        """Count a resource that was registered."""
