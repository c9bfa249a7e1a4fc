"""`DynamicSupervisor`: children that come and go; and `supervisor()`, a supervisor as a child.

devices = DynamicSupervisor.start(name="devices")
devices.start_child(child(Device, "sim:", id="sim", backoff=Backoff()))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from klemheist.supervisors.core.child import ChildSpec
from klemheist.supervisors.core.errors import InvalidChildSpec, InvalidFlags
from klemheist.supervisors.core.flags import AutoShutdown
from klemheist.supervisors.core.keys import known_only
from klemheist.supervisors.core.strategy import Strategy
from klemheist.supervisors.core.supervisor_spec import MAX_RESTARTS, PERIOD, SupervisorSpec

from .supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from klemheist.actors.runtime import Clock
    from klemheist.supervisors.core.events import TreeEvent

    from .ref import SupervisorRef


class DynamicSupervisor(Supervisor):
    """A supervisor of many children that have nothing to do with each other.

    Each is started, restarted and ended without the others waiting for it. One that ends for good
    is forgotten, ids are free again; all are stopped at once, each within its own time (Elixir's
    rules, but ids stay, to find children by).

    With a `template` all children are alike (OTP's simple_one_for_one): `start_child` takes
    arguments, which follow the template's, and children go by their refs.

    Args:
        max_restarts: As in `Supervisor`, for all children without a backoff together.
        period: As in `Supervisor`.
        auto_shutdown: As in `Supervisor`; not with a template.
        template: What each child is.
        max_children: How many there may be; None for any number.
        extra_arguments: Put before each child's own `args`.
        more: `name`, `clock`, `on_event`, `arguments`, as in `Supervisor`.
    """

    dynamic = True

    @known_only(InvalidFlags, "bad_flags")
    def __init__(
        self,
        *,
        max_restarts: int = MAX_RESTARTS,
        period: float = PERIOD,
        auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
        template: ChildSpec | None = None,
        max_children: int | None = None,
        extra_arguments: tuple[Any, ...] = (),
        **more: Any,
    ) -> None:
        spec = SupervisorSpec(  # the first two are known to every supervisor, and refused here
            more.pop("children", ()),
            strategy=more.pop("strategy", Strategy.ONE_FOR_ONE),
            max_restarts=max_restarts,
            period=period,
            auto_shutdown=auto_shutdown,
            template=template,
            max_children=max_children,
            extra_arguments=extra_arguments,
        )
        super().__init__(_spec=spec, **more)

    @overload  # type: ignore[override]  # another constructor, as for every class
    @classmethod
    def start(
        cls,
        *,
        max_restarts: int = MAX_RESTARTS,
        period: float = PERIOD,
        auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
        template: ChildSpec | None = None,
        max_children: int | None = None,
        extra_arguments: tuple[Any, ...] = (),
        name: str | None = None,
        clock: Clock | None = None,
        on_event: Callable[[TreeEvent], object] | None = None,
    ) -> SupervisorRef[Any]: ...

    @overload
    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> SupervisorRef[Any]: ...

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> SupervisorRef[Any]:
        """As `Supervisor.start`."""
        return super().start(*args, **kwargs)


@known_only(InvalidChildSpec, "invalid_child_spec")
def supervisor(
    children: Sequence[ChildSpec],
    *,
    id: Hashable,  # noqa: A002  the field's name
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    max_restarts: int = MAX_RESTARTS,
    period: float = PERIOD,
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
    **spec: Any,
) -> ChildSpec:
    """The spec of a supervisor as a child. Its flags and children are checked here.

    Args:
        children: As in `Supervisor`.
        id: The child's id.
        strategy: As in `Supervisor`.
        max_restarts: As in `Supervisor`.
        period: As in `Supervisor`.
        auto_shutdown: As in `Supervisor`.
        spec: Other fields of `ChildSpec`.

    Raises:
        InvalidFlags: A flag is wrong.
        InvalidChildSpec: A spec is wrong.
    """
    whole = SupervisorSpec(
        children,
        strategy=strategy,
        max_restarts=max_restarts,
        period=period,
        auto_shutdown=auto_shutdown,
    )
    flags = {
        "strategy": whole.strategy,
        "max_restarts": max_restarts,
        "period": period,
        "auto_shutdown": whole.auto_shutdown,
    }
    return ChildSpec(id=id, start=Supervisor, args=(whole.children,), kwargs=flags, **spec)
