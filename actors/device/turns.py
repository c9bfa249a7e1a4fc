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
        except Exception as error:  # a bug of ours: it crashes the actor, as in any turn
            self._actor_failed(error, None)
            raise LinkLost(f"{self.port.url}: {error!r}", maybe_executed=True) from error
        finally:
            self.leave(inbox, turn)

    def leave(self, inbox: InlineInbox, turn: object) -> None:
        """End a turn, whether or not it was entered; a Ctrl-C in here does not keep it open."""
        try:
            inbox.leave(turn)
        except KeyboardInterrupt:
            inbox.leave(turn)
            raise

    def hear(self, number: int, data: bytes) -> None:
        """Take bytes of the link of that number: here and now, if no thread has a turn."""
        inbox = self._actor_inbox
        assert isinstance(inbox, InlineInbox)
        turn = object()
        try:
            if not inbox.enter(turn):
                self.post(self._links.heard, number, data)
                return
            self._links.heard(number, data)
        except BaseException as error:  # noqa: BLE001 -- as in any turn
            self._actor_failed(error, None)
        finally:
            self.leave(inbox, turn)
