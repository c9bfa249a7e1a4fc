"""Subscribing to events: what is asked for is checked now, and not at the next event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from klemheist.actors.buffer import Overflow
from klemheist.actors.runtime.check import is_count, is_type, shown
from klemheist.supervisors.core.errors import InvalidFlags

if TYPE_CHECKING:
    from klemheist.actors.streams import Publisher, Subscription

_OVERFLOWS: Final = tuple(each for each in Overflow if each is not Overflow.BLOCK)
"""A supervisor waits for nobody."""


def listen(
    publisher: Publisher[Any], types: tuple[type, ...], buffer: int, overflow: str
) -> Subscription[Any]:
    """Subscribe to what `publisher` tells from now on; the arguments are those of `events`.

    Raises:
        InvalidFlags: One of them makes no sense.
    """
    for each in types:
        if not is_type(each):
            raise _wrong("types", each, "use classes of events, such as ChildExited")
    if not is_count(buffer):
        raise _wrong("buffer", buffer, "use 1 or more")
    if overflow not in _OVERFLOWS:
        raise _wrong("overflow", overflow, f"use one of {', '.join(_OVERFLOWS)}")
    return publisher.subscribe(*types, buffer=buffer, overflow=overflow)


def _wrong(name: str, value: object, advice: str) -> InvalidFlags:
    return InvalidFlags(f"invalid_{name}", value, f"{name}={shown(value)}: {advice}")
