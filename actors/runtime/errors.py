"""Errors of the actor runtime. Each is also the error that Pykka's users already catch."""

from __future__ import annotations

from concurrent.futures import CancelledError
from typing import ClassVar

import pykka

from klemheist.transports.errors import KlemheistError


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


class WouldDeadlock(KlemheistError, RuntimeError):  # noqa: N818  named by what happened
    """A turn of an inline actor asked for something that can only run after the turn."""

    advice: ClassVar[str] = "use block=False and add_done_callback()"
