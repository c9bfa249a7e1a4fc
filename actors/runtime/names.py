"""Names of actors, in this process: `register`, `whereis`, `unregister`.

A name goes back when its actor ends, before anybody is told of the end.
"""

from __future__ import annotations

from _thread import allocate_lock
from typing import TYPE_CHECKING, Any, Final

from .check import refused
from .errors import ActorDead, NameTaken
from .ref import check_ref

if TYPE_CHECKING:
    from .ref import ActorRef

_LOCK: Final = allocate_lock()
_names: Final[dict[str, ActorRef[Any]]] = {}


def register(name: str, ref: ActorRef[Any]) -> None:
    """Give `ref` the name `name`; an actor may have several.

    Raises:
        NameTaken: Another actor has it: `error.ref`.
        ActorDead: `ref` has ended.
        InvalidArgument: `name` is no text, or `ref` no ref of ours.
    """
    if not isinstance(name, str) or not name:
        raise refused("name", name, "use a text that is not empty")
    check_ref(ref)
    with _LOCK:
        holder = _names.get(name)
        if holder is not None and holder is not ref:
            raise NameTaken(f"the name {name!r} is taken by {holder}: unregister it first", holder)
        if ref.is_retired:
            raise ActorDead(f"{ref} not found: it has ended")
        _names[name] = ref
        ref.names = (*(n for n in ref.names if n != name), name)


def whereis(name: str) -> ActorRef[Any] | None:
    """Whose name `name` is; None if nobody's."""
    return _names.get(name)


def unregister(name: str) -> bool:
    """Take the name back. False if nobody had it."""
    with _LOCK:
        ref = _names.pop(name, None)
        if ref is not None:
            ref.names = tuple(n for n in ref.names if n != name)
    return ref is not None


def release(ref: ActorRef[Any]) -> None:
    """Take back all names of an actor that ends."""
    with _LOCK:
        for name in ref.names:
            _names.pop(name, None)
        ref.names = ()
