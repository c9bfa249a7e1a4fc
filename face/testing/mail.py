"""What has come and was not yet expected: kept in order, and waited for selectively."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

TIMEOUT: Final = 5.0
"""Real seconds that an expectation waits by default: it passes in far less, or it fails."""

SHOWN: Final = 10
"""As many of what came instead are shown in a failure."""


class Mail(Generic[T]):
    """A list that any thread may add to, and that one waits on for an item that fits."""

    def __init__(self) -> None:
        self._items: list[T] = []
        self._all: list[T] = []
        self._came = threading.Condition()

    def add(self, item: T) -> None:
        """Add an item and wake who waits."""
        with self._came:
            self._items.append(item)
            self._all.append(item)
            self._came.notify_all()

    @property
    def waiting(self) -> list[T]:
        """What was not yet taken, in order."""
        with self._came:
            return list(self._items)

    @property
    def history(self) -> list[T]:
        """Everything that ever came, in order."""
        with self._came:
            return list(self._all)

    def take(self, fits: Callable[[T], bool], timeout: float) -> tuple[T] | None:
        """Remove and return the first that fits, waiting up to `timeout` seconds; None if late."""
        found: list[T] = []

        def look() -> bool:
            for place, item in enumerate(self._items):
                if fits(item):
                    found.append(self._items.pop(place))
                    return True
            return False

        with self._came:
            self._came.wait_for(look, timeout)
        return (found[0],) if found else None


def listing(items: list[T]) -> str:
    """The items for a failure's text, the last ones first to go where they are many."""
    if not items:
        return "nothing came"
    lines = [f"\n  {item!r}" for item in items[:SHOWN]]
    more = len(items) - SHOWN
    return "came: " + "".join(lines) + (f"\n  and {more} more" if more > 0 else "")
