"""What we use of Pykka's inside. No other module touches it; a canary test guards each name.

Pykka is pinned to one minor version (DESIGN 8.24). Its public classes are the contract: `start`,
`stop`, `ask`, `tell`, `proxy` and the hooks behave as it documents them. Its loop, inbox and
initialisation are replaced: they cost a thread, a queue, a UUID and an event for each actor.
"""

from __future__ import annotations

import itertools
import logging
import uuid
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import pykka
from pykka import messages
from pykka._envelope import Envelope

from .future import Future

if TYPE_CHECKING:
    from pykka._actor import ActorInbox

__all__ = ["STOP", "BridgedActor", "BridgedRef", "Envelope", "StopFlag", "is_stop", "pykka_logger"]

A = TypeVar("A", bound=pykka.Actor)

STOP: Final = messages._ActorStop()  # noqa: SLF001  Pykka's poison pill
pykka_logger: Final = logging.getLogger("pykka")

_PREFIX: Final = f"urn:uuid:{str(uuid.uuid4())[:23]}"
_numbers = itertools.count(1)


def is_stop(message: object) -> bool:
    """Whether `message` is Pykka's request to stop."""
    return type(message) is messages._ActorStop  # noqa: SLF001  the only place that asks


class StopFlag(Future[None]):
    """What Pykka takes for the `threading.Event` of `actor_stopped`, at a twentieth of its cost."""

    __slots__ = ()

    def is_set(self) -> bool:
        """Whether the actor takes no more messages."""
        return self.done()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set; False if `timeout` seconds passed first."""
        try:
            self.get(timeout=timeout)
        except TimeoutError:
            return False
        return True


class BridgedRef(pykka.ActorRef[A]):
    """A `pykka.ActorRef` that can reach its actor."""

    def actor(self) -> A | None:
        """The actor itself, while it exists: for this package, never for its users."""
        return self._actor_weakref()


class BridgedActor(pykka.Actor):
    """A `pykka.Actor` with a cheap start in life. A URN is unique, and valid, but not random."""

    def __init__(self, inbox: Any) -> None:
        self.actor_urn = f"{_PREFIX}-{next(_numbers):012x}"
        self.actor_inbox = inbox
        self.actor_stopped = cast("Any", StopFlag())

    def handle(self, message: Any) -> Any:
        """Pykka's dispatch: a proxy's call or attribute, or `on_receive`."""
        return self._handle_receive(message)

    @staticmethod
    def _create_future() -> Future[Any]:
        return Future()

    @staticmethod
    def _create_actor_inbox() -> ActorInbox:
        raise NotImplementedError("the class chooses its mailbox in __init__")

    def _start_actor_loop(self) -> None:
        raise NotImplementedError
