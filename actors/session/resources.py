"""What a session can hold, and the frozen views that its tracker returns."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from klemheist.actors.done import Done
from klemheist.actors.notebook import table
from klemheist.actors.operation import BEHALF
from klemheist.transports.repl.values import ArgumentError

from .claims import Wanted, wanted
from .typed import check_callback, check_flag, check_text

if TYPE_CHECKING:
    from .budget import Budget


class CancelToken:
    """Says to whoever does something long that it is not wanted any more.

    Pass one as `cancel=`; call `cancel()` from any thread. Once cancelled, it stays so.
    """

    __slots__ = ("_done",)

    def __init__(self) -> None:
        self._done = Done()

    def cancel(self, reason: str | None = None) -> bool:
        """Cancel; True for the first caller."""
        return self._done.close(reason or "cancelled")

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._done.is_set()

    @property
    def reason(self) -> str | None:
        """What `cancel` was given; None before it, and where it was given nothing."""
        reason = self._done.reason
        return None if reason is None else str(reason)

    def on_cancel(self, fn: Callable[[object], object]) -> Callable[[], None]:
        """Call `fn(reason)` when cancelled, at once if it is; returns the undo."""
        return self._done.add_callback(fn)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until cancelled, up to `timeout` seconds; True when it is."""
        return self._done.wait(timeout)


class Resource:
    """Something a session holds until it ends: subclass it, or give it a `cleanup` callable.

    Args:
        resource_type: what it is, for statistics.
        cleanup: called once with a `CancelToken` when the session ends, in a thread of its own; it
            may use the session. A coroutine function is run to its end.
        resource_id: unique within the session; made up where it is not given.
        estimated_cost: what it costs, in units of your own.
        persistent: it outlives the device's memory (files, external hardware): its cleanup is owed
            where the device is away. Others are gone with the boot.
        undo: self-contained code for the device that undoes it when the owed cleanup is done.
        claims: what it has to itself on the device, each as kind and name: `("pin", 25)`. Until it
            is gone, no other resource of any session there can claim the same (SES-017).

    Raises:
        ArgumentError: the cost is no whole number or negative, a claim names nothing, or one of
            the others is not what it is to be.

    Source: SES-062.
    """

    __slots__ = (
        "__dict__",
        "_cleanup",
        "claims",
        "created_at",
        "estimated_cost",
        "persistent",
        "resource_id",
        "resource_type",
        "undo",
    )

    def __init__(
        self,
        resource_type: str,
        cleanup: Callable[[CancelToken], Awaitable[None] | None] | None = None,
        *,
        resource_id: str | None = None,
        estimated_cost: int = 0,
        persistent: bool = False,
        undo: str | None = None,
        claims: Iterable[tuple[str, int | str]] = (),
    ) -> None:
        check_text("resource_type", resource_type)
        check_callback("cleanup", cleanup)
        for option, text in (("resource_id", resource_id), ("undo", undo)):
            if text is not None:
                check_text(option, text)
        check_flag("persistent", persistent)
        if type(estimated_cost) is not int or estimated_cost < 0:
            raise ArgumentError(f"estimated_cost={estimated_cost!r}: give a whole number from 0 on")
        if not isinstance(claims, Iterable):
            raise ArgumentError(f"claims={claims!r}: write claims=[('pin', 25)]")
        self.claims = tuple(map(_claimed, claims))
        self.resource_type = resource_type
        self.resource_id = resource_id or f"{resource_type}-{uuid.uuid4().hex[:8]}"
        self.estimated_cost = estimated_cost
        self.persistent = persistent
        self.undo = undo
        self.created_at = datetime.now(UTC)
        self._cleanup = cleanup

    def cleanup(self, cancel: CancelToken) -> Awaitable[None] | None:
        """Give it back; `cancel` is cancelled when the time for it is up."""
        return self._cleanup(cancel) if self._cleanup is not None else None

    def renews(self, known: object) -> bool:
        """Whether its cleanup does for one of the same id that is held: only if it is that one."""
        return known is self

    def __repr__(self) -> str:
        return f"<{self.resource_type} {self.resource_id!r}, cost {self.estimated_cost}>"


class OwnResource(Resource):
    """One that Klemheist registers itself, named by what its cleanup undoes."""

    __slots__ = ()

    def renews(self, known: object) -> bool:
        """Whether its cleanup does for one of the same id that is held: one of the same sort."""
        return isinstance(known, OwnResource) and known.resource_type == self.resource_type


def _claimed(claim: tuple[str, int | str]) -> Wanted:
    if not isinstance(claim, tuple | list) or len(claim) != 2:
        raise ArgumentError(f"claims: {claim!r} is no kind and name; write claims=[('pin', 25)]")
    return wanted(*claim)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundThreadInfo:
    """A thread that a session has running on its device (SES-050)."""

    thread_id: str
    method_name: str
    registered_at: datetime
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedMethodInfo:
    """A function that a session has sent to its device (SES-055)."""

    signature: str
    code_hash: str
    deployed_at: datetime
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceUsageStats:
    """What a session holds, in numbers (SES-110)."""

    total_resources: int = 0
    total_resource_cost: int = 0
    resources_by_type: Mapping[str, int] = field(default_factory=dict)
    background_threads: int = 0
    deployed_methods: int = 0
    memory: int = 0
    """Bytes of the device that the session takes; measured only where `Budget.memory` limits it."""
    budget: Budget | None = None
    """The most that it may hold; None for no limits."""

    def _repr_html_(self) -> str:
        facts = {each.name: getattr(self, each.name) for each in fields(self)}
        kinds = (f"{count} {kind}" for kind, count in self.resources_by_type.items())
        return table("what a session holds", facts | {"resources_by_type": ", ".join(kinds)})


class during_cleanup:  # noqa: N801 -- reads as a statement: `with during_cleanup(id):`
    """Marks this thread as running a cleanup of one session: its calls are admitted (DESIGN 4)."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id

    def __enter__(self) -> None:
        BEHALF.of = self._session_id

    def __exit__(self, *_: object) -> None:
        BEHALF.of = None


def is_cleaning(session_id: str) -> bool:
    """Whether this thread runs a cleanup of that session."""
    return getattr(BEHALF, "of", None) == session_id
