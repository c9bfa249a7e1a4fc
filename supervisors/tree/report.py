"""One line in the log for what a supervisor must tell: a crash as an error, a restart as news.

A start that was asked for is for who debugs. `supervisor` and `child` are in each record's `extra`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loguru import logger

from klemheist.actors.runtime.check import shown
from klemheist.supervisors.core import events as told

if TYPE_CHECKING:
    from klemheist.actors.runtime import ExitReason


def report(event: told.TreeEvent) -> None:
    """Log `event`, if it is worth a line."""
    match event:
        case told.ChildStarted():
            _log(event, "DEBUG", "child started")
        case told.ChildRestarting(attempt=attempt, delay=delay) if delay > 0:
            _log(event, "INFO", f"child restarts, attempt {attempt}, in {delay:.2f} s")
        case told.ChildRestarted(attempt=attempt):
            _log(event, "INFO", "child restarted, attempt {}", attempt)
        case told.ChildExited(reason=reason) if reason.is_abnormal:
            _log(event, "ERROR", "child crashed: {}", reason)
        case told.ChildStartFailed(error=error):
            _log(event, "ERROR", "child did not start: {}", shown(error))
        case told.ChildKilled():
            _log(event, "ERROR", "child did not end in its time and was abandoned")
        case told.ChildFailed(reason=reason):
            _log(event, "ERROR", "child has failed for good: {}", reason)
        case told.AutoShutdownReached():
            _log(event, "INFO", "a significant child ended, and with it the supervisor")
        case told.RestartIntensityReached():
            _log(event, "ERROR", "too many restarts, the supervisor gives up")


def _log(event: told.TreeEvent, level: str, text: str, *words: Any) -> None:
    reason = getattr(event, "reason", None)
    error = _exception_of(reason)
    log = logger if error is None else logger.opt(exception=error)
    line = "{supervisor}/{child}: " + text
    more = {} if reason is None else {"reason": repr(reason)}
    log.log(level, line, *words, supervisor=event.path, child=str(event.id), **more)


def _exception_of(reason: ExitReason | None) -> BaseException | None:
    return None if reason is None else reason.exception
