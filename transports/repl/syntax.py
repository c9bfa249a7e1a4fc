"""Python's parser, for many threads at once.

Some Pythons (3.11.7 is one) count how deep a tree is in one place for all threads: where two parse
at the same moment, one may be told that its count is wrong, of a text that is quite in order.
"""

from __future__ import annotations

import ast
from typing import Final, Literal, overload

TRIES: Final = 5
"""How often a text is parsed that other threads keep disturbing: twice is enough, as a rule."""


@overload
def parsed(text: str, mode: Literal["exec"] = "exec", *, filename: str = ...) -> ast.Module: ...
@overload
def parsed(text: str, mode: Literal["eval"], *, filename: str = ...) -> ast.Expression: ...
def parsed(
    text: str, mode: Literal["exec", "eval"] = "exec", *, filename: str = "<unknown>"
) -> ast.AST:
    """Return the tree of a text, as `ast.parse` does; what that raises is the text's own fault."""
    for _ in range(TRIES - 1):
        try:
            return ast.parse(text, filename, mode)
        except SystemError:
            continue
    return ast.parse(text, filename, mode)
