"""`SupervisorRef`: asking a supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import pykka

from klemheist.actors.runtime import (
    ActorDead,
    ActorRef,
    ExitReason,
    Future,
    WouldDeadlock,
    rest,
)
from klemheist.actors.runtime.check import shown
from klemheist.actors.runtime.here import HERE
from klemheist.supervisors.core.check import is_hashable
from klemheist.supervisors.core.child import checked_spec
from klemheist.supervisors.core.errors import ChildNotFound, InvalidFlags
from klemheist.supervisors.core.info import ChildCount, ChildInfo
from klemheist.supervisors.core.inputs import (
    DeleteChild,
    Incarnation,
    Reconfigure,
    RestartChild,
    StartChild,
    StartFromTemplate,
    TerminateChild,
)
from klemheist.supervisors.core.supervisor_spec import SupervisorSpec

from .handle import ChildHandle

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from types import TracebackType

    from klemheist.actors.streams import Subscription
    from klemheist.supervisors.core.child import ChildSpec
    from klemheist.supervisors.core.events import TreeEvent
    from klemheist.supervisors.core.info import SupervisorStatistics
    from klemheist.supervisors.core.inputs import Request

    from .snapshot import Tree
    from .view import View

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
        self,
        spec: ChildSpec | Sequence[Any] = (),
        *,
        block: bool = True,
        timeout: float | None = None,
    ) -> Any:
        """Add a child and start it: a `Started`.

        Args:
            spec: What the child is. Where the supervisor has a template: the arguments that follow
                the template's.
            block: Whether to wait; else a `Future` is returned.
            timeout: Seconds to wait.

        Raises:
            AlreadyStarted: Its id runs, or somebody else has its name.
            AlreadyPresent: Its id is known and down.
            StartError: It did not start; it is forgotten.
            MaxChildren: There is no room for it.
            InvalidChildSpec: It cannot be this supervisor's child.
        """
        request: Request
        if isinstance(spec, (tuple, list)):
            request = StartFromTemplate(tuple(spec), Future())
        else:
            checked = checked_spec(spec, None, "; where there is a template, a list of arguments")
            request = StartChild(checked, Future())
        return self._ask(request, block, timeout)

    def restart_child(
        self,
        id: Hashable,  # noqa: A002  the field's name
        *,
        block: bool = True,
        timeout: float | None = None,
    ) -> Any:
        """Start a child that is down: a `Started`. Not counted as a restart.

        Raises:
            ChildNotFound: No such id.
            ChildRunning: It runs.
            ChildRestarting: It is about to.
            StartError: It did not start; it stays down.
        """
        return self._ask(RestartChild(_named(id), Future()), block, timeout)

    def terminate_child(
        self,
        id: Hashable,  # noqa: A002  the field's name
        *,
        block: bool = True,
        timeout: float | None = None,
    ) -> Any:
        """End a child and keep its spec, unless temporary or in a dynamic supervisor.

        It never sets off `auto_shutdown`. In a dynamic supervisor `id` may be the child's ref; with
        a template it must be.

        Raises:
            ChildNotFound: No such id.
            NotSupported: Children of a template go by their refs.
        """
        return self._ask(TerminateChild(_named(id), Future()), block, timeout)

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
        return self._ask(DeleteChild(_named(id), Future()), block, timeout)

    def reconfigure(
        self, spec: SupervisorSpec, *, block: bool = True, timeout: float | None = None
    ) -> Any:
        """Take over other flags and specs; nobody is started or stopped for it (OTP's code_change).

        Who runs goes on, with its new spec from the next restart. A new child is known and not
        started; one that is not in `spec` stays, after those that are. Restarts in the window count
        on.

        Raises:
            InvalidFlags: It is for another kind of supervisor, or no `SupervisorSpec`.
        """
        if not isinstance(spec, SupervisorSpec):
            raise InvalidFlags("bad_return", spec, f"spec={shown(spec)}: use a SupervisorSpec")
        return self._ask(Reconfigure(spec, Future()), block, timeout)

    def shutdown(
        self, reason: ExitReason = ExitReason.SHUTDOWN, timeout: float | None = None
    ) -> ExitReason:
        """End the tree, children first and in order; why it ended in the end.

        Raises:
            InvalidArgument: `reason` is no `ExitReason`.
            AskTimeout: It has not ended in `timeout` seconds; it goes on ending.
        """
        self._check_wait()
        self.exit(reason)
        ended = self.ended.get(timeout=timeout)
        rest()  # no thread of ours outlives the last tree (DESIGN 8.18)
        return ended

    # -- looking

    def children(self) -> list[ChildInfo]:
        """The children in start order."""
        return self._supervisor().children()

    def child(self, id: Hashable) -> ChildInfo:  # noqa: A002  the field's name
        """One child, by its id; in a dynamic supervisor by its id or ref, with a template by ref.

        Raises:
            ChildNotFound: No such id.
            NotSupported: Children of a template go by their refs.
        """
        return self._supervisor().child(_named(id))

    def running(self, id: Hashable) -> ActorRef[Any] | None:  # noqa: A002  the field's name
        """The ref of the child `id` while it runs; None while it does not, or is not there.

        Raises:
            ChildNotFound: It can be no id.
        """
        return self._supervisor().running(_named(id))

    def child_spec(self, id: Hashable) -> ChildSpec:  # noqa: A002  the field's name
        """One child's spec.

        Raises:
            ChildNotFound: No such id.
        """
        return self.child(id).spec

    def count(self) -> ChildCount:
        """How many children there are, of which kind. A template is one spec."""
        children = self.children()
        supervisors = sum(info.type == "supervisor" for info in children)
        has_template = self._supervisor().template is not None
        return ChildCount(
            specs=1 if has_template else len(children),
            active=sum(info.ref is not None for info in children),
            supervisors=supervisors,
            workers=len(children) - supervisors,
        )

    def snapshot(self) -> Tree:
        """The tree from here down."""
        return self._supervisor().snapshot()

    def statistics(self) -> SupervisorStatistics:
        """What happened under this supervisor so far."""
        return self._supervisor().statistics()

    def events(
        self, *types: type, buffer: int = 1024, overflow: str = "drop_oldest"
    ) -> Subscription[TreeEvent]:
        """Subscribe to what this supervisor and those under it tell from now on.

        Iterate over it, in a thread or with `async for`, or give a function to its `deliver`. It
        ends with the supervisor, after `SupervisorStopped`.

        Args:
            types: The classes of `klemheist.supervisors.core.events` that are wanted; none for all.
            buffer: How many events are kept for a subscriber who is behind.
            overflow: What becomes of more: `drop_oldest`, `drop_new`, `error` or `resize`.

        Raises:
            InvalidFlags: An argument makes no sense.
        """
        return self._supervisor().subscribe(*types, buffer=buffer, overflow=overflow)

    def handle(self, id: Hashable) -> ChildHandle:  # noqa: A002  the field's name
        """A reference to the child `id` (or that ref's child), whichever incarnation runs.

        Raises:
            ChildNotFound: No such id.
        """
        named = _named(id)
        supervisor = self._supervisor()
        key = supervisor.key_of(named) if isinstance(named, Incarnation) else id
        supervisor.child_by_key(key)  # a wrong id is found where it is written, not at first use
        return ChildHandle(self, key)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    def _supervisor(self) -> View:
        actor = self.actor()
        if actor is None or self.ended.done():
            raise ActorDead(f"{self} not found: it has ended")
        return cast("View", actor)

    def _ask(self, request: Request, block: bool, timeout: float | None) -> Any:  # noqa: FBT001  passed through
        future: Future[Any] = request.reply
        if block:
            self._check_wait()
        self._post(request, future)
        return future.get(timeout=timeout) if block else future

    def _check_wait(self) -> None:
        super()._check_wait()
        if self._awaits_this_start():
            raise WouldDeadlock(f"{self} waits for this on_start: use block=False")

    def _awaits_this_start(self) -> bool:
        """Whether this thread is in an `on_start` that this supervisor waits for, at any depth."""
        waiting: Any = HERE.starting_under
        while waiting is not None:
            if waiting is self:
                return True
            actor = None if waiting.has_started else waiting.actor()
            waiting = None if actor is None else actor._actor_parent  # noqa: SLF001  its supervisor
        return False


def _named(id_or_ref: Hashable) -> Hashable:
    if isinstance(id_or_ref, ActorRef):
        return Incarnation(id_or_ref, gone=id_or_ref.reason is not None)
    if not is_hashable(id_or_ref):
        raise ChildNotFound(f"no child {shown(id_or_ref)}: an id is something hashable")
    return id_or_ref
