"""What a supervisor is given besides its spec, checked before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from klemheist.actors.runtime.check import shown
from klemheist.supervisors.core.errors import InvalidFlags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_clock(value: Any) -> bool:
    return all(callable(getattr(value, each, None)) for each in ("monotonic", "time"))


def _are_arguments(value: Any) -> bool:
    pair = isinstance(value, tuple) and len(value) == len(("args", "kwargs"))
    return pair and isinstance(value[0], (tuple, list)) and isinstance(value[1], dict)


_OPTIONS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "name": (_is_name, "use a text that is not empty, or None"),
    "clock": (_is_clock, "use a Clock, such as klemheist.testing.ManualClock(), or None"),
    "on_event": (callable, "use a function of one event, or None"),
    "arguments": (_are_arguments, "use a tuple of args and a dict of kwargs, or None"),
}


def check_options(**given: object) -> None:
    """Refuse the first option that makes no sense; None stands for none.

    Raises:
        InvalidFlags: `code` says which it is.
    """
    for name, value in given.items():
        is_right, allowed = _OPTIONS[name]
        if value is not None and not is_right(value):
            raise InvalidFlags(f"invalid_{name}", value, f"{name}={shown(value)}: {allowed}")
