"""What one session is, apart from its actors: they come and go, this stays.

Handles, the Session actor and the trackers share it. Every operation returns a `Future` at once; a
call goes straight to the device's queue, past the Session's and the trackers' mailboxes (DESIGN 3.2).
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from klemheist.actors.device.call import Call
from klemheist.actors.device.port import Port
from klemheist.actors.done import Done
from klemheist.actors.errors import ResourceCleanupError, SessionClosed, SessionError, SessionFaulted
from klemheist.actors.messages import Cleaned
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.runtime.future import Future
from klemheist.actors.sources import Source, check_syntax, is_expression, split_statements
from klemheist.actors.streams import Stream
from klemheist.transports.errors import LinkLost
from klemheist.transports.repl.conversation import Board
from klemheist.transports.repl.procedures import Procedure
from klemheist.transports.repl.values import encode_arguments

from .ledger import EntryKind, Journal, Ledger
from .options import SessionOptions
from .remote import Namespace, Numbers, Piece, Place, Setup
from .resources import CancelToken, DeployedMethodInfo, is_cleaning
from .status import LIFE, LIVE, SessionStatus, Turn

if TYPE_CHECKING:
    from .program import Program
    from .spawn import Spawn


class SessionCore:
    """One logical session on one device."""

    def __init__(
        self,
        port: Port,
        numbers: Numbers,
        options: SessionOptions,
        *,
        journal: Journal | None = None,
    ) -> None:
        self.session_id = secrets.token_hex(8)
        self.created_at = datetime.now(UTC)
        self.port = port
        self.options = options
        self.namespace = Namespace(numbers)
        self.ledger = Ledger(self.session_id, journal)
        self.status = SessionStatus.CREATING
        self.program: Program | None = None
        self.exclusive = False
        """No other session lives on the device."""
        self.epoch = 0
        self.done = Done()
        """Of this attachment; a restart, a takeover or a reconnection brings a new one."""
        self.logical_done = Done()
        """Of the session itself, however many attachments it has."""
        self.state: dict[str, Any] = {}
        self.tasks: dict[str, Source] = {}
        self.last_used = SYSTEM_CLOCK.monotonic()
        self.spawn: Spawn | None = None
        """Starts trackers under the session's node; set when it is assembled."""
        self.end: Callable[[], Future[None]] = _never_assembled
        """Ends the session through the tree; set when it is assembled."""
        self.run_cleanups: Callable[[float], Future[list[Cleaned]]] = _no_cleanups
        """Cleans up through the trackers; set when it is assembled."""
        self.clean_one: Callable[[EntryKind, str], Future[Cleaned]] = _not_one
        """Cleans one entry up through its tracker; set when it is assembled."""
        self._streams: tuple[Stream[bytes], ...] = ()
        self._lock = threading.Lock()
        self.namespace.on_deployed = self._deployed
        self.namespace.on_void = partial(
            self.ledger.drop, EntryKind.DEPLOYMENT, lambda entry: False
        )

    # -- status -----------------------------------------------------------------------------------

    def move(self, turn: Turn) -> bool:
        """Move along the table; False, and nothing happens, where it has no such move."""
        with self._lock:
            status = LIFE.get((self.status, turn))
            if status is None:
                return False
            self.status = status
        return True

    @property
    def is_active(self) -> bool:
        """Whether calls are taken (SES-022)."""
        return self.status in LIVE

    def attach(self) -> None:
        """Begin a new attachment: the old one's `done` is closed."""
        with self._lock:
            old, self.done = self.done, Done()
            self.epoch += 1
        old.close("restarted")

    def ended(self, reason: object) -> None:
        """Tell everybody that it is over."""
        self.move(Turn.CLEANED)
        for stream in self._streams:
            stream.close()
        self.done.close(reason)
        self.logical_done.close(reason)

    def _refusal(self) -> SessionClosed | SessionFaulted:
        if self.status is SessionStatus.FAULTED:
            return SessionFaulted(f"session {self.session_id} has faulted; create a new one")
        return SessionClosed(f"session {self.session_id} is {self.status}; create a new one")

    # -- operations -------------------------------------------------------------------------------

    def submit(
        self,
        procedure: Callable[[Board], Procedure[Any]],
        *,
        label: str = "the call",
        timeout: float | None = None,
        idempotent: bool = False,
        on_output: Callable[[bytes], object] | None = None,
        lane: str = "",
    ) -> Future[Any]:
        """Hand a procedure to the device; the future is resolved by its deadline at the latest.

        Args:
            procedure: what to do there.
            label: what errors call it.
            timeout: seconds from now, queueing included; None for `call_timeout`.
            idempotent: it may be sent again if its fate is unknown.
            on_output: takes what the device prints meanwhile; must not block.
            lane: calls of another lane have turns of their own (threads beside calls).
        """
        if self.status not in LIVE and not self._admitted():
            refused: Future[Any] = Future()
            refused.set_exception(self._refusal())
            return refused
        if self.status is SessionStatus.ENDING and self.port.is_away:
            return _away(self.port)
        self.last_used = now = SYSTEM_CLOCK.monotonic()
        seconds = self.options.call_timeout if timeout is None else timeout
        call = Call(procedure, self.session_id + lane, now + seconds, label, idempotent)
        if on_output is not None or self._streams:
            call.on_output = self._output_to(on_output)
        return self.port.submit(call)

    def cleanup_call(
        self, procedure: Callable[[Board], Procedure[Any]], deadline: float
    ) -> Future[Any]:
        """Hand a procedure of the session's own cleanup to the device; it is always admitted.

        Where the device is away it fails at once: what it was for is owed (DESIGN 4).
        """
        if self.port.is_away:
            return _away(self.port)
        return self.port.submit(
            Call(procedure, self.session_id, deadline, "cleanup", idempotent=True)
        )

    def _admitted(self) -> bool:
        if self.status is SessionStatus.CREATING:
            return True
        return self.status is SessionStatus.ENDING and is_cleaning(self.session_id)

    def execute(
        self,
        code: str,
        *,
        timeout: float | None = None,
        on_output: Callable[[bytes], object] | None = None,
    ) -> Future[Any]:
        """Run code in the session's namespace: an expression's value, or None for statements."""
        namespace = self.namespace
        if is_expression(code):
            place = Place("<code>", ())
            procedure = lambda board: namespace.evaluate(board, code, place)  # noqa: E731
        else:
            pieces = pieces_of(code)
            procedure = lambda board: namespace.run(board, pieces)  # type: ignore[assignment, return-value]  # noqa: E731
        return self.submit(procedure, label="execute", timeout=timeout, on_output=on_output)

    def streamed(
        self, code: str, timeout: float | None, on_output: Callable[[bytes], object] | None
    ) -> Any:
        """`execute`, waited for on this thread, which also takes the output."""
        if on_output is None:
            return self.execute(code, timeout=timeout).get()
        stream, future = self._executing(code, timeout)
        try:
            for piece in stream:
                on_output(piece)
        except BaseException:
            future.cancel("its output was not wanted any more")
            raise
        return future.get()

    async def streamed_async(
        self, code: str, timeout: float | None, on_output: Callable[[bytes], object] | None
    ) -> Any:
        """`execute`, awaited in this task, which also takes the output."""
        if on_output is None:
            return await self.execute(code, timeout=timeout)
        stream, future = self._executing(code, timeout)
        try:
            async for piece in stream:
                on_output(piece)
        except BaseException:
            future.cancel("its output was not wanted any more")
            raise
        return await future

    def _executing(self, code: str, timeout: float | None) -> tuple[Stream[bytes], Future[Any]]:
        stream: Stream[bytes] = Stream(dropped=dropped_mark)
        future = self.execute(code, timeout=timeout, on_output=stream.put)
        future.add_done_callback(lambda _: stream.close())
        return stream, future

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
        """Call a task, deploying it first where that is needed."""
        if kwargs or not _looks_plain(args):
            encode_arguments(args, kwargs)  # refused here, before anything waits or is sent
        namespace = self.namespace
        return self.submit(
            lambda board: namespace.call(board, source, args, kwargs),
            label=source.name,
            timeout=timeout,
            idempotent=idempotent,
            on_output=on_output,
        )

    def set_up(self, setup: Setup, *, timeout: float | None = None) -> Future[Any]:
        """Run a setup now, and again in each generation to come."""
        namespace = self.namespace
        return self.submit(
            lambda board: namespace.set_up(board, setup), label="setup", timeout=timeout
        )

    def run_at_end(self, pieces: tuple[Piece, ...], cancel: CancelToken) -> Future[Any]:
        """Run a teardown's statements; nothing is to be torn down where the namespace is gone."""
        namespace = self.namespace

        def procedure(board: Board) -> Procedure[None]:
            if namespace.boot == board.boot:
                yield from namespace.run(board, pieces)

        done = self.submit(procedure, label="teardown")
        cancel.on_cancel(lambda _: done.cancel("its time was up"))
        return done

    def _deployed(self, source: Source) -> None:
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

    def recover(self) -> Future[Any]:
        """Put back what a new boot has lost; the next call would do it too."""
        return self.submit(self.namespace.ready, label="recovery", lane="/recovery")

    def interrupt(self) -> None:
        """Send Ctrl-C to what the device runs, if it runs it for this session."""
        self.port.interrupt(self.session_id)

    def cleanup(self, timeout: float | None) -> Future[None]:
        """Clean up all that is held now.

        Raises (in the future):
            ResourceCleanupError: some failed.
        """
        limit = self.options.resource_cleanup_timeout if timeout is None else timeout
        return self.run_cleanups(limit).map(_raise_failures)

    def describe(self) -> dict[str, Any]:
        """Return a snapshot, for people and for `GetStatus`."""
        return {
            "session_id": self.session_id,
            "device": self.port.url,
            "status": self.status.value,
            "epoch": self.epoch,
            "generation": self.port.generation,
            "created_at": self.created_at,
            "tasks": tuple(self.tasks),
            "held": tuple(f"{e.kind} {e.key}" for e in self.ledger.entries()),
        }

    def remember(self, source: Source) -> None:
        """Know a task by name, for `Call` messages."""
        self.tasks[source.name] = source

    def track(self, kind: EntryKind, key: str, held: Any) -> None:
        """Hold something until the session ends, and see that its tracker is there.

        Raises:
            SessionClosed: the session has ended, or its cleanup is past this.
        """
        if not self.options.enable_resource_tracking:
            return
        if self.ledger.register(kind, key, held) is None:
            raise self._refusal()
        if self.spawn is not None:
            self.spawn.tracker(kind)

    # -- output -----------------------------------------------------------------------------------

    def output(self, capacity: int = 1024) -> Stream[bytes]:
        """Return a stream of what this session's calls print, from now on."""
        stream: Stream[bytes] = Stream(capacity, dropped=dropped_mark)
        with self._lock:
            self._streams = (*self._streams, stream)
        return stream

    def _output_to(self, also: Callable[[bytes], object] | None) -> Callable[[bytes], object]:
        def put(data: bytes) -> None:
            for stream in self._streams:
                stream.put(data)
            if also is not None:
                also(data)

        return put


def pieces_of(code: str, filename: str = "<code>") -> tuple[Piece, ...]:
    """Cut code into what a device takes one at a time.

    Raises:
        CodeSyntaxError: the code is no Python.
    """
    check_syntax(code, filename=filename)
    return tuple(
        Piece(part.text, Place(filename, lines_from(part.first_line, part.text)))
        for part in split_statements(code)
    )


def lines_from(first: int, text: str) -> tuple[int, ...]:
    """Return the line numbers of a text that stands in its file from line `first` on."""
    return tuple(range(first, first + text.count("\n") + 1))


def dropped_mark(count: int) -> bytes:
    """Return what stands in a byte stream where pieces were dropped."""
    return b"\r\n[%d pieces of output dropped]\r\n" % count


def _looks_plain(args: tuple[Any, ...]) -> bool:
    return all(type(each) in (int, str, bytes, bool) or each is None for each in args)


def _never_assembled() -> Future[None]:
    raise RuntimeError("the session was not assembled")


def _away(port: Port) -> Future[Any]:
    away: Future[Any] = Future()
    away.set_exception(LinkLost(f"{port.url} is {port.state.value}"))
    return away


def _not_one(kind: EntryKind, key: str) -> Future[Cleaned]:
    raise RuntimeError("the session was not assembled")


def _no_cleanups(timeout: float) -> Future[list[Cleaned]]:
    raise RuntimeError("the session was not assembled")


def _raise_failures(cleaned: list[Cleaned]) -> None:
    error = failures(cleaned)
    if error is not None:
        raise error


def failures(cleaned: list[Cleaned]) -> ResourceCleanupError | None:
    """Return the one error that holds all that failed (SES-102)."""
    errors = [each.error for each in cleaned if each.error is not None]
    if not errors:
        return None
    owed = sum(each.owed for each in cleaned)
    text = f"{len(errors)} of {len(cleaned)} cleanups failed"
    return ResourceCleanupError(f"{text}, {owed} of them owed" if owed else text, errors)
