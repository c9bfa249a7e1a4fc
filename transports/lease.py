"""Who reads a link's descriptor: the I/O thread, but for a while a thread that waits, or a loop.

Each hand-over is two changes of what waits for the descriptor, from whichever thread; the bytes
stay where they are until somebody reads them. Whoever is told that there are some reads them under
the link's own lock: two may be told, one reads.
"""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING, Final

from klemheist.transports import loops, reactor

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist.transports.loops import LoopReader

LEASE_SECONDS: Final = reactor.LOOK_SECONDS
"""A loop reads for so long after its last call: what one that is stuck can delay, and as long."""


class Lease:
    """The right to read one descriptor, which the I/O thread has unless somebody else does.

    Args:
        owner: the I/O thread.
        fd: what is read; it stays open until `end`.
        ready: reads, on whichever thread has the right.
    """

    def __init__(self, owner: reactor.Reactor, fd: int, ready: Callable[[], None]) -> None:
        self._owner, self._fd, self._ready = owner, fd, ready
        self._lock = threading.Lock()
        self._ended = self._looked_after = False
        self._taker: object = None
        self._until = 0.0
        self.loop: LoopReader | None = None
        """The loop that reads now."""
        self._last_loop: LoopReader | None = None
        """The loop that read last, and has not been told to rest yet."""

    def begin(self) -> None:
        """Let the I/O thread read."""
        self._owner.register(self._fd, reactor.READ, self._ready)

    def take_over(self, taker: object) -> bool:
        """Let this thread read alone; False where it cannot be, or where another one does.

        Args:
            taker: a new object, by which `give_back` knows whether this was done at all: it belongs
                in a `finally` around this, for a signal's handler may raise anywhere.
        """
        with self._lock:
            if self._ended or self._taker is not None:
                return False
            self._taker = taker
            if not self._leave_to_caller():
                self._taker = None
                return False
            return True

    def give_back(self, taker: object) -> None:
        """Let the I/O thread read again; what came in between is seen at once."""
        with self._lock:
            if self._taker is taker:
                if not self._ended:
                    self._owner.resume(self._fd)
                self._taker = None

    def lend(self, *, soon: bool = False) -> None:
        """Let the event loop of this thread read until it is silent for `LEASE_SECONDS`.

        Nothing happens where it cannot, or where a thread has taken over.

        Args:
            soon: see `Link.lend`.
        """
        loop = loops.running()
        self._until = monotonic() + LEASE_SECONDS
        if soon and loop is not None:
            loop.stay_awake()
        if loop is self.loop or loop is None:
            return
        with self._lock:
            if self._ended or self._taker is not None or not self._leave_to_caller():
                loop.rest()
                return
            if self._last_loop is not loop:
                self._rest()
            self.loop = self._last_loop = loop
            loop.watch(self._fd, self._ready)
            if not self._looked_after:
                self._looked_after = True
                self._owner.look_after(self.is_over)

    def is_over(self, now: float) -> bool:
        """On the I/O thread: take over from a loop that makes no calls; False while it does."""
        with self._lock:
            if self.loop is not None:
                if now < self._until:
                    return False
                self._take_from_loop()
                self._owner.resume(self._fd)
            self._rest()
            self._looked_after = False
            return True

    def end(self) -> None:
        """Let nobody read any more; a call of `ready` may be under way. Idempotent."""
        with self._lock:
            if not self._ended:
                self._ended = True
                self._take_from_loop()
                self._rest()
                self._owner.unregister(self._fd)

    def _leave_to_caller(self) -> bool:
        if self.loop is None:
            return self._owner.pause(self._fd)
        self._take_from_loop()
        return True

    def _take_from_loop(self) -> None:
        loop, self.loop = self.loop, None
        if loop is not None:
            loop.unwatch(self._fd)

    def _rest(self) -> None:
        loop, self._last_loop = self._last_loop, None
        if loop is not None:
            loop.rest()
