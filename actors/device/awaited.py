"""The short way of an awaited call: written on its loop's thread in one turn, and read there.

As in `express.py`, but nobody waits in the turn: the loop goes on, and reads the link that is lent
to it. Until the answer comes there is a future and little else. Any other turn of the Device than
one of bytes first makes it a call as any other, and so does an answer that is no value: all that
can befall a call is then done as ever. Nothing is sent twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from klemheist.actors.runtime.actor import Actor
from klemheist.actors.runtime.inbox import InlineInbox
from klemheist.actors.runtime.items import Item, reject
from klemheist.transports.errors import LinkLost
from klemheist.transports.repl.conversation import Outcome
from klemheist.transports.repl.frames import FrameKind
from klemheist.transports.repl.lines import step_of
from klemheist.transports.repl.procedures import one_line

from .call import Call, CallFuture
from .runner import GRACE
from .states import DeviceState

if TYPE_CHECKING:
    from klemheist.transports.link import Link
    from klemheist.transports.repl.conversation import Conversation

    from .express import MakeCall
    from .intake import Intake
    from .linkage import Linkage
    from .port import Port
    from .runner import Runner
    from .watch import Watch

P = ParamSpec("P")
R = TypeVar("R")


class AwaitedCall(CallFuture):
    """One call on the short way; gives the frame of its value, or what its ordinary call gives.

    Args:
        link: gives the device's present link, if it has one.
        make_call: makes the call that goes on with the line which was sent.
        owner: whose it is.
        began: monotonic seconds at which it was sent.
        cancel: asks the device to cancel it.
    """

    __slots__ = ("_cancel_call", "_make_call", "began", "call", "owner")

    soon = True

    def __init__(
        self,
        link: Callable[[], Link | None],
        make_call: MakeCall,
        owner: str,
        began: float,
        cancel: Callable[[AwaitedCall, str | None], object],
    ) -> None:
        super().__init__(link, self._cancel_it)
        self._make_call = make_call
        self._cancel_call = cancel
        self.owner = owner
        self.began = began
        self.call: Call | None = None
        """The ordinary call that it has become."""

    def become_ordinary(self) -> Call:
        """Make the call that goes on with it; its future is this one."""
        self.call = call = self._make_call()
        call.future = self
        return call

    def _cancel_it(self, reason: str | None) -> None:
        self._cancel_call(self, reason)


class Awaiting(Actor):
    """The Device's part in it."""

    port: Port
    _intake: Intake
    _links: Linkage
    _runner: Runner
    _talk: Conversation
    _watch: Watch
    _awaited: AwaitedCall | None = None

    def go_on(self, call: Call, began: float) -> None:
        """Go on with the call of a line that was sent at `began`."""
        raise NotImplementedError

    def _cancel(self, call: Call, reason: str | None) -> None:
        raise NotImplementedError

    # -- from any thread

    def call_soon(
        self, entry: int, plain: tuple[Any, ...], make_call: MakeCall, owner: str
    ) -> AwaitedCall | None:
        """Send a call on the thread of an event loop, if the device is idle.

        Args:
            entry: of the function table.
            plain: the arguments.
            make_call: makes the call that goes on with the line where that is needed.
            owner: whose it is.

        Returns:
            The future of the frame of its value, or of the value; None where nothing was sent.
        """
        return self.at_once(self._call_soon, entry, plain, make_call, owner)

    def at_once(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | None:
        """Run `call` as a turn here and now; None where another thread has one."""
        inbox = self._actor_inbox
        assert isinstance(inbox, InlineInbox)
        turn = object()
        try:
            if not inbox.enter(turn):
                return None
            return call(*args, **kwargs)
        except BaseException as error:
            if inbox.is_in(turn):
                self._actor_failed(error, None)  # as in any turn
            if not isinstance(error, Exception):
                raise
            raise LinkLost(f"{self.port.url}: {error!r}", maybe_executed=True) from error
        finally:
            try:
                inbox.leave(turn)
            except BaseException:  # a signal's handler raised in there
                inbox.leave(turn)
                raise

    def hear(self, number: int, data: bytes) -> None:
        """Take bytes of the link of that number: here and now, if no thread has a turn."""
        if not self.at_once(self._links.heard, number, data):
            self.post(self._links.heard, number, data)

    # -- on a turn

    def _call_soon(
        self, entry: int, plain: tuple[Any, ...], make_call: MakeCall, owner: str
    ) -> AwaitedCall | None:
        port, talk = self.port, self._talk
        idle = port.state is DeviceState.UP and not self._runner.active and not self._intake
        if not idle or not talk.at_prompt or port.link is None:
            return None
        line = one_line(port.board, entry, plain)
        if line is None:
            return None
        port.meter.begin()
        self._links.write(talk.begin(step_of(line[1], line[0])))
        now = self._watch.now()
        cancel = partial(self.post, self._cancel_awaited)
        self._awaited = AwaitedCall(self.port.present_link, make_call, owner, now, cancel)
        self._runner.reserved = True
        self._watch.by(now + GRACE)
        return self._awaited

    def is_awaited(self, outcomes: list[Outcome]) -> bool:
        """Give the awaited call what has come, where that is its value and nothing else."""
        awaited, reply = self._awaited, outcomes[0].reply
        if awaited is None:
            return False
        frame = reply.frame if reply is not None and len(outcomes) == 1 else None
        if frame is None or frame.kind is not FrameKind.VALUE:
            self._make_ordinary()
            return False
        self._taken_out()
        port = self.port
        port.meter.end()
        port.board.taken()
        port.counters.calls += 1
        awaited.set(frame)
        return True

    def keep_awaited(self) -> None:
        """Let the awaited call be told what all others are: nobody drives the device any more."""
        awaited = self._taken_out()
        if awaited is not None:
            self._intake.adopt(awaited.become_ordinary(), awaited.began)

    def _make_ordinary(self) -> None:
        """Go on with the awaited call as with any other."""
        awaited = self._taken_out()
        if awaited is not None:
            self.go_on(awaited.become_ordinary(), awaited.began)

    def _taken_out(self) -> AwaitedCall | None:
        awaited, self._awaited = self._awaited, None
        self._runner.reserved = False
        return awaited

    def _cancel_awaited(self, awaited: AwaitedCall, reason: str | None) -> None:
        if awaited.call is not None:
            self._cancel(awaited.call, reason)

    def _actor_take(self, item: Item) -> None:
        if self._awaited is not None and not self._links.are_news(item):
            super()._actor_take((self._make_ordinary, ()))
            if self._actor_ending:  # it crashed in there
                if type(item) is tuple:
                    self.post_lost(*item)
                else:
                    reject(item, self._actor_self, was_queued=True)
                return
        super()._actor_take(item)
