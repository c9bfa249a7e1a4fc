"""`Probe`: a real actor in the hands of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from klemheist.actors.runtime import (
    Actor,
    ActorRef,
    ExitReason,
    ExitSignal,
    Terminated,
    WatchRef,
)

from .idle import await_idle
from .mail import TIMEOUT, Mail, listing

if TYPE_CHECKING:
    from collections.abc import Callable

ANY: Final = object()


class _ProbeActor(Actor):
    """Notes what it is told."""

    inline = True
    trap_exit = True

    def __init__(self, reply: Callable[[Any], Any] | None) -> None:
        super().__init__()
        self.messages: Mail[Any] = Mail()
        self.ends: Mail[Terminated | ExitSignal] = Mail()
        self._reply = reply
        self._watches: dict[ActorRef[Any], WatchRef] = {}

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, (Terminated, ExitSignal)):
            self.ends.add(message)
            return None
        self.messages.add(message)
        return None if self._reply is None else self._reply(message)

    def begin(self, ref: ActorRef[Any]) -> None:
        if ref not in self._watches:
            self._watches[ref] = self.watch(ref)

    def end(self, ref: ActorRef[Any]) -> None:
        watch = self._watches.pop(ref, None)
        if watch is not None:
            self.unwatch(watch)


class Probe:
    """An actor that notes what it is sent and who ends; a test waits on it for what it expects.

    1. `with Probe() as probe:` starts it; the end of the block stops it.
    2. `probe.ref` goes wherever a ref is wanted; `tell` and `ask` speak for it.
    3. `expect…` waits, up to a deadline in real seconds, and fails with what came instead.

    Args:
        reply: Makes the answers to those who ask it; None is the answer otherwise.
    """

    def __init__(self, reply: Callable[[Any], Any] | None = None) -> None:
        started: Any = _ProbeActor.start(reply)
        self.ref: ActorRef[Any] = started
        """The probe as everybody else sees it."""
        actor: _ProbeActor = started.actor()
        self._actor = actor
        self._messages, self._ends = self._actor.messages, self._actor.ends

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Watch nobody any more and end. Idempotent."""
        self.ref.exit()

    # -- watching

    def watch(self, *refs: ActorRef[Any]) -> None:
        """Note the end of these actors; of one that has ended already too."""
        for ref in refs:
            self._actor.post(self._actor.begin, ref)

    def unwatch(self, ref: ActorRef[Any]) -> None:
        """Note its end no longer."""
        self._actor.post(self._actor.end, ref)

    def link(self, ref: ActorRef[Any]) -> None:
        """Link the probe, which traps exits, and an actor: each gets the other's exit signal."""
        self._actor.post(self._actor.link, ref)

    def unlink(self, ref: ActorRef[Any]) -> None:
        """Undo `link`."""
        self._actor.post(self._actor.unlink, ref)

    def expect_down(
        self,
        ref: ActorRef[Any],
        *,
        reason: ExitReason | type[BaseException] | str | object = ANY,
        timeout: float = TIMEOUT,
    ) -> ExitReason:
        """Wait for the end of an actor, watched or not, alive or not.

        Args:
            ref: The incarnation.
            reason: What its exit reason must be: an `ExitReason`, the class of the exception that
                it crashed of, or a kind such as "killed". Anything by default.
            timeout: Real seconds.

        Returns:
            The reason.

        Raises:
            AssertionError: It did not end in time, or not with that reason.
        """
        self.watch(ref)
        ended = self._end_of(ref, Terminated, reason, timeout)
        self.unwatch(ref)
        return ended

    def expect_exit(
        self,
        ref: ActorRef[Any],
        *,
        reason: ExitReason | type[BaseException] | str | object = ANY,
        timeout: float = TIMEOUT,
    ) -> ExitReason:
        """Wait for the exit signal of a linked actor, or one that it sent.

        Args:
            ref: Whose signal it is.
            reason: As in `expect_down`.
            timeout: Real seconds.

        Returns:
            The reason.

        Raises:
            AssertionError: None came in time, or one with another reason.
        """
        return self._end_of(ref, ExitSignal, reason, timeout)

    def expect_alive(self, *refs: ActorRef[Any], timeout: float = TIMEOUT) -> None:
        """See that these live, once they have handled what they were sent.

        Raises:
            AssertionError: One has ended, or does not answer.
        """
        await_idle(*refs, timeout=timeout)
        for ref in refs:
            if ref.reason is not None:
                raise AssertionError(f"{ref} has ended with {ref.reason!r}")

    # -- talking

    def tell(self, ref: ActorRef[Any], message: Any) -> None:
        """Send `message` to an actor.

        Raises:
            ActorDead: It is gone.
        """
        ref.tell(message)

    def ask(self, ref: ActorRef[Any], message: Any, *, timeout: float = TIMEOUT) -> Any:
        """Ask an actor and return its answer; never without a deadline.

        Raises:
            ActorDead: It is gone, or goes before it answers.
            AskTimeout: No answer within `timeout` real seconds.
        """
        return ref.ask(message, timeout=timeout)

    def expect(self, expected: Any, *, timeout: float = TIMEOUT) -> Any:
        """Wait for the next message, which must equal `expected` or be an instance of it.

        Args:
            expected: A message, or a class.
            timeout: Real seconds.

        Returns:
            The message.

        Raises:
            AssertionError: None came in time, or another one.
        """
        message = self.receive(timeout=timeout, wanted=_named(expected))
        fits = message == expected or (isinstance(expected, type) and isinstance(message, expected))
        if not fits:
            then = listing(self._messages.waiting)
            raise AssertionError(f"expected {_named(expected)}, came: {message!r}; after it {then}")
        return message

    def receive(self, *, timeout: float = TIMEOUT, wanted: str = "a message") -> Any:
        """Wait for the next message, whatever it is.

        Raises:
            AssertionError: None came in time.
        """
        found = self._messages.take(lambda _: True, timeout)
        if found is None:
            raise AssertionError(f"expected {wanted} within {timeout} s; nothing came")
        return found[0]

    def expect_nothing(self, *senders: ActorRef[Any]) -> None:
        """See that no message waits, and no end of a watched actor.

        Args:
            senders: Actors who might still send something: they get to be idle first.

        Raises:
            AssertionError: Something came.
        """
        self.await_idle(*senders)
        came = [*self._messages.waiting, *self._ends.waiting]
        if came:
            raise AssertionError(f"expected nothing, but {listing(came)}")

    def await_idle(self, *refs: ActorRef[Any], timeout: float = TIMEOUT) -> None:
        """Wait until these actors, and this probe, have handled what they were sent.

        Raises:
            AssertionError: They were not idle in time; it says who is busy.
        """
        await_idle(*refs, self.ref, timeout=timeout)

    @property
    def messages(self) -> list[Any]:
        """The messages that came and were not yet expected."""
        return self._messages.waiting

    def _end_of(
        self,
        ref: ActorRef[Any],
        kind: type[Terminated | ExitSignal],
        reason: object,
        timeout: float,
    ) -> ExitReason:
        found = self._ends.take(lambda end: isinstance(end, kind) and end.ref is ref, timeout)
        if found is None:
            state = "lives" if ref.reason is None else f"ended with {ref.reason!r}"
            others = listing(self._ends.waiting)
            what = f"no {kind.__name__} of {ref}, which {state}, within {timeout} s"
            raise AssertionError(f"{what}; of others {others}")
        actual = found[0].reason
        if not _is_reason(actual, reason):
            error = AssertionError(f"{ref} ended with {actual!r}, not with {_named(reason)}")
            raise error from actual.exception
        return actual


def _is_reason(actual: ExitReason, wanted: object) -> bool:
    if wanted is ANY:
        return True
    if isinstance(wanted, type) and issubclass(wanted, BaseException):
        return isinstance(actual.exception, wanted)
    return wanted in (actual, actual.kind)


def _named(wanted: object) -> str:
    return wanted.__name__ if isinstance(wanted, type) else repr(wanted)
