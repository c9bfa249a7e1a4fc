"""`system_events()`: what happens in all trees of the process, and what reaches nobody."""

from __future__ import annotations

from _thread import allocate_lock
from typing import TYPE_CHECKING, Any, Final

from klemheist.actors.runtime import DEAD_LETTERS
from klemheist.actors.streams import Publisher

from .listening import listen

if TYPE_CHECKING:
    from klemheist.actors.streams import Subscription

SYSTEM: Final[Publisher[Any]] = Publisher()
"""Every supervisor publishes here too."""
BUFFER: Final = 1024
"""Events that are kept for a subscriber who is behind."""
_LOCK: Final = allocate_lock()
_listening: list[object] = []


def system_events(
    *types: type, buffer: int = BUFFER, overflow: str = "drop_oldest"
) -> Subscription[Any]:
    """Subscribe to the events of all supervisors, and to dead letters (`DeadLetter`).

    What a full mailbox dropped is one, a `MailboxOverflow`.

    Iterate over it, in a thread or with `async for`, or give a function to its `deliver`; close it
    when done.

    Args:
        types: The classes that are wanted; none for all.
        buffer: How many events are kept for a subscriber who is behind.
        overflow: What becomes of more: `drop_oldest`, `drop_new`, `error` or `resize`.

    Raises:
        InvalidFlags: An argument makes no sense.
    """
    subscription = listen(SYSTEM, types, buffer, overflow)
    with _LOCK:
        if not _listening:
            _listening.append(DEAD_LETTERS.subscribe(SYSTEM.publish))
    return subscription
