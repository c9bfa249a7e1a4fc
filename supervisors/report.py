"""One line in the log for what a supervisor must tell: a crash as an error, a restart as news."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loguru import logger

from . import events as told

if TYPE_CHECKING:
    from klemheist.actors.runtime import ExitReason


def report(event: told.TreeEvent) -> None:
    """Log `event`. Starts and ends that were asked for are not logged (DESIGN 8.25)."""
    match event:
        case told.ChildExited(reason=reason) if reason.is_abnormal:
            _log(event, "ERROR", "child crashed: {}", reason)
        case told.ChildStartFailed(error=error):
            _log(event, "ERROR", "child did not start: {}", repr(error))
        case told.ChildRestarting(attempt=attempt, delay=delay):
            _log(event, "INFO", "child restarts, attempt {}, in {:.2f} s", attempt, delay)
        case told.ChildKilled():
            _log(event, "ERROR", "child did not end in its time and was abandoned")
        case told.ChildFailed(reason=reason):
            _log(event, "ERROR", "child has failed for good: {}", reason)
        case told.RestartIntensityReached():
            _log(event, "ERROR", "too many restarts, the supervisor gives up")


def _log(event: told.TreeEvent, level: str, text: str, *words: Any) -> None:
    error = _exception_of(getattr(event, "reason", None))
    log = logger.opt(exception=error).bind(supervisor=event.path, child=str(event.id))
    log.log(level, "{}/{}: {}", event.path, event.id, text.format(*words))


def _exception_of(reason: ExitReason | None) -> BaseException | None:
    return None if reason is None else reason.exception
