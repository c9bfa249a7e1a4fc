"""Standing programs: sessions that nobody holds, started again when they fault."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, ClassVar

from klemheist.actors.errors import SessionError
from klemheist.actors.operation import shielded
from klemheist.actors.runtime import Actor, Future
from klemheist.actors.session.core import SessionCore
from klemheist.actors.session.program import Program

from .child import Restart

if TYPE_CHECKING:
    from .manager_core import ManagerCore


_numbers = itertools.count(1)


class DeploymentActor(Actor):
    """Holds one session with a program; crashes with it, so that its supervisor decides."""

    inline: ClassVar[bool] = True

    def __init__(self, manager: ManagerCore, record: Deployment) -> None:
        super().__init__()
        self._manager = manager
        self._record = record

    def on_start(self) -> None:
        """Create the session; whoever called `deploy` is told by the record's `ready`."""
        record = self._record
        creating = self._manager.create(record.url, program=record.program, autostart=True)
        creating.add_done_callback(lambda future: self.post(self._created, future))

    def _created(self, creating: Future[SessionCore]) -> None:
        record, error = self._record, creating.exception()
        if error is not None:
            record.ready.set_exception(error)
            raise SessionError(f"{record.program!r} on {record.url} did not start: {error}")
        record.core = core = creating.get()
        record.starts += 1
        record.ready.set(None)
        core.logical_done.add_callback(lambda reason: self.post(self._session_ended, core, reason))

    def _session_ended(self, core: SessionCore, reason: object) -> None:
        if core is self._record.core and not self._record.stopping:
            raise SessionError(f"the session of {self._record.program!r} ended: {reason}")

    def on_stop(self) -> None:
        """End the session."""
        core = self._record.core
        if core is not None:
            core.end()


class Deployment:
    """A program that runs on a device until it is stopped, and again after a fault."""

    def __init__(self, url: str, program: Program, restart: Restart) -> None:
        self.number = next(_numbers)
        self.url = url
        self.program = program
        self.restart = restart
        self.core: SessionCore | None = None
        self.starts = 0
        """How often its session was created."""
        self.stopping = False
        self.ready: Future[None] = Future()

    def __repr__(self) -> str:
        return f"<deployment {self.program!r} on {self.url}, {self.status}>"

    @property
    def session_id(self) -> str | None:
        """The id of its present session."""
        return None if self.core is None else self.core.session_id

    @property
    def status(self) -> str:
        """Where it stands: starting, or as its session does."""
        if self.stopping and (self.core is None or self.core.logical_done.is_set()):
            return "stopped"
        return "starting" if self.core is None else self.core.status.value


class StandingView:
    """What needs no waiting: the same for both."""

    def __init__(self, manager: ManagerCore, record: Deployment) -> None:
        self._manager = manager
        self._record = record

    def __repr__(self) -> str:
        return repr(self._record)

    @property
    def status(self) -> str:
        """Where it stands: starting, active, recovering, stopped, …"""
        return self._record.status

    @property
    def session_id(self) -> str | None:
        """The id of its present session; None between two."""
        return self._record.session_id

    @property
    def starts(self) -> int:
        """How often its session was created."""
        return self._record.starts


class StandingProgram(StandingView):
    """A program that runs on a device until it is stopped, and again after a fault."""

    def stop(self) -> None:
        """End it, with its session and everything it started; idempotent."""
        self._manager.undeploy(self._record).get()


class AsyncStandingProgram(StandingView):
    """`StandingProgram` for asyncio."""

    async def stop(self) -> None:
        """End it, with its session and everything it started; idempotent."""
        await shielded(self._manager.undeploy(self._record))
