"""What `Session` and `AsyncSession` have in common: all that needs no waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast, overload

from klemheist.actors.done import Done
from klemheist.actors.errors import SessionError, StaleHandle
from klemheist.actors.notebook import table
from klemheist.actors.streams import Overflow

from .calls import check_seconds
from .context import EndContext, Level, level_of
from .contexts import DeviceContext, ExecutorContext
from .functions import RemoteThread, hold_teardown, source_of
from .options import CallOptions
from .part import MAKING, part, parts_of
from .released import Released
from .tasks import AnyTask, RemoteTask, task_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from klemheist.actors.runtime.future import Future
    from klemheist.actors.runtime.ref import ActorRef
    from klemheist.actors.streams import Subscription

    from .bound import Bound
    from .core import SessionCore
    from .spawn import Finder

    T = TypeVar("T")
    B = TypeVar("B", bound=Bound)
    F = TypeVar("F", bound=Callable[..., Any])


class SessionView:
    """What needs no waiting: the same for `Session` and `AsyncSession`."""

    _task_class: ClassVar[type[RemoteTask[..., Any]]]
    _thread_class: ClassVar[type[RemoteThread]]
    _hold: object = None
    _attachment: tuple[Done, Done, Callable[[], None]] | None = None
    """The incarnation's `Done`, this holder's, and what parts the two; made at the first look."""

    def __init__(self, core: SessionCore, finder: Finder) -> None:
        self._core = core
        self._finder = finder

    @part
    def executor(self) -> ExecutorContext:
        """Deployments and threads of this session, for executors (SES-064)."""
        return self._holding(ExecutorContext(self._core))

    @property
    def executor_context(self) -> ExecutorContext:
        """The same as `executor` (SES-025)."""
        return self.executor

    @part
    def device(self) -> DeviceContext:
        """The device, as this session sees it (SES-078)."""
        return self._holding(DeviceContext(self._core))

    @property
    def device_context(self) -> DeviceContext:
        """The same as `device` (SES-026)."""
        return self.device

    def hold(self, hold: object) -> None:
        """Keep an object alive for as long as anything of this session is in use.

        To be called before any part of it is asked for.
        """
        self._hold = hold

    def _holding(self, made: T) -> T:
        object.__setattr__(made, "_hold", self._hold)
        return made

    def _bound(self, program: B) -> B:
        """Let each task and thread of the bound program hold what it does itself."""
        for each in vars(program).values():
            if isinstance(each, RemoteTask | RemoteThread):
                self._holding(each)
        return self._holding(program)

    def __repr__(self) -> str:
        return f"<session {self.session_id} on {self._core.port.url}, {self.status}>"

    def _repr_html_(self) -> str:
        facts = self._core.describe()
        for name in ("tasks", "held"):
            facts[name] = ", ".join(facts[name])
        return table("session", facts)

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
        """Closed when this attachment ends, for any reason: this holder's use of the session.

        Others who hold the same session have their own. A restart begins a new one for each.
        """
        whole = self._core.done
        while (attachment := self._attachment) is None or attachment[0] is not whole:
            own = Done()
            part_them = whole.add_callback(own.close)
            with MAKING:
                if fresh := self._attachment is attachment:
                    self._attachment = whole, own, part_them
            if not fresh:  # another thread was faster
                part_them()
        return attachment[1]

    def release(self) -> None:
        """Let go of the session without ending it: only this holder's `done` closes. Idempotent.

        This handle is not used any more then; others that hold the session go on with it. It
        lives until one of them closes it, or it is idle for too long.
        """
        core, own = self._core, self.done
        if not core.is_active:
            return
        core.watched = False
        assert self._attachment is not None
        self._attachment[2]()
        self._core = cast("SessionCore", Released(core, own))
        self._attachment = own, own, lambda: None
        for name in parts_of(type(self)):
            vars(self).pop(name, None)
        own.close("released")

    def context(
        self, level: Level | str, *, timeout: float | None = None, **values: Any
    ) -> EndContext:
        """Return an end as a context, to be entered with `with`: a `CancelToken` (DONE-023).

        Args:
            level: whose end cancels it: "attachment", "session" or "device".
            timeout: seconds after which it is cancelled by itself; None for never.
            values: what it carries, as its `values`.

        Raises:
            ArgumentError: there is no such level, or `timeout` is no time.
            SessionClosed: the session has ended.
        """
        self._core.require()
        if timeout is not None:
            check_seconds(timeout)
        named = level_of(level)
        ends = {Level.ATTACHMENT: self.done, Level.SESSION: self.logical.done}
        return EndContext(named, ends.get(named) or self.device.done, timeout, values)

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
        return self._finder._ref_of(self._core)  # noqa: SLF001 -- no user calls it

    def output(
        self, capacity: int = 1024, *, overflow: Overflow | str = Overflow.DROP_OLDEST
    ) -> Subscription[bytes]:
        """Return a stream of what this session's calls print, from now on.

        Args:
            capacity: pieces that are kept for a consumer who is behind.
            overflow: what becomes of more; a device waits for nobody, so not `block`.

        Raises:
            ValueError: the policy is `block`, or unknown.
            SessionClosed: the session has ended.
        """
        self._core.require()
        return self._core.output(capacity, overflow=overflow)

    def host_time(self, ticks_ms: int) -> float:
        """Turn a reading of the device's `ticks_ms` into the host's time, by the last `sync_time`.

        Args:
            ticks_ms: milliseconds, wrapped as the device wraps them; of the half period around now.

        Returns:
            Seconds since the epoch, within `TimeSync.uncertainty`.

        Raises:
            SessionError: there was no `sync_time` yet.
            StaleHandle: the device has booted anew since, and its clock with it.
        """
        found = self._core.time_sync
        if found is None:
            raise SessionError("the clocks were not compared; call sync_time() first")
        if found.generation != self.generation:
            raise StaleHandle("the device has booted anew; call sync_time() again")
        return found.host_time(ticks_ms)

    def submit(self, code: str, *, timeout: float | None = None) -> Future[Any]:
        """Run code as `execute` does, and return its future at once."""
        return self._core.execute(code, timeout=timeout)

    def interrupt(self) -> None:
        """Send Ctrl-C to what the device runs for this session."""
        self._core.interrupt()

    @overload
    def teardown(self, function: F, /) -> F: ...
    @overload
    def teardown(
        self, function: None = None, /, *, ignore_errors: bool = False
    ) -> Callable[[F], F]: ...
    def teardown(self, function: F | None = None, /, *, ignore_errors: bool = False) -> Any:
        """Decorate a function whose body runs at the namespace's top level at the session's end.

        Others of the same name run as well, the last one first. Only the very same definition,
        executed again (a notebook's cell, say), is one teardown.

        Args:
            function: the function; given by the bare decorator.
            ignore_errors: what it raises on the device is not reported; either way a teardown
                that fails keeps no other from running.
        """

        def hold(function: F) -> F:
            hold_teardown(self._core, function, ignore_errors=ignore_errors)
            return function

        return hold if function is None else hold(function)

    def _tasks(
        self,
        function: Callable[..., Any] | None,
        source: str | None,
        options: CallOptions,
    ) -> Any:
        """Make a task, or the decorator that makes one."""

        def make(function: Callable[..., Any] | None) -> AnyTask:
            made = task_of(self._task_class, self._core, source_of(function, source), options)
            return self._holding(made)

        return make if function is None and source is None else make(function)

    def _threads(
        self,
        function: Callable[..., Any] | None,
        source: str | None,
        restart: bool,  # noqa: FBT001 -- passed through
    ) -> Any:
        """Make a thread, or the decorator that makes one."""

        def make(function: Callable[..., Any] | None) -> RemoteThread:
            made = self._thread_class(self._core, source_of(function, source), restart=restart)
            return self._holding(made)

        return make if function is None and source is None else make(function)


class LogicalSession:
    """A session apart from its attachments."""

    def __init__(self, core: SessionCore) -> None:
        self.session_id = core.session_id
        self.done: Done = core.logical_done
        """Closed when the session itself has ended."""
