"""A session's calls: straight to the device's queue, known here while they wait or run."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from klemheist.actors.device.call import Call, CallFuture
from klemheist.actors.runtime.check import is_seconds
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.runtime.future import Future
from klemheist.actors.runtime.interrupts import before_call
from klemheist.transports.errors import LinkLost
from klemheist.transports.repl.values import ArgumentError

from .holdings import Holdings
from .resources import is_cleaning
from .status import LIVE, SessionStatus, Turn
from .telling import told_here

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from klemheist.actors.device.port import Port
    from klemheist.transports.repl.board import Board
    from klemheist.transports.repl.lines import Procedure

    from .together import Together

TELL_WITHIN: Final = 1.0
"""Seconds that an emergency waits until everybody was told."""


class SessionCalls(Holdings):
    """One logical session, and what it has its device do."""

    __slots__ = ("_calls",)

    PARTS: ClassVar = Holdings.PARTS | {"_calls": lambda _: {}}
    if TYPE_CHECKING:
        _calls: dict[Future[Any], bool]
        """The user's calls that wait or run, and whether they are a cleanup's: the others end with
        the session."""

    def submit(
        self,
        procedure: Callable[[Board], Procedure[Any]],
        *,
        label: str = "the call",
        timeout: float | None = None,
        idempotent: bool = False,
        on_output: Callable[[bytes], object] | None = None,
        lane: str = "",
        task: Together | None = None,
        arguments: tuple[Any, ...] = (),
        early: bool = False,
    ) -> Future[Any]:
        """Hand a procedure to the device; the future is resolved by its deadline at the latest.

        Args:
            procedure: what to do there.
            label: what errors call it.
            timeout: seconds from now, queueing included; None for `call_timeout`.
            idempotent: it may be sent again if its fate is unknown.
            on_output: takes what the device prints meanwhile; must not block.
            lane: work beside the user's calls, such as threads, has turns of its own.
            task: what it calls, where it may be sent together with others of the same task.
            arguments: the task's.
            early: see `Call.early`.

        Raises:
            ArgumentError: `timeout` is no time; nothing was sent.
        """
        before_call()
        if timeout is not None:
            check_seconds(timeout)
        if self.status not in LIVE and not self._admitted():
            return _failed(self.refusal())
        if self.status is SessionStatus.ENDING and self.port.is_away:
            return _failed(_away(self.port))
        now = SYSTEM_CLOCK.monotonic()
        seconds = self.options.call_timeout if timeout is None else timeout
        is_live = self.status in LIVE
        begun = partial(self._while_live, procedure) if is_live else procedure
        call = Call(begun, self.session_id + lane, now + seconds, label, idempotent, early=early)
        if on_output is not None or self._outlet.subscriptions:
            call.on_output = self._output_to(on_output)
        elif is_live and task is not None:
            call.task, call.arguments = task, arguments
        future = self.port.submit(call)
        if not lane:
            self.last_used = now
            self._keep(future)
        return future

    def submit_all(self, calls: Sequence[Call], now: float) -> list[Future[Any]]:
        """`submit` calls of one task, made at `now` (monotonic seconds), in one go."""
        futures = self.port.submit_all(calls)
        self.last_used = now
        for future in futures:
            self._keep(future)
        return futures

    def cleanup_call(
        self,
        procedure: Callable[[Board], Procedure[Any]],
        deadline: float,
        *,
        idempotent: bool = True,
    ) -> Future[Any]:
        """Hand a procedure of the session's own cleanup to the device; it is always admitted.

        Where the device is away it fails at once: what it was for is owed (DESIGN 4).
        """
        if self.port.is_away:
            return _failed(_away(self.port))
        return self.port.submit(Call(procedure, self.session_id, deadline, "cleanup", idempotent))

    def _while_live(
        self, procedure: Callable[[Board], Procedure[Any]], board: Board
    ) -> Procedure[Any]:
        """Begin a call, unless the session came to its end since it was taken.

        Its thread may have been between the look at the status and the queue just then: what it
        would do comes after the cleanup, and nobody would undo it.
        """
        if self.status not in LIVE:
            raise self.refusal()
        return (yield from procedure(board))

    def require(self) -> None:
        """See that the session is in use, or that this thread cleans it up.

        Raises:
            SessionClosed, SessionFaulted: it has ended, or is ending.
        """
        if self.status not in LIVE and not self._admitted():
            raise self.refusal()

    def _admitted(self) -> bool:
        if self.status is SessionStatus.CREATING:
            return True
        return self.status is SessionStatus.ENDING and is_cleaning(self.session_id)

    @property
    def is_busy(self) -> bool:
        """Whether a call of the user waits or runs."""
        return bool(self.made("_calls"))

    def idle_left(self, now: float) -> float:
        """Return the seconds after which it has not been used for too long; 0 or less: it has not.

        Args:
            now: monotonic seconds.
        """
        if self.standing:
            return math.inf
        limit = self.options.default_session_timeout
        return limit if self.is_busy else self.last_used + limit - now

    def calls(self) -> tuple[Future[Any], ...]:
        """Return the user's calls that wait or run."""
        return tuple(self.made("_calls") or ())

    def stop_calls(self) -> None:
        """Cancel the user's calls: the end of a session does not wait for them."""
        for future, cleans in tuple((self.made("_calls") or {}).items()):
            if not cleans:
                future.cancel(f"session {self.session_id} ends")
            elif self.port.is_away:  # it was called before the end began
                future.set_exception(_away(self.port))

    def stop_all_calls(self) -> None:
        """Cancel what cleanups still wait for, too: their time is up."""
        for future in self.calls():
            future.cancel(f"session {self.session_id} has ended")

    def abandon(self) -> None:
        """End without any cleanup: nobody waits any longer, nothing more is taken."""
        self.move(Turn.END)
        self.ledger.close()
        for future in self.calls():
            future.set_exception(self.refusal())
        self.ended()
        if told_here() is None:
            self.told.wait(TELL_WITHIN)

    def interrupt(self) -> None:
        """Send Ctrl-C to what the device runs, if it runs it for this session."""
        self.port.interrupt(self.session_id)

    def _keep(self, future: Future[Any]) -> Future[Any]:
        """Know a call of the user while it waits or runs: it ends with the session."""
        if isinstance(future, CallFuture):
            future.be_listed(self._calls, mark=is_cleaning(self.session_id))
        elif not future.done():
            self._calls[future] = is_cleaning(self.session_id)
            future.add_done_callback(self._ended)
        return future

    def _ended(self, future: Future[Any]) -> None:
        self._calls.pop(future, None)


def check_seconds(timeout: float) -> None:
    """See that a timeout is one.

    Raises:
        ArgumentError: it is negative, or no number.
    """
    if not is_seconds(timeout):
        raise ArgumentError(f"timeout={timeout!r}: give seconds, from 0 on, or None for the usual")


def _failed(error: Exception) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def _away(port: Port) -> LinkLost:
    return LinkLost(f"{port.url} is {port.state.value}; what is owed to it is done when it is back")
