"""`DynamicSupervisor`: children that come and go, each with its own spec; and specs of supervisors.

devices = DynamicSupervisor.start(name="devices")
devices.start_child(child(Device, "sim:", id="sim", backoff=Backoff()))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .child import ChildSpec
from .strategy import Strategy
from .supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


class DynamicSupervisor(Supervisor):
    """A supervisor of many children that have nothing to do with each other.

    Each is started, restarted and ended without the others waiting for it. One that ends for good
    is forgotten, ids are free again; all are stopped at once, each within its own time. (OTP's
    simple_one_for_one, with Elixir's specs for each child; ids stay, to find children by.)

    Args:
        max_restarts: As in `Supervisor`, for all children without a backoff together.
        period: As in `Supervisor`.
        max_children: How many there may be; None for any number.
        more: `name`, `clock`, `on_event`, as in `Supervisor`.
    """

    dynamic = True

    def __init__(
        self,
        *,
        max_restarts: int = 3,
        period: float = 5.0,
        max_children: int | None = None,
        **more: Any,
    ) -> None:
        super().__init__(
            max_restarts=max_restarts, period=period, max_children=max_children, **more
        )


def supervisor(
    children: Sequence[ChildSpec],
    *,
    id: Hashable,  # noqa: A002  the field's name
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    max_restarts: int = 3,
    period: float = 5.0,
    **spec: Any,
) -> ChildSpec:
    """The spec of a supervisor as a child.

    Args:
        children: As in `Supervisor`.
        id: The child's id.
        strategy: As in `Supervisor`.
        max_restarts: As in `Supervisor`.
        period: As in `Supervisor`.
        spec: Other fields of `ChildSpec`.
    """
    flags = {"strategy": strategy, "max_restarts": max_restarts, "period": period}
    return ChildSpec(id=id, start=Supervisor, args=(tuple(children),), kwargs=flags, **spec)
