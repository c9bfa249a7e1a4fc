"""Tasks of one session: functions that run on the device, whichever way they are waited for."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, ParamSpec, Self, TypeVar

from klemheist.actors.runtime.future import Future
from klemheist.actors.sources import Source
from klemheist.transports.repl.values import ArgumentError

from .generators import AsyncRemoteGenerator, GeneratorCore, RemoteGenerator
from .mapped import mapped
from .options import CallOptions

if TYPE_CHECKING:
    from .core import SessionCore

P = ParamSpec("P")
R = TypeVar("R")
Y = TypeVar("Y")

_AS_IS: Final[Any] = object()
"""Stands for an option that stays as it is."""


class AnyTask:
    """What all tasks have in common."""

    _hold: object = None

    def __init__(
        self, core: SessionCore, source: Source, options: CallOptions | None = None
    ) -> None:
        self._core = core
        self.source = source
        """Its function, as it is sent to the device."""
        self.options = options or CallOptions()
        """How each call is made."""
        core.remember(source)

    def __repr__(self) -> str:
        return f"<task {self.source.name} of session {self._core.session_id}>"

    def with_options(
        self,
        *,
        timeout: float | None = _AS_IS,
        idempotent: bool = _AS_IS,
        on_output: Callable[[bytes], object] | None = _AS_IS,
    ) -> Self:
        """Return the same task with other options: `t.with_options(on_output=print)(2, 3)`.

        Args:
            timeout: seconds for each call, queueing included; None for the session's.
            idempotent: it may be sent again if its fate is unknown.
            on_output: called with each piece of what a call prints: by `submit` on the device's
                turn, where it must not block, else on the thread or in the task that waits.
        """
        given = {"timeout": timeout, "idempotent": idempotent, "on_output": on_output}
        changed: dict[str, Any] = {k: v for k, v in given.items() if v is not _AS_IS}
        other = type(self)(self._core, self.source, replace(self.options, **changed))
        other._hold = self._hold  # noqa: SLF001 -- of the same class
        return other


class RemoteTask(AnyTask, Generic[P, R]):
    """A function that runs on the device: deployed at its first call, then only called."""

    for_generators: ClassVar[type[AnyTask]]
    """The class of tasks whose body yields."""

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call it; the result is a `Future`: `.get()`, `await`, `.cancel()`.

        Raises:
            ArgumentError: an argument cannot be sent, or they do not fit; nothing was.
        """
        return self._start(args, kwargs, self.options.on_output)

    def _mapped(self, iterables: tuple[Iterable[Any], ...]) -> closing[Generator[Future[R]]]:
        try:
            rows = zip(*iterables, strict=False)
        except TypeError:
            text = f"{self.source.name}.map takes lists, or what else gives arguments one by one"
            raise ArgumentError(f"{text}; give [5] where one call of it takes 5") from None
        return closing(mapped(self._start_each, rows))

    def _start_each(self, rows: list[tuple[Any, ...]]) -> list[Future[Any]]:
        options = self.options
        if options.on_output is not None:
            return [self._start(args, {}, options.on_output) for args in rows]
        return self._core.call_each(
            self.source, rows, timeout=options.timeout, idempotent=options.idempotent
        )

    def _start(self, args: Any, kwargs: Any, on_output: Any) -> Future[Any]:
        options = self.options
        return self._core.call(
            self.source,
            args,
            kwargs,
            timeout=options.timeout,
            idempotent=options.idempotent,
            on_output=on_output,
        )


class GeneratorTask(AnyTask, Generic[P, Y]):
    """A task whose body yields: each call makes a generator that runs on the device."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> RemoteGenerator[Y]:
        """Return a generator; nothing is sent before its first `next`.

        Raises:
            ArgumentError: an argument cannot be sent.
        """
        generator = GeneratorCore(self._core, self.source, args, kwargs, self.options)
        return RemoteGenerator(generator, self._hold)


class AsyncGeneratorTask(AnyTask, Generic[P, Y]):
    """A task whose body yields, for asyncio."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> AsyncRemoteGenerator[Y]:
        """Return a generator; nothing is sent before its first `next`.

        Raises:
            ArgumentError: an argument cannot be sent.
        """
        generator = GeneratorCore(self._core, self.source, args, kwargs, self.options)
        return AsyncRemoteGenerator(generator, self._hold)


class Task(RemoteTask[P, R]):
    """A task whose calls wait for the result."""

    for_generators = GeneratorTask

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call it on the device and return its result."""
        options = self.options
        if options.on_output is None:
            return self._core.call_now(  # type: ignore[no-any-return]
                self.source, args, kwargs, timeout=options.timeout, idempotent=options.idempotent
            )
        return self._core.waited(  # type: ignore[no-any-return]
            lambda on_output: self._start(args, kwargs, on_output), options.on_output
        )

    def map(self, *iterables: Iterable[Any]) -> list[R]:
        """Call it with each of the arguments, as the built-in `map` does; return what they gave.

        For many quick calls: they go to the device together, for a fraction of what single ones
        take. Each has a deadline of its own, from when it is handed over. The first that fails ends
        it: those that have not begun are not made.

        Raises:
            ArgumentError: an argument cannot be sent, or they do not fit.
            DeviceError: what the first call raised that failed.
        """
        with self._mapped(iterables) as futures:
            return [future.get() for future in futures]


class AsyncTask(RemoteTask[P, R]):
    """A task whose calls are awaited."""

    for_generators = AsyncGeneratorTask

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call it on the device and return its result."""
        options = self.options
        if options.on_output is None:
            return await self._core.call_awaited(  # type: ignore[no-any-return]
                self.source, args, kwargs, timeout=options.timeout, idempotent=options.idempotent
            )
        return await self._core.awaited(  # type: ignore[no-any-return]
            lambda on_output: self._start(args, kwargs, on_output), options.on_output
        )

    async def map(self, *iterables: Iterable[Any]) -> list[R]:
        """Call it with each of the arguments, as the built-in `map` does; return what they gave.

        For many quick calls: they go to the device together, for a fraction of what single ones
        take. Each has a deadline of its own, from when it is handed over. The first that fails ends
        it: those that have not begun are not made.

        Raises:
            ArgumentError: an argument cannot be sent, or they do not fit.
            DeviceError: what the first call raised that failed.
        """
        with self._mapped(iterables) as futures:
            return [await future for future in futures]


def task_of(
    kind: type[RemoteTask[..., Any]], core: SessionCore, source: Source, options: CallOptions
) -> AnyTask:
    """Return the task of a function, by whether its body yields."""
    return (kind.for_generators if source.is_generator else kind)(core, source, options)
