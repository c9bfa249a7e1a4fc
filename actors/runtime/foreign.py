"""Actor classes of others, supervised as they are: `start_foreign(cls, …)`.

Their class is not changed: a subclass made at run time learns when they have started, and why they
ended. Their hooks stay Pykka's, and `on_restart` is called where there is one; `Exit` and `Ignore`
work in them, as in an `Actor`.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

import pykka
from loguru import logger

from . import names
from .actor import Actor
from .bridge import pykka_logger
from .check import shown
from .errors import ActorDead
from .exits import Exit, ExitReason, Ignore, as_reason
from .foreign_inbox import ForeignInbox
from .here import HERE
from .life import reason_of
from .orphans import OWN
from .ownthread import Killed, KilledAbroad
from .ref import ActorRef
from .signals import ExitSignal
from .worker import ZOMBIES

if TYPE_CHECKING:
    from collections.abc import Callable

A = TypeVar("A", bound=pykka.Actor)

_wrapped: WeakKeyDictionary[type[Any], type[Any]] = WeakKeyDictionary()


def start_foreign(cls: type[A], *args: Any, **kwargs: Any) -> ActorRef[A]:
    """Start an actor of any of Pykka's classes, `ThreadingActor` first of all, as `cls.start` does.

    Returns:
        One of our refs: it knows when the actor has started, and why it ended.
    """
    return cast("ActorRef[A]", wrapped(cls).start(*args, **kwargs))


def wrapped(cls: type[A]) -> type[A]:
    """The class to start instead of `cls`; `cls` itself, where it is one of ours."""
    if issubclass(cls, (Actor, Lifecycle)):
        return cls
    found = _wrapped.get(cls)
    if found is None:
        body = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
        kind: Any = type(cls)
        found = _wrapped[cls] = kind(cls.__name__, (Lifecycle, cls), body)
    return cast("type[A]", found)


class ForeignRef(ActorRef[A]):
    """The ref of an actor whose class is not ours."""

    __slots__ = ("_stopped", "_urn")

    def __init__(self, actor: A, inbox: Any) -> None:
        self._stopped = actor.actor_stopped
        self._urn = actor.actor_urn
        super().__init__(actor, inbox)

    @property
    def actor_urn(self) -> str:  # type: ignore[override]  # Pykka's is a plain attribute
        """Unique to this incarnation."""
        return self._urn

    @property
    def actor_stopped(self) -> Any:  # type: ignore[override]  # as above
        """Says whether the actor takes messages."""
        return self._stopped

    @property
    def is_retired(self) -> bool:
        """Whether it takes no more messages."""
        return self._stopped.is_set()

    @is_retired.setter
    def is_retired(self, value: bool) -> None:
        if value:
            self._stopped.set()


class Lifecycle(pykka.Actor):
    """What a foreign class is given. It stands before the class, so no hook of its is replaced."""

    trap_exit: bool = False
    _actor_supervised: bool = False
    _actor_parent: ActorRef[Any] | None = None
    _actor_restarted: tuple[ExitReason, int] | None = None
    _actor_resumes: Callable[[BaseException], bool] | None = None
    _actor_keeps: bool = False
    _actor_lost: type[ActorDead] = ActorDead
    _actor_reason: ExitReason | None = None
    _actor_error: BaseException | None = None

    # -- what its constructor makes, made ours

    def _create_actor_inbox(self) -> Any:  # type: ignore[override]  # Pykka's is static
        return ForeignInbox(super()._create_actor_inbox())

    @property
    def _actor_ref(self) -> ActorRef[Any]:
        return self._actor_self

    @_actor_ref.setter
    def _actor_ref(self, _: object) -> None:
        inbox = cast("ForeignInbox", self.actor_inbox)
        self._actor_self: ActorRef[Any] = ForeignRef(self, inbox)
        inbox.actor, inbox.ref = self, self._actor_self

    # -- its loop

    def _actor_loop(self) -> None:
        worker = cast("ForeignInbox", self.actor_inbox).thread
        worker.thread = threading.current_thread()
        OWN[worker] = cast("ForeignInbox", self.actor_inbox)
        HERE.worker = worker
        HERE.starting_under = self._actor_parent
        try:
            super()._actor_loop()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001  nothing of an actor's is anybody else's
            self._handle_failure(type(error), error, error.__traceback__)
            self._actor_finish(self._actor_reason or ExitReason.error(error))
        finally:
            OWN.pop(worker, None)
            ZOMBIES.discard(worker)

    def _actor_loop_setup(self) -> None:
        try:
            if self._actor_restarted is not None and hasattr(self, "on_restart"):
                self.on_restart(*self._actor_restarted)
            super()._actor_loop_setup()
        except BaseException as error:  # noqa: BLE001  the actor's loop
            self._handle_failure(type(error), error, error.__traceback__)
        HERE.starting_under = None
        if not self.actor_stopped.is_set():
            self._actor_self.set_started()

    def _actor_loop_teardown(self) -> None:
        self._actor_finish(self._actor_reason or ExitReason.NORMAL)
        super()._actor_loop_teardown()

    def _handle_receive(self, message: Any) -> Any:
        try:
            return super()._handle_receive(message)
        except Exit as error:
            self._fail_asker("it exited instead of answering", None)
            self._actor_reason = reason_of(error)
            self._stop()
        except KilledAbroad:
            return None
        except Exception as error:
            resumes, reply = self._actor_resumes, self._reply()
            if reply is not None or resumes is None or not resumes(error):
                raise
            logger.opt(exception=error).warning("{} goes on after an exception", self)
        except BaseException as error:  # noqa: BLE001  it ends this actor and no other
            self._fail_asker(f"it crashed before it answered: {shown(error)}", error)
            self._handle_failure(*sys.exc_info())
            self._run_on_failure(error)
        return None

    def _handle_failure(self, *exc_info: Any) -> None:
        error = exc_info[1]
        if self._actor_error is None and not self._actor_self.has_ended:
            self._actor_error = error
            self._actor_reason = reason_of(error)
            if not self._actor_supervised and not isinstance(error, (Exit, Ignore)):
                pykka_logger.error("Unhandled exception in %s:", self, exc_info=error)
        self._retire()

    def _run_on_failure(self, error: BaseException) -> None:
        try:
            self.on_failure(type(error), error, error.__traceback__)
        except Exception:  # noqa: BLE001  the end goes on
            logger.exception("on_failure failed in {}", self)

    def _reply(self) -> Any:
        return cast("ForeignInbox", self.actor_inbox).reply

    def _fail_asker(self, what: str, cause: BaseException | None) -> None:
        if (reply := self._reply()) is not None:
            error = ActorDead(f"{self}: {what}")
            error.__cause__ = cause
            reply.set_exception(error)

    # -- its end

    def _actor_leave(self, reason: ExitReason) -> None:
        """On its own thread: it stops next, with this reason."""
        self._actor_reason = self._actor_reason or reason

    def _actor_signalled(self, sender: ActorRef[Any], reason: ExitReason) -> None:
        if self.trap_exit:
            self.actor_inbox.put(cast("Any", ExitSignal(sender, reason)))
        elif reason.kind != "normal":
            self._actor_self.exit(reason)

    def _actor_killed(self) -> None:
        self._actor_gone(ExitReason.KILLED)

    def _actor_gone(self, reason: ExitReason) -> None:
        self._actor_finish(reason)
        reply = self._reply()
        if reply is not None and self._actor_self.reason is reason:
            reply.set_exception(ActorDead(f"{self} was killed before it answered"))

    def _retire(self) -> None:
        if not self._actor_supervised:
            pykka.ActorRegistry.unregister(self._actor_self)
        self.actor_stopped.set()

    def _actor_finish(self, reason: ExitReason) -> None:
        ref, inbox = self._actor_self, cast("ForeignInbox", self.actor_inbox)
        reason = as_reason(reason)
        if not ref.claim_end():
            return
        self._retire()
        inbox.close(self._actor_lost, keep=self._actor_keeps)
        if reason is ExitReason.KILLED:
            inbox.abandon()
        names.release(ref)
        ref.set_ended(reason, keep=True)  # its thread, which is not ours, may come yet
        if not ref.has_started:
            ref.set_started(self._actor_error or ActorDead(f"{self} ended before it started"))
