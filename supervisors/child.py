"""`ChildSpec`: how one child is started, restarted and stopped. Checked whole when it is made."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

from klemheist.actors.runtime import Actor

from .errors import InvalidChildSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping


class Restart(StrEnum):
    """When a child that ended is started again (supervision.md 2.2)."""

    PERMANENT = "permanent"
    """Always."""
    TRANSIENT = "transient"
    """After a fault; not after normal or shutdown."""
    TEMPORARY = "temporary"
    """Never; it is forgotten."""


class ChildType(StrEnum):
    """What a child is, for counting and for the default of its shutdown."""

    WORKER = "worker"
    SUPERVISOR = "supervisor"


class BrutalKill(Enum):
    """The type of `BRUTAL_KILL`."""

    BRUTAL_KILL = "brutal_kill"


BRUTAL_KILL: Final = BrutalKill.BRUTAL_KILL
"""`shutdown=BRUTAL_KILL`: killed at once, without being asked."""
INFINITY: Final = math.inf
"""`shutdown=INFINITY`: waited for as long as it takes."""
WORKER_SHUTDOWN: Final = 5.0
"""Seconds that a worker has to end, as in OTP."""

Shutdown: TypeAlias = float | Literal[BrutalKill.BRUTAL_KILL]


@dataclass(frozen=True, slots=True)
class Backoff:
    """The delay before each restart: `min(max, min * factor**n) * (1 + random * jitter)` seconds.

    n is the number of failures in a row; `reset_after` seconds of running set it back to 0
    (default: half of min + max). A child with a backoff has this budget of its own: more than
    `max_restarts` in a row and it has failed for good, which does not count against its supervisor
    (DESIGN 2; supervision.md 2.10).
    """

    min: float = 0.2
    max: float = 30.0
    factor: float = 2.0
    jitter: float = 0.2
    reset_after: float | None = None
    max_restarts: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.min <= self.max:
            raise _invalid("backoff", self, "needs 0 <= min <= max seconds")
        if self.factor < 1 or self.jitter < 0 or (self.max_restarts or 0) < 0:
            raise _invalid("backoff", self, "needs factor >= 1, jitter >= 0, max_restarts >= 0")

    def delay(self, failures: int, rand: Callable[[], float] = random.random) -> float:
        """Seconds to wait after `failures` earlier failures in a row (0 first)."""
        try:
            delay = self.min * self.factor**failures
        except OverflowError:
            delay = self.max
        return min(self.max, delay) * (1 + rand() * self.jitter)

    def steady_after(self) -> float:
        """Seconds without a failure after which the count begins anew."""
        return (self.min + self.max) / 2 if self.reset_after is None else self.reset_after


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """How to start, restart and stop one child.

    Raises:
        InvalidChildSpec: `code` is OTP's word for the first field that is wrong.
    """

    id: Hashable
    """Unique among its siblings; for people, it should print well."""
    start: type[Actor]
    """The class. (Factories and plain Pykka classes come with issue 3.)"""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    restart: Restart = Restart.PERMANENT
    shutdown: Shutdown | None = None
    """Seconds to end in, `INFINITY` or `BRUTAL_KILL`. None: 5.0 for a worker, else `INFINITY`."""
    type: ChildType | None = None
    """None: known from the class."""
    backoff: Backoff | None = None
    start_timeout: float | None = None
    """Seconds that `on_start` may take; then the child is killed and has not started."""

    def __post_init__(self) -> None:
        if self.id is None:
            raise _invalid("missing_id", self.id, "give the child an id", whole=True)
        if not (isinstance(self.start, type) and issubclass(self.start, Actor)):
            raise _invalid("start", self.start, "use a klemheist.Actor class", code="invalid_mfa")
        for name, kind in self._ENUMS.items():
            object.__setattr__(self, name, _enum(name, kind, getattr(self, name)))
        if not _is_shutdown(self.shutdown):
            raise _invalid("shutdown", self.shutdown, "use seconds, INFINITY or BRUTAL_KILL")
        if self.backoff is not None and not isinstance(self.backoff, Backoff):
            raise _invalid("backoff", self.backoff, "use a Backoff")
        if not (self.start_timeout is None or _is_seconds(self.start_timeout)):
            raise _invalid("start_timeout", self.start_timeout, "use seconds or None")

    _ENUMS: ClassVar[Mapping[str, Any]] = {"restart": Restart, "type": ChildType}

    @property
    def kind(self) -> ChildType:
        """Worker or supervisor, given or known from the class."""
        if self.type is not None:
            return self.type
        is_supervisor = getattr(self.start, "is_supervisor", False)
        return ChildType.SUPERVISOR if is_supervisor else ChildType.WORKER

    @property
    def patience(self) -> Shutdown:
        """`shutdown`, given or by default."""
        if self.shutdown is not None:
            return self.shutdown
        return WORKER_SHUTDOWN if self.kind is ChildType.WORKER else INFINITY


def child(
    cls: type[Actor],
    /,
    *args: Any,
    id: Hashable = None,  # noqa: A002  the field's name
    kwargs: Mapping[str, Any] | None = None,
    restart: Restart = Restart.PERMANENT,
    shutdown: Shutdown | None = None,
    type: ChildType | None = None,  # noqa: A002  the field's name
    backoff: Backoff | None = None,
    start_timeout: float | None = None,
) -> ChildSpec:
    """`ChildSpec` in short: `child(Sampler, "a", restart=Restart.TRANSIENT)`.

    Args:
        cls: The child's class.
        args: For its constructor.
        id: Its id; the name of the class by default.
        kwargs: For its constructor.
        restart: When it is started again.
        shutdown: Seconds to end in, `INFINITY` or `BRUTAL_KILL`.
        type: Worker or supervisor, where the class does not say it.
        backoff: The delay before a restart, and a budget of its own.
        start_timeout: Seconds that its `on_start` may take.

    Raises:
        InvalidChildSpec: As `ChildSpec`.
    """
    return ChildSpec(
        id=getattr(cls, "__name__", cls) if id is None else id,
        start=cls,
        args=args,
        kwargs=kwargs or {},
        restart=restart,
        shutdown=shutdown,
        type=type,
        backoff=backoff,
        start_timeout=start_timeout,
    )


def check_child_specs(specs: object) -> tuple[ChildSpec, ...]:
    """The specs as a tuple, each a `ChildSpec` and each id there once.

    Raises:
        InvalidChildSpec: For the first that is not.
    """
    seen: set[Hashable] = set()
    checked = tuple(specs)  # type: ignore[arg-type, var-annotated]  # what it is, is being checked
    for spec in checked:
        if not isinstance(spec, ChildSpec):
            raise _invalid("spec", spec, "use child(…) or ChildSpec(…)", code="invalid_child_spec")
        if spec.id in seen:
            raise _invalid("id", spec.id, "give each its own", code="duplicate_child_name")
        seen.add(spec.id)
    return checked


def _enum(name: str, kind: type[StrEnum], value: object) -> StrEnum | None:
    if value is None and kind is ChildType:
        return None
    try:
        return kind(value)  # type: ignore[arg-type]  # what it is, is being checked
    except ValueError:
        codes = {"restart": "invalid_restart_type", "type": "invalid_child_type"}
        allowed = ", ".join(kind)
        raise _invalid(name, value, f"use one of {allowed}", code=codes[name]) from None


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _is_shutdown(value: object) -> bool:
    return value is None or value is BRUTAL_KILL or _is_seconds(value)


def _invalid(
    name: str, value: object, advice: str, *, code: str | None = None, whole: bool = False
) -> InvalidChildSpec:
    message = advice if whole else f"{name}={value!r}: {advice}"
    return InvalidChildSpec(code or (name if whole else f"invalid_{name}"), value, message)
