"""Calls to a device, and the queue in which they wait for it.

First in, first out within a session; round robin between sessions; bounded for each (DESIGN 3.2).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from klemheist.actors.errors import QueueFull
from klemheist.actors.runtime.future import Future
from klemheist.actors.runtime.inbox import in_turn
from klemheist.transports.link import DRIVE_SECONDS, Link
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.lines import Procedure

if TYPE_CHECKING:
    from .batch import Task

MOST_WAITING: Final = 1_000
"""Calls that one session may have waiting; each holds its arguments."""

MOST_TRIES: Final = 3
"""How often an idempotent call is sent before its error is passed on."""


class CallFuture(Future[Any]):
    """The future of a call: a thread that waits for it reads the link meanwhile.

    Args:
        link: gives the device's present link, if it has one.
        on_cancel: see `Future`.
    """

    __slots__ = ("_link", "_list")

    soon: ClassVar[bool] = False
    """Whether the answer is near, as a rule; see `Link.lend`."""

    def __init__(
        self, link: Callable[[], Link | None], on_cancel: Callable[[str | None], object]
    ) -> None:
        super().__init__(on_cancel=on_cancel)
        self._link = link
        self._list: dict[Future[Any], bool] | None = None

    def be_listed(self, calls: dict[Future[Any], bool], *, mark: bool) -> None:
        """Be in `calls` until resolved: for less than a callback costs, once for each call."""
        calls[self] = mark
        self._list = calls
        if self.done():
            calls.pop(self, None)

    def set(self, value: Any = None) -> bool:  # type: ignore[override]  # Pykka's is None
        """See `Future.set`."""
        given = super().set(value)
        if given and self._list is not None:
            self._list.pop(self, None)
        return given

    def _resolve(self, state: int, value: Any) -> bool:
        given = super()._resolve(state, value)
        if given and self._list is not None:
            self._list.pop(self, None)
        return given

    def get(self, *, timeout: float | None = None) -> Any:
        """See `Future.get`."""
        link = None if self.done() or in_turn() else self._link()
        if link is not None and (timeout is None or timeout > DRIVE_SECONDS):
            try:
                link.drive(self.done)
            except BaseException as error:  # a signal's handler
                self.cancel(f"the wait for it was interrupted by {type(error).__name__}")
                raise
        return super().get(timeout=timeout)

    def __await__(self) -> Generator[Any, None, Any]:
        """See `Future.__await__`."""
        if not self.done() and (link := self._link()) is not None:
            link.lend(soon=self.soon)
        return super().__await__()

    __iter__ = __await__


@dataclass(slots=True, eq=False)
class Call:
    """One request to a device: a procedure to run, and who waits for its result."""

    procedure: Callable[[Board], Procedure[Any]]
    owner: str
    deadline: float
    """Monotonic seconds at which the caller gets `LinkTimeout`, queueing included."""
    label: str = "the call"
    idempotent: bool = False
    generation: int = 0
    """The only generation it makes sense in; 0 for any."""
    on_output: Callable[[bytes], object] | None = None
    early: bool = False
    """Its procedure may begin before the agent is there, and sees to it where it needs it."""
    future: Future[Any] = field(init=False)
    """Whose result it is; given by whoever takes the call."""
    tries: int = 0
    """How often its procedure was begun; 0 means that nothing of it was sent."""
    task: Task | None = None
    """What it calls, where it may be sent together with others."""
    arguments: tuple[Any, ...] = ()
    """The task's."""
    began: float = 0.0
    """Monotonic seconds at which it was sent last."""


class FairQueue:
    """The calls that wait, by session."""

    __slots__ = ("_lanes", "_turns")

    def __init__(self) -> None:
        self._lanes: dict[str, deque[Call]] = {}
        self._turns: deque[str] = deque()  # the owners of lanes, the next one first

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def waiting(self) -> int:
        """How many calls wait, about: from any thread, while lanes come and go."""
        return sum(map(len, tuple(self._lanes.values())))

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def __iter__(self) -> Iterator[Call]:
        for lane in self._lanes.values():
            yield from lane

    def put(self, call: Call) -> None:
        """Let a call wait behind the others of its session.

        Raises:
            QueueFull: `MOST_WAITING` of its session already wait.
        """
        lane = self._lane(call.owner)
        if len(lane) >= MOST_WAITING:
            raise QueueFull(f"{MOST_WAITING} calls of this session wait; take some results first")
        lane.append(call)

    def mend(self) -> None:
        """Give every session that has calls its turn, whatever was broken off in here."""
        self._lanes = {owner: lane for owner, lane in self._lanes.items() if lane}
        self._turns = deque(self._lanes)

    def put_back(self, call: Call) -> None:
        """Let a call that must be sent again go before all others of its session."""
        self._lane(call.owner).appendleft(call)

    def take(self) -> Call | None:
        """Remove and return the next call, turn and turn about between sessions."""
        if not self._turns:
            return None
        owner = self._turns.popleft()
        lane = self._lanes[owner]
        call = lane.popleft()
        if lane:
            self._turns.append(owner)
        else:
            del self._lanes[owner]
        return call

    def waiting_for(self, owner: str) -> Iterable[Call]:
        """Return the calls of one session, the next one first."""
        return self._lanes.get(owner, ())

    def skip(self, owner: str, count: int) -> None:
        """Remove the next calls of one session: they go out with one that was taken."""
        lane = self._lanes[owner]
        for _ in range(count):
            lane.popleft()
        if not lane:
            del self._lanes[owner]
            self._turns.remove(owner)

    def remove(self, call: Call) -> bool:
        """Remove one call; False where it does not wait (any more)."""
        lane = self._lanes.get(call.owner)
        if lane is None or call not in lane:
            return False
        lane.remove(call)
        if not lane:
            del self._lanes[call.owner]
            self._turns.remove(call.owner)
        return True

    def _lane(self, owner: str) -> deque[Call]:
        lane = self._lanes.get(owner)
        if lane is None:
            lane = self._lanes[owner] = deque()
            self._turns.append(owner)
        return lane
