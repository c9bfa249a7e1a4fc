"""A thread of its own, for an actor that blocks: `dispatcher = "thread"`."""

from __future__ import annotations

import itertools
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

import pykka

from .here import HERE
from .orphans import OWN
from .worker import ZOMBIES, Worker

if TYPE_CHECKING:
    from .scheduled import ScheduledInbox

_numbers = itertools.count(1)
_OURS: Final = str(Path(__file__).parent)
_PYKKA: Final = str(Path(pykka.__file__).parent)
_STANDARD: Final = str(Path(threading.__file__).parent)
_TURNS: Final = (
    "_turns",
    "_call",
    "_actor_answer",
    "_actor_begin",
    "_actor_hook",
    "_handle_receive",
    "_actor_loop_setup",
    "_stop",
)
"""The functions that call an actor's code on its own turn."""


class Killed(BaseException):
    """Raised in the code of an actor that was killed; nobody's to catch."""


class OwnThread(Worker):
    """One actor's thread: it sleeps while nothing waits and ends with the actor.

    Args:
        name: Of the actor's class; the thread's name begins with it.
        inbox: The actor's.
    """

    __slots__ = ("_owner", "_wakes")

    def __init__(self, name: str, inbox: ScheduledInbox) -> None:
        super().__init__()
        self._owner: ScheduledInbox | None = inbox
        self._wakes: SimpleQueue[ScheduledInbox | None] = SimpleQueue()
        name = f"{name}-{next(_numbers)}"
        self.thread = threading.Thread(target=self._work, name=name, daemon=True)

    def enter(self) -> None:
        """Begin."""
        assert self.thread is not None
        owner, self._owner = self._owner, None  # it knows us too: no circle
        assert owner is not None
        OWN[self] = owner
        try:
            self.thread.start()
        except BaseException:  # no thread starts any more
            OWN.pop(self, None)
            raise

    def leave(self) -> None:
        """End, as soon as the turn does."""
        self._wakes.put(None)

    def submit(self, inbox: ScheduledInbox, /) -> None:
        """Wake the thread."""
        self._wakes.put(inbox)

    def abandon(self, inbox: ScheduledInbox) -> bool:
        """Leave the thread to its turn, after one attempt to break that off."""
        thread = self.thread
        if thread is None or thread is threading.current_thread() or self.inbox is not inbox:
            return False
        ZOMBIES.add(self, inbox.ref)
        self.abandoned = True
        if not self.is_busy():  # it has just ended
            ZOMBIES.discard(self)
            return False
        interrupt(thread)
        return True

    def _work(self) -> None:
        HERE.worker = self
        try:
            while (inbox := self._wakes.get()) is not None:
                self.take(inbox)
        except Killed:
            pass
        finally:
            OWN.pop(self, None)
            self.inbox = None
            ZOMBIES.discard(self)


class KilledAbroad(Exception):  # noqa: N818  as above
    """The same in a class that is not ours: Pykka's loop ends all actors on a `BaseException`."""


def interrupt(thread: threading.Thread, what: type[BaseException] = Killed) -> None:
    """Raise `what` in the code that `thread` runs, where that can be done without harm.

    It reaches Python code, a loop or one of short sleeps; it does not reach a call that blocks.
    Where the thread is in the runtime or the standard library nothing is raised: a lock that is
    held there might never be released.
    """
    import ctypes  # noqa: PLC0415  a kill is rare, and ctypes large

    raises = ctypes.pythonapi.PyThreadState_SetAsyncExc
    ident = ctypes.c_ulong(thread.ident or 0)
    if _is_in_its_own_code(thread):
        raises(ident, ctypes.py_object(what))
        if not _is_in_its_own_code(thread):  # it went on meanwhile
            raises(ident, None)


def _is_in_its_own_code(thread: threading.Thread) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001  there is no other way
    if frame is None or frame.f_code.co_filename.startswith((_OURS, _STANDARD, "<frozen")):
        return False
    while not frame.f_code.co_filename.startswith((_OURS, _PYKKA)):
        if (outer := frame.f_back) is None:
            return False
        frame = outer
    return frame.f_code.co_name in _TURNS
