"""Ctrl-C, and where it may strike.

Python raises `KeyboardInterrupt` in the main thread between any two steps of it: also where a lock
is taken and nobody knows of it yet, or where half of a call is sent. No `try` can mend that. So
while our own code is at work Ctrl-C waits: it strikes where our code waits, or in somebody else's.
Nothing of ours waits elsewhere for longer than a few milliseconds.

A handler of SIGINT sees to that, in the place of Python's own and of no other: whoever handles the
signal otherwise (asyncio, trio, a program of its own) goes on as before. A call pays for it with
one look at a variable.
"""

from __future__ import annotations

import signal
import sys
import time
from _signal import getsignal  # type: ignore[import-not-found]  # `signal`'s makes an enum of it
from _thread import interrupt_main, start_new_thread
from contextlib import suppress
from signal import default_int_handler
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Final

from .here import HERE

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

SIGINT: Final = int(signal.SIGINT)
AGAIN: Final = 0.0005
"""Seconds after which a Ctrl-C that waits looks again whether it may strike."""

_OURS: Final = ("klemheist.actors.", "klemheist.supervisors.", "klemheist.transports.")
_HELP: Final = frozenset({"contextlib", "dataclasses", "enum", "loguru", "pykka", "typing"})
"""What our code calls in the middle of its work: whoever called it counts."""
_waits: Final[set[CodeType]] = set()


class _Held:
    """The Ctrl-C that waits, if one does."""

    waits = False
    is_again = False
    """Whether the signal that comes next is that one's."""


def interruptible(wait: Callable[..., bool]) -> Callable[..., bool]:
    """Mark a function that does nothing but wait: Ctrl-C may strike in it."""
    _waits.add(wait.__code__)
    return wait


def before_call() -> None:
    """Let Ctrl-C wait while our code is at work, from now on; one that waits strikes here.

    At the beginning of a call, when nothing is sent: calls in quick succession leave hardly any
    other place for it.

    Raises:
        KeyboardInterrupt: It was pressed during an earlier call.
    """
    if getsignal(SIGINT) is default_int_handler and current_thread() is main_thread():
        _Held.is_again = False
        signal.signal(SIGINT, _pressed)
    if _Held.waits and not HERE.running and current_thread() is main_thread():
        _Held.waits = False
        raise KeyboardInterrupt


def leave_alone() -> None:
    """Give the signal back to Python, where it is ours; on the main thread."""
    if getsignal(SIGINT) is _pressed and current_thread() is main_thread():
        signal.signal(SIGINT, default_int_handler)


def _pressed(number: int, frame: FrameType | None) -> None:
    is_again, _Held.is_again = _Held.is_again, False
    if is_again and not _Held.waits:
        return  # it has struck meanwhile
    if _may_strike(frame):
        _Held.waits = False
        default_int_handler(number, frame)
    elif not _Held.waits:
        _Held.waits = True
        with suppress(RuntimeError):  # no thread starts any more: left to the next call
            start_new_thread(_press_again, ())  # `threading` has locks; this thread may hold one


def _may_strike(frame: FrameType | None) -> bool:
    if HERE.running or frame is None:
        return False
    while (name := _module(frame)).partition(".")[0] in _HELP and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code in _waits or not name.startswith(_OURS)


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _press_again() -> None:
    """Until it has struck: the main thread may wait by now, and only a signal wakes it."""
    ident = main_thread().ident
    while _Held.waits and ident is not None:
        time.sleep(AGAIN)
        ours = getsignal(SIGINT) is _pressed  # else it is theirs now
        if _Held.waits:  # no call from here to the next line: it cannot strike in between
            _Held.is_again = _Held.waits = ours
            if sys.platform == "win32":
                interrupt_main()
            else:
                with suppress(OSError):  # the thread has ended
                    signal.pthread_kill(ident, SIGINT)
