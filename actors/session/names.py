"""Names that a session's code may not take: what is ours in its namespace on the device."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from klemheist.transports.repl.syntax import parsed
from klemheist.transports.repl.values import ArgumentError

OURS: Final = "klemheist_"
"""What our names in a namespace begin with, such as `klemheist_running`."""
TAKEN: Final = "__k"
"""The name that a value has in a namespace for a moment, until it has its entry."""
RESERVED: Final = frozenset({"__name__", "__builtins__", TAKEN})


def check_names(names: Iterable[str]) -> None:
    """See that none of the names is ours.

    Raises:
        ArgumentError: one is reserved; nothing was sent.
    """
    for name in names:
        if name.startswith(OURS) or name in RESERVED:
            raise ArgumentError(f"{name} is reserved for Klemheist on the device; use another name")


def check_code(code: str) -> None:
    """See that code binds none of our names at its top level; reading them is well.

    Raises:
        ArgumentError: it does; nothing was sent.
    """
    if OURS in code or any(name in code for name in RESERVED):
        with suppress(SyntaxError):  # what only the device can judge is left to it
            check_names(_bound(parsed(code)))


def _bound(node: ast.AST) -> Iterable[str]:
    """Yield the names that statements bind where they stand, not inside functions."""
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield each.name
            continue
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store | ast.Del):
            yield each.id
        elif isinstance(each, ast.alias):
            yield (each.asname or each.name).partition(".")[0]
        yield from _bound(each)
