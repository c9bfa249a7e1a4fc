"""The trackers: a session's child actors that clean up what it holds, on a message (DESIGN 4).

They hold views of the ledger and no state of their own that matters: one that crashes is started
again and told again. `Cleanup` is idempotent.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, ClassVar

from klemheist.actors.background import in_background
from klemheist.actors.messages import Cleaned, Cleanup
from klemheist.actors.runtime.actor import Actor
from klemheist.actors.runtime.future import Future
from klemheist.actors.runtime.timers import TIMERS
from klemheist.transports.errors import LinkError

from .core import SessionCore
from .ledger import Act, Entry, EntryKind
from .resources import CancelToken, Resource, during_cleanup


class Cleaner(Actor):
    """What all trackers have in common: find the entry, undo it, say how it went."""

    inline: ClassVar[bool] = True
    kind: ClassVar[EntryKind]

    def __init__(self, core: SessionCore) -> None:
        super().__init__()
        self.core = core
        self._under_way: set[int] = set()
        """Numbers of the entries that this incarnation cleans."""

    def on_receive(self, message: Any) -> Any:
        """Take `Cleanup`; the answer is a `Cleaned` to whoever sent it."""
        match message:
            case Cleanup(number=number, deadline=deadline):
                self._cleanup(number, deadline)
            case _:
                return super().on_receive(message)
        return None

    def _cleanup(self, number: int, deadline: float) -> None:
        entry = next((e for e in self.core.ledger.entries(self.kind) if e.number == number), None)
        if entry is None:
            self.core.cleanups.report(Cleaned(number))
            return
        if number not in self._under_way:  # else the message was repeated
            self._under_way.add(number)
            self.core.ledger.act(entry, Act.CLEAN)
            self.undo(entry, deadline)

    def undo(self, entry: Entry, deadline: float) -> None:
        """Begin to clean one entry; `self.report` ends it."""
        raise NotImplementedError

    def report(self, entry: Entry, error: BaseException | None, *, owed: bool = False) -> None:
        """Say how it went, once."""
        self._under_way.discard(entry.number)
        act = Act.OWE if owed else Act.DONE if error is None else Act.FAIL
        self.core.ledger.act(entry, act)  # no move where the user gave it back during the cleanup
        if error is not None:
            self.core.report.warning("cleanup of {} {} failed: {}", entry.kind, entry.key, error)
        if error is not None and not isinstance(error, Exception):
            error = RuntimeError(repr(error))  # a group takes no other
        self.core.cleanups.report(Cleaned(entry.number, error, owed))


class ResourceCleaner(Cleaner):
    """Runs the cleanup of a resource, a user's callable, in a thread of its own."""

    kind = EntryKind.RESOURCE

    def undo(self, entry: Entry, deadline: float) -> None:
        """Run it, once in all incarnations (SES-028), and give up on it at the deadline."""
        if entry.work is None:
            resource: Resource = entry.held
            token = CancelToken()
            work = in_background(lambda: self._run(resource, token), name="cleanup")
            entry.work = work, token
        work, token = entry.work
        timer = TIMERS.call_at(deadline, self.post, self._overdue, entry, token)

        def ended(future: Future[None]) -> None:
            timer.cancel()
            self.post(self._ended, entry, future)

        work.add_done_callback(ended)

    def _run(self, resource: Resource, token: CancelToken) -> None:
        with during_cleanup(self.core.session_id):
            rest = resource.cleanup(token)
            if inspect.isawaitable(rest):
                asyncio.run(_awaited(rest))

    def _overdue(self, entry: Entry, token: CancelToken) -> None:
        token.cancel("the time for this cleanup is up")
        late = TimeoutError(f"{entry.key}: its cleanup did not end in time")
        self.report(entry, late, owed=self.core.owe_late(entry))

    def _ended(self, entry: Entry, future: Future[None]) -> None:
        error = future.exception()
        failed = isinstance(error, LinkError) or (error is not None and not self.core.port.is_up)
        self.report(entry, error, owed=failed and self.core.owe(entry))


class DeploymentCleaner(Cleaner):
    """Forgets what was deployed: on the device it goes with the namespace (SES-061)."""

    kind = EntryKind.DEPLOYMENT

    def undo(self, entry: Entry, deadline: float) -> None:  # noqa: ARG002 -- it takes no time
        """Forget it."""
        self.report(entry, None)


async def _awaited(rest: Any) -> None:
    await rest
