"""What we use of Pykka's inside. No other module touches it; a canary test guards each name.

Pykka is pinned to one minor version (DESIGN 8.24). Its public classes are the contract: `start`,
`stop`, `ask`, `tell`, `proxy` and the hooks behave as it documents them. Its loop, inbox and
initialisation are replaced: they cost a thread, a queue, a UUID and an event for each actor.
"""

from __future__ import annotations

import itertools
import logging
import uuid
from typing import TYPE_CHECKING, Any, Final, SupportsIndex, TypeVar

import pykka
from pykka import ThreadingActor, messages
from pykka._envelope import Envelope

from .future import Future

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykka._actor import ActorInbox

__all__ = [
    "STOP",
    "WRAPPED",
    "BridgedActor",
    "BridgedRef",
    "Envelope",
    "ThreadingActor",
    "is_stop",
    "next_number",
    "pykka_logger",
    "register",
    "unregister",
    "urn",
]

A = TypeVar("A", bound=pykka.Actor)

STOP: Final = messages._ActorStop()  # noqa: SLF001  Pykka's poison pill
pykka_logger: Final = logging.getLogger("pykka")

_PREFIX: Final = f"urn:uuid:{str(uuid.uuid4())[:23]}"
_numbers = itertools.count(1)


def is_stop(message: object) -> bool:
    """Whether `message` is Pykka's request to stop."""
    return type(message) is messages._ActorStop  # noqa: SLF001  the only place that asks


WRAPPED: Final = frozenset(
    {
        tuple,
        Envelope,
        messages._ActorStop,  # noqa: SLF001  Pykka's own messages, which its dispatch handles
        messages.ProxyCall,
        messages.ProxyGetAttr,
        messages.ProxySetAttr,
    }
)
"""Messages that need an envelope: those of Pykka, and what has a meaning of its own in a mailbox.
"""


def next_number() -> int:
    """A number for a new actor."""
    return next(_numbers)


def urn(number: int) -> str:
    """The URN of that actor: unique, and valid, but not random."""
    return f"{_PREFIX}-{number:012x}"


class BridgedRef(pykka.ActorRef[A]):
    """A `pykka.ActorRef` that holds nothing of its own: what Pykka keeps in it is worked out."""

    def __init__(self) -> None:
        """Not Pykka's: it would make what is rarely looked at."""


class BridgedActor(pykka.Actor):
    """A `pykka.Actor` with a cheap start in life."""

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> Any:
        """Start an actor: see `pykka.Actor.start`. The arguments are the constructor's."""
        if pykka_logger.isEnabledFor(logging.DEBUG):
            return super().start(*args, **kwargs)
        actor = cls(*args, **kwargs)
        ref = actor.actor_ref
        register(ref)
        actor._start_actor_loop()
        return ref

    def __init__(self, inbox: Any, ref: Any) -> None:
        self._actor_inbox = inbox
        self._actor_ref = ref

    @property
    def actor_urn(self) -> str:  # type: ignore[override]  # Pykka's is a plain attribute
        """Pykka's: unique to this incarnation."""
        return self._actor_ref.actor_urn

    @property
    def actor_inbox(self) -> Any:  # type: ignore[override]  # as above
        """Pykka's: where messages go."""
        return self._actor_inbox

    @property
    def actor_stopped(self) -> Any:  # type: ignore[override]  # as above
        """Pykka's event that says whether the actor takes messages."""
        return self._actor_ref.actor_stopped

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


class _Refs(dict[Any, None]):
    """What Pykka's registry keeps its refs in, made O(1): its list looks at each to find one.

    Taking one of 50,000 out of the list takes 5.8 ms, which a tree of that many cannot spend.
    Each change is one step of the interpreter's, and who reads gets a copy, so that nobody needs
    the registry's lock: threads that start and stop many actors would queue for it.
    """

    append = dict.setdefault

    def __iter__(self) -> Iterator[Any]:
        return iter([*self.keys()])

    def remove(self, ref: Any) -> None:
        """Take a ref out."""
        self.pop(ref, None)

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        return list(self)[index]


def _speed_up_registry() -> _Refs:
    registry: Any = pykka.ActorRegistry
    with registry._actor_refs_lock:  # noqa: SLF001  Pykka's inside is what this module is for
        refs = registry._actor_refs = _Refs(dict.fromkeys(registry._actor_refs))  # noqa: SLF001  as above
    return refs


_REFS: Final = _speed_up_registry()


def register(ref: Any) -> None:
    """Let Pykka's registry know `ref`.

    Pykka makes the text of its debug line whether or not anybody reads it, at half the price of an
    actor's start: so it is asked only where somebody does.
    """
    if pykka_logger.isEnabledFor(logging.DEBUG):
        pykka.ActorRegistry.register(ref)
    else:
        _REFS[ref] = None


def unregister(ref: Any) -> None:
    """Let Pykka's registry forget `ref`."""
    if pykka_logger.isEnabledFor(logging.DEBUG):
        pykka.ActorRegistry.unregister(ref)
    else:
        _REFS.pop(ref, None)
