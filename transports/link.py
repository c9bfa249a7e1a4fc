"""What every link keeps: the contract between a byte stream and the Device actor.

A link moves bytes and knows nothing of what they mean. `tests/transports/conformance.py` holds the
suite that every implementation passes. The life of a link object is open -> close, once; a device
that comes back gets a new link object.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol, runtime_checkable

from klemheist.transports.errors import LinkError

DRIVE_SECONDS = 0.003
"""Most calls are answered within; a longer one can wait for the I/O thread, and be cancelled."""

MAX_UNSENT = 4 * 1024 * 1024
"""Bytes that may wait in a link: more than any upload, far less than memory."""


class Reset(StrEnum):
    """A way to make the device boot that its interpreter cannot refuse (DESIGN 3.3)."""

    RESPAWN = "respawn"
    """Close the link and open it anew: its process is killed and started again."""
    SIGNAL = "signal"
    """The control lines of the port reset the board (`Link.reset`)."""


class Receiver(Protocol):
    """Who gets the bytes: two callbacks, called from the link's I/O side, never at the same time.

    Neither may block or raise. After `Link.close` has returned neither is called again, unless
    `close` was itself called from inside one of them.
    """

    def received(self, data: bytes) -> None:
        """Take bytes in the order of their arrival; `data` is never empty."""

    def lost(self, error: LinkError) -> None:
        """Learn, at most once, that the open link is gone without `close` having been called."""


@runtime_checkable
class Link(Protocol):
    """One byte stream to one device."""

    @property
    def url(self) -> str:
        """The normalised URL: the key of the device behind this link."""

    @property
    def resets(self) -> tuple[Reset, ...]:
        """The hard resets that this link offers, the mildest first; often none."""

    @property
    def boots(self) -> bool:
        """Whether each opening is a new boot, for the board's process begins with it."""

    def open(self, receiver: Receiver, *, timeout: float = 10.0) -> None:
        """Open the stream and start to deliver what arrives; may block up to `timeout` seconds.

        Raises:
            LinkError: the readable reason, of the fitting subclass; nothing is left open.
        """

    def write(self, data: bytes) -> None:
        """Send bytes, in order, without blocking; what the system does not take yet is queued.

        On a link that is closed or lost it does nothing: `lost` tells.

        Raises:
            LinkError: more than `MAX_UNSENT` bytes are waiting (the device does not read).
        """

    def interrupt(self) -> None:
        """Send Ctrl-C (byte 3) ahead of all bytes that wait to be written; never blocks."""

    def drive(self, done: Callable[[], bool], window: float = DRIVE_SECONDS) -> None:
        """Read and deliver on the calling thread until `done()`, for `window` seconds at most.

        For a caller that waits for an answer anyhow: it saves two changes of thread. It may return
        early, and does nothing where the link cannot do it. Not for a callback.
        """

    def lend(self, *, soon: bool = False) -> None:
        """Let the event loop that runs on this thread read and deliver, while its tasks make calls.

        For a task that awaits an answer, at each call; without blocking. Does nothing where the
        link or the loop cannot do it.

        Args:
            soon: the answer is near, as a rule: it is worth not to sleep for a moment.
        """

    def exchange(
        self, begin: Callable[[], bytes], take: Callable[[bytes], bool], window: float
    ) -> bool:
        """Write what `begin()` returns and give what arrives to `take`, all on this thread.

        Ends when `take` returns True, or after `window` seconds; then the I/O thread goes on and
        the receiver gets the rest. The receiver gets nothing meanwhile. With a window of 0 it does
        not sleep, and looks only for so long as an event loop can bear.

        Returns:
            False where it cannot be done just now; then `begin` was not called.
        """

    def reset(self, kind: Reset) -> None:
        """Reset the board by control lines; `RESPAWN` is the caller's close and open.

        Raises:
            LinkError: this link does not offer `kind`.
        """

    def close(self) -> None:
        """Close the stream and reap what was started; idempotent, at most a few seconds.

        No child process, file descriptor or thread of this link is left when it returns.
        """
