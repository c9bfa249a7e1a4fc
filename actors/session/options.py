"""One object orders all clocks and limits of a manager's sessions (DESIGN 5, SES-083 to 088)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from klemheist.actors.runtime.check import is_count, is_seconds
from klemheist.transports.repl.values import ArgumentError

from .budget import Budget
from .typed import check_callback, check_flag

WHOLE: Final = "max_concurrent_sessions"
"""The one limit that is a count and no time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How sessions behave; all times are float seconds.

    Raises:
        ArgumentError: a limit or a time is not positive, or two options contradict each other.
    """

    default_session_timeout: float = 1800.0
    """A session that was not used for so long, or up to a 64th longer, is ended."""
    max_concurrent_sessions: int = 10
    """One more is refused with `SessionLimitError`."""
    enable_session_metrics: bool = True
    """Whether creations and registrations are counted and timed."""
    enable_resource_tracking: bool = True
    """Whether registrations are kept; without, only what Klemheist itself must end is held: the
    threads it started, and teardowns (SES-087)."""
    resource_cleanup_timeout: float = 30.0
    """For all cleanups of one session together; what does not end in time is reported."""
    call_timeout: float = 30.0
    """For each call that is given no `timeout`; counted from its submission."""
    thread_grace: float = 2.0
    """How long a thread on the device may take to stop."""
    budget: Budget | None = None
    """The most that each session may hold, where it is given no `budget` of its own."""

    def __post_init__(self) -> None:
        for name in (
            "default_session_timeout",
            "max_concurrent_sessions",
            "resource_cleanup_timeout",
            "call_timeout",
            "thread_grace",
        ):
            limit = getattr(self, name)
            whole = ", a whole one" if name == WHOLE else ""
            if not (is_count(limit) if whole else is_seconds(limit) and limit > 0):
                raise ArgumentError(
                    f"SessionOptions.{name}={limit!r}: give a number greater than 0{whole}"
                )
        for name in ("enable_session_metrics", "enable_resource_tracking"):
            check_flag(f"SessionOptions.{name}", getattr(self, name))
        self.check_budget(self.budget)

    def check_budget(self, budget: Budget | None) -> None:
        """See that a budget can be kept with these options.

        Raises:
            ArgumentError: it is none, or limits what is not tracked.
        """
        if budget is not None and not isinstance(budget, Budget):
            raise ArgumentError(f"budget={budget!r}: give a klemheist.Budget, or None")
        if budget is not None and budget.cost is not None and not self.enable_resource_tracking:
            raise ArgumentError(
                f"Budget(cost={budget.cost}) limits resources, which are not tracked; "
                "leave enable_resource_tracking on"
            )


def configured(
    options: SessionOptions | Callable[[SessionOptions], SessionOptions] | None,
) -> SessionOptions:
    """Return the options that a manager was given, or the defaults (SES-083).

    Raises:
        ArgumentError: they are none.
    """
    found = options(SessionOptions()) if callable(options) else options
    if options is None:
        return SessionOptions()
    if not isinstance(found, SessionOptions):
        raise ArgumentError(
            f"options={found!r}: give a klemheist.SessionOptions, or a function that takes the "
            "defaults and returns one"
        )
    return found


@dataclass(frozen=True, slots=True)
class CallOptions:
    """How each call of a task is made."""

    timeout: float | None = None
    """Seconds, queueing included; None for `SessionOptions.call_timeout`."""
    idempotent: bool = False
    """It may be sent again if its fate is unknown (DESIGN 3.5)."""
    on_output: Callable[[bytes], object] | None = None
    """Takes each piece of what the call prints."""

    def __post_init__(self) -> None:
        check_callback("on_output", self.on_output)
