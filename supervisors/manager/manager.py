"""`SessionManager`: the one object a service makes.

with klemheist.SessionManager() as manager:
with manager.session("sim:") as s:
assert s("6 * 7") == 42
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar

from klemheist.actors.operation import cancellable
from klemheist.actors.session.calls import check_seconds
from klemheist.actors.session.handles import Session
from klemheist.actors.session.typed import check_function
from klemheist.supervisors.core.child import Restart

from .deployment import StandingProgram
from .forgotten import unwatched, watched
from .outcome import got, got_session, quietly_ended, with_result
from .retry import with_retry
from .unclosed import give_back_ctrl_c
from .view import ManagerView, ended_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist.actors.device.port import Port
    from klemheist.actors.runtime import Future
    from klemheist.actors.session.budget import Budget
    from klemheist.actors.session.core import SessionCore
    from klemheist.actors.session.program import Program
    from klemheist.actors.session.resources import CancelToken

T = TypeVar("T")


class SessionManager(ManagerView):
    """Creates, tracks and ends sessions, for threads. A context manager; leaving it ends all.

    Args:
        options: the clocks and limits of all sessions: a `SessionOptions`, or a function that is
            given the defaults and returns what it makes of them, with `dataclasses.replace`.
        journal: where ledgers are written down; memory only where it is not given.
        monitor: counts and times what is done; `klemheist.prometheus` has one for scrapers.
        status: whether `klemheist top` of the same user can see it; as `KLEMHEIST_STATUS=1` says
            where it is not given.
    """

    def create_session(
        self,
        device: str,
        *,
        fallback: bool = False,
        exclusive: bool = False,
        wait: float = 0.0,
        budget: Budget | None = None,
        timeout: float | None = None,
        cancel: CancelToken | None = None,
    ) -> Session:
        """Create a session; end it with `close()`, or with the manager (SES-005).

        One that is dropped without either is ended all the same, with a `ResourceWarning`.

        Args:
            device: its URL.
            fallback: where the device does not say what it can, assume the least (SES-099).
            exclusive: no other session lives on the device meanwhile.
            wait: seconds to wait for other sessions to end, where one side is exclusive.
            budget: the most that the session may hold; None for `SessionOptions.budget`.
            timeout: seconds for all of it; what was half done is undone.
            cancel: gives up when it is cancelled; what was half done is undone (SES-006).

        Raises:
            ArgumentError: two options contradict each other, or one is wrong.
            DeviceBusy: the device is taken exclusively, or is to be.
            LinkTimeout: it was not done in time.
        """
        if timeout is not None:
            check_seconds(timeout)
        creating = cancellable(
            lambda: self._core.create(
                device, fallback=fallback, exclusive=exclusive, wait=wait, budget=budget
            ),
            cancel,
        )
        return self._watched(got_session(creating, timeout))

    def get_or_create_session(self, device: str) -> Session:
        """Return the newest live session on a device, or a new one (SES-007).

        All who ask at once get the same one. It lives until it is closed or idle for too long, also
        where nobody holds it meanwhile. Each holder has a `done` of its own: `release()` closes
        that one only, `close()` ends it for all.

        Args:
            device: its URL.

        Raises:
            DeviceBusy: another session has the device exclusively.
        """
        core = got(self._shared.get(device), None)
        return self._session(unwatched(core))

    def session(
        self,
        device: str,
        *,
        program: Program | None = None,
        exclusive: bool = False,
        wait: float = 0.0,
        budget: Budget | None = None,
        restart: Restart = Restart.PERMANENT,
        fresh: bool = False,
        resume_app: bool = False,
    ) -> SessionContext:
        """Return a context manager whose session lives as long as the `with`; always a new one.

        Args:
            device: its URL.
            program: what to set up; `session.program` is its bound copy.
            exclusive: no other session lives on the device meanwhile.
            wait: seconds to wait for other sessions to end, where one side is exclusive; first
                come, first served. Else, or after that, `DeviceBusy` is raised.
            budget: the most that the session may hold; None for `SessionOptions.budget`.
            restart: `TEMPORARY` faults when the device boots anew; others recover.
            fresh: soft-reset the device when it is opened.
            resume_app: start its own program again when it is closed.
        """
        options = {"fresh": fresh, "resume_app": resume_app}
        return SessionContext(
            lambda: self._core.create(
                device,
                program=program,
                exclusive=exclusive,
                wait=wait,
                budget=budget,
                restart=restart,
                **options,
            ),
            self._watched,
        )

    def end_session(self, session_id: str, *, cancel: CancelToken | None = None) -> None:
        """End a session (SES-008).

        Args:
            session_id: its id.
            cancel: cancelled, nobody waits any more; an end that has begun goes on by itself.

        Raises:
            SessionNotFound: no live session has this id (SES-009).
            FutureCancelled: `cancel` was cancelled; before the call, nothing was begun.
            ResourceCleanupError: some cleanups failed; all others were done.
        """
        core = self._core.sessions.find(session_id)
        cancellable(lambda: self._core.end(core), cancel).get()

    def execute_in_session(
        self, device: str, operation: Callable[[Session], T], *, cancel: CancelToken | None = None
    ) -> T:
        """Run `operation(session)` in a session of its own, and end it (SES-010 to SES-013).

        Args:
            device: its URL.
            operation: takes the session; what it returns is returned.
            cancel: cancelled, it ends the session: the call under way raises `CallCancelled`.

        Raises:
            ArgumentError: `operation` is no function; no session was created.
            BaseException: what `operation` raised, after the cleanup.
            ResourceCleanupError: cleanups failed; its `result` is what `operation` returned.
        """
        check_function("operation", operation)
        core = got_session(cancellable(lambda: self._core.create(device), cancel))
        ended_by(core, cancel)
        try:
            result = operation(self._session(core))
        except BaseException:
            quietly_ended(core.end()).get()
            raise
        return with_result(core.end(), result)

    def execute_with_retry(
        self, device: str, operation: Callable[[Session], T], max_retries: int = 3
    ) -> T:
        """`execute_in_session`, tried again after recoverable errors: 2, 4, 8 … seconds later.

        Each attempt runs the whole operation in a new session, also where the last one may have
        been executed in part. Other errors are raised as they are.

        Args:
            device: its URL.
            operation: takes the session; what it returns is returned.
            max_retries: attempts in all.

        Raises:
            ArgumentError: `max_retries` is no whole number from 1, or `operation` no function.
            SessionError: "Operation failed after N attempts".
        """
        return with_retry(lambda: self.execute_in_session(device, operation), max_retries)

    def deploy(
        self, device: str, program: Program, *, restart: Restart = Restart.PERMANENT
    ) -> StandingProgram:
        """Run a program on a device until it is stopped; given up, what was begun is undone.

        Args:
            device: its URL.
            program: its setups run, then all of its threads.
            restart: whether a fault of its session starts it again.

        Raises:
            LinkError: the device cannot be opened.
            DeviceError: a setup failed; nothing is left.
        """
        record = self._deployments.deploy(device, program, restart)
        try:
            record.ready.get()
        except BaseException:
            self._deployments.stop(record)  # nobody would have its handle
            raise
        return StandingProgram(self._deployments, record)

    def device(self, url: str) -> Port:
        """Open a device, or find it open, and return it once it is up."""
        return self._core.device(url).get()

    def close(self) -> None:
        """End all sessions and release all devices; idempotent (SES-015).

        Raises:
            ResourceCleanupError: some cleanups failed; everything was ended all the same.
        """
        try:
            self._core.close().get()
        finally:
            give_back_ctrl_c()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _watched(self, core: SessionCore) -> Session:
        return watched(self._session(core), core)

    def _session(self, core: SessionCore) -> Session:
        return Session(core, self)


class SessionContext:
    """What `manager.session(…)` returns: the session lives as long as the `with`."""

    def __init__(
        self,
        create: Callable[[], Future[SessionCore]],
        session: Callable[[SessionCore], Session],
    ) -> None:
        self._create = create
        self._wrap = session
        self._core: SessionCore | None = None
        self._session: Session | None = None
        """Held as long as the `with`, for a body that holds nothing of it."""

    def __enter__(self) -> Session:
        self._core = got_session(self._create())
        self._session = self._wrap(self._core)
        return self._session

    def __exit__(self, error: object, *_: object) -> None:
        assert self._core is not None
        ending = self._core.end()
        self._session = None
        (ending if error is None else quietly_ended(ending)).get()  # the first error is told
