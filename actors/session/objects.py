"""What a session holds of objects on its device, and how each of them is let go.

A `Handle` on the host stands for one object there. When it is collected, here, the object is let
go, there: by a call that the I/O thread submits, since a finaliser may run anywhere and must not
lock. The end of the session lets go of what is left.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING, Final

from klemheist.actors.device.debts import Debt
from klemheist.actors.errors import CallCancelled, DeviceError, StaleHandle
from klemheist.transports.errors import LinkError
from klemheist.transports.reactor import soon

from . import objects_remote as remote
from .ledger import EntryKind
from .resources import CancelToken, OwnResource
from .status import LIVE

if TYPE_CHECKING:
    from klemheist.transports.repl.board import Board
    from klemheist.transports.repl.lines import Procedure

    from .core import SessionCore

KEY: Final = "objects on the device"
"""The one resource that stands for all of them in the session's ledger."""


class Handle:
    """One object on the device; it is let go there when this is collected."""

    __slots__ = ("__weakref__", "_era", "_objects", "boot", "number")

    def __init__(self, objects: Objects, number: int, boot: str) -> None:
        self._objects: Objects | None = objects
        self._era = objects.era
        self.number = number
        self.boot = boot

    def check(self, board: Board) -> None:
        """See that the object can be there.

        Raises:
            StaleHandle: it went with an earlier boot, or its session has let it go.
        """
        if self.boot != board.boot:
            raise StaleHandle("the object went with an earlier boot; make it again")
        if self._objects is None or self._era != self._objects.era:
            raise StaleHandle("the session has let this object go; make it again")

    def forget(self) -> None:
        """There is nothing left to let go."""
        self._objects = None

    def __del__(self) -> None:
        objects = self._objects
        if objects is not None and self._era == objects.era:
            objects.drop(self)


class Objects:
    """The objects of one session. All but `hold` and `drop` run on the device's turn."""

    def __init__(self, core: SessionCore) -> None:
        self._core = core
        self.era = 0
        """How often all of them were let go at once."""
        self._entries: dict[int, str] = {}
        """The entries of the function table that generators have, with their boots."""
        self._numbers = itertools.count(-1, -1)
        self._dropped: deque[tuple[int, str]] = deque()
        self._told = False

    def hold(self) -> None:
        """See that what is held goes with the session (SES-024).

        Raises:
            SessionClosed: the session has ended.
            AlreadyHeld: a resource of the user's has this id.
        """
        entry = self._core.ledger.find(EntryKind.RESOURCE, KEY)
        if entry is None or not isinstance(entry.held, OwnResource):
            resource = OwnResource("device objects", self._clean, resource_id=KEY)
            self._core.track(EntryKind.RESOURCE, KEY, resource)

    def for_object(self, board: Board) -> Handle:
        """Return the handle for one more object."""
        return Handle(self, next(self._numbers), board.boot)

    def for_generator(self, board: Board) -> Handle:
        """Return the handle for one more generator, whose number is an entry."""
        for entry in [each for each, boot in self._entries.items() if boot != board.boot]:
            self.free(entry)
        entry = self._core.namespace.numbers.entry()
        self._entries[entry] = board.boot
        return Handle(self, entry, board.boot)

    def free(self, entry: int) -> None:
        """Give back the entry of a generator that is gone."""
        if self._entries.pop(entry, None) is not None:
            self._core.namespace.numbers.free_entries.append(entry)

    # -- letting go --------------------------------------------------------------------------------

    def drop(self, handle: Handle) -> None:
        """Let go of an object soon. Called by finalisers: it takes no lock.

        Where no link is open there is nobody to do it: the next one that is dropped takes it along.
        """
        self._dropped.append((handle.number, handle.boot))
        if not self._told:
            self._told = True
            if not soon(self._submit):
                self._told = False

    def _submit(self) -> None:
        self._told = False
        if self._core.status in LIVE:
            self._core.submit(self._let_go, label="letting objects go", lane="/objects")

    def _let_go(self, board: Board) -> Procedure[None]:
        waiting = tuple(self._dropped)
        here = [number for number, boot in waiting if boot == board.boot]
        space, tracer = self._core.namespace.number, self._core.namespace.tracer
        yield from remote.let_go(board, space, [each for each in here if each < 0])
        for number in here:
            try:
                if number >= 0:
                    yield from remote.close(board, space, number, tracer)
            except DeviceError as error:  # nobody asked
                self._core.report.warning("an abandoned generator failed at its end: {}", error)
        for number, boot in waiting:  # only now: a link that fails leaves them for the next time
            self._dropped.popleft()
            if self._entries.get(number) == boot:  # else a generator of a later boot has it
                self.free(number)

    def _clean(self, cancel: CancelToken) -> None:
        core, boot = self._core, self._core.port.board.boot
        done = core.submit(self._let_all_go, label="letting objects go")
        cancel.on_cancel(lambda _: done.cancel("its time was up"))
        try:
            done.get()
        except (LinkError, CallCancelled):  # what hung is gone; the others are still there
            core.port.debts.add(Debt(f"{core.session_id}/objects", self._pay, boot))
            core.port.settle()
            raise

    def _pay(self, board: Board) -> Procedure[None]:
        try:
            yield from self._let_all_go(board)
        except DeviceError as error:  # whom it was owed to is gone
            self._core.report.warning("a generator failed at its end: {}", error)

    def _let_all_go(self, board: Board) -> Procedure[None]:
        self.era += 1
        self._dropped.clear()
        here = [entry for entry, boot in self._entries.items() if boot == board.boot]
        namespace = self._core.namespace
        failed = yield from remote.let_all_go(board, namespace.number, here, namespace.tracer)
        for entry in tuple(self._entries):
            self.free(entry)
        if failed is not None:
            raise failed
