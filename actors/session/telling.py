"""How a session tells its end: callbacks of users run on a thread of their own, on no actor's turn.

What ends the session waits for them, but no longer than its `resource_cleanup_timeout`. Whoever
closes the session in such a callback waits for nothing: it has ended.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from klemheist.actors.background import in_background
from klemheist.actors.runtime.timers import TIMERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist.actors.done import Done

    from .state import SessionState


class _Telling(threading.local):
    """The session whose end this thread tells."""

    of: SessionState | None = None


_TELLING: Final = _Telling()


def told_here() -> SessionState | None:
    """Return the session whose end this thread is telling just now, in a callback."""
    return _TELLING.of


def close_apart(done: Done, reason: Any) -> None:
    """Close a `Done`, on a thread of its own where anybody has registered a callback."""
    if _is_watched(done):
        _apart(lambda: done.close(reason))
    else:
        done.close(reason)


def tell_end(core: SessionState, reason: str) -> None:
    """Close what tells of a session's end; `core.told` is closed when everybody was told."""
    if not (_is_watched(core.done) or _is_watched(core.logical_done)):
        _close(core, reason)
        return
    limit = core.options.resource_cleanup_timeout

    def give_up() -> None:
        core.report.warning("a callback of its end runs for more than {} s", limit)
        _apart(lambda: core.logical_done.close(reason))
        core.told.close()

    late = TIMERS.call_later(limit, give_up)
    core.told.add_callback(lambda _: late.cancel())
    _apart(lambda: _close(core, reason))


def _close(core: SessionState, reason: str) -> None:
    outer, _TELLING.of = _TELLING.of, core
    try:
        for each in (core.done, core.logical_done):
            _close_one(core, each, reason)
    finally:
        _TELLING.of = outer
        core.told.close()


def _close_one(core: SessionState, done: Done, reason: str) -> None:
    try:
        done.close(reason)
    except BaseException as error:  # noqa: BLE001 -- `sys.exit()` in a callback ends nothing here
        core.report.warning("a callback of its end raised {!r}", error)


def _apart(work: Callable[[], object]) -> None:
    try:
        in_background(work, name="told")
    except RuntimeError:  # no thread starts any more: the interpreter ends
        work()


def _is_watched(done: Done) -> bool:
    return bool(done._callbacks)  # noqa: SLF001 -- a thread for nobody would be a waste
