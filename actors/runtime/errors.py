"""Errors of the actor runtime. Each is also the error that Pykka's users already catch."""

from __future__ import annotations

import queue
from concurrent.futures import CancelledError
from typing import Any, ClassVar

import pykka

from klemheist.transports.errors import KlemheistError
from klemheist.transports.repl.values import ArgumentError


class AskTimeout(KlemheistError, pykka.Timeout, TimeoutError):  # noqa: N818  named by what happened
    """No answer within the time the caller gave; the answer may still come, and is then dropped."""

    is_recoverable: ClassVar[bool] = True
    advice: ClassVar[str] = "give a longer timeout=, or cancel what is no longer wanted"


class FutureCancelled(KlemheistError, CancelledError):  # noqa: N818  named by what happened
    """The result was cancelled before it was there."""

    advice: ClassVar[str] = "somebody called cancel(); ask again if the result is still wanted"


class ActorDead(KlemheistError, pykka.ActorDeadError):  # noqa: N818  named by what happened
    """The actor is gone, or went before it handled the message."""

    advice: ClassVar[str] = "look the actor up again: its supervisor may have started a new one"


class ActorRestarted(ActorDead):
    """The actor was restarted before it handled the message."""

    is_recoverable: ClassVar[bool] = True
    advice: ClassVar[str] = "ask the new incarnation, if the message may be handled twice"


class MailboxFull(KlemheistError, queue.Full):  # noqa: N818  named by what happened
    """The actor's mailbox is bounded and has no room for the message."""

    is_recoverable: ClassVar[bool] = True
    advice: ClassVar[str] = "send less, or give its class a larger mailbox or another overflow="


class StashOverflow(KlemheistError):  # noqa: N818  named by what happened
    """The actor has put aside as many messages as it may."""

    advice: ClassVar[str] = "unstash_all() sooner, or raise stash_capacity on its class"


class InvalidArgument(ArgumentError, ValueError):  # noqa: N818  named by what happened
    """An actor's setting, or what one of its methods was given, makes no sense."""

    advice: ClassVar[str] = "correct what the message names; it says what is allowed"


class NameTaken(KlemheistError):  # noqa: N818  named by what happened
    """Another actor has the name; it is `ref`."""

    advice: ClassVar[str] = "use the actor that has it, or unregister() the name first"

    def __init__(self, message: str, ref: Any) -> None:
        super().__init__(message)
        self.ref = ref


class WouldDeadlock(KlemheistError, RuntimeError):  # noqa: N818  named by what happened
    """A turn waited for something that can only come after the turn."""

    advice: ClassVar[str] = "use block=False and add_done_callback()"
