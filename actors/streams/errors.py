"""How a stream says no."""

from __future__ import annotations

import queue
from typing import ClassVar

from klemheist.transports.errors import KlemheistError


class StreamClosed(Exception):  # noqa: N818 -- the end of a stream, as StopIteration is
    """The stream was closed and everything in it was taken."""


class StreamFull(KlemheistError, queue.Full):  # noqa: N818 -- named by what happened
    """The stream's buffer was full and its policy is to say so; the item was not taken."""

    is_recoverable: ClassVar[bool] = True
    advice: ClassVar[str] = "consume faster, give a larger buffer, or choose a policy that drops"


class WouldBlock(KlemheistError, BlockingIOError):  # noqa: N818 -- named by what happened
    """The stream is full and this actor's thread is not its own to wait on.

    The item was not taken. The actor is sent one `Writable` when there is room.
    """

    is_recoverable: ClassVar[bool] = True
    advice: ClassVar[str] = "put the item again when the message Writable(stream) arrives"
