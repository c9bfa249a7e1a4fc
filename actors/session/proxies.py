"""Proxies: objects that stay on the device, used from here.

    led = s.proxy("machine.Pin(25, machine.Pin.OUT)")
    led.value(1)

What a literal can say comes back as a value, a copy; all else as another proxy. An object is let go
on the device when its proxy is collected here, or when the session ends.
"""

from __future__ import annotations

import keyword
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, Self

from klemheist.actors.errors import (
    DeviceAttributeError,
    DeviceError,
    DeviceIndexError,
    DeviceKeyError,
    DeviceTypeError,
)
from klemheist.actors.runtime.future import Future
from klemheist.actors.sources import check_syntax, is_expression
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.procedures import evaluated, executed
from klemheist.transports.repl.values import ArgumentError, encode

from . import objects_remote as remote
from .answers import value_of

if TYPE_CHECKING:
    from klemheist.transports.repl.conversation import Board
    from klemheist.transports.repl.frames import Frame

    from .core import SessionCore
    from .objects import Handle

_OPERATORS: Final = {
    "__lt__": "{}<{}",
    "__le__": "{}<={}",
    "__gt__": "{}>{}",
    "__ge__": "{}>={}",
    "__add__": "{}+{}",
    "__sub__": "{}-{}",
    "__mul__": "{}*{}",
    "__truediv__": "{}/{}",
    "__floordiv__": "{}//{}",
    "__mod__": "{}%{}",
    "__and__": "{}&{}",
    "__or__": "{}|{}",
    "__xor__": "{}^{}",
}
"""What both kinds of proxy have."""

_BUILTIN: Final[Mapping[str, type[DeviceError]]] = {
    "AttributeError": DeviceAttributeError,
    "KeyError": DeviceKeyError,
    "IndexError": DeviceIndexError,
    "TypeError": DeviceTypeError,
}


class Held(NamedTuple):
    """An object that the device holds for us, instead of a value."""

    handle: Handle
    kind: str
    """The name of its type there."""


END: Final = object()
"""Stands for a value where an iteration came to its end."""


class Expression:
    """An expression over held objects, in the agent's own namespace; nothing is sent by itself."""

    __slots__ = ("core", "handles", "kind", "text")

    def __init__(
        self, core: SessionCore, text: str, handles: tuple[Handle, ...], kind: str = ""
    ) -> None:
        self.core = core
        self.text = text
        self.handles = handles
        self.kind = kind

    @classmethod
    def of(cls, core: SessionCore, held: Held) -> Expression:
        """Return the expression that is an object itself."""
        text = f"PO[{core.namespace.number}][{held.handle.number}]"
        return cls(core, text, (held.handle,), held.kind)

    def __repr__(self) -> str:
        return f"<proxy {self.kind or self.text} of session {self.core.session_id}>"

    # -- longer ones -------------------------------------------------------------------------------

    def attribute(self, name: str) -> Expression:
        """Return the expression of an attribute."""
        return self._longer(f"{self.text}.{_name(name)}")

    def item(self, key: object) -> Expression:
        """Return the expression of an item, or of a slice."""
        if isinstance(key, slice):
            parts = [key.start, key.stop, *([key.step] if key.step is not None else [])]
            said = [("" if part is None else self._said(part, "slice")) for part in parts]
            return self._longer(f"{self.text}[{':'.join(said)}]", *parts)
        return self._longer(f"{self.text}[{self._said(key, 'key')}]", key)

    def called(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Expression:
        """Return the expression of a call."""
        said = [self._said(each, f"argument {number}") for number, each in enumerate(args, 1)]
        said += [f"{_name(name)}={self._said(each, name)}" for name, each in kwargs.items()]
        return self._longer(f"{self.text}({','.join(said)})", *args, *kwargs.values())

    def formatted(self, form: str, *others: object) -> Expression:
        """Return an expression with this one, and others, in the places of `form`."""
        said = [self._said(each, "operand") for each in others]
        return self._longer(form.format(self.text, *said), *others)

    def _longer(self, text: str, *others: object) -> Expression:
        handles = [each for other in others for each in _handles(other)]
        return Expression(self.core, text, (*self.handles, *handles))

    def _said(self, value: object, where: str) -> str:
        """Return a value as source; a proxy as the object that it stands for."""
        expression = _expression(value)
        if expression is None:
            return encode(value, single=self.core.port.board.single, where=where)
        if expression.core is not self.core:
            raise ArgumentError(f"{where}: a proxy of another session cannot be sent to this one")
        return expression.text

    # -- what is done with them --------------------------------------------------------------------

    def value(self) -> Future[Any]:
        """Evaluate it: what a literal can say, or a `Held`."""
        return self._submit(lambda board: self._value(board, "PK"))

    def following(self) -> Future[Any]:
        """Evaluate the next one of an iterator, as `value`, or `END`."""
        step = self.formatted("next({})")
        return step._submit(step._following)  # noqa: SLF001 -- of the same class

    def literal(self) -> Future[Any]:
        """Evaluate it: what a literal can say.

        Raises (in the future):
            ResultTypeError: no literal can.
        """
        return self._submit(lambda board: self._evaluated(board, self.text))

    def held(self) -> Future[Any]:
        """Evaluate it, and hold the object, whatever it is."""
        return self._submit(lambda board: self._value(board, "PH"))

    def assign(self, value: object) -> Future[None]:
        """Make it the name of a value: of an attribute, or an item."""
        other = self._longer(f"{self.text}={self._said(value, 'value')}", value)
        return other._submit(other._executed)  # noqa: SLF001 -- of the same class

    def delete(self) -> Future[None]:
        """Delete an attribute, or an item."""
        other = self._longer(f"del {self.text}")
        return other._submit(other._executed)  # noqa: SLF001 -- of the same class

    def _submit(self, procedure: Callable[[Board], Procedure[Any]]) -> Future[Any]:
        self.core.objects.hold()
        return self.core.submit(lambda board: self._checked(board, procedure), label="a proxy")

    # -- on the device's turn ----------------------------------------------------------------------

    def _checked(
        self, board: Board, procedure: Callable[[Board], Procedure[Any]]
    ) -> Procedure[Any]:
        for handle in self.handles:
            handle.check(board)
        yield from self.core.namespace.ready(board)
        yield from remote.helped(board, remote.PROXIES)  # the decoder comes with them
        try:
            return (yield from procedure(board))
        except DeviceError as error:
            builtin = _BUILTIN.get(error.kind)
            if builtin is None:
                raise
            raise builtin(error.kind, error.message, traceback=error.traceback) from None

    def _following(self, board: Board) -> Procedure[object]:
        try:
            return (yield from self._value(board, "PK"))
        except DeviceError as error:
            if error.kind == "StopIteration":
                return END
            raise

    def _value(self, board: Board, keep: str) -> Procedure[object]:
        handle = self.core.objects.for_object(board)  # held by now, whatever comes
        space = self.core.namespace.number
        answer = yield from remote.kept(board, keep, space, handle.number, self.text)
        found = yield from self._told(board, answer)
        if isinstance(found, tuple):
            handle.forget()
            return found[0]
        return Held(handle, str(found))

    def _evaluated(self, board: Board, code: str) -> Procedure[object]:
        answer = yield from evaluated(board, code)
        return (yield from self._told(board, answer))

    def _executed(self, board: Board) -> Procedure[object]:
        answer = yield from executed(board, self.text)
        return (yield from self._told(board, answer))

    def _told(self, board: Board, answer: tuple[Frame, bytes]) -> Procedure[object]:
        return (yield from value_of(board, answer, self.core.namespace.tracer))


class Root(Expression):
    """An expression of the session's own namespace, to be held."""

    __slots__ = ()

    def _value(self, board: Board, keep: str) -> Procedure[object]:
        """Evaluate it by itself, not within an expression of ours: a small stack is deep enough."""
        numbers = self.core.namespace.numbers
        entry = numbers.entry()
        try:
            yield from self.core.namespace.take(board, self.text, entry)
            taken = Expression(self.core, f"G.pop({entry})", ())
            return (yield from taken._value(board, keep))  # noqa: SLF001 -- of its base class
        finally:
            numbers.free_entries.append(entry)


class AnyProxy:
    """What both kinds of proxy have in common."""

    __slots__ = ("__weakref__", "_expression")

    _expression: Expression

    def __init__(self, expression: Expression) -> None:
        object.__setattr__(self, "_expression", expression)

    def __repr__(self) -> str:
        return repr(self._expression)

    def __copy__(self) -> Self:
        return self  # another one for the same object

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a proxy lives in its session and cannot be pickled; send its value_()")

    def _wrapped(self, found: Any) -> Any:
        if not isinstance(found, Held):
            return found
        return type(self)(Expression.of(self._expression.core, found))


class Proxy(AnyProxy):
    """An object on the device, for threads: each use of it is a call there, waited for.

    Attributes, items, calls, `len`, `in`, iteration, comparison and arithmetic are those of the
    object; arguments may be proxies too. `repr` asks nothing, `str` asks the device.
    """

    __slots__ = ()

    def value_(self) -> Any:
        """Return a copy of the object as a value.

        Raises:
            ResultTypeError: it is nothing that a literal can say.
            StaleHandle: it went with an earlier boot of the device.
        """
        return self._expression.literal().get()

    def __getattr__(self, name: str) -> Any:
        _refuse_special(name)
        return self._got(self._expression.attribute(name))

    def __setattr__(self, name: str, value: object) -> None:
        self._expression.attribute(name).assign(value).get()

    def __delattr__(self, name: str) -> None:
        self._expression.attribute(name).delete().get()

    def __getitem__(self, key: object) -> Any:
        return self._got(self._expression.item(key))

    def __setitem__(self, key: object, value: object) -> None:
        self._expression.item(key).assign(value).get()

    def __delitem__(self, key: object) -> None:
        self._expression.item(key).delete().get()

    def __call__(self, *args: object, **kwargs: object) -> Any:
        """Call it."""
        return self._got(self._expression.called(args, kwargs))

    def __len__(self) -> int:
        return int(self._expression.formatted("len({})").literal().get())

    def __bool__(self) -> bool:
        return bool(self._expression.formatted("bool({})").literal().get())

    def __contains__(self, item: object) -> bool:
        return bool(self._expression.formatted("{1} in {0}", item).literal().get())

    def __str__(self) -> str:
        return str(self._expression.formatted("str({})").literal().get())

    def __eq__(self, other: object) -> bool:
        return bool(self._expression.formatted("{}=={}", other).literal().get())

    def __hash__(self) -> int:
        return hash(self._expression.formatted("hash({})").literal().get())

    def __iter__(self) -> Iterator[Any]:
        held = self._expression.formatted("iter({})").held().get()
        iterator = Expression.of(self._expression.core, held)
        while (found := iterator.following().get()) is not END:
            yield self._wrapped(found)

    def _got(self, expression: Expression) -> Any:
        return self._wrapped(expression.value().get())


class AsyncProxy(AnyProxy):
    """An object on the device, for asyncio: an expression that is evaluated when it is awaited.

    `await p.name`, `await p[key]`, `await p.method(1)`, `await (p + 1)`, `async for each in p`.
    What Python has no word to await for is a method with an underscore at its end.
    """

    __slots__ = ()

    async def value_(self) -> Any:
        """Return a copy of the object as a value.

        Raises:
            ResultTypeError: it is nothing that a literal can say.
            StaleHandle: it went with an earlier boot of the device.
        """
        return await self._expression.literal()

    async def assign_(self, value: object) -> None:
        """Give an attribute or an item a value: `await p.name.assign_(1)`."""
        await self._expression.assign(value)

    async def delete_(self) -> None:
        """Delete an attribute or an item: `await p["key"].delete_()`."""
        await self._expression.delete()

    async def length_(self) -> int:
        """Return its `len`."""
        return int(await self._expression.formatted("len({})").literal())

    async def contains_(self, item: object) -> bool:
        """Whether it contains an item."""
        return bool(await self._expression.formatted("{1} in {0}", item).literal())

    async def equals_(self, other: object) -> bool:
        """Whether it is equal to something."""
        return bool(await self._expression.formatted("{}=={}", other).literal())

    def __getattr__(self, name: str) -> AsyncProxy:
        _refuse_special(name)
        return AsyncProxy(self._expression.attribute(name))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"use: await proxy.{name}.assign_(…)")

    def __getitem__(self, key: object) -> AsyncProxy:
        return AsyncProxy(self._expression.item(key))

    def __call__(self, *args: object, **kwargs: object) -> AsyncProxy:
        """Call it, once what is returned is awaited."""
        return AsyncProxy(self._expression.called(args, kwargs))

    def __await__(self) -> Generator[Any, None, Any]:
        return self._wrapped((yield from self._expression.value().__await__()))

    async def __aiter__(self) -> AsyncIterator[Any]:
        held = await self._expression.formatted("iter({})").held()
        iterator = Expression.of(self._expression.core, held)
        while (found := await iterator.following()) is not END:
            yield self._wrapped(found)


def root(core: SessionCore, code: str) -> Expression:
    """Return what an expression of the session's namespace gives, to be held.

    Raises:
        CodeSyntaxError: it is no Python.
        ArgumentError: it is no expression.
    """
    check_syntax(code)
    if not is_expression(code):
        raise ArgumentError(f"{code!r} is no expression; execute it, then take a proxy of a name")
    return Root(core, code.strip(), ())


def _operator(form: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def waited(self: Proxy, other: object) -> Any:
        return self._got(self._expression.formatted(form, other))

    def later(self: AsyncProxy, other: object) -> AsyncProxy:
        return AsyncProxy(self._expression.formatted(form, other))

    return waited, later


for _method, _form in _OPERATORS.items():
    for _kind, _function in zip((Proxy, AsyncProxy), _operator(_form), strict=True):
        setattr(_kind, _method, _function)


def _name(name: str) -> str:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ArgumentError(f"{name!r} is no name; an attribute or a keyword needs one")
    return name


def _refuse_special(name: str) -> None:
    """Do not ask the device for what Python itself looks for, such as `__array__`."""
    if name.startswith("__") and name.endswith("__"):
        raise AttributeError(name)


def _expression(value: object) -> Expression | None:
    return value._expression if isinstance(value, AnyProxy) else None  # noqa: SLF001


def _handles(value: object) -> tuple[Handle, ...]:
    found = _expression(value)
    return () if found is None else found.handles
