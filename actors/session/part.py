"""`part`: what a handle has that is made when somebody first asks for it; most never are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class part(Generic[T]):  # noqa: N801 -- used as `property` is
    """A property that is made once, for any threads: all of them get the same.

    Args:
        make: makes it, of the handle; of two that are made at once one is dropped.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, handle: None, owner: type) -> Self: ...
    @overload
    def __get__(self, handle: object, owner: type) -> T: ...
    def __get__(self, handle: object, owner: type) -> Any:
        """Return it; the handle's own from then on, without a call."""
        if handle is None:
            return self
        return handle.__dict__.setdefault(self._name, self._make(handle))
