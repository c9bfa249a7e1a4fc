"""`Tree`: the supervision tree at one moment: as data, as text, as JSON, as a picture (DOT)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from klemheist.actors.notebook import drawing

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from klemheist.actors.runtime import ExitReason
    from klemheist.supervisors.core.child import ChildType
    from klemheist.supervisors.core.entry import ChildState


MANY: Final = 100
"""Messages that are worth a note in the picture."""
LONG: Final = 1.0
"""Seconds of one turn that are worth a note in the picture."""


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
    """Messages that wait for it."""
    busy_for: float | None = None
    """Seconds that its present turn has been running, about; None if idle or not known."""
    zombies: int = 0
    """How many of its incarnations were abandoned and still hold a thread."""
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
        if self.mailbox_len >= MANY:
            words.append(f"{self.mailbox_len} messages wait")
        if (self.busy_for or 0.0) >= LONG:
            words.append(f"busy for {self.busy_for:.0f} s")
        if self.zombies:
            words.append(f"zombies: {self.zombies}")
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
            "busy_for": self.busy_for,
            "zombies": self.zombies,
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
        """The node at `path`, such as `root/devices/ttyACM0`; None if there is none.

        Ids that look alike, such as 1 and "1", give one path: the first that has it.
        """
        return next((node for node in self.walk() if node.path == path), None)

    def render(self) -> str:
        """The tree as text: a line for each node, its notes in a column of their own."""
        rows = [(_shown(self.path.rpartition("/")[2]), self.note), *_rows(self, "")]
        width = max(len(label) for label, _ in rows) + 2
        return "\n".join(f"{label:{width}}{note}".rstrip() for label, note in rows)

    def _repr_html_(self) -> str:
        return drawing(self.render())

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

    def to_json(self, *, indent: int | None = None) -> str:
        """The tree as JSON; ids and reasons as text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    def to_dot(self) -> str:
        """The tree in Graphviz's language: `dot -Tsvg` draws it."""
        lines = ["digraph supervision {", "  node [shape=box, fontname=sans];"]
        lines.append(f"  n0 [label={_label(self.path, self.note)}];")
        for number, (parent, node) in enumerate(_edges(self, 0, count(1)), 1):
            lines.append(f"  n{number} [label={_label(str(node.id), node.note)}{_shape(node)}];")
            lines.append(f"  n{parent} -> n{number};")
        return "\n".join([*lines, "}"])


def _rows(tree: Tree, indent: str) -> Iterator[tuple[str, str]]:
    for number, node in enumerate(tree.children, 1):
        last = number == len(tree.children)
        yield f"{indent}{'└── ' if last else '├── '}{_shown(str(node.id))}", node.note
        if node.tree is not None:
            yield from _rows(node.tree, indent + ("    " if last else "│   "))


def _edges(tree: Tree, parent: int, numbers: Iterator[int]) -> Iterator[tuple[int, Node]]:
    """Each node and its parent's number, in the order of `walk`; two may have the same path."""
    for node in tree.children:
        number = next(numbers)
        yield parent, node
        if node.tree is not None:
            yield from _edges(node.tree, number, numbers)


def _label(name: str, note: str) -> str:
    lines = (json.dumps(_shown(line), ensure_ascii=False)[1:-1] for line in (name, note) if line)
    return '"' + "\\n".join(lines) + '"'


def _shown(text: str) -> str:
    """In one line, whatever is in it."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _shape(node: Node) -> str:
    style = "" if node.type == "supervisor" else ", style=rounded"
    return style if node.state == "running" else f"{style}, color=red"
