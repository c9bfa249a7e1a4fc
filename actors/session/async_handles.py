"""`AsyncSession`: what asyncio tasks hold.

Every method is one line: the core's future, awaited. A test keeps the twins alike.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self, overload

from .async_files import AsyncFiles
from .bound import AsyncBoundProgram
from .expressions import Expression, root
from .functions import AsyncSetupCall, AsyncThread
from .options import CallOptions
from .part import part
from .proxies import AsyncProxy
from .tasks import AsyncTask
from .tracker import AsyncResourceTracker
from .typed import check_type, typed
from .view import SessionView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .tasks import AsyncGeneratorTask, P, R, Y
    from .timesync import TimeSync


class AsyncSession(SessionView):
    """One isolated stay on a device, for asyncio. Call it: `await s("6 * 7")`."""

    _task_class = AsyncTask
    _thread_class = AsyncThread

    @part
    def program(self) -> AsyncBoundProgram:
        """The bound copy of the session's program; empty where it has none."""
        return self._bound(AsyncBoundProgram(self._core, self._core.program))

    @part
    def resources(self) -> AsyncResourceTracker:
        """What it holds (SES-024)."""
        return self._holding(AsyncResourceTracker(self._core))

    @part
    def files(self) -> AsyncFiles:
        """The device's files (SES-027)."""
        return self._holding(AsyncFiles(self._core))

    @property
    def file_system_context(self) -> AsyncFiles:
        """The same as `files` (SES-027)."""
        return self.files

    @overload
    async def execute(
        self,
        code: str,
        *,
        timeout: float | None = None,
        on_output: Callable[[bytes], object] | None = None,
        result_type: type[R],
    ) -> R: ...
    @overload
    async def execute(
        self,
        code: str,
        *,
        timeout: float | None = None,
        on_output: Callable[[bytes], object] | None = None,
        result_type: None = None,
    ) -> Any: ...
    async def execute(
        self,
        code: str,
        *,
        timeout: float | None = None,
        on_output: Callable[[bytes], object] | None = None,
        result_type: type[Any] | None = None,
    ) -> Any:
        """Run code in the session's namespace on the device.

        Args:
            code: an expression, whose value is returned, or statements.
            timeout: seconds, queueing included; None for `SessionOptions.call_timeout`.
            on_output: called with each piece of what the code prints, on this thread.
            result_type: the class that the value must be of; None for any (SES-125).

        Raises:
            DeviceError: what the code raised.
            ResultTypeError: the value is of another type; the code has run.
            LinkTimeout: it did not end in time, and is interrupted.
            LinkLost, DeviceReset: the device failed under it; `maybe_executed` tells.
            CodeSyntaxError: it is no Python; nothing was sent.
        """
        check_type(result_type)
        value = await self._core.awaited(
            lambda put: self._core.execute(code, timeout=timeout, on_output=put), on_output
        )
        return typed(value, result_type)

    __call__ = execute

    @overload
    def task(  # type: ignore[overload-overlap]  # a generator is a special result
        self, function: Callable[P, Iterator[Y]], /
    ) -> AsyncGeneratorTask[P, Y]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> AsyncTask[P, R]: ...
    @overload
    def task(
        self,
        function: None = None,
        /,
        *,
        source: None = None,
        timeout: float | None = None,
        idempotent: bool = False,
        on_output: Callable[[bytes], object] | None = None,
    ) -> Callable[[Callable[P, R]], AsyncTask[P, R]]: ...
    @overload
    def task(
        self,
        function: None = None,
        /,
        *,
        source: str,
        timeout: float | None = None,
        idempotent: bool = False,
        on_output: Callable[[bytes], object] | None = None,
    ) -> AsyncTask[..., Any]: ...
    def task(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        source: str | None = None,
        timeout: float | None = None,
        idempotent: bool = False,
        on_output: Callable[[bytes], object] | None = None,
    ) -> Any:
        """Make a function of the host one of the device, or give its `source` as text.

        Where its body yields, each call makes a generator that runs on the device.

        Args:
            function: a plain function that takes all it needs as arguments.
            source: its text, where the host has none.
            timeout: seconds for each call.
            idempotent: it may be sent again if its fate is unknown.
            on_output: called with each piece of what a call prints; see `with_options`.
        """
        return self._tasks(function, source, CallOptions(timeout, idempotent, on_output))

    @overload
    def thread(self, function: Callable[..., Any], /) -> AsyncThread: ...
    @overload
    def thread(
        self, function: None = None, /, *, source: None = None, restart: bool = False
    ) -> Callable[[Callable[..., Any]], AsyncThread]: ...
    @overload
    def thread(
        self, function: None = None, /, *, source: str, restart: bool = False
    ) -> AsyncThread: ...
    def thread(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        source: str | None = None,
        restart: bool = False,
    ) -> Any:
        """Make a function one that runs in the background on the device each time it is called.

        Args:
            function: a generator that yields the seconds to wait; with `_thread` on the device
                also a plain function that ends when `klemheist_running()` turns false.
            source: its text, where the host has none.
            restart: start it again after an error, three times in 5 seconds, and after a new
                boot; the fourth error is told by the event "thread failed".
        """
        return self._threads(function, source, restart)

    async def proxy(self, expression: str) -> AsyncProxy:
        """Return a proxy to an object on the device: what an expression gives there.

        Args:
            expression: of the session's namespace, such as the name of an object.

        Raises:
            DeviceError: what the expression raised.
            ArgumentError: it is no expression; nothing was sent.
        """
        held = await root(self._core, expression).held()
        return AsyncProxy(Expression.of(self._core, held, self._hold))

    async def sync_time(self, samples: int = 8) -> TimeSync:
        """Compare the device's clock with the host's; `host_time` goes by the last comparison.

        Args:
            samples: how often the device is asked; more of them make it more exact.

        Raises:
            ArgumentError: `samples` is not positive.
            DeviceError: the device has no `ticks_ms`.
        """
        return await self._core.sync_time(samples)

    @overload
    def setup(self, function: Callable[..., Any], /) -> AsyncSetupCall: ...
    @overload
    def setup(self, function: None = None, /) -> Callable[[Callable[..., Any]], AsyncSetupCall]: ...
    def setup(self, function: Callable[..., Any] | None = None, /) -> Any:
        """Decorate a function whose body runs at the namespace's top level when it is called.

        Args:
            function: the function; given by the bare decorator.
        """
        make = partial(AsyncSetupCall, self._core)
        return make if function is None else make(function)

    async def close(self, *, force: bool = False) -> None:
        """End the session: everything it started on the device goes. Idempotent.

        Args:
            force: soft-reset the device where a thread does not stop, whoever else lives there.

        Raises:
            ResourceCleanupError: some cleanups failed; all others were done.
        """
        self._core.force |= force
        await self._core.end()

    async def __aenter__(self) -> Self:
        self._core.require()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
