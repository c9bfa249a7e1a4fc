"""What a supervisor is in the middle of: steps, done one after the other in a lane."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Hashable

    from .effects import Effect
    from .inputs import Event


class Cause(Enum):
    """Why a child is being started, which decides what its failure means."""

    FIRST = auto()
    REQUEST = auto()
    AGAIN = auto()
    RESTART = auto()


@dataclass(slots=True)
class Starting:
    """One child is being started."""

    id: Hashable
    cause: Cause
    reply: Any = None
    entered: bool = False


@dataclass(slots=True)
class Stopping:
    """Some children are being ended, together."""

    ids: set[Hashable]
    entered: bool = False


@dataclass(slots=True)
class Saying:
    """Effects whose turn comes when the steps before them are done."""

    effects: tuple[Effect, ...]


Step: TypeAlias = Starting | Stopping | Saying


@dataclass(slots=True)
class Lane:
    """A plan, and the events that wait for its end.

    Of ten thousand children each may have its own lane, so an idle one is small: the steps are a
    list, the next one last, while there are any, and the queue is made when something waits.
    """

    steps: list[Step] | None = None
    _waiting: deque[Event] | None = None

    def plan(self, steps: list[Step]) -> None:
        """Do `steps`, the first one first, now that nothing else is being done."""
        assert not self.steps
        self.steps = steps[::-1] or None

    @property
    def current(self) -> Step | None:
        """The step that is being done."""
        return self.steps[-1] if self.steps else None

    def pass_step(self) -> None:
        """The present step is done, or void."""
        assert self.steps
        self.steps.pop()
        if not self.steps:
            self.steps = None

    def pass_all(self) -> None:
        """The plan is void."""
        self.steps = None

    def wait(self, event: Event) -> None:
        """Let `event` wait for the end of the plan."""
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(event)

    def next_waiting(self) -> Event | None:
        """Take out the event that has waited longest, if the plan is done."""
        if self.steps or not self._waiting:
            return None
        return self._waiting.popleft()

    def drop(self) -> None:
        """Forget the plan, and what waited for it."""
        self.steps = self._waiting = None


def stop_plan(keys: list[Hashable], *, together: bool) -> list[Step]:
    """How all children end: at once, or one by one, the last started first."""
    return [Stopping(set(keys))] if together else [Stopping({key}) for key in reversed(keys)]
