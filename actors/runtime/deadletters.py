"""Messages that reach nobody: whom they were for, who sent them if that is known, and why.

undo = DEAD_LETTERS.subscribe(print)
"""

from __future__ import annotations

import time
from _thread import allocate_lock
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from .callbacks import call_each
from .here import current_ref

if TYPE_CHECKING:
    from collections.abc import Callable

    from .ref import ActorRef

_LINES: Final = 10
"""Lines of the log in each period; what is more is counted."""
_PERIOD: Final = 10.0
"""Seconds."""
_LONGEST: Final = 200
"""Characters of a message in the log."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that nobody will handle."""

    message: Any
    recipient: ActorRef[Any]
    sender: ActorRef[Any] | None
    """The actor whose turn sent it, where that is known."""
    reason: str


@dataclass(frozen=True, slots=True)
class MailboxOverflow(DeadLetter):
    """A message for which a bounded mailbox had no room, and of which no sender was told."""


class DeadLetters:
    """Where they are told. Cheap where nobody listens."""

    def __init__(self) -> None:
        self.count = 0
        """How many there were."""
        self._lock = allocate_lock()
        self._listeners: tuple[Callable[[DeadLetter], object], ...] = ()
        self._period_began = 0.0
        self._said = 0

    def subscribe(self, fn: Callable[[DeadLetter], object]) -> Callable[[], None]:
        """Call `fn(letter)` for each, on the thread that finds it undelivered; it must be quick.

        Returns:
            A function that ends it.
        """
        with self._lock:
            self._listeners = (*self._listeners, fn)
        return lambda: self._forget(fn)

    def publish(
        self,
        message: Any,
        recipient: ActorRef[Any],
        reason: str,
        sender: ActorRef[Any] | None = None,
    ) -> None:
        """Say that `message` reaches nobody."""
        self._tell(DeadLetter(message, recipient, sender, reason))

    def refused(self, message: Any, recipient: ActorRef[Any], reason: str) -> None:
        """`publish`, with the actor whose turn this is as the sender."""
        self.publish(message, recipient, reason, current_ref())

    def overflowed(self, message: Any, recipient: ActorRef[Any]) -> None:
        """Say that the mailbox of `recipient` dropped `message`, in this turn."""
        self._tell(MailboxOverflow(message, recipient, current_ref(), "its mailbox is full"))

    def _tell(self, letter: DeadLetter) -> None:
        with self._lock:
            self.count += 1
            number = self._line()
        if number <= _LINES:
            more = "; more follow, and are only counted" if number == _LINES else ""
            short = _short(letter.message)
            logger.info("dead letter {} to {}: {}{}", short, letter.recipient, letter.reason, more)
        call_each("a listener to dead letters failed", self._listeners, letter)

    def _line(self) -> int:
        now = time.monotonic()
        if now - self._period_began > _PERIOD:
            self._period_began, self._said = now, 0
        self._said += 1
        return self._said

    def _forget(self, fn: Callable[[DeadLetter], object]) -> None:
        with self._lock:
            self._listeners = tuple(each for each in self._listeners if each is not fn)


def _short(message: Any) -> str:
    try:
        text = repr(message)
    except Exception:  # noqa: BLE001  somebody's __repr__
        text = f"<{type(message).__name__}>"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


DEAD_LETTERS: Final = DeadLetters()
"""The process's dead letters."""
