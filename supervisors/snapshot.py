"""`Tree`: the supervision tree at one moment, as data and as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from klemheist.actors.runtime import ExitReason

    from .child import ChildType
    from .steps import ChildState


@dataclass(frozen=True, slots=True)
class Node:
    """One child, and what is under it."""

    id: Hashable
    path: str
    type: ChildType
    state: ChildState
    ref: Any
    restarts: int
    last_exit: ExitReason | None
    next_attempt_in: float | None
    mailbox_len: int
    tree: Tree | None = None
    """The child's own children, where it is a supervisor that runs."""

    @property
    def note(self) -> str:
        """What is worth saying about it in one line."""
        words = [self.tree.note] if self.tree else []
        if self.state != "running":
            words.append(str(self.state))
        if self.next_attempt_in is not None:
            words.append(f"in {self.next_attempt_in:.1f} s")
        if self.restarts:
            words.append(f"restarts: {self.restarts}")
        return ", ".join(words)

    def to_dict(self) -> dict[str, Any]:
        """The node as plain data, for JSON."""
        return {
            "id": str(self.id),
            "path": self.path,
            "type": str(self.type),
            "state": str(self.state),
            "restarts": self.restarts,
            "last_exit": None if self.last_exit is None else repr(self.last_exit),
            "next_attempt_in": self.next_attempt_in,
            "mailbox_len": self.mailbox_len,
            "tree": None if self.tree is None else self.tree.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Tree:
    """A supervisor and its children. Consistent for each supervisor; nobody is stopped for it."""

    path: str
    ref: Any
    strategy: str
    """A `Strategy`, or "dynamic"."""
    max_restarts: int
    period: float
    restarts_in_window: int
    children: tuple[Node, ...]

    @property
    def note(self) -> str:
        """What is worth saying about the supervisor in one line."""
        used = self.restarts_in_window
        return (
            f"{self.strategy} ({used} of {self.max_restarts} restarts)" if used else self.strategy
        )

    def walk(self) -> Iterator[Node]:
        """Every node under this supervisor, in the order of the picture."""
        for node in self.children:
            yield node
            if node.tree is not None:
                yield from node.tree.walk()

    def find(self, path: str) -> Node | None:
        """The node at `path`, such as `root/devices/ttyACM0`."""
        return next((node for node in self.walk() if node.path == path), None)

    def render(self) -> str:
        """The tree as text: a line for each node, its notes in a column of their own."""
        rows = [(self.path.rpartition("/")[2], self.note), *_rows(self, "")]
        width = max(len(label) for label, _ in rows) + 2
        return "\n".join(f"{label:{width}}{note}".rstrip() for label, note in rows)

    def to_dict(self) -> dict[str, Any]:
        """The tree as plain data, for JSON."""
        return {
            "path": self.path,
            "strategy": str(self.strategy),
            "max_restarts": self.max_restarts,
            "period": self.period,
            "restarts_in_window": self.restarts_in_window,
            "children": [node.to_dict() for node in self.children],
        }


def _rows(tree: Tree, indent: str) -> Iterator[tuple[str, str]]:
    for number, node in enumerate(tree.children, 1):
        last = number == len(tree.children)
        yield f"{indent}{'└── ' if last else '├── '}{node.id}", node.note
        if node.tree is not None:
            yield from _rows(node.tree, indent + ("    " if last else "│   "))
