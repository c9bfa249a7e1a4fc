r"""Source made small for a device, with a map from its lines back to the host's.

Comments, blank lines, docstrings and annotations go, indents become one space, and spaces between
tokens only stay where two would join. What is left is the author's own text, token by token: no
literal is rewritten. Pure.

    minify("def f(a: int):\n    '''Doc.'''\n    return a  # so\n")
        -> Minified("def f(a):\n return a\n", (1, 3))
"""

from __future__ import annotations

import ast
import io
import token
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from klemheist.transports.repl.syntax import parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Place: TypeAlias = tuple[int, int]
"""A line from 1 and a column from 0, in characters, as tokens count."""

_Documented: TypeAlias = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_SILENT: Final = {token.COMMENT, token.NL, token.ENDMARKER, token.ENCODING}
# From Python 3.12 on; before, an f-string is one STRING.
_FSTRING_START: Final = getattr(token, "FSTRING_START", -1)
_FSTRING_END: Final = getattr(token, "FSTRING_END", -1)


class Minified(NamedTuple):
    """The small text, and for each of its lines the line of the source that it stands for."""

    text: str
    line_map: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """What goes: all tokens from `start` up to `end`; `instead` stands there afterwards."""

    start: Place
    end: Place
    instead: str = ""


def minify(text: str) -> Minified:
    """Return `text` as small as it gets without a change of meaning.

    Raises:
        SyntaxError: the text is no Python.
    """
    tree = parsed(text)
    page = Page(text)
    return page.write(page.cuts(tree))


class Page:
    """A source text as tokens, from which parts are cut and the rest is written."""

    __slots__ = ("_lines", "tokens")

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline=None).readlines()
        self.tokens = list(_whole_strings(self._lines))

    def place(self, line: int, offset: int) -> Place:
        """Turn a position of `ast`, which counts bytes, into one of `tokenize`."""
        row = self._lines[line - 1]
        return line, offset if row.isascii() else len(row.encode()[:offset].decode())

    def start(self, node: ast.expr | ast.stmt | ast.arg) -> Place:
        """Return where a node begins."""
        return self.place(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt | ast.arg) -> Place:
        """Return where a node ends."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.place(node.end_lineno, node.end_col_offset)

    def cuts(self, tree: ast.AST) -> list[Cut]:
        """Return what a device has no use for, anywhere in `tree`."""
        nodes = list(ast.walk(tree))
        keep_docs = any(
            (isinstance(node, ast.Name) and node.id == "__doc__")
            or (isinstance(node, ast.Attribute) and node.attr == "__doc__")
            for node in nodes
        )
        return [cut for node in nodes for cut in self._node_cuts(node, keep_docs=keep_docs)]

    def _node_cuts(self, node: ast.AST, *, keep_docs: bool) -> Iterator[Cut]:
        if isinstance(node, _Documented) and not keep_docs and _has_docstring(node):
            yield from self._statement(node.body[0], alone=_is_alone(node))
        match node:
            case ast.arg(annotation=ast.expr()):
                line, column = self.start(node)
                yield Cut((line, column + len(node.arg)), self.end(node))
            case ast.FunctionDef(returns=ast.expr() as returns):
                yield Cut(self.before(returns, "->"), self.after(returns, ":"))
            case ast.AnnAssign(value=ast.expr()):
                colon, equals = self.before(node.annotation, ":"), self.after(node.annotation, "=")
                yield Cut(colon, equals)
            case ast.AnnAssign():
                yield from self._statement(node, alone=True)

    def _statement(self, node: ast.stmt, *, alone: bool) -> Iterator[Cut]:
        end = self.end(node)
        following = next(each for each in self.tokens if each.start >= end)
        if following.string != ";":  # else the line would begin with it
            yield Cut(self.start(node), end, "pass" if alone else "")

    def text(self, start: Place, end: Place) -> str:
        """Return a part of the source as it stands."""
        return _slice(self._lines, start, end)

    def row(self, line: int) -> str:
        """Return one line of the source, without the spaces around it."""
        return self._lines[line - 1].strip()

    def before(self, node: ast.expr, mark: str) -> Place:
        """Return where the last `mark` before a node begins."""
        start = self.start(node)
        return max(each.start for each in self.tokens if each.start < start and each.string == mark)

    def after(self, node: ast.expr, mark: str) -> Place:
        """Return where the first `mark` after a node begins."""
        end = self.end(node)
        return min(each.start for each in self.tokens if each.start >= end and each.string == mark)

    def end_of_line(self, node: ast.expr) -> Place:
        """Return where the logical line of a node ends."""
        end = self.end(node)
        return next(
            each.end for each in self.tokens if each.start >= end and each.type == token.NEWLINE
        )

    def write(
        self, cuts: Iterable[Cut], *, start: Place = (0, 0), end: Place = (1 << 30, 0)
    ) -> Minified:
        """Write the tokens from `start` to `end` without the cuts; the first is not indented."""
        writer = _Writer()
        waiting = sorted(cuts, key=lambda cut: cut.start, reverse=True)
        hidden: Place = (0, 0)
        for each in self.tokens:
            while waiting and waiting[-1].start <= each.start:
                cut = waiting.pop()
                if cut.instead and start <= cut.start < end:
                    writer.add(each._replace(string=cut.instead))
                hidden = max(hidden, cut.end)
            if each.type in (token.INDENT, token.DEDENT):
                writer.level += 1 if each.type == token.INDENT else -1
            elif start <= each.start < end and each.start >= hidden:
                writer.add(each)
        return writer.finish()


class _Writer:
    """Puts tokens on lines: a new line where a statement ends, or where one goes on in brackets."""

    __slots__ = ("_base", "_depth", "_last", "_line", "_line_map", "_parts", "_row", "level")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._line_map: list[int] = []
        self._last: tokenize.TokenInfo | None = None
        """The token before on this statement; None at its beginning."""
        self._row = self._depth = self.level = 0
        self._base: int | None = None

    def add(self, each: tokenize.TokenInfo) -> None:
        if each.type in _SILENT:
            return
        if each.type == token.NEWLINE:
            if self._last:
                self._parts.append("\n")
            self._last = None
            return
        self._separate(each)
        if each.type == token.OP:
            self._depth += (each.string in "([{") - (each.string in ")]}")
        self._parts.append(each.string)
        # A string may bring lines of its own.
        self._line_map += range(each.start[0] + 1, each.start[0] + 1 + each.string.count("\n"))
        self._last, self._row = each, each.end[0]

    def _separate(self, each: tokenize.TokenInfo) -> None:
        if self._last is None:
            self._base = self.level if self._base is None else self._base
            self._parts.append(" " * (self.level - self._base))
            self._line_map.append(each.start[0])
        elif self._depth and each.start[0] > self._row:
            self._parts.append("\n")
            self._line_map.append(each.start[0])
        elif _would_join(self._last, each):
            self._parts.append(" ")

    def finish(self) -> Minified:
        if self._last:
            self._parts.append("\n")
        return Minified("".join(self._parts), tuple(self._line_map))


def _would_join(left: tokenize.TokenInfo, right: tokenize.TokenInfo) -> bool:
    last, first = left.string[-1:], right.string[:1]
    if left.type == token.NUMBER and first == ".":
        return True
    if not (last.isalnum() or last == "_" or (last in "\"'" and first in "\"'")):
        return False
    return first.isalnum() or first in ("_", '"', "'") or not first.isascii()


def _has_docstring(node: _Documented) -> bool:
    match node.body:
        case [ast.Expr(value=ast.Constant(value=str())), *_]:
            return True
    return False


def _is_alone(node: _Documented) -> bool:
    return len(node.body) == 1 and not isinstance(node, ast.Module)


def _whole_strings(lines: Sequence[str]) -> Iterator[tokenize.TokenInfo]:
    """Yield the tokens, with those of an f-string as one STRING, as before Python 3.12."""
    start, depth = (0, 0), 0
    for each in tokenize.generate_tokens(iter(lines).__next__):
        if each.type == _FSTRING_START:
            start = start if depth else each.start
            depth += 1
        elif each.type == _FSTRING_END:
            depth -= 1
            if not depth:
                text = _slice(lines, start, each.end)
                yield tokenize.TokenInfo(token.STRING, text, start, each.end, each.line)
        elif not depth:
            yield each


def _slice(lines: Sequence[str], start: Place, end: Place) -> str:
    rows = list(lines[start[0] - 1 : end[0]])
    rows[-1] = rows[-1][: end[1]]
    rows[0] = rows[0][start[1] :]
    return "".join(rows)
