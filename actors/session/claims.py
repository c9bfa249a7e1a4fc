"""Who uses what on a device, as its sessions say: the same pin, timer or file is not used twice.

A claim is held by a resource, and goes with it: when the resource is cleaned up or given back, and
in any case when its session has ended, however it ended (SES-017).
"""

from __future__ import annotations

import posixpath
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from klemheist.actors.errors import ResourceConflict
from klemheist.transports.repl.values import ArgumentError

Wanted = tuple[str, str]
"""Kind and name, as `wanted` makes them."""

FILE: Final = "file"


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing on a device that a session has to itself."""

    device: str
    """The device's URL."""
    kind: str
    name: str
    session_id: str
    resource_id: str
    """The resource that holds it."""


def wanted(kind: str, name: int | str) -> Wanted:
    """Return a claim in the form in which two of them are compared.

    Raises:
        ArgumentError: it names nothing.
    """
    if not isinstance(kind, str) or not kind.strip():
        raise ArgumentError(f"a claim of kind {kind!r}: say what it is, such as 'pin'")
    if not isinstance(name, int | str) or name == "":
        raise ArgumentError(f"a claim of {kind} {name!r}: name it by a number or a text")
    kind = kind.strip().lower()
    text = str(name)
    return kind, posixpath.normpath("/" + text.lstrip("/")) if kind == FILE else text


class Claims:
    """The claims on one device. All of it is quick and locked.

    Args:
        url: the device.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._holders: dict[Wanted, tuple[str, str]] = {}
        self._lock = threading.Lock()

    def take(self, wants: Iterable[Wanted], session_id: str, resource_id: str) -> None:
        """Claim all of it, or nothing.

        Raises:
            ResourceConflict: another resource holds some of it.
        """
        holder = session_id, resource_id
        with self._lock:
            for want in wants:
                found = self._holders.get(want, holder)
                if found != holder:
                    raise ResourceConflict(self._url, *want, *found)
            self._holders.update(dict.fromkeys(wants, holder))

    def give_back(self, wants: Iterable[Wanted], session_id: str, resource_id: str) -> None:
        """Give back what this resource holds of it."""
        holder = session_id, resource_id
        with self._lock:
            for want in wants:
                if self._holders.get(want) == holder:
                    del self._holders[want]

    def forget(self, session_id: str) -> None:
        """Give back whatever a session still holds."""
        if self._holders:
            with self._lock:
                left = {k: v for k, v in self._holders.items() if v[0] != session_id}
                self._holders = left

    def all(self) -> tuple[Claim, ...]:
        """Return a snapshot, in the order in which they were claimed."""
        with self._lock:
            return tuple(Claim(self._url, *want, *by) for want, by in self._holders.items())
