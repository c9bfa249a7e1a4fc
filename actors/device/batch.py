"""Several calls of one task as one: what waits together is sent, run and answered together.

A batch is one call to the device (one line, one frame), so all that holds for calls holds for it.
Only quick tasks are called so, for the first answer comes with the last. What a batch has done when
it breaks off is kept on the device and not done again; what it has not begun is sent again
(DESIGN 3.2). So a call that hangs takes only itself to its deadline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Protocol

from klemheist.transports.repl.board import Board
from klemheist.transports.repl.lines import Procedure

from .call import Call, FairQueue

WINDOW: Final = 8
"""Calls in one batch, at least, where so many wait and fit (DESIGN 3.2)."""
QUICK: Final = 0.005
"""Seconds that a call may take, at its task's pace, to share a batch."""
MOST: Final = 128
"""Calls in one batch of those so quick that all take no longer than `WINDOW` of others."""
TOGETHER: Final = 0.25
"""Seconds that the deadlines of calls in one batch lie apart at most: the first one ends it."""
MARGIN: Final = 0.25
"""Seconds before its first deadline at which a batch is broken off, for one of its calls hangs. So
there is time to ask the device what has become of each, and to tell it by its deadline."""

Arguments = tuple[Any, ...]


class Task(Protocol):
    """What may be called several times at once."""

    pace: float
    """Seconds that its calls took of late; infinite until one has been seen."""

    def fitting(self, board: Board, calls: Sequence[Arguments]) -> int:
        """Return how many of them, from the first on, go out as one line in this boot."""
        ...

    def many(self, board: Board, calls: Sequence[Arguments]) -> Procedure[list[object]]:
        """Make the calls; return what came of each: a value, or the exception that it raised.

        There are fewer results than calls where one raised, or where the next might change what
        one gave: those behind it have not begun.
        """
        ...


@dataclass(slots=True, eq=False)
class Batch(Call):
    """Calls under way together; its own future is nobody's."""

    members: list[Call] = field(default_factory=list)
    broken_off: bool = False
    """Whether the device was told to break it off."""

    @property
    def due(self) -> float:
        """Monotonic seconds at which something is to be done about it."""
        return self.deadline if self.broken_off else self.deadline - MARGIN


def gather(first: Call, queue: FairQueue, board: Board, now: float, generation: int) -> Call:
    """Return a batch of `first` and what waits behind it, or `first` where there is nothing alike.

    Args:
        first: taken from the queue.
        queue: those that wait.
        board: what is known of the device.
        now: monotonic seconds.
        generation: the device's.
    """
    task = first.task
    soonest = now + 2 * MARGIN
    if task is None or task.pace > QUICK or not queue or first.deadline < soonest:
        return first
    most = max(WINDOW, min(MOST, int(WINDOW * QUICK / max(task.pace, 1e-6))))
    members = [first]
    for call in islice(queue.waiting_for(first.owner), most - 1):
        alike = call.task is task and call.idempotent == first.idempotent
        meant = call.deadline >= soonest and call.generation in (0, generation)
        meant = meant and abs(call.deadline - first.deadline) < TOGETHER
        if not (alike and meant and not call.future.done()):
            break
        members.append(call)
    if len(members) == 1:
        return first
    del members[max(1, task.fitting(board, [each.arguments for each in members])) :]
    if len(members) == 1:
        return first
    calls = [each.arguments for each in members]
    queue.skip(first.owner, len(members) - 1)
    for member in members[1:]:
        member.tries += 1
    return Batch(
        lambda board: task.many(board, calls),
        first.owner,
        min(member.deadline for member in members),
        first.label,
        first.idempotent,
        members=members,
    )


def each_of(call: Call) -> list[Call]:
    """Return the calls that a call stands for."""
    return call.members if isinstance(call, Batch) else [call]
