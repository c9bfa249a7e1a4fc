"""How a session begins and comes back, and how what it holds is given back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from klemheist.actors.runtime.future import Future
from klemheist.transports.repl.values import ArgumentError

from .calls import SessionCalls, check_seconds
from .cleanup import failures
from .names import check_code, check_names
from .namespace import Piece, Setup
from .resources import CancelToken
from .timesync import TimeSync, compare_clocks

if TYPE_CHECKING:
    from klemheist.actors.messages import Cleaned
    from klemheist.transports.repl.board import Board
    from klemheist.transports.repl.lines import Procedure


class SessionSetups(SessionCalls):
    """One logical session, from its setups to its teardowns."""

    __slots__ = ()

    def sync_time(self, samples: int) -> Future[TimeSync]:
        """Compare the device's clock with the host's.

        Raises:
            ArgumentError: `samples` is not positive.
        """
        if samples < 1:
            raise ArgumentError(f"samples={samples}: give at least 1")

        def procedure(board: Board) -> Procedure[TimeSync]:
            generation = self.port.generation
            self.time_sync = yield from compare_clocks(board, samples, generation)
            return self.time_sync

        return self.submit(procedure, label="sync_time")

    def set_up(self, setup: Setup, *, timeout: float | None = None) -> Future[Any]:
        """Run a setup now, and again in each generation to come.

        Raises:
            ArgumentError: it binds a name that is ours; nothing was sent.
        """
        check_names(setup.values)
        for piece in setup.pieces:
            check_code(piece.text)
        namespace = self.namespace

        def procedure(board: Board) -> Procedure[None]:
            return namespace.set_up(board, setup)

        metered = procedure if self.meter is None else self.meter.metered(procedure)
        return self.submit(metered, label="setup", timeout=timeout)

    def recover(self) -> Future[Any]:
        """Put back what a new boot has lost; the next call would do it too."""
        return self.submit(self.namespace.restore, label="recovery", lane="/recovery", early=True)

    def run_at_end(self, pieces: tuple[Piece, ...], cancel: CancelToken) -> Future[Any]:
        """Run a teardown's statements; nothing is to be torn down where the namespace is gone."""
        namespace = self.namespace

        def procedure(board: Board) -> Procedure[None]:
            if namespace.is_new or namespace.boot == board.boot:
                yield from namespace.run(board, pieces)

        done = self.submit(procedure, label="teardown")
        cancel.on_cancel(lambda _: done.cancel("its time was up"))
        return done

    def cleanup(self, timeout: float | None) -> Future[None]:
        """Clean up all that is held now; in a forked process nothing: it is held by the parent.

        Raises:
            ArgumentError: `timeout` is no time; nothing was begun.
            ResourceCleanupError: (in the future) some failed.
        """
        if timeout is not None:
            check_seconds(timeout)
        limit = self.options.resource_cleanup_timeout if timeout is None else timeout
        if self._keeper.is_inherited:
            nothing: Future[None] = Future()
            nothing.set(None)
            return nothing
        return self.run_cleanups(limit).map(_raise_failures)


def _raise_failures(cleaned: list[Cleaned]) -> None:
    error = failures(cleaned)
    if error is not None:
        raise error
