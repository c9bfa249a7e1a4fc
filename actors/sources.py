r"""The source of what runs on a device: taken from a function, checked here, and made small.

    source = task_source(blink)
    source.text          # 'def blink(pin):\n ...': without our decorator, minified
    source.line_map[0]   # the line of the host's file that line 1 of the text stands for

What could not run there is refused by name before anything is sent (DESIGN 5, "Source of a task").
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import types
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from klemheist.actors.arity import ANY, Arity
from klemheist.actors.minify import Cut, Page
from klemheist.transports.errors import KlemheistError
from klemheist.transports.repl.syntax import parsed
from klemheist.transports.repl.values import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OURS: Final = {"task", "thread", "setup", "teardown"}
_WAY_OUT: Final = 'pass it as text: s.task(source="def name(...): ...")'

_BEFORE: Final = re.compile(r"(?:\s|#.*)*")
"""What may stand before an expression; MicroPython's `eval` takes no comment there."""

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class SourceUnavailable(KlemheistError):  # noqa: N818 - the name DESIGN 5 promises
    """The function has no source here, or one that cannot run on a device."""

    advice = "use a plain function that takes all it needs as arguments, or pass its source as text"


class CodeSyntaxError(KlemheistError, SyntaxError):
    """The code is no Python, so it was not sent; `lineno` and `offset` say where."""

    advice = "correct the line that the message names"


@dataclass(frozen=True, slots=True)
class Source:
    """One function as it is sent to a device."""

    name: str
    text: str
    line_map: tuple[int, ...]
    """For each line of `text` the line in `filename`, from 1."""
    filename: str
    is_generator: bool
    parameters: tuple[str, ...]
    names: frozenset[str] = frozenset()
    """What it uses of the names around it, by and large: other tasks may be among them."""
    keeps_nothing: bool = False
    """Whether all that it knows goes with each call: no global, default or decorator of its own."""
    arity: Arity = field(default=ANY, repr=False, compare=False)
    """What it can be called with."""
    rows: tuple[str, ...] = field(default=(), repr=False)
    """For each line of `text` the host's own line, for tracebacks."""
    hash: str = field(init=False)
    """16 hex digits of the text's SHA-256: it tells whether the device has this code (SES-060)."""

    def __post_init__(self) -> None:
        digest = hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()
        object.__setattr__(self, "hash", digest[:16])


@dataclass(frozen=True, slots=True)
class Statement:
    """One top-level statement, and the line of the whole text where it begins."""

    text: str
    first_line: int


def task_source(function: Callable[..., object]) -> Source:
    """Return the source of a task or thread: a function of its own on the device.

    Of its decorators only ours go (`task`, `thread`, `setup`, `teardown`, bare, called, or after a
    dot); the others run on the device. The function may name itself.

    Raises:
        SourceUnavailable: no source; a lambda, a coroutine, `nonlocal` or free variables.
    """
    return _Located.of(function).source()


def body_source(function: Callable[..., object]) -> Source:
    """Return the body of a setup or teardown, for the top level of the session's namespace.

    `parameters` are names that the caller binds there before.

    Raises:
        SourceUnavailable: as `task_source`, and for `return` and `yield`, which need a function.
    """
    return _Located.of(function).body()


def sources_from_text(text: str, *, filename: str = "<source>") -> tuple[Source, ...]:
    """Return the functions that a text defines, and it may do nothing else.

    Raises:
        CodeSyntaxError: the text is no Python.
        SourceUnavailable: it has other statements than `def`, or a coroutine.
    """
    check_syntax(text, filename=filename)
    page, tree = Page(text), parsed(text)
    others = [node for node in tree.body if not isinstance(node, _Function)]
    if others or not tree.body:
        line = others[0].lineno if others else 1
        raise SourceUnavailable(f"{filename}, line {line}: give functions only: def name(...): ...")
    return tuple(
        _Located(page, node, filename, 0).source()
        for node in tree.body
        if isinstance(node, _Function)
    )


def split_statements(text: str) -> list[Statement]:
    """Cut a text into its top-level statements, which a device takes one at a time (DESIGN 4).

    Raises:
        CodeSyntaxError: the text is no Python.
    """
    check_syntax(text)
    page = Page(text)
    return [
        Statement(page.text(_first_place(page, node), page.end(node)), _first_place(page, node)[0])
        for node in parsed(text).body
    ]


@lru_cache(maxsize=256)
def is_expression(code: str) -> bool:
    """Whether the code is one expression, whose value is a result; else it is statements.

    Raises:
        ArgumentError: it is no text.
    """
    if not isinstance(code, str):
        raise ArgumentError(f"code is {code!r}; give it as text")
    try:
        parsed(code.strip(), "eval")
    except (SyntaxError, ValueError):
        return False
    return True


def bare_expression(code: str) -> tuple[str, int]:
    """Return an expression without the comments and empty lines before it, and its first line."""
    skipped = _BEFORE.match(code)
    start = skipped.end() if skipped else 0
    return code[start:].rstrip(), code.count("\n", 0, start) + 1


def check_syntax(code: str, *, filename: str = "<code>") -> None:
    """Refuse what no device could compile.

    Python's own grammar decides. It knows all that MicroPython knows; what only the device can
    judge (its inline assembler, an `await` at top level, what its port leaves out) is left to it.

    Raises:
        CodeSyntaxError: one line with the place.
    """
    try:
        parsed(code, filename=filename)
    except SyntaxError as err:
        place = (filename, err.lineno or 1, err.offset or 1, err.text or "")
        raise CodeSyntaxError(f"{err.msg}: correct it, nothing was sent", place) from err
    except ValueError as err:  # a NUL, or half a surrogate pair
        raise CodeSyntaxError(f"{err}: remove it, nothing was sent", (filename, 1, 1, "")) from err


@dataclass(frozen=True, slots=True)
class _Located:
    """A function in a page of source; `shift` leads from lines of the page to lines of the file."""

    page: Page
    node: _Function
    filename: str
    shift: int

    @classmethod
    def of(cls, function: Callable[..., object]) -> _Located:
        function = inspect.unwrap(function)
        name = getattr(function, "__name__", repr(function))
        if not isinstance(function, types.FunctionType):
            raise SourceUnavailable(f"{name} is not a Python function; {_WAY_OUT}")
        if name == "<lambda>":
            raise SourceUnavailable("a lambda cannot be sent; write it as a def")
        try:
            lines, first = inspect.getsourcelines(function)
        except (OSError, TypeError) as err:
            raise SourceUnavailable(f"{name} has no source here; {_WAY_OUT}") from err
        # A method or local function is indented: it becomes the body of a statement, since taking
        # the indent away would change its multi-line strings.
        indented = lines[0][:1].isspace()
        text = "".join(["if 1:\n", *lines] if indented else lines)
        located = cls._parse(text, name, function.__code__.co_filename, first - 1 - indented)
        located.refuse_free_variables(function)
        return located

    @classmethod
    def _parse(cls, text: str, name: str, filename: str, shift: int) -> _Located:
        try:
            tree = parsed(text)
        except SyntaxError as err:
            raise SourceUnavailable(f"the source of {name} was not found; {_WAY_OUT}") from err
        for node in ast.walk(tree):
            if isinstance(node, _Function) and node.name == name:
                return cls(Page(text), node, filename, shift)
        raise SourceUnavailable(f"the source of {name} was not found; {_WAY_OUT}")

    def source(self) -> Source:
        self._refuse_async()
        cuts = [*self._decorator_cuts(), *self.page.cuts(self.node)]
        return self._made(cuts, _first_place(self.page, self.node))

    def body(self) -> Source:
        self._refuse_async()
        for each in _own_nodes(self.node):
            if isinstance(each, ast.Return | ast.Yield | ast.YieldFrom):
                word = "return" if isinstance(each, ast.Return) else "yield"
                raise SourceUnavailable(
                    f"{self.node.name}, line {each.lineno + self.shift}: a body that runs at top "
                    f"level cannot {word}; use if/else, or make it a task"
                )
        return self._made(self.page.cuts(self.node), self.page.start(self.node.body[0]))

    def _made(self, cuts: list[Cut], start: tuple[int, int]) -> Source:
        small = self.page.write(cuts, start=start, end=self.page.end(self.node))
        return Source(
            name=self.node.name,
            text=small.text,
            line_map=tuple(line + self.shift for line in small.line_map),
            filename=self.filename,
            is_generator=any(
                isinstance(each, ast.Yield | ast.YieldFrom) for each in _own_nodes(self.node)
            ),
            parameters=_parameters(self.node.args),
            names=_used(self.node),
            keeps_nothing=not self._has_others() and _keeps_nothing(self.node),
            arity=ANY if self._has_others() else Arity.of(self.node.args),
            rows=tuple(self.page.row(line) for line in small.line_map),
        )

    def _has_others(self) -> bool:
        """Whether decorators that are not ours run on the device."""
        return any(_plain_name(each) not in _OURS for each in self.node.decorator_list)

    def _decorator_cuts(self) -> Iterator[Cut]:
        for decorator in self.node.decorator_list:
            if _plain_name(decorator) in _OURS:
                start = self.page.before(decorator, "@")
                yield Cut(start, self.page.end_of_line(decorator))

    def _refuse_async(self) -> None:
        if isinstance(self.node, ast.AsyncFunctionDef):
            raise SourceUnavailable(
                f"{self.node.name} is a coroutine; write a plain def (a thread waits with yield)"
            )

    def refuse_free_variables(self, function: types.FunctionType) -> None:
        name = self.node.name
        for each in _own_nodes(self.node):
            if isinstance(each, ast.Nonlocal):
                raise SourceUnavailable(
                    f"{name}: nonlocal {', '.join(each.names)} does not exist on the device; "
                    "use global"
                )
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        free = [each for each, cell in cells.items() if each != name and not _is_task(each, cell)]
        if free:
            raise SourceUnavailable(
                f"{name} uses {', '.join(free)} of the function around it, which the device does "
                "not have; pass it as an argument"
            )


def _first_place(page: Page, node: ast.stmt) -> tuple[int, int]:
    decorators = getattr(node, "decorator_list", None)
    return page.before(decorators[0], "@") if decorators else page.start(node)


def _plain_name(decorator: ast.expr) -> str | None:
    match decorator:
        case ast.Call(func=function):
            return _plain_name(function)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return None


def _own_nodes(function: _Function) -> Iterator[ast.AST]:
    """Walk a function's body without the functions and classes inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)


def _used(function: _Function) -> frozenset[str]:
    """Names that a function reads and does not bind itself."""
    names = [each for each in ast.walk(function) if isinstance(each, ast.Name)]
    own = [each for each in _own_nodes(function) if isinstance(each, ast.Name)]
    bound = {each.id for each in own if not isinstance(each.ctx, ast.Load)}
    return frozenset(each.id for each in names) - bound - {*_parameters(function.args)}


def _keeps_nothing(function: _Function) -> bool:
    """Whether a function can be defined anew between two calls, and nobody sees it."""
    if function.args.defaults or any(function.args.kw_defaults):
        return False
    reaches = {"globals", "exec", "eval"} & _used(function)
    return not reaches and not any(isinstance(each, ast.Global) for each in ast.walk(function))


def _is_task(name: str, cell: types.CellType) -> bool:
    """Whether a variable is a task of that name, which is sent with whoever uses it."""
    try:
        source = inspect.getattr_static(cell.cell_contents, "source", None)  # asks no device
    except ValueError:  # nothing is there yet
        return False
    return isinstance(source, Source) and source.name == name


def _parameters(args: ast.arguments) -> tuple[str, ...]:
    named = [*args.posonlyargs, *args.args, args.vararg, *args.kwonlyargs, args.kwarg]
    return tuple(each.arg for each in named if each)
