"""`SupervisorSpec`: a supervisor's flags and children. Checked whole when it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from klemheist.actors.runtime.check import shown

from .child import ChildSpec, checked_spec, checked_specs
from .errors import InvalidFlags
from .flags import AutoShutdown
from .intensity import check_window
from .keys import known_only
from .strategy import Strategy

MAX_RESTARTS = 3
PERIOD = 5.0
"""Seconds. Three restarts in five seconds, as in Elixir (DESIGN 8.17)."""


@dataclass(frozen=True, slots=True)
class SupervisorSpec:
    """What a supervisor does, and whom it supervises. `Supervisor.init` returns one.

    Args:
        children: Their specs, in start order.
        strategy: Whom a restart concerns.
        max_restarts: How many restarts in `period` seconds are allowed.
        period: Seconds: see `max_restarts`.
        auto_shutdown: Whether the end of significant children ends the supervisor.
        template: For a `DynamicSupervisor`: what each child is (OTP's simple_one_for_one).
        max_children: For a `DynamicSupervisor`: how many there may be.
        extra_arguments: For a `DynamicSupervisor`: put before each child's own `args`.

    Raises:
        InvalidFlags: An argument is wrong.
        InvalidChildSpec: A child's spec is wrong.
    """

    children: Sequence[ChildSpec] = ()
    _: KW_ONLY
    strategy: Strategy = Strategy.ONE_FOR_ONE
    max_restarts: int = MAX_RESTARTS
    period: float = PERIOD
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    template: ChildSpec | None = None
    max_children: int | None = None
    extra_arguments: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        strategy = _flag(Strategy, "strategy", self.strategy)
        check_window(self.max_restarts, self.period)
        auto = _flag(AutoShutdown, "auto_shutdown", self.auto_shutdown)
        self._check_dynamic(auto)
        children = checked_specs(self.children, auto)
        if self.template is not None:
            checked_spec(self.template, auto)
        for name, value in {
            "strategy": strategy,
            "auto_shutdown": auto,
            "children": children,
        }.items():
            object.__setattr__(self, name, value)

    def check_for(self, *, dynamic: bool) -> None:
        """Check that a supervisor of this kind can follow it.

        Raises:
            InvalidFlags: It is for the other kind.
        """
        if dynamic and self.strategy is not Strategy.ONE_FOR_ONE:
            raise _wrong("strategy", self.strategy, "a dynamic supervisor has only one_for_one")
        if dynamic and self.children:
            advice = "start them with start_child(): a dynamic supervisor begins empty"
            raise _wrong("children", self.children, advice, code="bad_start_spec")
        if not dynamic and (self.template, self.max_children, self.extra_arguments) != (
            None,
            None,
            (),
        ):
            advice = "only a DynamicSupervisor has template, max_children and extra_arguments"
            raise _wrong("template", self.template, advice, code="bad_start_spec")

    def _check_dynamic(self, auto: AutoShutdown) -> None:
        limit = self.max_children
        if limit is not None and (
            not isinstance(limit, int) or isinstance(limit, bool) or limit < 0
        ):
            raise _wrong("max_children", limit, "use 0 or more, or None")
        if not isinstance(self.extra_arguments, (tuple, list)):
            raise _wrong("extra_arguments", self.extra_arguments, "use a tuple")
        object.__setattr__(self, "extra_arguments", tuple(self.extra_arguments))
        if self.template is None:
            return
        if auto is not AutoShutdown.NEVER:
            pair = {"auto_shutdown": str(auto), "strategy": "simple_one_for_one"}
            raise _wrong("auto_shutdown", pair, "not with a template", code="bad_combination")
        if self.children:
            raise _wrong("children", self.children, "a template is alone", code="bad_start_spec")


_checked = known_only(InvalidFlags, "bad_flags")
SupervisorSpec.__init__ = _checked(SupervisorSpec.__init__)  # type: ignore[method-assign]


def _flag(kind: Any, name: str, value: object) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise _wrong(name, value, f"use one of {', '.join(kind)}") from None


def _wrong(name: str, value: object, advice: str, *, code: str | None = None) -> InvalidFlags:
    return InvalidFlags(code or f"invalid_{name}", value, f"{name}={shown(value)}: {advice}")
