"""Generators that run on the device: iterated here, one call for each value.

    @s.task
    def count(n):
        for i in range(n):
            yield i

    list(count(3))        # [0, 1, 2]

The body begins with the first `next`. A generator that is closed, collected, or left when its
session ends, is closed on the device.
"""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from klemheist.actors.errors import DeviceError, StaleHandle
from klemheist.actors.runtime.future import Future
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.procedures import evaluated
from klemheist.transports.repl.values import ArgumentError, ResultTypeError, encode_arguments

from . import objects_remote as remote
from .answers import value_of
from .expressions import said_by
from .options import CallOptions
from .status import LIVE

if TYPE_CHECKING:
    from klemheist.actors.sources import Source
    from klemheist.transports.repl.board import Board

    from .core import SessionCore
    from .objects import Handle
    from .remote import Passed

P = ParamSpec("P")
Y = TypeVar("Y")


@dataclass(frozen=True, slots=True)
class Ended:
    """Stands for a value where the generator came to its end."""

    value: object = None
    """What it returned."""


class GeneratorCore:
    """One generator on the device, whichever way its values are waited for."""

    def __init__(
        self,
        core: SessionCore,
        source: Source,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> None:
        source.arity.check(source.name, args, kwargs)
        self._passed: Passed | None = said_by(core, args, kwargs)  # refused here, if at all
        """Says its arguments; None once it has begun."""
        self.core = core
        self._source = source
        self._options = options
        self._handle: Handle | None = None
        """Set when it begins; it is let go when this is collected."""
        self._over = False

    def __repr__(self) -> str:
        return f"<generator {self._source.name} of session {self.core.session_id}>"

    @property
    def on_output(self) -> Callable[[bytes], object] | None:
        """What takes the output of each step."""
        return self._options.on_output

    def sent(self, value: object, on_output: Callable[[bytes], object] | None) -> Future[Any]:
        """Go on to the next value, with `value` for the `yield` that waits; or `Ended`.

        A step is sent once. Whatever it fails with, but for what leaves the device untouched, ends
        the generator, as an exception ends one of Python.
        """
        encode_arguments((value,))
        if value is not None and self._handle is None and not self._over:
            raise TypeError("can't send non-None value to a just-started generator")
        return self._submit(lambda board: self._step(board, value), on_output)

    def thrown(self, error: BaseException | type[BaseException]) -> Future[Any]:
        """Raise an exception of the device's own where the generator waits; as `sent`."""
        if isinstance(error, type):
            error = error()
        if self._handle is None or self._over:
            self._over = True
            raise error
        passed = encode_arguments(error.args, single=self.core.port.board.single)
        kind = type(error).__name__
        return self._submit(lambda board: self._throw(board, kind, passed), self.on_output)

    def closed(self) -> Future[None]:
        """Close it on the device, whose error, if its `finally` raises, is the future's."""
        over, self._over = self._over, True
        handle = self._handle
        if over or handle is None or self.core.status not in LIVE:
            return _resolved(None)
        return self.core.submit(self._close, label=self._label, timeout=self._options.timeout)

    @property
    def _label(self) -> str:
        return f"a step of {self._source.name}"

    def _submit(
        self,
        procedure: Callable[[Board], Procedure[Any]],
        on_output: Callable[[bytes], object] | None,
    ) -> Future[Any]:
        if self._over:
            return _resolved(Ended())
        self.core.objects.hold()
        return self.core.submit(
            procedure, label=self._label, timeout=self._options.timeout, on_output=on_output
        )

    # -- on the device's turn ----------------------------------------------------------------------

    def _step(self, board: Board, value: object) -> Procedure[object]:
        def step() -> Procedure[object]:
            handle = self._handle or (yield from self._begin(board))
            return (yield from self.core.namespace.apply(board, handle.number, (value,), {}))

        return (yield from self._guarded(board, step, popped=True))

    def _throw(self, board: Board, kind: str, passed: str) -> Procedure[object]:
        return (
            yield from self._guarded(board, lambda: self._raise(board, kind, passed), popped=False)
        )

    def _guarded(
        self, board: Board, step: Callable[[], Procedure[object]], *, popped: bool
    ) -> Procedure[object]:
        """Run a step, and know the generator as ended if it has, or if nobody can tell."""
        if self._over:
            return Ended()
        if self._handle is not None:
            self._handle.check(board)
        try:
            return (yield from step())
        except (ArgumentError, ResultTypeError, StaleHandle):
            raise  # it still waits where it waited, or has only gone on
        except DeviceError as error:
            self._over = True
            if error.kind == "StopIteration":
                return (yield from self._end(board, error, popped))
            self._handle = None
            raise
        except BaseException:  # abandoned too: nobody knows how far it went
            self._over, self._handle = True, None
            raise

    def _begin(self, board: Board) -> Procedure[Handle]:
        core, namespace = self.core, self.core.namespace
        entry = yield from namespace.deployed(board, self._source)
        yield from remote.helped(board, remote.GENERATORS)
        assert self._passed is not None
        passed = yield from self._passed(board)
        self._handle = handle = core.objects.for_generator(board)  # held by now, whatever comes
        self._passed = None
        code = f"PG({namespace.number},{handle.number},G[{entry}]({passed}))"
        answer = yield from evaluated(board, code)
        yield from value_of(board, answer, namespace.tracer)
        return handle

    def _raise(self, board: Board, kind: str, passed: str) -> Procedure[object]:
        assert self._handle is not None
        namespace, number = self.core.namespace, self._handle.number
        generator = f"PO[{namespace.number}][{number}]"
        name = kind if kind in vars(builtins) else f"S[{namespace.number}][{kind!r}]"
        error = f"{name}({passed})"
        entry = namespace.numbers.entry()
        try:
            return (yield from remote.throw(board, generator, error, entry, namespace.tracer))
        finally:
            namespace.numbers.free_entries.append(entry)

    def _end(self, board: Board, error: DeviceError, popped: bool) -> Procedure[Ended]:  # noqa: FBT001
        handle, value = self._handle, None
        if handle is not None and popped:
            handle.forget()
            self.core.objects.free(handle.number)
            if error.message == remote.RETURNED:
                answer = yield from evaluated(board, f"G.pop({handle.number})")
                value = yield from value_of(board, answer, self.core.namespace.tracer)
        self._handle = None  # what `throw` has ended is still in the table, and is let go
        return Ended(value)

    def _close(self, board: Board) -> Procedure[None]:
        handle, self._handle = self._handle, None
        if handle is None or handle.boot != board.boot:
            return
        namespace = self.core.namespace
        handle.forget()
        try:
            yield from remote.close(board, namespace.number, handle.number, namespace.tracer)
        finally:
            self.core.objects.free(handle.number)


class RemoteGenerator(Iterator[Y], Generic[Y]):
    """A generator on the device, whose values are waited for."""

    def __init__(self, generator: GeneratorCore, hold: object) -> None:
        self._generator = generator
        self._hold = hold

    def __repr__(self) -> str:
        return repr(self._generator)

    def __next__(self) -> Y:
        """Return its next value."""
        return self.send(None)

    def send(self, value: object) -> Y:
        """Go on with `value` as what its `yield` gives; return the next value.

        Raises:
            StopIteration: it has ended, and this holds what it returned; in asyncio it is
                StopAsyncIteration.
            DeviceError: what its body raised; it has ended.
            LinkError: it has ended; `maybe_executed` says whether this step may have run.
            StaleHandle: the device has booted anew since.
            ArgumentError: `value` cannot be sent; nothing was.
        """
        generator = self._generator
        found = generator.core.waited(
            lambda on_output: generator.sent(value, on_output), generator.on_output
        )
        return self._value(found)

    def throw(self, error: BaseException | type[BaseException]) -> Y:
        """Raise an exception where it waits, by the name that its class has on the device."""
        return self._value(self._generator.thrown(error).get())

    def close(self) -> None:
        """Close it on the device. Idempotent."""
        self._generator.closed().get()

    def _value(self, found: Any) -> Y:
        if isinstance(found, Ended):
            raise StopIteration(found.value)
        return found  # type: ignore[no-any-return]


class AsyncRemoteGenerator(AsyncIterator[Y], Generic[Y]):
    """A generator on the device, whose values are awaited."""

    def __init__(self, generator: GeneratorCore, hold: object) -> None:
        self._generator = generator
        self._hold = hold

    def __repr__(self) -> str:
        return repr(self._generator)

    async def __anext__(self) -> Y:
        """Return its next value."""
        return await self.send(None)

    async def send(self, value: object) -> Y:
        """Go on with `value` as what its `yield` gives; return the next value.

        Raises:
            StopIteration: it has ended, and this holds what it returned; in asyncio it is
                StopAsyncIteration.
            DeviceError: what its body raised; it has ended.
            LinkError: it has ended; `maybe_executed` says whether this step may have run.
            StaleHandle: the device has booted anew since.
            ArgumentError: `value` cannot be sent; nothing was.
        """
        generator = self._generator
        found = await generator.core.awaited(
            lambda on_output: generator.sent(value, on_output), generator.on_output
        )
        return self._value(found)

    async def throw(self, error: BaseException | type[BaseException]) -> Y:
        """Raise an exception where it waits, by the name that its class has on the device."""
        return self._value(await self._generator.thrown(error))

    async def close(self) -> None:
        """Close it on the device. Idempotent."""
        await self._generator.closed()

    def _value(self, found: Any) -> Y:
        if isinstance(found, Ended):
            raise StopAsyncIteration(found.value)
        return found  # type: ignore[no-any-return]


def _resolved(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set(value)
    return future
