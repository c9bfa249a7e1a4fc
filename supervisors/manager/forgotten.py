"""Sessions that nobody holds any more: a warning, and their end all the same (SES-122)."""

from __future__ import annotations

import os
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from klemheist.actors.background import in_background

if TYPE_CHECKING:
    from klemheist.actors.session.core import SessionCore
    from klemheist.actors.session.view import SessionView

S = TypeVar("S", bound="SessionView")


class Hold:
    """What the user's objects of one session hold together; when it goes, all of them have gone."""

    __slots__ = ("_core", "_process")

    def __init__(self, core: SessionCore) -> None:
        self._core = core
        self._process = os.getpid()

    def __del__(self) -> None:
        if self._process == os.getpid():  # a forked child drops what is its parent's
            _forgotten(self._core)


def watched(session: S, core: SessionCore) -> S:
    """End a session when its user holds nothing of it any more; return it."""
    core.watched = True
    session.hold(Hold(core))
    return session


def unwatched(core: SessionCore) -> SessionCore:
    """Let a session live on though nobody holds it: it will be found by its device's URL."""
    core.watched = False
    return core


def _forgotten(core: SessionCore) -> None:
    """All is dropped. This may run anywhere, under any lock: the work is done elsewhere."""
    if not core.watched or not core.is_active:
        return
    with suppress(RuntimeError):  # no thread starts any more: its manager ends it at exit
        in_background(lambda: _end(core), name="forgotten")
    text = f"session {core.session_id} was never closed; use it in a `with`, or close() it"
    core.report.warning(text)
    warnings.warn(text, ResourceWarning, stacklevel=2)


def _end(core: SessionCore) -> None:
    """End it after its last call: the results may still be wanted."""
    for call in core.calls():
        with suppress(Exception):  # it belongs to whoever has the future
            call.get()
    if core.watched:  # else somebody has found it by its device meanwhile
        core.end()
