"""Calling what is somebody else's: whatever it raises, the others are called and our threads live.

On the main thread it may be Ctrl-C, or what a signal's handler raised, and must not get lost: there
it is raised when everybody has been called.
"""

from __future__ import annotations

from asyncio import CancelledError
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from .here import HERE, interrupt_after_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_NO_SIGNAL: Final = (Exception, CancelledError, GeneratorExit)
"""What no signal's handler raises: a callback's own bug, on the main thread too."""


def call_each(
    failed: str, callbacks: Iterable[Callable[..., object]], *args: Any, log: Any = logger
) -> None:
    """Call all `callbacks` with `args`; what they raise is told to `log` as `failed`.

    Raises:
        BaseException: On the main thread, after the last of them: the first that may have been a
            signal's. From inside a turn it reaches the code that brought the turn.
    """
    struck: BaseException | None = None
    for callback in callbacks:
        try:
            callback(*args)
        except Exception:  # one callback's bug must not keep the others waiting
            log.exception(failed)
        except BaseException as error:
            if struck is None and _may_be_a_signals(error):
                struck = error
            else:
                log.exception(failed)
    if struck is None:
        return
    if not HERE.running:
        raise struck
    interrupt_after_turns(struck)


def call(failed: str, callback: Callable[..., object], *args: Any) -> None:
    """Call one, as `call_each` does."""
    call_each(failed, (callback,), *args)


def _may_be_a_signals(error: BaseException) -> bool:
    return not isinstance(error, _NO_SIGNAL) and current_thread() is main_thread()
