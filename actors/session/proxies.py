"""Proxies: objects that stay on the device, used from here.

    led = s.proxy("machine.Pin(25, machine.Pin.OUT)")
    led.value(1)

What a literal can say comes back as a value, a copy; all else as another proxy. An object is let go
on the device when its proxy is collected here, or when the session ends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any, Final, NoReturn, Self

from .expressions import END, Expression, HasExpression, Held

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


class AnyProxy(HasExpression):
    """What both kinds of proxy have in common."""

    __slots__ = ("__weakref__",)

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
        return type(self)(Expression.of(self._expression.core, found, self._expression.hold))


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
        iterator = Expression.of(self._expression.core, held, self._expression.hold)
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
        iterator = Expression.of(self._expression.core, held, self._expression.hold)
        while (found := await iterator.following()) is not END:
            yield self._wrapped(found)


def _operator(form: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def waited(self: Proxy, other: object) -> Any:
        return self._got(self._expression.formatted(form, other))

    def later(self: AsyncProxy, other: object) -> AsyncProxy:
        return AsyncProxy(self._expression.formatted(form, other))

    return waited, later


for _method, _form in _OPERATORS.items():
    for _kind, _function in zip((Proxy, AsyncProxy), _operator(_form), strict=True):
        setattr(_kind, _method, _function)


def _refuse_special(name: str) -> None:
    """Do not ask the device for what Python itself looks for, such as `__array__`."""
    if name.startswith("__") and name.endswith("__"):
        raise AttributeError(name)
