"""`describe`: an event as text for people, in one line or several, at whatever length there is."""

from __future__ import annotations

import dataclasses
import re
import reprlib
from typing import TYPE_CHECKING, Any, Final

from .events import TreeEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

_STAMPS: Final = frozenset(field.name for field in dataclasses.fields(TreeEvent))
_LEAST: Final = 8
"""Characters that are left of each value at least."""


def describe(
    event: TreeEvent,
    *,
    single_line: bool = True,
    depth: int | None = None,
    chars_limit: int | None = None,
) -> str:
    """Tell which supervisor, what happened, why, and to whom.

    Args:
        event: What it told.
        single_line: One line, or one for each fact.
        depth: How many items of a list, a dict and so on are shown; None for all.
        chars_limit: About how long the text may be; None for any length.
    """
    shown = _shower(depth)
    facts = [
        (name, value if isinstance(value, str) else shown.repr(value))
        for name, value in _facts(event)
    ]
    if chars_limit is not None:
        room = max((chars_limit - sum(len(name) + 4 for name, _ in facts)) // len(facts), _LEAST)
        facts = [
            (name, value if len(value) <= room else value[:room] + "…") for name, value in facts
        ]
    if single_line:
        return " ".join(f"{name.capitalize()}: {value}." for name, value in facts)
    return "".join(f"    {name}: {value}\n" for name, value in facts)


def _facts(event: TreeEvent) -> Iterator[tuple[str, Any]]:
    yield "supervisor", event.path
    yield "event", " ".join(re.findall("[A-Z][a-z]+", type(event).__name__)).lower()
    for field in dataclasses.fields(event):
        if field.name not in _STAMPS:
            yield field.name, getattr(event, field.name)
    yield "child", f"id={event.id!r}, ref={event.ref}"


def _shower(depth: int | None) -> reprlib.Repr:
    shower = reprlib.Repr()
    most = 2**31 if depth is None else depth
    for name in ("maxlist", "maxtuple", "maxdict", "maxset", "maxfrozenset", "maxdeque"):
        setattr(shower, name, most)
    shower.maxstring = shower.maxother = shower.maxlong = 2**31
    return shower
