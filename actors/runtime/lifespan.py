"""`Lifespan`: what a ref tells of its actor's start and end. Each comes once, from any thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import pykka

from .bridge import BridgedRef
from .future import Future
from .gone import GONE
from .rare import rare_lock

if TYPE_CHECKING:
    from .exits import ExitReason

A = TypeVar("A", bound=pykka.Actor)

_LATE: Final = rare_lock()
"""For who asks for a future of a ref first."""
_PENDING: Final = object()


class Watcher(Protocol):
    """Who is told of an actor's start and end without a future: cheap for the very many."""

    def has_started(self, ref: Any, /) -> None:
        """`on_start` has run, well or not. On any thread."""
        ...

    def has_ended(self, ref: Any, /) -> None:
        """It has ended. On any thread; before `has_started`, where it never started."""
        ...


class Lifespan(BridgedRef[A]):
    """Pykka's ref, with the actor's start and end as values.

    Args:
        inbox: where its messages go; when it has ended, nowhere.
    """

    __slots__ = (
        "_ended",
        "_inbox",
        "_outcome",
        "_reason",
        "_started",
        "_unended",
        "_unstarted",
        "is_retired",
        "watcher",
    )

    def __init__(self, inbox: Any) -> None:
        self.is_retired = False
        """Whether it takes no more messages."""
        self.watcher: Watcher | None = None
        """Its supervisor, which is told first; set before it starts."""
        self._inbox = inbox
        self._started: Future[None] | None = None
        self._outcome: Any = _PENDING
        self._ended: Future[ExitReason] | None = None
        self._unstarted = self._unended = None  # who deletes it may say so: only one can
        self._reason: ExitReason | None = None

    @property
    def actor_stopped(self) -> Any:  # type: ignore[override]  # Pykka's is a plain attribute
        """Says whether the actor takes messages."""
        return StopFlag(self)

    def is_alive(self) -> bool:
        """Whether it takes messages."""
        return not self.is_retired

    @property
    def started(self) -> Future[None]:
        """Resolved when `on_start` has run; with its exception where it failed."""
        future = self._started
        if future is None:
            with _LATE:
                future = self._started = self._started or Future(on_cancel=_stays)
            if self._outcome is not _PENDING:
                _settle(future, self._outcome)
        return future

    @property
    def ended(self) -> Future[ExitReason]:
        """Resolved with the exit reason when everything the actor held is released."""
        future = self._ended
        if future is None:
            with _LATE:
                future = self._ended = self._ended or Future(on_cancel=_stays)
            if self._reason is not None:
                future.set(self._reason)
        return future

    @property
    def reason(self) -> ExitReason | None:
        """Why it ended; None while it lives."""
        return self._reason

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, and all it held is released."""
        return self._reason is not None

    @property
    def has_started(self) -> bool:
        """Whether `on_start` has run, well or not."""
        return self._outcome is not _PENDING

    def set_started(self, error: BaseException | None = None) -> None:
        """For the actor: `on_start` has run, or failed with `error`. The first word counts."""
        try:
            del self._unstarted
        except AttributeError:
            return
        self._outcome = error
        future = self._started  # after the outcome: who asks makes the future, then looks at that
        if self.watcher is not None:
            self.watcher.has_started(self)
        if future is not None:
            _settle(future, error)

    @property
    def start_error(self) -> BaseException | None:
        """What `on_start` failed with; None where it has not, or not run."""
        error: BaseException | None = None if self._outcome is _PENDING else self._outcome
        return error

    def claim_end(self) -> bool:
        """For the actor: True for the one caller who may end it."""
        try:
            del self._unended
        except AttributeError:
            return False
        return True

    def set_ended(self, reason: ExitReason, *, keep: bool = False) -> None:
        """For the actor: everything is released; with `keep` what it left is still to be had."""
        self._reason = reason
        if not keep:
            self._inbox = GONE
        future = self._ended  # after the reason, as in `set_started`
        if self.watcher is not None:
            self.watcher.has_ended(self)
        if future is not None:
            future.set(reason)


class StopFlag:
    """What Pykka takes for the `threading.Event` of `actor_stopped`; it holds nothing itself."""

    __slots__ = ("_ref",)

    def __init__(self, ref: Lifespan[Any]) -> None:
        self._ref = ref

    def is_set(self) -> bool:
        """Whether the actor takes no more messages."""
        return self._ref.is_retired

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended; False if `timeout` seconds passed first."""
        try:
            self._ref.ended.get(timeout=timeout)
        except TimeoutError:
            return self.is_set()
        return True


def _stays(_: str | None) -> None:
    """Whoever waits for it no longer does not speak for the others."""


def _settle(future: Future[None], error: BaseException | None) -> None:
    if error is None:
        future.set(None)
    else:
        future.set_exception(error)
