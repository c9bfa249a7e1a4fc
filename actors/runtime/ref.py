"""`ActorRef`: how everybody else sees an actor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import pykka

from .bridge import STOP, WRAPPED, Envelope, next_number, urn
from .check import refused
from .deadletters import DEAD_LETTERS
from .errors import ActorDead, MailboxFull, WouldDeadlock
from .exits import ExitReason, as_reason, check_reason
from .future import Future
from .here import HERE, in_turn
from .inbox import InlineInbox
from .lifespan import Lifespan
from .pool import POOL
from .timers import TIMERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .future import Unsubscribe
    from .signals import Link

A = TypeVar("A", bound=pykka.Actor)


class ActorRef(Lifespan[A]):
    """A reference to one incarnation of an actor: a restart gives a new one.

    It is Pykka's, with the actor's end as a value: `ended`, `reason`, `exit`, `kill`.
    """

    __slots__ = ("_number", "actor_class", "links", "names")

    def __init__(self, actor: A, inbox: Any) -> None:
        super().__init__(inbox)
        self.actor_class = type(actor)
        self.links: dict[ActorRef[Any], Link] | None = None
        """Who is linked to it; for `signals`."""
        self.names: tuple[str, ...] = ()
        """The names that it is registered under."""
        self._number = next_number()

    # -- what Pykka's refs have

    @property
    def actor_urn(self) -> str:  # type: ignore[override]  # Pykka's is a plain attribute
        """Unique to this incarnation."""
        return urn(self._number)

    @property
    def actor_inbox(self) -> Any:  # type: ignore[override]  # as above
        """Where messages go."""
        return self._inbox

    def _actor_weakref(self) -> A | None:  # type: ignore[override]  # as above
        return self.actor()

    def actor(self) -> A | None:
        """The actor itself, until it has ended: for this package, never for its users."""
        actor: A | None = self._inbox.actor
        return actor

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

        Raises:
            InvalidArgument: `reason` is no `ExitReason`.
        """
        check_reason(reason)
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
            actor._actor_signalled(sender, as_reason(reason))  # noqa: SLF001  the ref is its face

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


def check_ref(ref: object) -> None:
    """Refuse what is no ref of ours, where it is given.

    Raises:
        InvalidArgument: It is another object, or a ref of Pykka's own.
    """
    if not isinstance(ref, ActorRef):
        advice = "use the ref of a klemheist.Actor, or one that start_foreign() gave"
        raise refused("ref", ref, advice)


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
