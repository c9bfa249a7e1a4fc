"""`ChildHandle`: a reference to a child that outlives its restarts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from klemheist.actors.runtime import ActorDead, ActorRestarted
from klemheist.supervisors.core.entry import ChildState
from klemheist.supervisors.core.errors import ChildRestarting

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pykka

    from klemheist.actors.runtime import ActorRef

    from .ref import SupervisorRef


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
        info = self.supervisor._supervisor().child_by_key(self.id)  # noqa: SLF001  its face
        if info.state is not ChildState.RUNNING or info.ref is None:
            raise ChildRestarting(f"child {self.id!r} is {info.state}: wait_ready() for it")
        if info.ref.is_retired:
            raise ChildRestarting(f"child {self.id!r} has just ended: wait_ready() for it")
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
            ActorRestarted: The one that was asked crashed before it answered.
            AskTimeout: It has not answered in time.
        """
        start = time.monotonic()
        try:
            ref = self.wait_ready(timeout)
        except TimeoutError as error:
            raise ChildRestarting(f"child {self.id!r} did not come back in time") from error
        left = None if timeout is None else max(timeout - (time.monotonic() - start), 0.0)
        try:
            return ref.ask(message, timeout=left)
        except ActorDead as error:
            if ref.reason is None or not ref.reason.is_abnormal:
                raise
            message = f"child {self.id!r} crashed before it answered: ask again, if that is safe"
            raise ActorRestarted(message) from error

    def proxy(self) -> pykka.ActorProxy[Any]:
        """Pykka's proxy of the incarnation that runs: it does not follow restarts."""
        return self.ref.proxy()
