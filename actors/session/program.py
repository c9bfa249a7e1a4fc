"""`Program`: what runs on a device, written as a class and bound to a session when it starts.

A program object is an immutable template: its arguments become names in the session's namespace.
`session.program` is a bound copy whose tasks and threads can be called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar, overload

from klemheist.actors.sources import Source, body_source, split_statements, task_source
from klemheist.transports.repl.values import ArgumentError, encode

from .answers import Place
from .remote import Piece, Setup

F = TypeVar("F", bound=Callable[..., Any])


class Role(StrEnum):
    """What a marked function is."""

    TASK = "task"
    THREAD = "thread"
    SETUP = "setup"
    TEARDOWN = "teardown"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a decorator of a program says about its function."""

    role: Role
    timeout: float | None = None
    idempotent: bool = False
    restart: bool = False
    autostart: bool = False


class Marked:
    """A function of a program; on the class it only stands there."""

    def __init__(self, function: Callable[..., Any], mark: Mark) -> None:
        self.function = function
        self.mark = mark
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__


def _marker(function: Callable[..., Any] | None, mark: Mark) -> Any:
    if function is not None:
        return Marked(function, mark)
    return lambda decorated: Marked(decorated, mark)


@overload
def task(function: F, /) -> F: ...
@overload
def task(*, timeout: float | None = None, idempotent: bool = False) -> Callable[[F], F]: ...
def task(
    function: F | None = None, /, *, timeout: float | None = None, idempotent: bool = False
) -> Any:
    """Mark a function of a `Program` as a task: called from the host, it runs on the device.

    Args:
        function: the function; given by the bare decorator.
        timeout: seconds for each call; None for the session's `call_timeout`.
        idempotent: it may be sent again if its fate is unknown (DESIGN 3.5).
    """
    return _marker(function, Mark(Role.TASK, timeout, idempotent))


@overload
def thread(function: F, /) -> F: ...
@overload
def thread(*, restart: bool = False, autostart: bool = False) -> Callable[[F], F]: ...
def thread(function: F | None = None, /, *, restart: bool = False, autostart: bool = False) -> Any:
    """Mark a function of a `Program` as a thread: a generator that yields the seconds to wait.

    Args:
        function: the function; given by the bare decorator.
        restart: start it again after an error and after a new boot.
        autostart: start it with the session; in a standing deployment all threads do.
    """
    return _marker(function, Mark(Role.THREAD, restart=restart, autostart=autostart))


def setup(function: F) -> F:
    """Mark a function of a `Program` whose body runs at the namespace's top level at the start."""
    return _marker(function, Mark(Role.SETUP))  # type: ignore[no-any-return]


def teardown(function: F) -> F:
    """Mark a function of a `Program` whose body runs at the top level when the session ends."""
    return _marker(function, Mark(Role.TEARDOWN))  # type: ignore[no-any-return]


class Program:
    """Subclass it; mark its functions with `setup`, `task`, `thread` and `teardown`.

    Args:
        values: the parameters of the setups, by name.

    Raises:
        ArgumentError: a parameter is missing, unknown, or cannot be sent.
        SourceUnavailable: a function has no source, or cannot run on a device.
    """

    marked: ClassVar[Mapping[str, Marked]] = MappingProxyType({})

    def __init_subclass__(cls) -> None:
        """Collect the marked functions, those of base classes first."""
        found: dict[str, Marked] = {}
        for base in reversed(cls.__mro__):
            found.update({k: v for k, v in vars(base).items() if isinstance(v, Marked)})
        cls.marked = MappingProxyType(found)

    def __init__(self, **values: Any) -> None:
        cls = type(self)
        self._values = MappingProxyType(values)
        self.sources: Mapping[str, Source] = MappingProxyType(
            {name: _source_of(each) for name, each in cls.marked.items()}
        )
        wanted = [name for source in self._of(Role.SETUP) for name in source.parameters]
        _compare(cls.__name__, wanted, values)
        for name, value in values.items():
            encode(value, where=f"{cls.__name__}({name}=…)")

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self._values.items())
        return f"{type(self).__name__}({values})"

    def _of(self, role: Role) -> list[Source]:
        return [self.sources[n] for n, each in self.marked.items() if each.mark.role is role]

    def setups(self) -> list[Setup]:
        """Return the setups, in the order of their definition."""
        return [
            setup_from(source, {name: self._values[name] for name in source.parameters})
            for source in self._of(Role.SETUP)
        ]

    def teardowns(self) -> list[Setup]:
        """Return the teardowns, in the order of their definition."""
        return [setup_from(source, {}) for source in self._of(Role.TEARDOWN)]

    def starting(self, *, everything: bool) -> list[str]:
        """Return the names of the threads that start with the session."""
        return [
            name
            for name, each in self.marked.items()
            if each.mark.role is Role.THREAD and (everything or each.mark.autostart)
        ]

    def restarts(self, name: str) -> bool:
        """Whether this thread is started again after an error or a new boot."""
        return self.marked[name].mark.restart


def setup_from(source: Source, values: Mapping[str, Any]) -> Setup:
    """Cut a body into its statements, to be run with these names."""
    pieces = []
    for part in split_statements(source.text):
        rows = part.text.count("\n") + 1
        lines = source.line_map[part.first_line - 1 : part.first_line - 1 + rows]
        pieces.append(Piece(part.text, Place(source.filename, tuple(lines))))
    return Setup(tuple(pieces), values)


def _source_of(marked: Marked) -> Source:
    if marked.mark.role in (Role.SETUP, Role.TEARDOWN):
        return body_source(marked.function)
    return task_source(marked.function)


def _compare(program: str, wanted: list[str], given: Mapping[str, Any]) -> None:
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted]
    if missing or unknown:
        texts = [f"missing: {', '.join(missing)}"] if missing else []
        texts += [f"unknown: {', '.join(unknown)}"] if unknown else []
        raise ArgumentError(f"{program} takes the parameters of its setups; {'; '.join(texts)}")
