"""What a session does, whichever way it is waited for: every operation returns a `Future` at once.

Handles, the Session actor and the trackers share one core. A call goes straight to the device's
queue, past the Session's and the trackers' mailboxes (DESIGN 3.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from klemheist.actors.runtime.future import Future
from klemheist.actors.sources import bare_expression, is_expression
from klemheist.actors.streams import Stream

from .answers import Place
from .pieces import lines_from, pieces_of
from .state import dropped_mark
from .task_calls import TaskCalls
from .typed import check_callback

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist.actors.errors import ResourceCleanupError
    from klemheist.transports.repl.board import Board
    from klemheist.transports.repl.lines import Procedure

    from .file_system import FileSystemCache

Start: TypeAlias = "Callable[[Callable[[bytes], object] | None], Future[Any]]"
"""Starts a call whose output goes to this callable."""


class SessionCore(TaskCalls):
    """One logical session on one device, and all that it does there."""

    __slots__ = ()

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
        check_callback("on_output", on_output)
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
        check_callback("on_output", on_output)
        stream, future = _streaming(start)
        try:
            async for piece in stream:
                on_output(piece)
        except BaseException:
            future.cancel("its output was not wanted any more")
            raise
        return await future


def _streaming(start: Start) -> tuple[Stream[bytes], Future[Any]]:
    stream: Stream[bytes] = Stream(dropped=dropped_mark)
    future = start(stream.put)
    future.add_done_callback(lambda _: stream.close())
    return stream, future
