"""Turns of a Device that begin at once, on the thread that brings the event, past its mailbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from klemheist.actors.runtime.actor import Actor
from klemheist.actors.runtime.inbox import InlineInbox
from klemheist.transports.errors import LinkLost

if TYPE_CHECKING:
    from .linkage import Linkage
    from .port import Port

P = ParamSpec("P")
R = TypeVar("R")


class Turns(Actor):
    """An inline actor some of whose turns need no item in the mailbox."""

    port: Port
    _links: Linkage

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
        try:
            heard = self.at_once(self._links.heard, number, data)
        except LinkLost:
            return  # it crashed in there
        if not heard:
            self.post(self._links.heard, number, data)
