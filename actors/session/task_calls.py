"""A session's calls of its tasks: the short way, the ordinary one, and many in one go."""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from klemheist.actors.device.call import Call
from klemheist.actors.device.runner import GRACE
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.runtime.future import Future
from klemheist.actors.runtime.interrupts import before_call
from klemheist.transports.link import DRIVE_SECONDS
from klemheist.transports.repl.frames import Frame
from klemheist.transports.repl.values import decode, is_plain

from .expressions import passed_to
from .objects import Objects
from .setups import SessionSetups
from .status import SessionStatus
from .together import Together

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from klemheist.actors.sources import Source
    from klemheist.transports.repl.board import Board
    from klemheist.transports.repl.lines import Procedure

LEAST_NOW: Final = 10 * DRIVE_SECONDS
"""Calls with a shorter timeout take the long way, which watches deadlines from the first moment."""

LEAST_SOON: Final = 2 * GRACE
"""As `LEAST_NOW`, for calls that are awaited."""

IN_A_ROW: Final = 16
"""Every so many awaited calls that are answered at once the loop turns: it has other tasks."""
_at_once = itertools.count(1)

_Options = tuple[float | None, bool]
"""A call's timeout, and whether it is idempotent."""


class TaskCalls(SessionSetups):
    """One logical session, and the calls of its tasks."""

    __slots__ = ("_together", "objects")

    PARTS: ClassVar = SessionSetups.PARTS | {"objects": Objects, "_together": lambda _: {}}
    if TYPE_CHECKING:
        objects: Objects
        """What it holds of objects on the device."""
        _together: dict[str, Together]
        """What makes several calls of a task at once."""

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

    def call_each(
        self,
        source: Source,
        rows: Sequence[tuple[Any, ...]],
        *,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> list[Future[Any]]:
        """`call` with each of these arguments: for plain ones in one go, for less than half each.

        Raises:
            ArgumentError: an argument cannot be sent, or they do not fit; nothing was.
        """
        for args in rows:
            source.arity.check(source.name, args, {})
        plain = all(map(is_plain, rows))
        for args in () if plain else rows:
            passed_to(self, args, {})  # refused before the first is sent
        if not (plain and self._is_direct):
            call = partial(self.call, source, kwargs={}, timeout=timeout, idempotent=idempotent)
            return [call(args) for args in rows]
        before_call()
        together, now = self._many(source), SYSTEM_CLOCK.monotonic()
        seconds = self.options.call_timeout if timeout is None else timeout
        make = partial(
            Call,
            owner=self.session_id,
            deadline=now + seconds,
            label=source.name,
            idempotent=idempotent,
            early=True,
            task=together,
        )
        calls = [make(partial(together.one, args), arguments=args) for args in rows]
        return self.submit_all(calls, now)

    @property
    def _is_direct(self) -> bool:
        """Whether calls are an answer each, with nobody else to tell."""
        plain = self.meter is None and not self._outlet.subscriptions
        return plain and self.status is SessionStatus.ACTIVE

    def _many(self, source: Source) -> Together:
        found = self._together.get(source.name)
        if found is None or not found.makes(self.namespace, source):
            found = self._together[source.name] = Together(self.namespace, source, self._while_live)
        return found

    def _short_way(
        self, source: Source, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> int | None:
        """Return the entry of a call that is one line and one answer, with nobody else to tell."""
        if kwargs or not self._is_direct or not is_plain(args):
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
