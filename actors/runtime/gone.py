"""`GONE`: the mailbox of all who have ended."""

from __future__ import annotations

from typing import Any, ClassVar, Final


class Gone:
    """Takes nothing, and holds nobody.

    An actor's mailbox and its ref know each other. When it has ended the ref gets this one instead,
    so that both are freed at once and not by the garbage collector, some thousand dead later.
    """

    __slots__ = ()

    actor: ClassVar[None] = None
    asker: ClassVar[None] = None

    def put(self, _item: Any, /) -> bool:
        """Refuse."""
        return False

    def put_notice(self, item: Any) -> None:
        """Drop it, as news for the dead are dropped."""

    def put_first(self, _item: Any) -> bool:
        """Refuse."""
        return False

    def take_left(self) -> list[Any]:
        """Nothing."""
        return []

    def busy_for(self) -> None:
        """Nobody runs it."""

    def empty(self) -> bool:
        """Whether nothing waits."""
        return True

    def __len__(self) -> int:
        return 0


GONE: Final = Gone()
