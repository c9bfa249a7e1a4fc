"""Standing programs: sessions that nobody holds, started again when they fault."""

from __future__ import annotations

import itertools
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from klemheist.actors.errors import SessionError
from klemheist.actors.operation import Steps, operation, shielded
from klemheist.actors.runtime import Actor, Future
from klemheist.supervisors.core.child import Backoff, Restart, child
from klemheist.supervisors.core.errors import ChildNotFound
from klemheist.transports.url import parse_url

from .life import Move
from .outcome import nothing_to_do, quietly_ended

if TYPE_CHECKING:
    from klemheist.actors.session.core import SessionCore
    from klemheist.actors.session.program import Program
    from klemheist.supervisors.tree.ref import SupervisorRef

    from .core import ManagerCore

_numbers = itertools.count(1)


class DeploymentActor(Actor):
    """Holds one session with a program; crashes with it, so that its supervisor decides."""

    inline: ClassVar[bool] = True

    def __init__(self, manager: ManagerCore, record: Deployment) -> None:
        super().__init__()
        self._manager = manager
        self._record = record
        self._creating: Future[SessionCore] = Future()

    def on_start(self) -> None:
        """End what an earlier incarnation left, then create the session.

        Whoever called `deploy` is told by the record's `ready`.
        """
        self._record.session_ended().add_done_callback(lambda _: self.post(self._create))

    def _create(self) -> None:
        record = self._record
        self._creating = self._manager.create(
            record.full_url, program=record.program, standing=True
        )
        self._creating.add_done_callback(partial(self._deliver, record))

    def _deliver(self, record: Deployment, creating: Future[SessionCore]) -> None:
        """Hand the session over; where this actor has ended meanwhile, nobody wants it."""
        if not self.post(self._created, creating) and creating.exception() is None:
            record.core = creating.get()
            record.core.end()

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
        """Give up what is being created; `undeploy` ends what is there."""
        self._creating.cancel("the standing program is stopped")


class Deployment:
    """A program that runs on a device until it is stopped, and again after a fault."""

    def __init__(self, url: str, program: Program, restart: Restart) -> None:
        self.number = next(_numbers)
        self.url = parse_url(url).key
        self.full_url = url
        """With its login, where it has one: not to be shown."""
        self.program = program
        self.restart = restart
        self.core: SessionCore | None = None
        self.starts = 0
        """How often its session was created."""
        self.stopping = False
        self.ready: Future[None] = Future()

    def __repr__(self) -> str:
        return f"<deployment {self.program!r} on {self.url}, {self.status}>"

    def session_ended(self) -> Future[None]:
        """End its present session; the future is resolved, without an error, when it has ended."""
        if self.core is not None:
            return quietly_ended(self.core.end())
        return nothing_to_do()

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


class Deployments:
    """The standing programs of a manager."""

    def __init__(self, manager: ManagerCore) -> None:
        self._manager = manager

    def deploy(self, url: str, program: Program, restart: Restart) -> Deployment:
        """Start a standing program; its record's `ready` says when it runs.

        Raises:
            SessionClosed: the manager was shut down.
        """
        self._manager.check(Move.CREATE)
        record = Deployment(url, program, restart)
        spec = child(
            DeploymentActor,
            self._manager,
            record,
            id=record.number,
            restart=restart,
            backoff=Backoff(),
        )
        self._branch().start_child(spec, block=False)
        record.ready.add_done_callback(lambda ready: ready.exception() and self.stop(record))
        return record

    @operation
    def stop(self, record: Deployment) -> Steps[None]:
        """Stop a standing program for good, and end its session; in a forked process, nothing."""
        if self._manager.is_inherited:
            return
        record.stopping = True
        branch = self._branch()
        if not branch.ended.done():
            with suppress(ChildNotFound):  # it was stopped before, or has failed for good
                yield branch.terminate_child(record.number, block=False)
        yield record.session_ended()

    def _branch(self) -> SupervisorRef[Any]:
        return self._manager.branch("deployments")


class StandingView:
    """What needs no waiting: the same for both."""

    def __init__(self, deployments: Deployments, record: Deployment) -> None:
        self._deployments = deployments
        self._record = record

    def __repr__(self) -> str:
        return repr(self._record)

    @property
    def status(self) -> str:
        """Where it stands: starting, active, recovering, stopped, …."""
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
        self._deployments.stop(self._record).get()


class AsyncStandingProgram(StandingView):
    """`StandingProgram` for asyncio."""

    async def stop(self) -> None:
        """End it, with its session and everything it started; idempotent."""
        await shielded(self._deployments.stop(self._record))
