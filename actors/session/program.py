"""`Program`: what runs on a device, written as a class and bound to a session when it starts.

A program object is an immutable template: its arguments become names in the session's namespace.
`session.program` is a bound copy whose tasks and threads can be called.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from enum import StrEnum
from types import FunctionType, MappingProxyType
from typing import Any, ClassVar, TypeVar, overload

from klemheist.actors.device.facts import Capabilities
from klemheist.actors.errors import CapabilityError
from klemheist.actors.sources import Source, body_source, split_statements, task_source
from klemheist.transports.repl.values import ArgumentError, encode

from .answers import Place
from .namespace import Piece, Setup

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
    ignore_errors: bool = False
    implementation: str = ""
    """The platform or implementation that it is for; empty for all that have none of their own."""


class Marked:
    """A function of a program; on the class it only stands there.

    Several of one name, each for another implementation, are overloads: one stands there, and has
    all of them in `overloads`.
    """

    def __init__(self, function: Callable[..., Any], mark: Mark) -> None:
        self.function = function
        self.mark = mark
        self.overloads: dict[str, Marked] = {mark.implementation: self}
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__


def _marker(function: Callable[..., Any] | None, mark: Mark) -> Any:
    if function is not None:
        return Marked(function, mark)
    return lambda decorated: Marked(decorated, mark)


@overload
def task(function: F, /) -> F: ...
@overload
def task(
    *, timeout: float | None = None, idempotent: bool = False, implementation: str = ""
) -> Callable[[F], F]: ...
def task(
    function: F | None = None,
    /,
    *,
    timeout: float | None = None,
    idempotent: bool = False,
    implementation: str = "",
) -> Any:
    """Mark a function of a `Program` as a task: called from the host, it runs on the device.

    Args:
        function: the function; given by the bare decorator.
        timeout: seconds for each call; None for the session's `call_timeout`.
        idempotent: it may be sent again if its fate is unknown (DESIGN 3.5).
        implementation: the platform (`"rp2"`) or implementation (`"circuitpython"`) that this one
            is for; of several functions of one name, the device gets the one that fits it best.
    """
    mark = Mark(Role.TASK, timeout, idempotent, implementation=implementation)
    return _marker(function, mark)


@overload
def thread(function: F, /) -> F: ...
@overload
def thread(
    *, restart: bool = False, autostart: bool = False, implementation: str = ""
) -> Callable[[F], F]: ...
def thread(
    function: F | None = None,
    /,
    *,
    restart: bool = False,
    autostart: bool = False,
    implementation: str = "",
) -> Any:
    """Mark a function of a `Program` as a thread: a generator that yields the seconds to wait.

    Args:
        function: the function; given by the bare decorator.
        restart: start it again after an error, three times in 5 seconds, and after a new
            boot; the fourth error is told by the event "thread failed".
        autostart: start it with the session; in a standing deployment all threads do.
        implementation: what it is for; see `task`.
    """
    mark = Mark(Role.THREAD, restart=restart, autostart=autostart, implementation=implementation)
    return _marker(function, mark)


@overload
def setup(function: F, /) -> F: ...
@overload
def setup(*, implementation: str = "") -> Callable[[F], F]: ...
def setup(function: F | None = None, /, *, implementation: str = "") -> Any:
    """Mark a function of a `Program` whose body runs at the namespace's top level at the start.

    Args:
        function: the function; given by the bare decorator.
        implementation: what it is for; see `task`.
    """
    return _marker(function, Mark(Role.SETUP, implementation=implementation))


@overload
def teardown(function: F, /) -> F: ...
@overload
def teardown(*, ignore_errors: bool = False, implementation: str = "") -> Callable[[F], F]: ...
def teardown(
    function: F | None = None, /, *, ignore_errors: bool = False, implementation: str = ""
) -> Any:
    """Mark a function of a `Program` whose body runs at the top level when the session ends.

    Args:
        function: the function; given by the bare decorator.
        ignore_errors: what it raises on the device is not reported; either way a teardown that
            fails keeps no other from running.
        implementation: what it is for; see `task`.
    """
    mark = Mark(Role.TEARDOWN, ignore_errors=ignore_errors, implementation=implementation)
    return _marker(function, mark)


class _Body(dict[str, Any]):
    """The body of a program's class: of one name it keeps all overloads."""

    def __setitem__(self, name: str, value: Any) -> None:
        before = self.get(name)
        if isinstance(before, Marked) and isinstance(value, Marked):
            value.overloads = before.overloads | value.overloads
        elif {type(before), type(value)} == {Marked, FunctionType}:
            raise ArgumentError(f"{name} is marked here and plain there; mark all functions of it")
        super().__setitem__(name, value)


class ProgramType(type):
    """The type of programs: their bodies may have several functions of one name."""

    @classmethod
    def __prepare__(cls, name: str, bases: tuple[type, ...], /, **options: Any) -> _Body:
        """Return the body to be."""
        return _Body()


class Program(metaclass=ProgramType):
    """Subclass it; mark its functions with `setup`, `task`, `thread` and `teardown`.

    A subclass has the functions of its bases, and overrides them by name; mixins need no base. The
    setups run in the order of their definition, those of bases first; the teardowns in the reverse.

    Args:
        values: the parameters of the setups, by name; one with a default may be left out.

    Raises:
        ArgumentError: a parameter is missing, unknown, or cannot be sent.
        SourceUnavailable: a function has no source, or cannot run on a device.
    """

    overloads: ClassVar[Mapping[str, Mapping[str, Marked]]] = MappingProxyType({})
    """By name, and by the implementation that each is for."""

    def __init_subclass__(cls) -> None:
        """Collect the marked functions, those of base classes first."""
        found: dict[str, dict[str, Marked]] = {}
        for base in reversed(cls.__mro__):
            for name, each in vars(base).items():
                if not isinstance(each, Marked):
                    found.pop(name, None)  # `name = None` takes it away
                else:  # one for all implementations overrides all of the bases'
                    before = {} if "" in each.overloads else found.get(name, {})
                    found[name] = before | each.overloads
        cls.overloads = MappingProxyType(found)

    def __init__(self, **values: Any) -> None:
        cls = type(self)
        self._values = MappingProxyType(values)
        self._sources = {
            each: _source_of(each) for all_ in cls.overloads.values() for each in all_.values()
        }
        self._choose({name: _default(all_) for name, all_ in cls.overloads.items()})
        setups = [each for each in self._sources if each.mark.role is Role.SETUP]
        wanted = {each: self._sources[each].parameters for each in setups}
        self._filled = {each: _filled(each, names, values) for each, names in wanted.items()}
        _compare(cls.__name__, wanted, self._filled, values)
        for filled in self._filled.values():
            for name, value in filled.items():
                encode(value, where=f"{cls.__name__}({name}=…)")

    def _choose(self, marked: Mapping[str, Marked]) -> None:
        self.marked: Mapping[str, Marked] = MappingProxyType(dict(marked))
        """The functions by name, one for each."""
        self.sources: Mapping[str, Source] = MappingProxyType(
            {name: self._sources[each] for name, each in marked.items()}
        )

    def fitting(self, device: Capabilities) -> Program:
        """Return a copy whose functions are those for a device.

        Of the overloads of a name the platform's goes first, then the implementation's, then the
        one that names none.

        Raises:
            CapabilityError: none of a name's overloads is for this device.
        """
        words = (device.platform, device.implementation, "")
        chosen = {}
        for name, overloads in self.overloads.items():
            found = next((overloads[each] for each in words if each in overloads), None)
            if found is None:
                raise CapabilityError(
                    f"{type(self).__name__}.{name} is for {', '.join(overloads)}, and this device "
                    f"is {device.platform} with {device.implementation}; add one for it"
                )
            chosen[name] = found
        program = copy(self)
        program._choose(chosen)  # noqa: SLF001 -- of the same class
        return program

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self._values.items())
        return f"{type(self).__name__}({values})"

    def setups(self) -> list[Setup]:
        """Return the setups, in the order of their definition."""
        return [
            setup_from(self.sources[name], self._filled[each])
            for name, each in self.marked.items()
            if each.mark.role is Role.SETUP
        ]

    def teardowns(self) -> list[tuple[Setup, bool]]:
        """Return the teardowns in the order of their definition, and whether each may fail."""
        return [
            (setup_from(self.sources[name], {}), each.mark.ignore_errors)
            for name, each in self.marked.items()
            if each.mark.role is Role.TEARDOWN
        ]

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


def check_program(program: object) -> None:
    """See that it is a program, or None.

    Raises:
        ArgumentError: it is something else, perhaps the class itself.
    """
    if program is None or isinstance(program, Program):
        return
    if isinstance(program, ProgramType):
        raise ArgumentError(f"program={program.__name__}: give an instance, {program.__name__}(…)")
    raise ArgumentError(f"program={program!r}: give an instance of a klemheist.Program")


def setup_from(source: Source, values: Mapping[str, Any]) -> Setup:
    """Cut a body into its statements, to be run with these names."""
    pieces = []
    for part in split_statements(source.text):
        rows = part.text.count("\n") + 1
        here = slice(part.first_line - 1, part.first_line - 1 + rows)
        place = Place(source.filename, source.line_map[here], source.rows[here])
        pieces.append(Piece(part.text, place))
    return Setup(tuple(pieces), values)


def _default(overloads: Mapping[str, Marked]) -> Marked:
    """Return the overload that stands there until the device is known."""
    return overloads.get("") or next(iter(overloads.values()))


def _source_of(marked: Marked) -> Source:
    if marked.mark.role in (Role.SETUP, Role.TEARDOWN):
        return body_source(marked.function)
    return task_source(marked.function)


def _filled(setup: Marked, names: tuple[str, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a setup's parameters, as far as they are given or have a default."""
    declared = inspect.signature(setup.function).parameters
    defaults = {name: declared[name].default for name in names}
    found = {name: given.get(name, default) for name, default in defaults.items()}
    return {name: value for name, value in found.items() if value is not inspect.Parameter.empty}


def _compare(
    program: str,
    wanted: Mapping[Marked, tuple[str, ...]],
    filled: Mapping[Marked, Mapping[str, Any]],
    given: Mapping[str, Any],
) -> None:
    missing = [name for each, names in wanted.items() for name in names if name not in filled[each]]
    unknown = [name for name in given if all(name not in names for names in wanted.values())]
    if missing or unknown:
        texts = [f"missing: {', '.join(missing)}"] if missing else []
        texts += [f"unknown: {', '.join(unknown)}"] if unknown else []
        raise ArgumentError(f"{program} takes the parameters of its setups; {'; '.join(texts)}")
