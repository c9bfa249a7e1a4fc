"""`SupervisorRef`: asking a supervisor, and `ChildHandle`: a reference that outlives restarts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import pykka

from klemheist.actors.runtime import TIMERS, ActorDead, ActorRef, ExitReason, Future, WouldDeadlock
from klemheist.actors.runtime.bridge import Envelope
from klemheist.actors.runtime.inbox import is_starting_under

from .errors import ChildNotFound, ChildRestarting
from .info import ChildCount, ChildInfo
from .steps import ChildState, DeleteChild, RestartChild, StartChild, TerminateChild

if TYPE_CHECKING:
    from collections.abc import Hashable
    from types import TracebackType

    from .child import ChildSpec
    from .snapshot import Tree
    from .steps import Request
    from .supervisor import Supervisor

A = TypeVar("A", bound=pykka.Actor)


class SupervisorRef(ActorRef[A]):
    """A supervisor, for everybody else.

    What changes children queues behind what the supervisor is doing, and with `block=False` gives
    a `Future`; what only looks is answered at once, on the caller's thread. As a context manager it
    shuts the tree down, in order.

    Raises:
        ActorDead: From every method, when the supervisor is gone (OTP's noproc).
        WouldDeadlock: From blocking inside an inline turn.
    """

    # -- changing

    def start_child(
        self, spec: ChildSpec, *, block: bool = True, timeout: float | None = None
    ) -> Any:
        """Add a child and start it: a `StartedChild`.

        Raises:
            AlreadyStarted: Its id runs.
            AlreadyPresent: Its id is known and down.
            StartError: It did not start; it is forgotten.
            MaxChildren: There is no room for it.
        """
        return self._ask(StartChild(spec, Future()), block, timeout)

    def restart_child(
        self,
        id: Hashable,  # noqa: A002  the field's name
        *,
        block: bool = True,
        timeout: float | None = None,
    ) -> Any:
        """Start a child that is down: a `StartedChild`. Not counted as a restart.

        Raises:
            ChildNotFound: No such id.
            ChildRunning: It runs.
            ChildRestarting: It is about to.
            StartError: It did not start; it stays down.
        """
        return self._ask(RestartChild(id, Future()), block, timeout)

    def terminate_child(
        self,
        id: Hashable,  # noqa: A002  the field's name
        *,
        block: bool = True,
        timeout: float | None = None,
    ) -> Any:
        """End a child and keep its spec, unless temporary or in a dynamic supervisor.

        Raises:
            ChildNotFound: No such id.
        """
        return self._ask(TerminateChild(id, Future()), block, timeout)

    def delete_child(
        self,
        id: Hashable,  # noqa: A002  the field's name
        *,
        block: bool = True,
        timeout: float | None = None,
    ) -> Any:
        """Forget a child that is down.

        Raises:
            ChildNotFound: No such id.
            ChildRunning: It runs.
            ChildRestarting: It is about to.
        """
        return self._ask(DeleteChild(id, Future()), block, timeout)

    def shutdown(
        self, reason: ExitReason = ExitReason.SHUTDOWN, timeout: float | None = None
    ) -> ExitReason:
        """End the tree, children first and in order; why it ended in the end.

        Raises:
            AskTimeout: It has not ended in `timeout` seconds; it goes on ending.
        """
        self._check_wait()
        self.exit(reason)
        ended = self.ended.get(timeout=timeout)
        TIMERS.rest()  # no thread of ours outlives the last tree (DESIGN 8.18)
        return ended

    # -- looking

    def children(self) -> list[ChildInfo]:
        """The children in start order."""
        return self._supervisor().children()

    def child(self, id: Hashable) -> ChildInfo:  # noqa: A002  the field's name
        """One child.

        Raises:
            ChildNotFound: No such id.
        """
        return self._supervisor().child(id)

    def child_spec(self, id: Hashable) -> ChildSpec:  # noqa: A002  the field's name
        """One child's spec.

        Raises:
            ChildNotFound: No such id.
        """
        return self.child(id).spec

    def count(self) -> ChildCount:
        """How many children there are, of which kind."""
        children = self.children()
        supervisors = sum(info.type == "supervisor" for info in children)
        return ChildCount(
            specs=len(children),
            active=sum(info.ref is not None for info in children),
            supervisors=supervisors,
            workers=len(children) - supervisors,
        )

    def snapshot(self) -> Tree:
        """The tree from here down."""
        return self._supervisor().snapshot()

    def handle(self, id: Hashable) -> ChildHandle:  # noqa: A002  the field's name
        """A reference to the child `id`, whichever incarnation runs."""
        return ChildHandle(self, id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    def _supervisor(self) -> Supervisor:
        actor = self.actor()
        if actor is None or self.ended.done():
            raise ActorDead(f"{self} not found: it has ended")
        return cast("Supervisor", actor)

    def _ask(self, request: Request, block: bool, timeout: float | None) -> Any:  # noqa: FBT001  passed through
        future: Future[Any] = request.reply
        if block:
            self._check_wait()
        self._inbox.put(Envelope(request, reply_to=future))
        return future.get(timeout=timeout) if block else future

    def _check_wait(self) -> None:
        super()._check_wait()
        if is_starting_under(self):
            raise WouldDeadlock(f"{self} waits for this on_start: use block=False")


class ChildHandle:
    """The child `id` of a supervisor, across its restarts. Cheap to make, holds nothing."""

    def __init__(self, supervisor: SupervisorRef[Any], id: Hashable) -> None:  # noqa: A002  the field's name
        self.supervisor = supervisor
        self.id = id

    @property
    def ref(self) -> ActorRef[Any]:
        """The incarnation that runs.

        Raises:
            ChildNotFound: No such id.
            ChildRestarting: Just now none runs.
        """
        info = self.supervisor.child(self.id)
        if info.state is not ChildState.RUNNING or info.ref is None:
            raise ChildRestarting(f"child {self.id!r} is {info.state}: wait_ready() for it")
        return cast("ActorRef[Any]", info.ref)

    def wait_ready(self, timeout: float | None = None) -> ActorRef[Any]:
        """Wait until an incarnation runs, and give it.

        Raises:
            ChildNotFound: No such id, or it was forgotten.
            AskTimeout: None ran within `timeout` seconds.
        """
        return self.supervisor._supervisor().ready(self.id).get(timeout=timeout)  # noqa: SLF001  its face

    def tell(self, message: Any) -> None:
        """Send `message` to the incarnation that runs.

        Raises:
            ChildRestarting: Just now none runs.
        """
        self.ref.tell(message)

    def ask(self, message: Any, *, timeout: float | None = None) -> Any:
        """Ask the incarnation that runs, waiting within `timeout` for one.

        Raises:
            ChildRestarting: None ran within `timeout` seconds.
        """
        start = time.monotonic()
        try:
            ref = self.wait_ready(timeout)
        except TimeoutError as error:
            raise ChildRestarting(f"child {self.id!r} did not come back in time") from error
        left = None if timeout is None else max(timeout - (time.monotonic() - start), 0.0)
        return ref.ask(message, timeout=left)

    def proxy(self) -> pykka.ActorProxy[Any]:
        """Pykka's proxy of the incarnation that runs: it does not follow restarts."""
        return self.ref.proxy()


__all__ = ["ChildHandle", "ChildNotFound", "SupervisorRef"]
