"""The short way of an awaited call: written on its loop's thread in one turn, and read there.

As in `express.py`, but nobody waits in the turn: the loop goes on, and reads the link that is lent
to it. Until the answer comes there is a future and little else. Any other turn of the Device than
one of bytes first makes it a call as any other, and so does an answer that is no value: all that
can befall a call is then done as ever. Nothing is sent twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .call import Call, CallFuture

if TYPE_CHECKING:
    from klemheist.transports.link import Link

    from .express import MakeCall


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
