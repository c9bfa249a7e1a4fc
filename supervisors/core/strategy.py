"""Whom a crash concerns (supervision.md 2.3). Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")


class Strategy(StrEnum):
    """What a supervisor restarts when one child must be restarted."""

    ONE_FOR_ONE = "one_for_one"
    """That child."""
    ONE_FOR_ALL = "one_for_all"
    """All children."""
    REST_FOR_ONE = "rest_for_one"
    """That child and those started after it."""


def affected(strategy: Strategy, ids: Iterable[T], failed: T) -> tuple[T, ...]:
    """Which of `ids` (in start order) are restarted when `failed` is, in start order.

    They are stopped in the reverse of this order. One for one does not look at the others.
    """
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return (failed,)
        case Strategy.ONE_FOR_ALL:
            return tuple(ids)
        case Strategy.REST_FOR_ONE:
            order = tuple(ids)
            return order[order.index(failed) :]
