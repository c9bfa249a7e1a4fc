"""What lies in a mailbox, how it is handled, and what becomes of it where nobody does.

An item is a bare call, `(fn, args)`; a Pykka `Envelope`; a `Notice`; or a message by itself, which
saves most messages an envelope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .bridge import Envelope, is_stop
from .deadletters import DEAD_LETTERS
from .errors import ActorDead
from .signals import Notice

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator

    from .life import Living
    from .ref import ActorRef

Item: TypeAlias = Any
"""See above."""
Lost: TypeAlias = type[ActorDead]
"""What they are told who asked and whose message waited."""


def reject(
    item: Item, ref: ActorRef[Any], *, was_queued: bool = False, lost: Lost | None = None
) -> None:
    """Tell the asker of `item` that nobody will answer; without one it is a dead letter."""
    kind = type(item)
    if kind is tuple or kind is Notice:
        return
    reply: Any = item.reply_to if kind is Envelope else None
    if reply is None:
        message = item.message if kind is Envelope else item
        if not is_stop(message):
            DEAD_LETTERS.publish(message, ref, "it has ended")
    elif was_queued and is_stop(item.message):
        reply.set(None)  # it did stop
    else:
        error = (lost or ActorDead)(f"{ref} ended before it handled the message: look it up again")
        reply.set_exception(error)


def emptied(items: deque[Item] | None) -> Iterator[Item]:
    """Take items out, one by one: a killed actor's code may be at them too."""
    while items:
        try:
            yield items.popleft()
        except IndexError:
            return


def _answer(actor: Living, item: Item) -> None:
    actor._actor_answer(item)  # noqa: SLF001  its other half


def _call(_: Living, item: Item) -> None:
    item[0](*item[1])


def _notice(actor: Living, item: Item) -> None:
    if item.claim():
        actor.on_receive(item.message)


SPECIAL: Final = {Envelope: _answer, tuple: _call, Notice: _notice}
"""How what is no plain message is handled."""
