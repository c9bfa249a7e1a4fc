"""`Session` and `AsyncSession`: what users hold. One core; they differ only in how they wait.

Every method is one line: the core's future, got or awaited. A test keeps the twins alike.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, overload

from klemheist.actors.done import Done
from klemheist.actors.runtime.future import Future
from klemheist.actors.runtime.ref import ActorRef
from klemheist.actors.streams import Stream

from .bound import AsyncBoundProgram, BoundProgram
from .contexts import DeviceContext, ExecutorContext
from .core import SessionCore
from .files import AsyncFiles, Files
from .functions import (
    AsyncSetupCall,
    AsyncTask,
    AsyncThread,
    P,
    R,
    SetupCall,
    Task,
    Thread,
    hold_teardown,
    source_of,
)
from .program import Program
from .tracker import AsyncResourceTracker, ResourceTracker

OnOutput = Callable[[bytes], object]


class SessionView:
    """What needs no waiting: the same for `Session` and `AsyncSession`."""

    def __init__(self, core: SessionCore, ref: Callable[[], ActorRef[Any]]) -> None:
        self._core = core
        self._ref = ref
        self.executor_context = self.executor = ExecutorContext(core)
        """Deployments and threads of this session, for executors (SES-064)."""
        self.device_context = self.device = DeviceContext(core)
        """The device, as this session sees it (SES-078)."""

    def __repr__(self) -> str:
        return f"<session {self.session_id} on {self._core.port.url}, {self.status}>"

    @property
    def session_id(self) -> str:
        """Its id, unique for ever (SES-020)."""
        return self._core.session_id

    @property
    def created_at(self) -> datetime:
        """When it was created; timezone-aware (SES-021)."""
        return self._core.created_at

    @property
    def is_active(self) -> bool:
        """Whether it takes calls (SES-022)."""
        return self._core.is_active

    @property
    def status(self) -> str:
        """Where it stands: active, recovering, ending, ended, faulted."""
        return self._core.status.value

    @property
    def epoch(self) -> int:
        """How often its actor was started anew."""
        return self._core.epoch

    @property
    def generation(self) -> int:
        """Which boot of the device's interpreter this is, counted from 1."""
        return self._core.port.generation

    @property
    def done(self) -> Done:
        """Closed when this attachment ends, for any reason."""
        return self._core.done

    @property
    def logical(self) -> LogicalSession:
        """The session itself, which outlives its attachments."""
        return LogicalSession(self._core)

    @property
    def state(self) -> dict[str, Any]:
        """A store of your own, of this session only (SES-023)."""
        return self._core.state

    @property
    def ref(self) -> ActorRef[Any]:
        """The Session actor, for messages: `tell(Execute(…))`, `ask(Call(…))`."""
        return self._ref()

    def output(self, capacity: int = 1024) -> Stream[bytes]:
        """Return a stream of what this session's calls print, from now on."""
        return self._core.output(capacity)

    def submit(self, code: str, *, timeout: float | None = None) -> Future[Any]:
        """Run code as `execute` does, and return its future at once."""
        return self._core.execute(code, timeout=timeout)

    def interrupt(self) -> None:
        """Send Ctrl-C to what the device runs for this session."""
        self._core.interrupt()

    def teardown(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a function whose body runs at the namespace's top level at the session's end."""
        hold_teardown(self._core, function)
        return function


class LogicalSession:
    """A session apart from its attachments."""

    def __init__(self, core: SessionCore) -> None:
        self.session_id = core.session_id
        self.done: Done = core.logical_done
        """Closed when the session itself has ended."""


class Session(SessionView):
    """One isolated stay on a device, for threads. Call it: `s("6 * 7")` is `s.execute("6 * 7")`."""

    def __init__(
        self, core: SessionCore, ref: Callable[[], ActorRef[Any]], program: Program | None = None
    ) -> None:
        super().__init__(core, ref)
        self.program = BoundProgram(core, program)
        """The bound copy of the session's program; empty where it has none."""
        self.resources = ResourceTracker(core)
        """What it holds (SES-024)."""
        self.file_system_context = self.files = Files(core)
        """The device's files (SES-027)."""

    def execute(
        self, code: str, *, timeout: float | None = None, on_output: OnOutput | None = None
    ) -> Any:
        """Run code in the session's namespace on the device.

        Args:
            code: an expression, whose value is returned, or statements.
            timeout: seconds, queueing included; None for `SessionOptions.call_timeout`.
            on_output: called with each piece of what the code prints, on this thread.

        Raises:
            DeviceError: what the code raised.
            LinkTimeout: it did not end in time, and is interrupted.
            LinkLost, DeviceReset: the device failed under it; `maybe_executed` tells.
            CodeSyntaxError: it is no Python; nothing was sent.
        """
        return self._core.streamed(code, timeout, on_output)

    __call__ = execute

    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, R]: ...
    @overload
    def task(
        self,
        function: None = None,
        /,
        *,
        source: None = None,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> Callable[[Callable[P, R]], Task[P, R]]: ...
    @overload
    def task(
        self,
        function: None = None,
        /,
        *,
        source: str,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> Task[..., Any]: ...
    def task(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        source: str | None = None,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> Any:
        """Make a function of the host one of the device, or give its `source` as text.

        Args:
            function: a plain function that takes all it needs as arguments.
            source: its text, where the host has none.
            timeout: seconds for each call.
            idempotent: it may be sent again if its fate is unknown.
        """
        if function is None and source is None:
            return lambda each: self._task(each, None, timeout, idempotent)
        return self._task(function, source, timeout, idempotent)

    def _task(
        self,
        function: Callable[..., Any] | None,
        source: str | None,
        timeout: float | None,
        idempotent: bool,  # noqa: FBT001 -- passed through
    ) -> Task[..., Any]:
        found = source_of(function, source)
        return Task(self._core, found, timeout=timeout, idempotent=idempotent)

    def thread(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        source: str | None = None,
        restart: bool = False,
    ) -> Any:
        """Make a generator function one that runs in the background on the device when called."""
        if function is None and source is None:
            return lambda each: Thread(self._core, source_of(each, None), restart=restart)
        return Thread(self._core, source_of(function, source), restart=restart)

    def setup(self, function: Callable[..., Any]) -> SetupCall:
        """Decorate a function whose body runs at the namespace's top level when it is called."""
        return SetupCall(self._core, function)

    def close(self) -> None:
        """End the session: everything it started on the device goes. Idempotent.

        Raises:
            ResourceCleanupError: some cleanups failed; all others were done.
        """
        self._core.end().get()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncSession(SessionView):
    """One isolated stay on a device, for asyncio. `await s("6 * 7")`."""

    def __init__(
        self, core: SessionCore, ref: Callable[[], ActorRef[Any]], program: Program | None = None
    ) -> None:
        super().__init__(core, ref)
        self.program = AsyncBoundProgram(core, program)
        """The bound copy of the session's program; empty where it has none."""
        self.resources = AsyncResourceTracker(core)
        """What it holds (SES-024)."""
        self.file_system_context = self.files = AsyncFiles(core)
        """The device's files (SES-027)."""

    async def execute(
        self, code: str, *, timeout: float | None = None, on_output: OnOutput | None = None
    ) -> Any:
        """Run code in the session's namespace on the device.

        Args:
            code: an expression, whose value is returned, or statements.
            timeout: seconds, queueing included; None for `SessionOptions.call_timeout`.
            on_output: called with each piece of what the code prints, on this thread.

        Raises:
            DeviceError: what the code raised.
            LinkTimeout: it did not end in time, and is interrupted.
            LinkLost, DeviceReset: the device failed under it; `maybe_executed` tells.
            CodeSyntaxError: it is no Python; nothing was sent.
        """
        return await self._core.streamed_async(code, timeout, on_output)

    __call__ = execute

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
    ) -> AsyncTask[..., Any]: ...
    def task(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        source: str | None = None,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> Any:
        """Make a function of the host one of the device, or give its `source` as text.

        Args:
            function: a plain function that takes all it needs as arguments.
            source: its text, where the host has none.
            timeout: seconds for each call.
            idempotent: it may be sent again if its fate is unknown.
        """
        if function is None and source is None:
            return lambda each: self._task(each, None, timeout, idempotent)
        return self._task(function, source, timeout, idempotent)

    def _task(
        self,
        function: Callable[..., Any] | None,
        source: str | None,
        timeout: float | None,
        idempotent: bool,  # noqa: FBT001 -- passed through
    ) -> AsyncTask[..., Any]:
        found = source_of(function, source)
        return AsyncTask(self._core, found, timeout=timeout, idempotent=idempotent)

    def thread(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        source: str | None = None,
        restart: bool = False,
    ) -> Any:
        """Make a generator function one that runs in the background on the device when called."""
        if function is None and source is None:
            return lambda each: AsyncThread(self._core, source_of(each, None), restart=restart)
        return AsyncThread(self._core, source_of(function, source), restart=restart)

    def setup(self, function: Callable[..., Any]) -> AsyncSetupCall:
        """Decorate a function whose body runs at the namespace's top level when it is called."""
        return AsyncSetupCall(self._core, function)

    async def close(self) -> None:
        """End the session: everything it started on the device goes. Idempotent.

        Raises:
            ResourceCleanupError: some cleanups failed; all others were done.
        """
        await self._core.end()

    async def __aenter__(self) -> AsyncSession:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
