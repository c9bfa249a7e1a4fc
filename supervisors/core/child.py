"""`ChildSpec`: how one child is started, restarted and stopped. Checked whole when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from . import check
from .backoff import Backoff
from .errors import InvalidChildSpec
from .flags import BRUTAL_KILL, INFINITY, AutoShutdown, ChildType, Directive, Restart, Shutdown
from .keys import known_only

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from .flags import ActorClass, Directives

__all__ = [
    "BRUTAL_KILL",
    "INFINITY",
    "Backoff",
    "ChildSpec",
    "ChildType",
    "Directive",
    "Restart",
    "Shutdown",
    "check_child_specs",
    "child",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """How to start, restart and stop one child.

    Raises:
        InvalidChildSpec: `code` is OTP's word for the first field that is wrong.
    """

    id: Hashable = None
    """Unique among its siblings; for people, it should print well. It must be given."""
    start: Any = None
    """Who it is; must be given. An actor class, `klemheist.Actor` or any of Pykka's. Or a factory,
    which runs on a pool thread and returns a running actor's ref, `(ref, info)`, or None where the
    child declines to start. What a factory makes has no `on_restart`: it begins anew each time."""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    restart: Restart = Restart.PERMANENT
    significant: bool = False
    """Whether its end can end its supervisor: see `AutoShutdown`."""
    shutdown: Shutdown | None = None
    """Seconds to end in, `INFINITY` or `BRUTAL_KILL`. None: 5.0 for a worker, else `INFINITY`."""
    type: ChildType | None = None
    """None: known from the class."""
    backoff: Backoff | None = None
    on_restart_messages: str = "discard"
    """What becomes of the messages that wait when it crashes: "discard", or "keep" for the next
    incarnation (never the one that failed). Not with a factory."""
    start_timeout: float | None = None
    """Seconds that `on_start` may take; then the child is killed and has not started."""
    on_error: Directives = field(default_factory=dict)
    """What an exception means, by its type; the nearest class decides."""

    def __post_init__(self) -> None:
        for name, value in check.checked_fields(self).items():
            object.__setattr__(self, name, value)

    @property
    def cls(self) -> ActorClass | None:
        """The actor class, where `start` is one or a bound `start` of a supervisor."""
        return check.class_of(self.start)

    @property
    def kind(self) -> ChildType:
        """Worker or supervisor, given or known from the class."""
        if self.type is not None:
            return self.type
        is_supervisor = getattr(self.cls, "is_supervisor", False)
        return ChildType.SUPERVISOR if is_supervisor else ChildType.WORKER

    @property
    def patience(self) -> Shutdown:
        """`shutdown`, given or by default."""
        if self.shutdown is not None:
            return self.shutdown
        return self.WORKER_SHUTDOWN if self.kind is ChildType.WORKER else INFINITY

    @property
    def keeps_messages(self) -> bool:
        """Whether a restart passes on what waited."""
        return self.on_restart_messages == "keep"

    WORKER_SHUTDOWN: ClassVar[float] = 5.0
    """Seconds that a worker has to end, as in OTP."""

    def directive_for(self, error: BaseException | None) -> Directive | None:
        """What `on_error` says of `error`; None if nothing."""
        if error is None or not self.on_error:
            return None
        return next(
            (self.on_error[each] for each in error.__class__.__mro__ if each in self.on_error), None
        )

    def having(self, **changed: Any) -> ChildSpec:
        """The spec with some fields changed that need no check: the check of all costs too much."""
        spec = object.__new__(ChildSpec)
        for name in self.__slots__:
            object.__setattr__(spec, name, changed.get(name, getattr(self, name)))
        return spec


_checked = known_only(InvalidChildSpec, "invalid_child_spec")
ChildSpec.__init__ = _checked(ChildSpec.__init__)  # type: ignore[method-assign]


@_checked
def child(
    cls: ActorClass | Callable[..., Any],
    /,
    *args: Any,
    id: Hashable = None,  # noqa: A002  the field's name
    kwargs: Mapping[str, Any] | None = None,
    restart: Restart = Restart.PERMANENT,
    significant: bool = False,
    shutdown: Shutdown | None = None,
    type: ChildType | None = None,  # noqa: A002  the field's name
    backoff: Backoff | None = None,
    on_restart_messages: str = "discard",
    start_timeout: float | None = None,
    on_error: Directives | None = None,
) -> ChildSpec:
    """`ChildSpec` in short: `child(Sampler, "a", restart=Restart.TRANSIENT)`.

    Args:
        cls: The child's class, or a factory of it.
        args: For its constructor.
        id: Its id; the name of the class by default.
        kwargs: For its constructor.
        restart: When it is started again.
        significant: Whether its end can end its supervisor.
        shutdown: Seconds to end in, `INFINITY` or `BRUTAL_KILL`.
        type: Worker or supervisor, where the class does not say it.
        backoff: The delay before a restart, and a budget of its own.
        on_restart_messages: "discard" or "keep" the messages that wait when it crashes.
        start_timeout: Seconds that its `on_start` may take.
        on_error: What an exception means, by its type.

    Raises:
        InvalidChildSpec: As `ChildSpec`.
    """
    named = check.class_of(cls) or cls
    return ChildSpec(
        id=getattr(named, "__name__", named) if id is None else id,
        start=cls,
        args=args,
        kwargs=kwargs or {},
        restart=restart,
        significant=significant,
        shutdown=shutdown,
        type=type,
        backoff=backoff,
        on_restart_messages=on_restart_messages,
        start_timeout=start_timeout,
        on_error=on_error or {},
    )


def check_child_specs(
    specs: Sequence[ChildSpec], auto_shutdown: AutoShutdown | None = None
) -> None:
    """Check that a supervisor would take these specs together.

    Args:
        specs: What it would be given.
        auto_shutdown: The supervisor's; None where that is not known, and not checked.

    Raises:
        InvalidChildSpec: For the first that is wrong: `code` says in what, `value` is it.
    """
    if auto_shutdown is not None:
        auto_shutdown = check.one_of(
            AutoShutdown, "auto_shutdown", auto_shutdown, "invalid_auto_shutdown"
        )
    checked_specs(specs, auto_shutdown)


def checked_specs(specs: object, auto_shutdown: AutoShutdown | None) -> tuple[ChildSpec, ...]:
    """As `check_child_specs`, and the specs as a tuple."""
    seen: set[Hashable] = set()
    try:
        checked = tuple(specs)  # type: ignore[arg-type, var-annotated]  # being checked
    except TypeError:
        raise check.wrong("children", specs, "use a list", code="bad_start_spec") from None
    for spec in checked:
        checked_spec(spec, auto_shutdown)
        if spec.id in seen:
            raise check.wrong("id", spec.id, "give each its own", code="duplicate_child_name")
        seen.add(spec.id)
    return checked


def checked_spec(spec: object, auto_shutdown: AutoShutdown | None, or_else: str = "") -> ChildSpec:
    """One spec, for a supervisor with this `auto_shutdown`; `or_else` ends what else to use.

    Raises:
        InvalidChildSpec: It is none, or cannot be this supervisor's.
    """
    if not isinstance(spec, ChildSpec):
        advice = f"use child(…) or ChildSpec(…){or_else}"
        raise check.wrong("spec", spec, advice, code="invalid_child_spec")
    if spec.significant and auto_shutdown == "never":
        pair = {"auto_shutdown": "never", "significant": True}
        advice = f"child {spec.id!r}: give the supervisor another auto_shutdown"
        raise check.wrong("significant", pair, advice, code="bad_combination")
    return spec
