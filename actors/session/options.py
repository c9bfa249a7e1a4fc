"""One object orders all clocks and limits of a manager's sessions (DESIGN 5, SES-083 to 088)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from klemheist.transports.repl.values import ArgumentError


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How sessions behave; all times are float seconds.

    Raises:
        ArgumentError: a limit or a time is not positive.
    """

    default_session_timeout: float = 1800.0
    """A session that was not used for so long is ended."""
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

    def __post_init__(self) -> None:
        for name in (
            "default_session_timeout",
            "max_concurrent_sessions",
            "resource_cleanup_timeout",
            "call_timeout",
            "thread_grace",
        ):
            if not getattr(self, name) > 0:
                raise ArgumentError(
                    f"SessionOptions.{name}={getattr(self, name)!r}: give more than 0"
                )


@dataclass(frozen=True, slots=True)
class CallOptions:
    """How each call of a task is made."""

    timeout: float | None = None
    """Seconds, queueing included; None for `SessionOptions.call_timeout`."""
    idempotent: bool = False
    """It may be sent again if its fate is unknown (DESIGN 3.5)."""
    on_output: Callable[[bytes], object] | None = None
    """Takes each piece of what the call prints."""
