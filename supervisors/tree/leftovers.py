"""What ended children leave: messages for the next incarnation, and children of their own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from klemheist.actors.runtime.bridge import is_stop
from klemheist.actors.runtime.items import reject

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from klemheist.actors.runtime import ActorRef


class Leftovers:
    """What children left unhandled and the next incarnation is to get."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[ActorRef[Any], list[Any]]] = {}

    def take_from(self, key: Hashable, ref: ActorRef[Any]) -> None:
        """Keep what an incarnation left, in its order; a request to stop it is met."""
        items = ref.leftovers()
        for item in items:
            if is_stop(getattr(item, "message", item)):
                reject(item, ref, was_queued=True)
        self._kept[key] = (ref, [i for i in items if not is_stop(getattr(i, "message", i))])

    def of(self, key: Hashable) -> list[Any]:
        """What was kept for the next incarnation."""
        return self._kept[key][1] if key in self._kept else []

    def passed_on(self, key: Hashable) -> None:
        """The next incarnation has it."""
        self._kept.pop(key, None)

    def discard(self, key: Hashable) -> None:
        """There will be no next incarnation: tell who asked."""
        ref, items = self._kept.pop(key, (None, []))
        for item in items:
            assert ref is not None
            reject(item, ref, was_queued=True)

    def discard_all(self) -> None:
        """There will be no next incarnation of anybody."""
        for key in list(self._kept):
            self.discard(key)


class _Cascade(threading.local):
    """Whom this thread is still to kill."""

    pending: list[ActorRef[Any]] | None = None


_CASCADE: Final = _Cascade()


def kill_all(refs: Iterable[ActorRef[Any]]) -> None:
    """Kill these actors, the last first, and what is under them: without a stack as deep as that.

    Called from within itself, it leaves them to the outermost call.
    """
    if _CASCADE.pending is not None:
        _CASCADE.pending.extend(refs)
        return
    pending = _CASCADE.pending = list(refs)
    try:
        while pending:
            pending.pop().kill()
    finally:
        _CASCADE.pending = None
