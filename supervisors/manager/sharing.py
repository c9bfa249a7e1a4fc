"""Sessions that are shared: whoever asks for a device's session at once gets the same one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from klemheist.actors.operation import copy_to
from klemheist.actors.runtime import Future
from klemheist.transports.url import parse_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist.actors.session.core import SessionCore


class Pending:
    """A session that is being created, for all who have asked for it so far."""

    def __init__(self) -> None:
        self.created: Future[SessionCore] = Future()
        self.creating: Future[Any] = self.created
        """What is cancelled when nobody waits any more."""
        self.waiting = 0


class Shared:
    """Finds the session of a device, or creates one for all who ask meanwhile (SES-007).

    Args:
        find: returns the newest live session on a device that can be shared.
        create: creates one.
    """

    def __init__(
        self,
        find: Callable[[str], SessionCore | None],
        create: Callable[[str], Future[SessionCore]],
    ) -> None:
        self._find = find
        self._create = create
        self._pending: dict[str, Pending] = {}
        self._lock = threading.Lock()

    def get(self, url: str) -> Future[SessionCore]:
        """Return the session's future; cancelled, it lets the others have theirs all the same.

        Raises:
            UnknownScheme: the URL says nothing.
        """
        key = parse_url(url).key
        with self._lock:
            core = self._find(url)
            pending = self._pending.get(key)
            is_first = core is None and pending is None
            if is_first:
                pending = self._pending[key] = Pending()
            if core is None and pending is not None:
                pending.waiting += 1
        if core is not None or pending is None:
            found: Future[SessionCore] = Future()
            found.set(core)
            return found
        if is_first:
            self._begin(key, url, pending)
        return self._waiter(key, pending)

    def _begin(self, key: str, url: str, pending: Pending) -> None:
        """Create it, with no lock held; it is found as a live one before it is pending no more."""
        pending.created.add_done_callback(lambda _: self._forget(key, pending))
        try:
            pending.creating = self._create(url)
        except BaseException as error:  # Ctrl-C is of this thread only
            pending.created.cancel(f"whoever created it gave up: {error!r}")
            raise
        copy_to(pending.created, pending.creating)

    def _waiter(self, key: str, pending: Pending) -> Future[SessionCore]:
        """Return the future of one who waits; the last one who gives up ends the creation."""

        def told(waiter: Future[SessionCore]) -> None:
            if not waiter.cancelled():
                return
            with self._lock:
                pending.waiting -= 1
                if pending.waiting:
                    return
                self._drop(key, pending)  # who asks from now on begins anew
            pending.creating.cancel("nobody waits for it any more")

        waiter: Future[SessionCore] = Future()
        waiter.add_done_callback(told)
        copy_to(waiter, pending.created)
        return waiter

    def _forget(self, key: str, pending: Pending) -> None:
        with self._lock:
            self._drop(key, pending)

    def _drop(self, key: str, pending: Pending) -> None:
        if self._pending.get(key) is pending:
            del self._pending[key]
