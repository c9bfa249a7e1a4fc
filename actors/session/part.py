"""What is made when somebody first asks for it; most never is. For handles, and for their core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Self, TypeVar, overload

from klemheist.actors.runtime.rare import rare_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

MAKING: Final = rare_lock()
"""Guards short moments of every session: a lock for each would take 88 bytes."""


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


def parts_of(handle: type) -> tuple[str, ...]:
    """Return the names of all parts that handles of a class may have made."""
    return tuple(
        name
        for each in handle.__mro__
        for name, found in vars(each).items()
        if isinstance(found, part)
    )


class InParts:
    """An object with slots of which some are filled when somebody first looks at them.

    A slot that is filled costs what any slot does; one that is not leads to `__getattr__`.
    """

    __slots__ = ()

    PARTS: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}
    """How each part is made, of the object. It must be quick: a lock is held."""

    if not TYPE_CHECKING:  # else each wrong name would seem to be right

        def __getattr__(self, name: str) -> Any:
            """Make a part, for any threads: all of them get the same."""
            make = self.PARTS.get(name)
            if make is None:
                raise AttributeError(f"{type(self).__name__} has no {name!r}", name=name, obj=self)
            with MAKING:
                part = self.made(name)  # another thread may have been faster
                if part is None:
                    part = make(self)
                    setattr(self, name, part)
            return part

    def made(self, name: str) -> Any:
        """Return a part if it was made; None while nobody has needed it."""
        try:
            return object.__getattribute__(self, name)
        except AttributeError:
            return None
