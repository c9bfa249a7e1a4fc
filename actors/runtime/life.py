"""The life of an actor: its start, its turns, its end. `Actor` is what its users see."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import pykka
from loguru import logger

from . import names
from .bridge import WRAPPED, BridgedActor, Envelope, is_stop, pykka_logger, unregister
from .check import refused, shown
from .errors import ActorDead
from .exits import Exit, ExitReason, Ignore, as_reason
from .here import interrupt_after_turns, starting_under
from .inbox import InlineInbox
from .items import SPECIAL
from .ownthread import OwnThread
from .pool import POOL
from .scheduled import Dispatcher, ScheduledInbox
from .signals import ExitSignal

if TYPE_CHECKING:
    from collections.abc import Callable

    from .future import Future
    from .idle import Idleness
    from .items import Item
    from .ref import ActorRef
    from .schedule import Schedule
    from .signals import WatchRef

LATER: Final = object()
"""What a handler returns when the answer is given later, by whoever holds the asker's future."""

CONTAINED: Final = (SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError)
"""What crashes only the actor whose handler raises it (DESIGN 8.20)."""


class Living(BridgedActor):
    """What happens to an actor, and what it then does; each end has one reason."""

    dispatcher: ClassVar[str]
    inline: ClassVar[bool]
    trap_exit: bool
    ask_failure: ClassVar[Literal["reply", "crash"]]
    starts_later: ClassVar[bool]

    _actor_inbox: InlineInbox | ScheduledInbox
    _actor_self: ActorRef[Any]
    # Of these most actors need none: they stand here once, and in an actor that differs.
    _actor_answering: Future[Any] | None = None
    _actor_schedules: set[Schedule] | None = None
    _actor_watches: set[WatchRef] | None = None
    _actor_stash: deque[Item] | None = None
    _actor_idle: Idleness | None = None
    _actor_supervised: bool = False
    _actor_parent: ActorRef[Any] | None = None
    _actor_ending: bool = False
    _actor_stopping: Any = None
    """Who asked it to stop, and is told when it has."""
    _actor_restarted: tuple[ExitReason, int] | None = None
    _actor_resumes: Callable[[BaseException], bool] | None = None
    """Says whether the actor lives on after an exception; for its supervisor."""
    _actor_keeps: bool = False
    """Whether what it leaves unhandled is kept for the next incarnation."""
    _actor_lost: type[ActorDead] = ActorDead
    """What they are told whose messages it leaves unhandled."""

    def on_restart(self, reason: ExitReason, attempt: int) -> None:
        """See `Actor`."""

    def on_exit(self, reason: ExitReason) -> None:
        """See `Actor`."""

    # -- its start

    def _start_actor_loop(self) -> None:
        inbox = self._actor_inbox
        if isinstance(inbox, InlineInbox):
            inbox.begin(self._actor_begin)
            return
        dispatcher = self._actor_dispatcher()
        at_once = dispatcher is POOL and self._actor_starts_itself()
        if at_once:
            self._actor_started()
        inbox.begin(dispatcher, at_once=at_once)

    def _actor_dispatcher(self) -> Dispatcher:
        if self.dispatcher == "pool":
            return POOL
        if self.dispatcher == "thread":
            inbox = self._actor_inbox
            assert isinstance(inbox, ScheduledInbox)
            return OwnThread(type(self).__name__, inbox)
        raise refused("dispatcher", self.dispatcher, "use 'pool' or 'thread'")

    def _actor_starts_itself(self) -> bool:
        """Whether there is nothing to run before the first message."""
        nothing = type(self).on_start is pykka.Actor.on_start and self._actor_restarted is None
        return nothing and not self.starts_later

    def _actor_begin(self) -> None:
        starting_under(self._actor_parent)
        try:
            if self._actor_restarted is not None:
                self.on_restart(*self._actor_restarted)
            self.on_start()
        except BaseException as error:  # noqa: BLE001  the actor's loop
            self._actor_start_failed(error)
        else:
            if not self.starts_later:
                self._actor_started()
        finally:
            starting_under(None)

    def _actor_started(self) -> None:
        self._actor_self.set_started()

    def _actor_start_failed(self, error: BaseException) -> None:
        reason = reason_of(error)
        if reason.is_abnormal:
            self._actor_report(error)
        self._actor_finish(reason, error)
        self._actor_let_through(error)

    # -- its turns

    def _actor_take(self, item: Item) -> None:
        """One turn of an inline actor; `ScheduledInbox` has the same for all others."""
        kind = type(item)
        try:
            if kind in SPECIAL:
                SPECIAL[kind](self, item)
            else:
                self.on_receive(item)
        except BaseException as error:  # noqa: BLE001  the actor's loop
            self._actor_failed(error, item.reply_to if kind is Envelope else None)
            if kind is tuple and (self._actor_ending or not isinstance(error, Exception)):
                self.post_lost(*item)

    def post_lost(self, fn: Callable[..., object], args: tuple[Any, ...]) -> None:
        """See `Actor`."""

    def _actor_answer(self, envelope: Envelope[Any]) -> None:
        message: Any = envelope.message
        reply: Any = envelope.reply_to
        if type(message) not in WRAPPED:
            self._actor_answering = reply
            answer = self.on_receive(message)
        elif is_stop(message):
            self._actor_stop(reply)
            return
        else:
            self._actor_answering = reply
            answer = self.handle(message)
        if reply is None or self._actor_answering is not reply:
            return  # nobody asks, or the message was put aside
        self._actor_answering = None
        if answer is not LATER:
            reply.set(answer)

    def _actor_stop(self, reply: Any) -> None:
        if self._actor_stopping is None:
            self._actor_stopping = reply
        elif reply is not None:
            self._actor_self.ended.add_done_callback(lambda _: reply.set(None))
        self._actor_leave(ExitReason.NORMAL)

    def _actor_failed(self, error: BaseException, reply: Any) -> None:
        self._actor_answering = None
        if isinstance(error, Exit):
            if reply is not None:
                reply.set_exception(ActorDead(f"{self} exited instead of answering"))
            self._actor_leave(reason_of(error))
            return
        if isinstance(error, Exception):
            if reply is not None:
                pykka_logger.info("Exception returned from %s to caller:", self, exc_info=error)
                reply.set_exception(error)
                if self.ask_failure == "reply":
                    return
            if self._actor_resumes is not None and self._actor_resumes(error):
                logger.opt(exception=error).warning("{} goes on after an exception", self)
                return
        elif reply is not None:  # not the error itself: it would end the asker's thread too
            dead = ActorDead(f"{self} crashed before it answered: {shown(error)}")
            dead.__cause__ = error
            reply.set_exception(dead)
        if self._actor_stops_all(error):
            pykka_logger.debug("%r in %s. Stopping all actors.", error, self)
        self._actor_end(ExitReason.error(error), crash=error)
        self._actor_let_through(error)

    def _actor_saw(self, item: Item) -> None:
        if self._actor_idle is not None:
            self._actor_idle.saw(item)

    def _actor_signalled(self, sender: ActorRef[Any], reason: ExitReason) -> None:
        """An exit signal has come, on any thread."""
        if self.trap_exit:
            self._actor_inbox.put_notice(ExitSignal(sender, reason))
        elif reason.kind != "normal" or sender is self._actor_self:
            self._actor_inbox.put_first((self._actor_leave, (reason,)))

    # -- its end

    def _actor_leave(self, reason: ExitReason) -> None:
        """Begin an orderly end; a supervisor has more to do than this."""
        self._actor_end(reason)

    def _actor_end(self, reason: ExitReason, *, crash: BaseException | None = None) -> None:
        """The end as the actor sees it: its hooks, on its own turn, once."""
        if self._actor_ending or self._actor_self.is_retired:
            return
        self._actor_ending = True
        reason = as_reason(reason)
        self._actor_retire()
        if crash is None or self._actor_stops_all(crash):
            pykka_logger.debug("Stopped %s", self)
            failure = self._actor_hook(self.on_stop)
            reason = reason if failure is None else reason_of(failure)
        else:
            self._actor_report(crash)
            self._actor_hook(self.on_failure, type(crash), crash, crash.__traceback__)
        self._actor_hook(self.on_exit, reason)
        self._actor_finish(reason)

    def _actor_killed(self) -> None:
        self._actor_gone(ExitReason.KILLED)

    def _actor_gone(self, reason: ExitReason) -> None:
        """It is no more, without a turn of its own; who asked the turn that it was in is told."""
        self._actor_finish(reason)
        reply = self._actor_answering or self._actor_inbox.asker
        if reply is not None and self._actor_self.reason is reason:
            reply.set_exception(ActorDead(f"{self} was killed before it answered"))

    def _actor_retire(self) -> None:
        """Be dead for everybody, before any hook runs and any notice goes out."""
        ref = self._actor_self
        if not ref.is_retired:
            ref.is_retired = True
            if not self._actor_supervised:
                unregister(ref)

    def _actor_finish(self, reason: ExitReason, start_error: BaseException | None = None) -> None:
        """Release everything, then tell who watches. Also from a killer's thread; once."""
        ref, inbox = self._actor_self, self._actor_inbox
        if not ref.claim_end():
            return
        self._actor_retire()
        inbox.close(self._actor_lost, keep=self._actor_keeps)
        if reason is ExitReason.KILLED:
            inbox.abandon()
        if self._actor_idle is not None:
            self._actor_idle.cancel()
        for timer_or_watch in (*(self._actor_schedules or ()), *(self._actor_watches or ())):
            timer_or_watch.cancel()
        self._actor_released()
        if ref.names:
            names.release(ref)
        inbox.release()
        ref.set_ended(reason, keep=self._actor_keeps)
        if self._actor_stopping is not None:
            self._actor_stopping.set(None)
        if not ref.has_started:
            ref.set_started(start_error or ActorDead(f"{self} ended before it started"))

    def _actor_released(self) -> None:
        """A supervisor's last act, however it ends: nothing it started is left."""

    def _actor_hook(self, hook: Callable[..., object], *args: Any) -> BaseException | None:
        try:
            hook(*args)
        except Exit as error:
            return error
        except BaseException as error:  # noqa: BLE001  the end goes on
            if hook.__name__ in ("on_stop", "on_failure"):
                pykka_logger.error("Unhandled exception in %s:", self, exc_info=error)
            else:
                logger.opt(exception=error).error("{} failed in {}", hook.__name__, self)
            return error
        return None

    def _actor_report(self, error: BaseException) -> None:
        if not self._actor_supervised:  # else its supervisor says it, with more to say
            pykka_logger.error("Unhandled exception in %s:", self, exc_info=error)

    def _actor_let_through(self, error: BaseException) -> None:
        """What a crash means to others than the actor."""
        if not self._actor_struck(error) and self._actor_stops_all(error):
            pykka.ActorRegistry.stop_all(block=False)

    def _actor_struck(self, error: BaseException) -> bool:
        """Pass on what a signal's handler has raised in here: whether it did, to all appearances.

        Ctrl-C, or one of the service's own, in a turn on the main thread: it must not get lost.
        """
        struck = self.inline and threading.current_thread() is threading.main_thread()
        struck &= isinstance(error, KeyboardInterrupt) or _is_severe(error)
        if struck:
            interrupt_after_turns(error)
        return struck

    def _actor_stops_all(self, error: BaseException) -> bool:
        """Pykka's rule: what is no exception of anybody's ends all actors (DESIGN 8.20)."""
        return _is_severe(error) and not self._actor_supervised


def reason_of(error: BaseException) -> ExitReason:
    """What it means that `on_start` raised `error`."""
    match error:
        case Exit():  # a subclass may have set another thing, or nothing
            return as_reason(getattr(error, "reason", None))
        case Ignore():
            return ExitReason.NORMAL
    return ExitReason.error(error)


def _is_severe(error: BaseException) -> bool:
    return not isinstance(error, (Exception, *CONTAINED))
