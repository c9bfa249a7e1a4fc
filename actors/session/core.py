"""What a session does, whichever way it is waited for: every operation returns a `Future` at once.

Handles, the Session actor and the trackers share one core. A call goes straight to the device's
queue, past the Session's and the trackers' mailboxes (DESIGN 3.2).
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from klemheist.actors.device.call import Call
from klemheist.actors.errors import ResourceCleanupError, SessionError
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.runtime.future import Future
from klemheist.actors.sources import check_syntax, is_expression, split_statements
from klemheist.actors.streams import Stream
from klemheist.transports.errors import LinkLost
from klemheist.transports.link import DRIVE_SECONDS
from klemheist.transports.repl.frames import Frame
from klemheist.transports.repl.values import ArgumentError, decode, encode_arguments, is_plain

from .answers import Place
from .ledger import EntryKind
from .names import check_code, check_names
from .objects import Objects
from .remote import Piece, Setup
from .resources import CancelToken, DeployedMethodInfo, is_cleaning
from .state import SessionState, dropped_mark
from .status import LIVE, SessionStatus, Turn
from .timesync import TimeSync, compare_clocks
from .together import Together

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from klemheist.actors.device.port import Port
    from klemheist.actors.messages import Cleaned
    from klemheist.actors.sources import Source
    from klemheist.transports.repl.conversation import Board
    from klemheist.transports.repl.lines import Procedure

    from .budget import Budget
    from .claims import Claims
    from .file_system import FileSystemCache
    from .ledger import Journal
    from .options import SessionOptions
    from .remote import Numbers
    from .spawn import Keeper

LEAST_NOW: Final = 10 * DRIVE_SECONDS
"""Calls with a shorter timeout take the long way, which watches deadlines from the first moment."""

_Options = tuple[float | None, bool]
"""A call's timeout, and whether it is idempotent."""

_PLAIN = (int, str, bytes, bool, type(None))

Start: TypeAlias = "Callable[[Callable[[bytes], object] | None], Future[Any]]"
"""Starts a call whose output goes to this callable."""


class SessionCore(SessionState):
    """One logical session on one device, and its calls there."""

    __slots__ = ("_calls", "_file_cache", "_objects", "_tasks", "time_sync")

    def __init__(
        self,
        port: Port,
        numbers: Numbers,
        options: SessionOptions,
        keeper: Keeper,
        *,
        journal: Journal | None = None,
        claims: Claims | None = None,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(
            port, numbers, options, keeper, journal=journal, claims=claims, budget=budget
        )
        self._objects: Objects | None = None
        self.time_sync: TimeSync | None = None
        self._calls: dict[Future[Any], bool] = {}
        """The user's calls that wait or run, and whether they are a cleanup's: the others end with
        the session."""
        self._file_cache: FileSystemCache | None = None
        self._tasks: dict[str, Together] = {}
        self.namespace.owner = self

    @property
    def objects(self) -> Objects:
        """What it holds of objects on the device; made when the first one is."""
        if self._objects is None:
            with self._lock:
                self._objects = self._objects or Objects(self)
        return self._objects

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

    def ended(self) -> None:
        """Tell everybody that it is over; nothing of the device is known any more (SES-076)."""
        self._file_cache = None
        self._keeper.gone(self)
        super().ended()

    def submit(
        self,
        procedure: Callable[[Board], Procedure[Any]],
        *,
        label: str = "the call",
        timeout: float | None = None,
        idempotent: bool = False,
        on_output: Callable[[bytes], object] | None = None,
        lane: str = "",
        task: Together | None = None,
        arguments: tuple[Any, ...] = (),
    ) -> Future[Any]:
        """Hand a procedure to the device; the future is resolved by its deadline at the latest.

        Args:
            procedure: what to do there.
            label: what errors call it.
            timeout: seconds from now, queueing included; None for `call_timeout`.
            idempotent: it may be sent again if its fate is unknown.
            on_output: takes what the device prints meanwhile; must not block.
            lane: work beside the user's calls, such as threads, has turns of its own.
            task: what it calls, where it may be sent together with others of the same task.
            arguments: the task's.
        """
        if self.status not in LIVE and not self._admitted():
            return _failed(self.refusal())
        if self.status is SessionStatus.ENDING and self.port.is_away:
            return _failed(_away(self.port))
        now = SYSTEM_CLOCK.monotonic()
        seconds = self.options.call_timeout if timeout is None else timeout
        call = Call(procedure, self.session_id + lane, now + seconds, label, idempotent)
        if on_output is not None or self._outlet.subscriptions:
            call.on_output = self._output_to(on_output)
        elif task is not None:
            call.task, call.arguments = task, arguments
        future = self.port.submit(call)
        if not lane:
            self.last_used = now
            self._keep(future)
        return future

    def cleanup_call(
        self,
        procedure: Callable[[Board], Procedure[Any]],
        deadline: float,
        *,
        idempotent: bool = True,
    ) -> Future[Any]:
        """Hand a procedure of the session's own cleanup to the device; it is always admitted.

        Where the device is away it fails at once: what it was for is owed (DESIGN 4).
        """
        if self.port.is_away:
            return _failed(_away(self.port))
        return self.port.submit(Call(procedure, self.session_id, deadline, "cleanup", idempotent))

    def _admitted(self) -> bool:
        if self.status is SessionStatus.CREATING:
            return True
        return self.status is SessionStatus.ENDING and is_cleaning(self.session_id)

    @property
    def is_busy(self) -> bool:
        """Whether a call of the user waits or runs."""
        return bool(self._calls)

    def calls(self) -> tuple[Future[Any], ...]:
        """Return the user's calls that wait or run."""
        return tuple(self._calls)

    def stop_calls(self) -> None:
        """Cancel the user's calls: the end of a session does not wait for them."""
        for future, cleans in tuple(self._calls.items()):
            if not cleans:
                future.cancel(f"session {self.session_id} ends")
            elif self.port.is_away:  # it was called before the end began
                future.set_exception(_away(self.port))

    def stop_all_calls(self) -> None:
        """Cancel what cleanups still wait for, too: their time is up."""
        for future in tuple(self._calls):
            future.cancel(f"session {self.session_id} has ended")

    def abandon(self) -> None:
        """End without any cleanup: nobody waits any longer, nothing more is taken."""
        self.move(Turn.END)
        self.ledger.close()
        for future in tuple(self._calls):
            future.set_exception(self.refusal())
        self.ended()

    def interrupt(self) -> None:
        """Send Ctrl-C to what the device runs, if it runs it for this session."""
        self.port.interrupt(self.session_id)

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
            place = Place("<code>", (), tuple(code.strip().split("\n")))
            return lambda board: namespace.evaluate(board, code, place)
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
            ArgumentError: an argument cannot be sent; nothing was.
        """
        if kwargs or not all(type(each) in _PLAIN for each in args):
            encode_arguments(args, kwargs)  # refused here, before anything waits or is sent
        namespace = self.namespace
        together = not kwargs and self.meter is None and is_plain(args)

        def procedure(board: Board) -> Procedure[Any]:
            return namespace.call(board, source, args, kwargs)

        return self.submit(
            procedure if self.meter is None else self.meter.call(source, procedure),
            label=source.name,
            timeout=timeout,
            idempotent=idempotent,
            on_output=on_output,
            task=self._together(source) if together else None,
            arguments=args,
        )

    def _together(self, source: Source) -> Together:
        found = self._tasks.get(source.name)
        if found is None or not found.makes(self.namespace, source):
            found = self._tasks[source.name] = Together(self.namespace, source)
        return found

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
        plain = not kwargs and self.meter is None and not self._outlet.subscriptions
        if plain and self.status is SessionStatus.ACTIVE:
            entry = self.namespace.entry_now(self.port.board, source)
            if entry is not None and is_plain(args) and (timeout is None or timeout > LEAST_NOW):
                make_call = partial(self._ordinary, source, args, (timeout, idempotent))
                answer = self.port.call_now(entry, args, make_call)
                if isinstance(answer, int):
                    self.last_used = SYSTEM_CLOCK.monotonic()
                    return answer
                if isinstance(answer, Frame):
                    self.last_used = SYSTEM_CLOCK.monotonic()
                    return int(answer.text) if answer.text.isdigit() else decode(answer.text)
                if answer is not None:
                    return self._keep(answer).get()
        return self.call(source, args, kwargs, timeout=timeout, idempotent=idempotent).get()

    def _ordinary(self, source: Source, args: tuple[Any, ...], options: _Options) -> Call:
        """Make the call that goes on where the short way ends: its first step is the line sent."""
        namespace = self.namespace
        timeout, idempotent = options
        seconds = self.options.call_timeout if timeout is None else timeout
        return Call(
            lambda board: namespace.call(board, source, args, {}),
            self.session_id,
            SYSTEM_CLOCK.monotonic() + seconds,
            source.name,
            idempotent,
        )

    def _keep(self, future: Future[Any]) -> Future[Any]:
        """Know a call of the user while it waits or runs: it ends with the session."""
        if not future.done():
            self._calls[future] = is_cleaning(self.session_id)
            future.add_done_callback(self._ended)
        return future

    def _ended(self, future: Future[Any]) -> None:
        self._calls.pop(future, None)

    def sync_time(self, samples: int) -> Future[TimeSync]:
        """Compare the device's clock with the host's.

        Raises:
            ArgumentError: `samples` is not positive.
        """
        if samples < 1:
            raise ArgumentError(f"samples={samples}: give at least 1")

        def procedure(board: Board) -> Procedure[TimeSync]:
            generation = self.port.generation
            self.time_sync = yield from compare_clocks(board, samples, generation)
            return self.time_sync

        return self.submit(procedure, label="sync_time")

    def set_up(self, setup: Setup, *, timeout: float | None = None) -> Future[Any]:
        """Run a setup now, and again in each generation to come.

        Raises:
            ArgumentError: it binds a name that is ours; nothing was sent.
        """
        check_names(setup.values)
        for piece in setup.pieces:
            check_code(piece.text)
        namespace = self.namespace

        def procedure(board: Board) -> Procedure[None]:
            return namespace.set_up(board, setup)

        metered = procedure if self.meter is None else self.meter.metered(procedure)
        return self.submit(metered, label="setup", timeout=timeout)

    def recover(self) -> Future[Any]:
        """Put back what a new boot has lost; the next call would do it too."""
        return self.submit(self.namespace.ready, label="recovery", lane="/recovery")

    # -- the end -----------------------------------------------------------------------------------

    def run_at_end(self, pieces: tuple[Piece, ...], cancel: CancelToken) -> Future[Any]:
        """Run a teardown's statements; nothing is to be torn down where the namespace is gone."""
        namespace = self.namespace

        def procedure(board: Board) -> Procedure[None]:
            if namespace.boot == board.boot:
                yield from namespace.run(board, pieces)

        done = self.submit(procedure, label="teardown")
        cancel.on_cancel(lambda _: done.cancel("its time was up"))
        return done

    def cleanup(self, timeout: float | None) -> Future[None]:
        """Clean up all that is held now.

        Raises (in the future):
            ResourceCleanupError: some failed.
        """
        limit = self.options.resource_cleanup_timeout if timeout is None else timeout
        return self.run_cleanups(limit).map(_raise_failures)

    def deployed(self, source: Source) -> None:
        """Record a deployment that worked; on the device's turn."""
        if not self.options.enable_resource_tracking:
            return
        signature = f"{source.name}({', '.join(source.parameters)})"
        info = DeployedMethodInfo(
            signature=signature,
            code_hash=source.hash,
            deployed_at=datetime.now(UTC),
            session_id=self.session_id,
        )
        try:
            self.track(EntryKind.DEPLOYMENT, signature, info)
        except SessionError:
            return  # it is ending: its namespace goes anyway


def pieces_of(code: str, filename: str = "<code>") -> tuple[Piece, ...]:
    """Cut code into what a device takes one at a time.

    Raises:
        CodeSyntaxError: the code is no Python.
        ArgumentError: it binds a name that is ours.
    """
    check_syntax(code, filename=filename)
    check_code(code)
    return tuple(
        Piece(
            part.text,
            Place(filename, lines_from(part.first_line, part.text), tuple(part.text.split("\n"))),
        )
        for part in split_statements(code)
    )


def lines_from(first: int, text: str) -> tuple[int, ...]:
    """Return the line numbers of a text that stands in its file from line `first` on."""
    return tuple(range(first, first + text.count("\n") + 1))


def failures(cleaned: list[Cleaned]) -> ResourceCleanupError | None:
    """Return the one error that holds all that failed (SES-102)."""
    errors = [each.error for each in cleaned if each.error is not None]
    if not errors:
        return None
    owed = sum(each.owed for each in cleaned)
    text = f"{len(errors)} of {len(cleaned)} cleanups failed"
    return ResourceCleanupError(f"{text}, {owed} of them owed" if owed else text, errors)


def _raise_failures(cleaned: list[Cleaned]) -> None:
    error = failures(cleaned)
    if error is not None:
        raise error


def _streaming(start: Start) -> tuple[Stream[bytes], Future[Any]]:
    stream: Stream[bytes] = Stream(dropped=dropped_mark)
    future = start(stream.put)
    future.add_done_callback(lambda _: stream.close())
    return stream, future


def _failed(error: Exception) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def _away(port: Port) -> LinkLost:
    return LinkLost(f"{port.url} is {port.state.value}; what is owed to it is done when it is back")
