"""Threads, setups and teardowns of one session, whichever way they are waited for.

The classes here are what `session.thread` and its siblings return. Each operation gives a `Future`;
the handles of threads and asyncio only differ in how they wait for it.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from klemheist.actors.errors import AlreadyHeld, DeviceError, StaleHandle
from klemheist.actors.messages import Cleaned
from klemheist.actors.operation import Steps, operation
from klemheist.actors.runtime.future import Future
from klemheist.actors.sources import Source, body_source, sources_from_text, task_source
from klemheist.transports.repl.values import ArgumentError

from .ledger import EntryKind
from .namespace import Setup
from .program import setup_from
from .resources import CancelToken, OwnResource
from .threads import ThreadCleaner, ThreadRecord, launch

if TYPE_CHECKING:
    from .core import SessionCore

_numbers = itertools.count(1)


class ThreadHandle:
    """One thread that was started on the device. While it is in use, so is its session."""

    _hold: object = None

    def __init__(self, core: SessionCore, record: ThreadRecord) -> None:
        self._core = core
        self._record = record

    def __repr__(self) -> str:
        return f"<thread {self.name} {self.thread_id}, {'alive' if self.is_alive else 'ended'}>"

    @property
    def thread_id(self) -> str:
        """Its id, unique in the session."""
        return self._record.thread_id

    @property
    def name(self) -> str:
        """The name of its function."""
        return self._record.name

    @property
    def is_alive(self) -> bool:
        """Whether the session holds it as running."""
        entry = self._core.ledger.find(EntryKind.THREAD, self.thread_id)
        return entry is not None and entry.state == "held"

    def stop_later(self) -> Future[Cleaned]:
        """Ask it to end; the future is resolved when it has."""
        boot = self._core.port.board.boot
        if self._record.boot != boot and not self.is_alive:
            stale: Future[Cleaned] = Future()
            stale.set_exception(
                StaleHandle(f"thread {self.name} went with an earlier boot; start it again")
            )
            return stale
        return self._core.clean_one(EntryKind.THREAD, self.thread_id)

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        _raise_error(self.stop_later().get())


class AsyncThreadHandle(ThreadHandle):
    """`ThreadHandle` for asyncio."""

    async def stop(self) -> None:  # type: ignore[override]
        """End it, and wait until it has ended."""
        _raise_error(await self.stop_later())


class RemoteThread:
    """A function that runs in the background on the device each time it is called."""

    handle: type[ThreadHandle] = ThreadHandle
    _hold: object = None

    def __init__(self, core: SessionCore, source: Source, *, restart: bool) -> None:
        self._core = core
        self.source = source
        self.restart = restart

    @operation
    def submit(self, *args: Any) -> Steps[Any]:
        """Start it; the future gives its handle."""
        core = self._core
        self.source.arity.check(self.source.name, args, {})
        record = ThreadRecord(
            f"{core.session_id[:4]}{next(_numbers)}",
            self.source,
            args,
            self.restart,
            name=self.source.name,
        )
        core.track(EntryKind.THREAD, record.thread_id, record)  # before it can run: SES-053
        try:
            yield launch(core, record)
        except BaseException:
            yield core.clean_one(EntryKind.THREAD, record.thread_id)  # it may run all the same
            raise
        watch(core, record)
        handle = self.handle(core, record)
        handle._hold = self._hold  # noqa: SLF001 -- what keeps the session in use
        return handle


class Thread(RemoteThread):
    """A thread whose start is waited for."""

    def __call__(self, *args: Any) -> ThreadHandle:
        """Start it on the device and return its handle."""
        return self.submit(*args).get()  # type: ignore[no-any-return]


class AsyncThread(RemoteThread):
    """A thread whose start is awaited."""

    handle = AsyncThreadHandle

    async def __call__(self, *args: Any) -> AsyncThreadHandle:
        """Start it on the device and return its handle."""
        return await self.submit(*args)  # type: ignore[no-any-return]


class RemoteSetup:
    """A body that runs at the namespace's top level, its parameters becoming names there.

    It runs again, with the same arguments, when the session recovers in a new boot.
    """

    def __init__(self, core: SessionCore, function: Callable[..., Any]) -> None:
        self._core = core
        self.source = body_source(function)
        self._signature = inspect.signature(function)
        self.__name__, self.__doc__ = function.__name__, function.__doc__

    def submit(self, *args: Any, **kwargs: Any) -> Future[None]:
        """Run it; the future is resolved when it has run."""
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(f"{self.source.name}: {error}") from error
        bound.apply_defaults()
        return self._core.set_up(setup_from(self.source, bound.arguments))


class SetupCall(RemoteSetup):
    """A setup whose calls wait for its end."""

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Run it on the device."""
        self.submit(*args, **kwargs).get()


class AsyncSetupCall(RemoteSetup):
    """A setup whose calls are awaited."""

    async def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Run it on the device."""
        await self.submit(*args, **kwargs)


def hold_teardown(
    core: SessionCore, function: Callable[..., Any], *, ignore_errors: bool = False
) -> None:
    """Run this body at the namespace's top level when the session ends, in its turn."""
    source = body_source(function)
    if source.parameters:
        raise ArgumentError(f"{source.name}: a teardown takes no parameters; use names of a setup")
    hold_body(core, setup_from(source, {}), name=source.name, ignore_errors=ignore_errors)


def hold_body(
    core: SessionCore, body: Setup, *, name: str = "", ignore_errors: bool = False
) -> None:
    """Run statements at the namespace's top level when the session ends.

    Args:
        core: the session's.
        body: the statements.
        name: what errors call it, with a number where others have it; empty for a number alone.
        ignore_errors: what the statements raise on the device is not reported.
    """
    ignored = (DeviceError,) if ignore_errors else ()

    def clean(cancel: CancelToken) -> None:
        with suppress(*ignored):
            core.run_at_end(body.pieces, cancel).get()

    first = f"teardown {name or next(_numbers)}"
    for key in itertools.chain((first,), (f"{first} {number}" for number in itertools.count(2))):
        try:
            core.track(EntryKind.RESOURCE, key, Teardown(body, clean, key))
        except AlreadyHeld:
            entry = core.ledger.find(EntryKind.RESOURCE, key)
            if entry is not None and not isinstance(entry.held, Teardown):
                raise
        else:
            return


class Teardown(OwnResource):
    """Statements that run at the session's end."""

    __slots__ = ("body",)

    def __init__(self, body: Setup, clean: Callable[[CancelToken], None], key: str) -> None:
        super().__init__("teardown", clean, resource_id=key)
        self.body = body

    def renews(self, known: object) -> bool:
        """Whether it is the same one, defined anew: the same lines from the same place."""
        return isinstance(known, Teardown) and known.body.pieces == self.body.pieces


def source_of(function: Callable[..., Any] | None, source: str | None) -> Source:
    """Return the source of a decorated function, or of the text that stands for it.

    Raises:
        SourceUnavailable: neither gives one.
        ArgumentError: neither or both are given, or the text has several functions.
    """
    if (function is None) is (source is None):
        raise ArgumentError("give a function, or source='def …'")
    if source is None:
        assert function is not None
        return task_source(function)
    found = sources_from_text(source)
    if len(found) != 1:
        names = ", ".join(each.name for each in found)
        raise ArgumentError(f"the source defines {names}; give one function at a time")
    return found[0]


def watch(core: SessionCore, record: ThreadRecord) -> None:
    """Let the tracker run the thread's steps."""
    entry = core.ledger.find(EntryKind.THREAD, record.thread_id)
    tracker = core.spawn.find(EntryKind.THREAD) if core.spawn is not None else None
    if entry is not None and isinstance(tracker, ThreadCleaner):
        tracker.post(tracker.keep_watch, entry)


def _raise_error(cleaned: Cleaned) -> None:
    if cleaned.error is not None:
        raise cleaned.error
