"""When the agent's second half is sent to a board that does not show the need of it first."""

from __future__ import annotations

from klemheist.transports.repl.conversation import Board


class Completion:
    """On a small heap what comes late does not fit: the second half comes as the second thing.

    Whoever waits for the device when it boots is served first; then, or at once where nobody waits,
    the agent is made whole, once in each boot. Other boards get it when a call needs it.
    """

    __slots__ = ("_board", "_served", "_tried")

    def __init__(self, board: Board) -> None:
        self._board = board
        self._served = ""
        self._tried = ""

    def served(self) -> None:
        """A call of this boot has ended well."""
        self._served = self._board.boot

    def is_due(self, *, waiting: bool) -> bool:
        """Return whether now is the time; True only once in each boot."""
        board = self._board
        if not board.cramped or board.whole or self._tried == board.boot:
            return False
        if waiting and self._served != board.boot:
            return False
        self._tried = board.boot
        return True
