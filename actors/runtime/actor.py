"""`Actor`: a `pykka.Actor` whose every end has a reason, with or without a thread of its own.

class Counter(Actor):
    def on_start(self):
        self.value = 0

    def on_receive(self, message):
        self.value += message
        return self.value

counter = Counter.start()
assert counter.ask(2) == 2
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeVar, cast

import pykka
from loguru import logger

from .bridge import BridgedActor, Envelope, is_stop, pykka_logger
from .errors import ActorDead
from .exits import Exit, ExitReason, Ignore
from .inbox import InlineInbox, ThreadInbox, interrupt_after_turns, starting_under
from .ref import ActorRef
from .schedule import Schedule
from .timers import TIMERS, Timers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from .future import Future
    from .inbox import Inbox, Item

A = TypeVar("A", bound="Actor")

LATER: Final = object()
"""What a handler returns when the answer is given later, by whoever holds the asker's future."""

CONTAINED: Final = (SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError)
"""What crashes only the actor whose handler raises it (DESIGN 8.20)."""

_thread_numbers = itertools.count(1)


class Actor(BridgedActor):
    """One thing at a time, from a mailbox; ends once, with an `ExitReason`.

    1. `__init__` on the creator's thread, then `on_restart` in a new incarnation, then `on_start`.
    2. Messages: `on_receive`, proxy calls, and bare calls from `post`.
    3. The end: stopped or told to exit (`on_stop`), or crashed (`on_failure`); then `on_exit`.
       A killed actor runs none of them, nor does one whose `on_start` failed.

    An exception in an `ask` is the asker's and the actor lives on (DESIGN 8.15).
    """

    dispatcher: ClassVar[str] = "thread"
    """Which threads run it: its own. (The shared pool comes with DESIGN 8.18.)"""

    inline: ClassVar[bool] = False
    """No thread: a turn runs on whichever thread brings the event. Its turns must not block."""

    ask_failure: ClassVar[Literal["reply", "crash"]] = "reply"
    """Whether an exception in an `ask` also crashes the actor."""

    ref_class: ClassVar[type[ActorRef[Any]]] = ActorRef
    starts_later: ClassVar[bool] = False
    """Whether the class itself says when it is started (`_actor_started`), after `on_start`."""

    timers: Timers = TIMERS
    """Where `schedule` keeps its timers."""

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        self._actor_inbox: Inbox = InlineInbox() if self.inline else ThreadInbox()
        super().__init__(self._actor_inbox)
        self._actor_self: ActorRef[Any] = self.ref_class(self)
        self._actor_ref = self._actor_self
        self._actor_schedules: set[Schedule] = set()
        self._actor_answering: Future[Any] | None = None
        self._actor_supervised = False
        self._actor_parent: ActorRef[Any] | None = None
        self._actor_ending = False
        self._actor_restarted: tuple[ExitReason, int] | None = None

    # -- hooks, besides Pykka's on_start, on_stop and on_failure

    def on_restart(self, reason: ExitReason, attempt: int) -> None:
        """Run in the new incarnation, before `on_start`.

        Args:
            reason: Why the last incarnation ended.
            attempt: 1 for the first restart in a row.
        """

    def on_exit(self, reason: ExitReason) -> None:
        """Run last, whatever the reason; not when killed."""

    # -- for the actor itself

    def post(self, fn: Callable[..., object], *args: Any) -> bool:
        """Run `fn(*args)` as a turn: the short lane, without envelope or future.

        From any thread. False, and nothing happens, if the actor has ended.
        """
        return self._actor_inbox.put((fn, args))

    def schedule(self, delay: float, message: Any, *, every: float | None = None) -> Schedule:
        """Send this actor `message` in `delay` seconds, then every `every` seconds if given.

        Cancelled by itself when the actor ends.
        """
        schedule = Schedule(self, delay, message, every)
        self._actor_schedules.add(schedule)
        return schedule

    # -- the life

    def _start_actor_loop(self) -> None:
        inbox = self._actor_inbox
        if isinstance(inbox, InlineInbox):
            inbox.begin(self._actor_take, self._actor_begin)
            return
        name = f"{type(self).__name__}-{next(_thread_numbers)}"
        threading.Thread(target=self._actor_loop, name=name, daemon=True).start()

    def _actor_loop(self) -> None:
        inbox = cast("ThreadInbox", self._actor_inbox)
        starting_under(self._actor_parent)
        self._actor_begin()
        starting_under(None)
        while (item := inbox.get()) is not None:
            self._actor_take(item)

    def _actor_begin(self) -> None:
        try:
            if self._actor_restarted is not None:
                self.on_restart(*self._actor_restarted)
            self.on_start()
        except BaseException as error:  # noqa: BLE001  the actor's loop
            self._actor_start_failed(error)
        else:
            if not self.starts_later:
                self._actor_started()

    def _actor_started(self) -> None:
        self._actor_self.started.set(None)

    def _actor_start_failed(self, error: BaseException) -> None:
        reason = _reason_of(error)
        if reason.is_abnormal:
            self._actor_report(error)
        self._actor_finish(reason, error)
        self._actor_let_through(error)

    def _actor_take(self, item: Item) -> None:
        """One turn."""
        try:
            if isinstance(item, tuple):
                item[0](*item[1])
            else:
                self._actor_answer(item)
        except BaseException as error:  # noqa: BLE001  the actor's loop
            self._actor_failed(error, None if isinstance(item, tuple) else item.reply_to)

    def _actor_answer(self, envelope: Envelope[Any]) -> None:
        reply: Any = envelope.reply_to
        if is_stop(envelope.message):
            self._actor_leave(ExitReason.NORMAL)
            if reply is not None:
                self._actor_self.ended.add_done_callback(lambda _: reply.set(None))
            return
        self._actor_answering = reply
        answer = self.handle(envelope.message)
        if reply is not None and answer is not LATER:
            reply.set(answer)

    def _actor_failed(self, error: BaseException, reply: Any) -> None:
        if isinstance(error, Exit):
            if reply is not None:
                reply.set_exception(ActorDead(f"{self} exited instead of answering"))
            self._actor_leave(error.reason)
            return
        if reply is not None and isinstance(error, Exception):
            pykka_logger.info("Exception returned from %s to caller:", self, exc_info=error)
            reply.set_exception(error)
            if self.ask_failure == "reply":
                return
        elif reply is not None:  # not the error itself: it would end the asker's thread too
            dead = ActorDead(f"{self} crashed before it answered: {error!r}")
            dead.__cause__ = error
            reply.set_exception(dead)
        self._actor_end(ExitReason.error(error))
        self._actor_let_through(error)

    def _actor_leave(self, reason: ExitReason) -> None:
        """Begin an orderly end; a supervisor has more to do than this."""
        self._actor_end(reason)

    def _actor_end(self, reason: ExitReason) -> None:
        """The end as the actor sees it: its hooks, on its own turn, once."""
        if self._actor_ending or self._actor_self.ended.done():
            return
        self._actor_ending = True
        self._actor_retire()
        error = reason.exception
        if error is None:
            failure = self._actor_hook(self.on_stop)
            reason = reason if failure is None else ExitReason.error(failure)
        else:
            self._actor_report(error)
            self._actor_hook(self.on_failure, type(error), error, error.__traceback__)
        self._actor_hook(self.on_exit, reason)
        self._actor_finish(reason)

    def _actor_killed(self) -> None:
        if self._actor_self.ended.done():
            return
        self._actor_finish(ExitReason.KILLED)
        if (reply := self._actor_answering) is not None:
            reply.set_exception(ActorDead(f"{self} was killed before it answered"))

    def _actor_retire(self) -> None:
        """Be dead for everybody, before any hook runs and any notice goes out."""
        self.actor_stopped.set()
        if not self._actor_supervised:
            pykka.ActorRegistry.unregister(self._actor_self)

    def _actor_finish(self, reason: ExitReason, start_error: BaseException | None = None) -> None:
        """Release everything, then tell who watches. Also from a killer's thread."""
        self._actor_retire()
        self._actor_inbox.close()
        for schedule in list(self._actor_schedules):
            schedule.cancel()
        self._actor_released()
        ref = self._actor_self
        ref.ended.set(reason)
        if not ref.started.done():
            ref.started.set_exception(start_error or ActorDead(f"{self} ended before it started"))

    def _actor_released(self) -> None:
        """A supervisor's last act, however it ends: nothing it started is left."""

    def _actor_hook(self, hook: Callable[..., object], *args: Any) -> BaseException | None:
        try:
            hook(*args)
        except BaseException as error:  # noqa: BLE001  the end goes on
            logger.opt(exception=error).error("{} failed in {}", hook.__name__, self)
            return error
        return None

    def _actor_report(self, error: BaseException) -> None:
        if not self._actor_supervised:  # else its supervisor says it, with more to say
            pykka_logger.error("Unhandled exception in %s:", self, exc_info=error)

    def _actor_let_through(self, error: BaseException) -> None:
        """What a crash means to others than the actor."""
        if isinstance(error, KeyboardInterrupt) and self.inline:
            # A turn on the main thread: the user pressed Ctrl-C, which must not get lost in here.
            if threading.current_thread() is threading.main_thread():
                interrupt_after_turns(error)
        elif not isinstance(error, (Exception, *CONTAINED)) and not self._actor_supervised:
            pykka.ActorRegistry.stop_all(block=False)  # Pykka's rule

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Run after a crash, before `on_exit` (Pykka's hook)."""


def spawn(
    cls: type[A],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    restarted: tuple[ExitReason, int] | None = None,
    prepare: Callable[[A], object] | None = None,
) -> ActorRef[A]:
    """Start an actor for a supervisor: not in `pykka.ActorRegistry` (DESIGN 8.16).

    Args:
        cls: Its class.
        args: For the constructor.
        kwargs: For the constructor.
        restarted: What `on_restart` is told; None in the first incarnation.
        prepare: Called with the new actor before it starts.

    Returns:
        The ref at once; `ref.started` says when, and whether, `on_start` has run.
    """
    actor = cls(*args, **(kwargs or {}))
    actor._actor_supervised = True
    actor._actor_restarted = restarted
    if prepare is not None:
        prepare(actor)
    ref = cast("ActorRef[A]", actor.actor_ref)
    actor._start_actor_loop()
    return ref


def start_linked(
    cls: type[A], *args: Any, timeout: float | None = None, **kwargs: Any
) -> ActorRef[A]:
    """`spawn`, and wait until `on_start` has run.

    Raises:
        Ignore: The actor declined to start.
        AskTimeout: It did not start within `timeout` seconds, and was killed.
        BaseException: What `on_start` raised.
    """
    ref = spawn(cls, args, kwargs)
    try:
        ref.started.get(timeout=timeout)
    except TimeoutError:
        ref.kill()
        raise
    return ref


def _reason_of(error: BaseException) -> ExitReason:
    match error:
        case Exit(reason=reason):
            return reason
        case Ignore():
            return ExitReason.NORMAL
    return ExitReason.error(error)
