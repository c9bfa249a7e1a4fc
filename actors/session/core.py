"""What a session does, whichever way it is waited for: every operation returns a `Future` at once.

Handles, the Session actor and the trackers share one core. A call goes straight to the device's
queue, past the Session's and the trackers' mailboxes (DESIGN 3.2).
"""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from klemheist.actors.device.call import Call
from klemheist.actors.device.runner import GRACE
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.runtime.future import Future
from klemheist.actors.runtime.interrupts import before_call
from klemheist.actors.sources import bare_expression, is_expression
from klemheist.actors.streams import Stream
from klemheist.transports.link import DRIVE_SECONDS
from klemheist.transports.repl.frames import Frame
from klemheist.transports.repl.values import decode, is_plain

from .answers import Place
from .expressions import passed_to
from .objects import Objects
from .pieces import lines_from, pieces_of
from .setups import SessionSetups
from .state import dropped_mark
from .status import SessionStatus
from .together import Together

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from klemheist.actors.errors import ResourceCleanupError
    from klemheist.actors.sources import Source
    from klemheist.transports.repl.board import Board
    from klemheist.transports.repl.lines import Procedure

    from .file_system import FileSystemCache

LEAST_NOW: Final = 10 * DRIVE_SECONDS
"""Calls with a shorter timeout take the long way, which watches deadlines from the first moment."""

LEAST_SOON: Final = 2 * GRACE
"""As `LEAST_NOW`, for calls that are awaited."""

IN_A_ROW: Final = 16
"""Every so many awaited calls that are answered at once the loop turns: it has other tasks."""
_at_once = itertools.count(1)

_Options = tuple[float | None, bool]
"""A call's timeout, and whether it is idempotent."""

Start: TypeAlias = "Callable[[Callable[[bytes], object] | None], Future[Any]]"
"""Starts a call whose output goes to this callable."""


class SessionCore(SessionSetups):
    """One logical session on one device, and all that it does there."""

    __slots__ = ("_together", "objects")

    PARTS: ClassVar = SessionSetups.PARTS | {"objects": Objects, "_together": lambda _: {}}
    if TYPE_CHECKING:
        objects: Objects
        """What it holds of objects on the device."""
        _together: dict[str, Together]
        """What makes several calls of a task at once."""

    @property
    def file_cache(self) -> FileSystemCache:
        """What the session knows of the device's directories; it goes with the session."""
        if self._file_cache is None:
            from .file_system import FileSystemCache  # noqa: PLC0415 -- it imports the files' core

            self._file_cache = FileSystemCache()
        return self._file_cache

    def end(self) -> Future[None]:
        """End the session through the tree."""
        return self._keeper.end(self)

    def is_alone(self) -> bool:
        """Whether no other session lives on the device."""
        return self._keeper.is_alone(self)

    def cleaned(self, error: ResourceCleanupError | None) -> None:
        """Tell its manager that its cleanup is over, and what failed in it, then everybody."""
        self._keeper.cleaned(self, error)
        self.ended()

    def ended(self) -> None:
        """Tell everybody that it is over; nothing of the device is known any more (SES-076)."""
        self._file_cache = None
        self._keeper.gone(self)
        super().ended()

    # -- code --------------------------------------------------------------------------------------

    def execute(
        self,
        code: str,
        *,
        timeout: float | None = None,
        on_output: Callable[[bytes], object] | None = None,
    ) -> Future[Any]:
        """Run code in the session's namespace: an expression's value, or None for statements.

        Raises:
            CodeSyntaxError: it is no Python; nothing was sent.
        """
        procedure = self._procedure(code)
        if self.meter is not None:
            procedure = self.meter.metered(procedure)
        return self.submit(procedure, label="execute", timeout=timeout, on_output=on_output)

    def _procedure(self, code: str) -> Callable[[Board], Procedure[Any]]:
        namespace = self.namespace
        if is_expression(code):
            text, first = bare_expression(code)
            place = Place("<code>", lines_from(first, text), tuple(text.split("\n")))
            return lambda board: namespace.evaluate(board, text, place)
        pieces = pieces_of(code)
        return lambda board: namespace.run(board, pieces)

    def waited(self, start: Start, on_output: Callable[[bytes], object] | None) -> Any:
        """Start a call and wait for it on this thread, which also takes its output."""
        if on_output is None:
            return start(None).get()
        stream, future = _streaming(start)
        try:
            for piece in stream:
                on_output(piece)
        except BaseException:
            future.cancel("its output was not wanted any more")
            raise
        return future.get()

    async def awaited(self, start: Start, on_output: Callable[[bytes], object] | None) -> Any:
        """Start a call and await it in this task, which also takes its output."""
        if on_output is None:
            return await start(None)
        stream, future = _streaming(start)
        try:
            async for piece in stream:
                on_output(piece)
        except BaseException:
            future.cancel("its output was not wanted any more")
            raise
        return await future

    def call(
        self,
        source: Source,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        *,
        timeout: float | None = None,
        idempotent: bool = False,
        on_output: Callable[[bytes], object] | None = None,
    ) -> Future[Any]:
        """Call a task, deploying it first where that is needed.

        Raises:
            ArgumentError: an argument cannot be sent, or they do not fit; nothing was.
        """
        source.arity.check(source.name, args, kwargs)
        plain = not kwargs and is_plain(args)
        # What cannot be sent is refused here, before anything waits.
        passed = None if plain else passed_to(self, args, kwargs)
        namespace = self.namespace

        def procedure(board: Board) -> Procedure[Any]:
            if passed is not None:
                return namespace.call_with(board, source, passed)
            return namespace.call(board, source, args, kwargs)

        return self.submit(
            procedure if self.meter is None else self.meter.call(source, procedure),
            label=source.name,
            timeout=timeout,
            idempotent=idempotent,
            on_output=on_output,
            task=self._many(source) if plain and self.meter is None else None,
            arguments=args,
            early=self.meter is None and passed is None,
        )

    def _many(self, source: Source) -> Together:
        found = self._together.get(source.name)
        if found is None or not found.makes(self.namespace, source):
            found = self._together[source.name] = Together(self.namespace, source, self._while_live)
        return found

    def _short_way(
        self, source: Source, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> int | None:
        """Return the entry of a call that is one line and one answer, with nobody else to tell."""
        plain = not kwargs and self.meter is None and not self._outlet.subscriptions
        if not plain or self.status is not SessionStatus.ACTIVE or not is_plain(args):
            return None
        return self.namespace.entry_now(self.port.board, source)

    def call_now(
        self,
        source: Source,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        *,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> Any:
        """`call`, waited for on this thread: the short way, where the device is idle."""
        before_call()
        source.arity.check(source.name, args, kwargs)
        entry = self._short_way(source, args, kwargs)
        if entry is not None and (timeout is None or timeout > LEAST_NOW):
            make_call = partial(self._ordinary, source, args, (timeout, idempotent))
            answer = self.port.call_now(entry, args, make_call)
            if answer is not None:
                self.last_used = SYSTEM_CLOCK.monotonic()
                return _value(self._keep(answer).get() if isinstance(answer, Future) else answer)
        return self.call(source, args, kwargs, timeout=timeout, idempotent=idempotent).get()

    async def call_awaited(
        self,
        source: Source,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        *,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> Any:
        """`call`, awaited in this task: the short way, where the device is idle."""
        source.arity.check(source.name, args, kwargs)
        entry = self._short_way(source, args, kwargs)
        if entry is not None and (timeout is None or timeout > LEAST_SOON):
            now = SYSTEM_CLOCK.monotonic()
            make_call = partial(self._ordinary, source, args, (timeout, idempotent), now)
            answer = self.port.call_soon(entry, args, make_call, self.session_id)
            if answer is not None:
                self.last_used = now
                if isinstance(answer, Future):
                    return _value(await self._keep(answer))
                if not next(_at_once) % IN_A_ROW:
                    await asyncio.sleep(0)
                return _value(answer)
        return await self.call(source, args, kwargs, timeout=timeout, idempotent=idempotent)

    def _ordinary(
        self,
        source: Source,
        args: tuple[Any, ...],
        options: _Options,
        began: float | None = None,
    ) -> Call:
        """Make the call that goes on where the short way ends: its first step is the line sent."""
        namespace = self.namespace
        timeout, idempotent = options
        seconds = self.options.call_timeout if timeout is None else timeout
        return Call(
            lambda board: namespace.call(board, source, args, {}),
            self.session_id,
            (SYSTEM_CLOCK.monotonic() if began is None else began) + seconds,
            source.name,
            idempotent,
        )


def _value(answer: object) -> object:
    """Return what a call on the short way gives, which may be the frame of its value."""
    if not isinstance(answer, Frame):
        return answer
    return int(answer.text) if answer.text.isdigit() else decode(answer.text)


def _streaming(start: Start) -> tuple[Stream[bytes], Future[Any]]:
    stream: Stream[bytes] = Stream(dropped=dropped_mark)
    future = start(stream.put)
    future.add_done_callback(lambda _: stream.close())
    return stream, future
