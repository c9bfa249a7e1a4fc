"""`ActorRef`: how everybody else sees an actor."""

from __future__ import annotations

from _thread import allocate_lock
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import pykka

from .bridge import STOP, WRAPPED, BridgedRef, Envelope, next_number, urn
from .deadletters import DEAD_LETTERS
from .errors import ActorDead, MailboxFull, WouldDeadlock
from .exits import ExitReason
from .future import Future
from .gone import GONE
from .here import HERE, in_turn
from .inbox import InlineInbox
from .pool import POOL
from .timers import TIMERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .future import Unsubscribe
    from .signals import Link

A = TypeVar("A", bound=pykka.Actor)

_LATE: Final = allocate_lock()
"""For who asks for a future of a ref first. Nobody takes it in each actor's life: threads that take
one lock again and again come to hand it, and the interpreter with it, to each other each time.
"""
_PENDING: Final = object()


class StopFlag:
    """What Pykka takes for the `threading.Event` of `actor_stopped`; it holds nothing itself."""

    __slots__ = ("_ref",)

    def __init__(self, ref: ActorRef[Any]) -> None:
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


class Watcher(Protocol):
    """Who is told of an actor's start and end without a future: cheap for the very many."""

    def has_started(self, ref: ActorRef[Any], /) -> None:
        """`on_start` has run, well or not. On any thread."""
        ...

    def has_ended(self, ref: ActorRef[Any], /) -> None:
        """It has ended. On any thread; before `has_started`, where it never started."""
        ...


class ActorRef(BridgedRef[A]):
    """A reference to one incarnation of an actor: a restart gives a new one.

    It is Pykka's, with the actor's end as a value: `ended`, `reason`, `exit`, `kill`.
    """

    __slots__ = (
        "_ended",
        "_inbox",
        "_number",
        "_outcome",
        "_reason",
        "_started",
        "_unended",
        "_unstarted",
        "actor_class",
        "is_retired",
        "links",
        "names",
        "watcher",
    )

    def __init__(self, actor: A, inbox: Any) -> None:
        self.actor_class = type(actor)
        self.is_retired = False
        """Whether it takes no more messages."""
        self.links: dict[ActorRef[Any], Link] | None = None
        """Who is linked to it; for `signals`."""
        self.names: tuple[str, ...] = ()
        """The names that it is registered under."""
        self.watcher: Watcher | None = None
        """Its supervisor, which is told first; set before it starts."""
        self._inbox = inbox
        self._number = next_number()
        self._started: Future[None] | None = None
        self._outcome: Any = _PENDING
        self._ended: Future[ExitReason] | None = None
        self._unstarted = self._unended = None  # who deletes it may say so: only one can
        self._reason: ExitReason | None = None

    # -- what Pykka's refs have

    @property
    def actor_urn(self) -> str:  # type: ignore[override]  # Pykka's is a plain attribute
        """Unique to this incarnation."""
        return urn(self._number)

    @property
    def actor_inbox(self) -> Any:  # type: ignore[override]  # as above
        """Where messages go."""
        return self._inbox

    @property
    def actor_stopped(self) -> Any:  # type: ignore[override]  # as above
        """Says whether the actor takes messages."""
        return StopFlag(self)

    def _actor_weakref(self) -> A | None:  # type: ignore[override]  # as above
        return self.actor()

    def actor(self) -> A | None:
        """The actor itself, until it has ended: for this package, never for its users."""
        actor: A | None = self._inbox.actor
        return actor

    def is_alive(self) -> bool:
        """Whether it takes messages."""
        return not self.is_retired

    # -- its start and its end

    @property
    def started(self) -> Future[None]:
        """Resolved when `on_start` has run; with its exception where it failed."""
        future = self._started
        if future is None:
            with _LATE:
                future = self._started = self._started or Future()
            if self._outcome is not _PENDING:
                _settle(future, self._outcome)
        return future

    @property
    def ended(self) -> Future[ExitReason]:
        """Resolved with the exit reason when everything the actor held is released."""
        future = self._ended
        if future is None:
            with _LATE:
                future = self._ended = self._ended or Future()
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

    # -- messages

    def tell(self, message: Any) -> None:
        """Send `message` and do not wait.

        Raises:
            ActorDead: It is gone; the message is a dead letter.
            MailboxFull: Its mailbox is bounded, and there is no room.
        """
        inbox = self._inbox  # before the look: who ends it sets `is_retired`, then takes the inbox
        if self.is_retired:
            DEAD_LETTERS.refused(message, self, "it has ended")
        elif inbox.put(Envelope(message) if type(message) in WRAPPED else message):
            return
        raise ActorDead(f"{self} not found")

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        """Send `message`; its answer, or with `block=False` a `Future` of it.

        Raises:
            ActorDead: It is gone, or goes before it answers.
            AskTimeout: No answer within `timeout` seconds.
            MailboxFull: Its mailbox is bounded, and there is no room.
            WouldDeadlock: Blocking in its own turn, or in an inline turn on an inline actor.
        """
        worker = HERE.worker
        if block and (worker is not None or HERE.running):
            self._check_wait()
        future: Future[Any] = Future()
        gate = future.prepare() if block else None
        self._post(message, future)
        return future if gate is None else future.get_at(gate, timeout, worker)

    # -- its end, from outside

    def stop(self, *, block: bool = True, timeout: float | None = None) -> Any:
        """Stop it after the messages that wait, with reason normal (DESIGN 8.21).

        Returns:
            Whether it was alive; with `block=False` a `Future` of that.
        """
        if block:
            self._check_wait()
        was_alive = _WasAlive()
        self._post(STOP, was_alive)
        if not block:
            return was_alive
        answer = was_alive.get(timeout=timeout)
        rest()
        return answer

    def exit(self, reason: ExitReason = ExitReason.SHUTDOWN) -> None:
        """Order it to end with `reason`, before anything that waits. Harmless if it is gone.

        An order is not a signal: it ends an actor that traps exits too, in good order.
        """
        actor: Any = self.actor()
        if reason is ExitReason.KILLED:
            self.kill()
        elif actor is not None:
            actor.actor_inbox.put_first((actor._actor_leave, (reason,)))  # noqa: SLF001  the ref is its face

    def signal(self, sender: ActorRef[Any], reason: ExitReason, *, kill: bool = False) -> None:
        """Send the exit signal of `sender`: see `Actor.link` and `Actor.exit`."""
        actor: Any = self.actor()
        if kill:
            self.kill()
        elif actor is not None:
            actor._actor_signalled(sender, reason)  # noqa: SLF001  the ref is its face

    def kill(self) -> None:
        """Abandon it now: it is gone for everybody, whatever its code is still doing (2.7 c).

        None of its hooks runs; a thread that hangs in its code is left to itself.
        """
        actor: Any = self.actor()
        if actor is not None:
            actor._actor_killed()  # noqa: SLF001  the ref is its face

    def _post(self, message: Any, future: Future[Any]) -> None:
        inbox = self._inbox  # before the look, as in `tell`
        try:
            if self.is_retired:
                future.set_exception(ActorDead(f"{self} not found"))
            else:
                inbox.put(Envelope(message, future))
        except MailboxFull as error:
            future.set_exception(error)

    # -- for its supervisor

    def busy_for(self) -> float | None:
        """Seconds that its present turn has been running, about; None if idle or not known."""
        seconds: float | None = self._inbox.busy_for()
        return seconds

    def leftovers(self) -> list[Any]:
        """What it left unhandled, for `spawn(inherit=)`; once, if it was to be kept."""
        left: list[Any] = self._inbox.take_left()
        return left

    def _check_wait(self) -> None:
        """Refuse to wait where the answer can only come after the wait, before anything is sent."""
        worker = HERE.worker
        if worker is not None and worker.inbox is self._inbox and not self.is_retired:
            raise WouldDeadlock(f"{self} must not wait for itself: use block=False")
        if in_turn() and isinstance(self._inbox, InlineInbox) and self._reason is None:
            raise WouldDeadlock(f"a turn must not wait for {self}: use block=False")


class _WasAlive(Future[bool]):
    """The answer to a request to stop: True when the actor has ended, False if it takes none."""

    __slots__ = ()

    def set(self, _value: object = None) -> bool:  # type: ignore[override]  # as in Future
        """It has ended."""
        return super().set(value=True)

    def set_exception(self, _error: object = None) -> bool:  # type: ignore[override]  # as above
        """It had ended before, or takes no more messages."""
        return super().set(value=False)


def rest() -> None:
    """End and join the runtime's threads, if no actor and no tree needs them any more."""
    if HERE.worker is None:
        POOL.rest()
    TIMERS.rest()


def watch_exit(ref: ActorRef[Any], fn: Callable[[ExitReason], object]) -> Unsubscribe:
    """Call `fn(reason)` exactly once when the actor has ended; at once if it already has.

    It runs on the thread that ends the actor: post to a mailbox from it.

    Returns:
        A function that takes the watch back.
    """
    return ref.ended.add_done_callback(lambda ended: fn(ended.get()))


def _settle(future: Future[None], error: BaseException | None) -> None:
    if error is None:
        future.set(None)
    else:
        future.set_exception(error)
