"""Managers that nobody closes: a warning, and their cleanup all the same (DESIGN 7).

A handle that is dropped closes its manager in the background. What is open when the interpreter
ends is closed within `EXIT_WITHIN` seconds, whatever hangs: the interpreter always exits.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import warnings
import weakref
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from klemheist.actors.background import in_background
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.runtime.interrupts import leave_alone
from klemheist.supervisors.tree import at_exit

from .life import ManagerState

if TYPE_CHECKING:
    from klemheist.actors.runtime import Future

    from .core import ManagerCore

EXIT_WITHIN: Final = 10.0
"""Seconds for everything that is still open at the interpreter's end (DESIGN 8.18)."""

_open: Final[set[ManagerCore]] = set()


def warn_if_dropped(handle: object, core: ManagerCore) -> None:
    """Watch a manager until it is closed."""
    _open.add(core)
    weakref.finalize(handle, _dropped, core).atexit = False


def _dropped(core: ManagerCore) -> None:
    """Its last user is gone. This may be anywhere, under any lock: the work is done elsewhere."""
    if core not in _open or not _needs_closing(core):
        _open.discard(core)
        return
    text = _complaint(core)  # before its sessions go
    with contextlib.suppress(RuntimeError):  # no thread starts any more: left to `_at_exit`
        in_background(lambda: _closed(core), name="unclosed")
    _warn(text)


def give_back_ctrl_c() -> None:
    """Leave SIGINT to Python again, where this was the last manager that was open."""
    if not any(map(_needs_closing, tuple(_open))):
        leave_alone()


def _needs_closing(core: ManagerCore) -> bool:
    return core.is_started and core.state is not ManagerState.DISPOSED


def _closed(core: ManagerCore) -> None:
    core.close().add_done_callback(lambda _: _open.discard(core))


def _complaint(core: ManagerCore) -> str:
    count = len(core.sessions.all())
    return f"a session manager with {count} sessions was never closed; use it in a `with`"


def _warn(text: str) -> None:
    logger.warning(text)
    warnings.warn(text, ResourceWarning, stacklevel=3)


def _at_exit() -> None:
    """Close what is open, once the program's own threads have ended."""
    for thread in threading.enumerate():
        if not thread.daemon and thread not in (
            threading.main_thread(),
            threading.current_thread(),
        ):
            thread.join()
    left = [core for core in tuple(_open) if _needs_closing(core)]
    texts = [_complaint(core) for core in left]
    closing = [core.close() for core in left]
    for text in texts:
        with contextlib.suppress(ResourceWarning):  # where warnings are errors
            _warn(text)
    ends = SYSTEM_CLOCK.monotonic() + EXIT_WITHIN
    for core, future in zip(left, closing, strict=True):
        _wait(core, future, ends)


def _wait(core: ManagerCore, closing: Future[None], ends: float) -> None:
    try:
        closing.get(timeout=max(0.0, ends - SYSTEM_CLOCK.monotonic()))
    except Exception as error:  # noqa: BLE001 -- the interpreter exits all the same
        logger.warning("closing at exit: {}", error)
        core.dispose()


# Closing needs threads, and from Python 3.12 on none can be started once `atexit` runs. The
# standard library's executors end themselves in this earlier hook too.
_register: Any = getattr(threading, "_register_atexit", atexit.register)
assert at_exit, "its hook is there already, and runs after this one: it would end our trees"
_register(_at_exit)
os.register_at_fork(after_in_child=_open.clear)  # its parent's managers are its parent's to close
