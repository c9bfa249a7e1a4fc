"""`ActorRef`: how everybody else sees an actor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import pykka

from .bridge import STOP, BridgedRef, Envelope
from .errors import ActorDead, WouldDeadlock
from .exits import ExitReason
from .future import Future
from .inbox import InlineInbox, in_turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from .future import Unsubscribe
    from .inbox import Inbox

A = TypeVar("A", bound=pykka.Actor)


class ActorRef(BridgedRef[A]):
    """A reference to one incarnation of an actor: a restart gives a new one.

    It is Pykka's, with the actor's end as a value: `ended`, `reason`, `exit`, `kill`.
    """

    def __init__(self, actor: A) -> None:
        super().__init__(actor)
        self._inbox = cast("Inbox", actor.actor_inbox)
        self.started: Future[None] = Future()
        """Resolved when `on_start` has run; with its exception where it failed."""
        self.ended: Future[ExitReason] = Future()
        """Resolved with the exit reason when everything the actor held is released."""

    @property
    def reason(self) -> ExitReason | None:
        """Why it ended; None while it lives."""
        return self.ended.get() if self.ended.done() else None

    def tell(self, message: Any) -> None:
        """Send `message` and do not wait.

        Raises:
            ActorDead: It is gone.
        """
        if self.actor_stopped.is_set() or not self._inbox.put(Envelope(message)):
            raise ActorDead(f"{self} not found: it has ended")

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        """Send `message`; its answer, or with `block=False` a `Future` of it.

        Raises:
            ActorDead: It is gone, or goes before it answers.
            AskTimeout: No answer within `timeout` seconds.
            WouldDeadlock: Blocking inside an inline turn, on an actor that may run only after it.
        """
        future: Future[Any] = Future()
        if block:
            self._check_wait()
        if self.actor_stopped.is_set():
            future.set_exception(ActorDead(f"{self} not found: it has ended"))
        else:
            self._inbox.put(Envelope(message, reply_to=future))
        return future.get(timeout=timeout) if block else future

    def stop(self, *, block: bool = True, timeout: float | None = None) -> Any:
        """Stop it after the messages that wait, with reason normal (DESIGN 8.21).

        Returns:
            Whether it was alive; with `block=False` a `Future` of that.
        """
        if block:
            self._check_wait()
        stopping = self.ask(STOP, block=False)
        was_alive: Future[bool] = Future()
        stopping.add_done_callback(lambda done: was_alive.set(done.exception() is None))
        return was_alive.get(timeout=timeout) if block else was_alive

    def exit(self, reason: ExitReason = ExitReason.SHUTDOWN) -> None:
        """Order it to end with `reason`, before anything that waits. Harmless if it is gone."""
        actor: Any = self.actor()
        if actor is not None:
            self._inbox.put_first((actor._actor_leave, (reason,)))  # noqa: SLF001  the ref is its face

    def kill(self) -> None:
        """Abandon it now: it is gone for everybody, whatever its code is still doing (2.7 c).

        None of its hooks runs; a thread that hangs in its code is left to itself.
        """
        actor: Any = self.actor()
        if actor is not None:
            actor._actor_killed()  # noqa: SLF001  the ref is its face

    def _check_wait(self) -> None:
        """Refuse to wait where the answer can only come after the wait, before anything is sent."""
        if not in_turn() or not isinstance(self._inbox, InlineInbox) or self.ended.done():
            return
        raise WouldDeadlock(f"a turn must not wait for {self}: use block=False")


def watch_exit(ref: ActorRef[Any], fn: Callable[[ExitReason], object]) -> Unsubscribe:
    """Call `fn(reason)` exactly once when the actor has ended; at once if it already has.

    It runs on the thread that ends the actor: post to a mailbox from it.

    Returns:
        A function that takes the watch back.
    """
    return ref.ended.add_done_callback(lambda ended: fn(ended.get()))
