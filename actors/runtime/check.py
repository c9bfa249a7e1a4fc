"""What the runtime is given, looked at where it comes in: one typed line says what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DISPATCHERS: Final = ("pool", "thread")
_FAILURES: Final = ("reply", "crash")


def shown(value: object) -> str:
    """`repr(value)`; where that fails, its class: other people's `__repr__` must not harm us."""
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  as above
        return f"<{type(value).__name__}, whose repr fails>"


def refused(name: str, value: object, allowed: str) -> InvalidArgument:
    """The error that says what `name` was and what it may be."""
    return InvalidArgument(f"{name}={shown(value)}: {allowed}")


def is_count(value: object) -> bool:
    """Whether `value` is a whole number from 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def is_seconds(value: object) -> bool:
    """Whether `value` is a number of seconds, from 0 to infinity."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def is_type(value: Any) -> bool:
    """Whether `isinstance` takes it: a class, or several."""
    try:
        isinstance(None, value)
    except TypeError:
        return False
    return True


_SETTINGS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "dispatcher": (lambda value: value in _DISPATCHERS, "use 'pool' or 'thread'"),
    "ask_failure": (lambda value: value in _FAILURES, "use 'reply' or 'crash'"),
    "mailbox": (
        lambda value: callable(getattr(value, "queue", None)) and not isinstance(value, type),
        "use Unbounded(), Bounded(capacity) or Priority(key)",
    ),
    "stash_capacity": (is_count, "use 1 or more"),
    "inline": (lambda value: isinstance(value, bool), "use True or False"),
    "trap_exit": (lambda value: isinstance(value, bool), "use True or False"),
}


def check_settings(cls: type[object]) -> None:
    """Check what the body of an actor class sets.

    Raises:
        InvalidArgument: For the first setting that is wrong.
    """
    body = vars(cls)
    for name, (is_right, allowed) in _SETTINGS.items():
        if name in body and not hasattr(body[name], "__get__") and not is_right(body[name]):
            raise refused(f"{cls.__qualname__}.{name}", body[name], allowed)
