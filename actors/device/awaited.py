"""The future of an awaited call on the short way (`short.py`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .call import Call, CallFuture

if TYPE_CHECKING:
    from klemheist.transports.link import Link

    from .express import Express, MakeCall


class AwaitedCall(CallFuture):
    """One call whose answer nobody waits for in a turn; gives what its ordinary call gives.

    Args:
        link: gives the device's present link, if it has one.
        line: its line, which was sent.
        make_call: makes the call that goes on with that line.
        owner: whose it is.
        cancel: asks the device to cancel it.
        began: monotonic seconds at which it was sent.
        until: monotonic seconds until which it needs nothing but its answer.
    """

    __slots__ = ("_cancel_call", "_make_call", "began", "call", "line", "owner", "until")

    soon = True

    def __init__(
        self,
        link: Callable[[], Link | None],
        line: Express,
        make_call: MakeCall,
        owner: str,
        cancel: Callable[[AwaitedCall, str | None], object],
        *,
        began: float,
        until: float,
    ) -> None:
        super().__init__(link, self._cancel_it)
        self.line = line
        self._make_call = make_call
        self._cancel_call = cancel
        self.owner = owner
        self.began, self.until = began, until
        self.call: Call | None = None
        """The ordinary call that it has become."""

    def become_ordinary(self) -> Call:
        """Make the call that goes on with it; its future is this one."""
        self.call = call = self._make_call()
        call.future = self
        return call

    def _cancel_it(self, reason: str | None) -> None:
        self._cancel_call(self, reason)
