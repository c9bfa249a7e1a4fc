"""What one session may use of its device: a limit for each thing, checked before it is taken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from klemheist.actors.errors import BudgetExceeded
from klemheist.transports.repl.values import ArgumentError

from .ledger import Entry, EntryKind
from .resources import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that one session may hold; None for no limit.

    What would go beyond it raises `BudgetExceeded` and is not done, or is undone.

    Raises:
        ArgumentError: a limit is no whole number, or negative.
    """

    memory: int | None = None
    """Bytes of the device's memory, measured around each `execute`, setup and task call (two
    collections each, so calls take longer). What the session's threads take is not counted."""
    threads: int | None = None
    """Background threads at once."""
    cost: int | None = None
    """The sum of `Resource.estimated_cost`."""

    def __post_init__(self) -> None:
        for name in ("memory", "threads", "cost"):
            limit = getattr(self, name)
            if limit is not None and (type(limit) is not int or limit < 0):
                raise ArgumentError(f"Budget({name}={limit!r}): give a whole number, or None")

    def check(self, kind: EntryKind, key: str, held: object, entries: Iterable[Entry]) -> None:
        """See that one more thing may be held.

        Args:
            kind: what it is.
            key: an entry of the same kind and key is replaced by it, and does not count.
            held: the thing.
            entries: what the session holds of its kind.

        Raises:
            BudgetExceeded: it may not.
        """
        others = [entry for entry in entries if entry.key != key]
        if kind is EntryKind.THREAD and self.threads is not None:
            _within("threads", len(others) + 1, self.threads)
        if self.cost is not None and isinstance(held, Resource):
            known = sum(each.held.estimated_cost for each in others)
            _within("cost", known + held.estimated_cost, self.cost)


def _within(what: str, wanted: int, limit: int) -> None:
    if wanted > limit:
        raise BudgetExceeded(what, wanted=wanted, limit=limit)
