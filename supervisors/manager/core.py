"""What a session manager does, whichever way it is waited for: every operation gives a `Future`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from klemheist.actors.errors import (
    ResourceCleanupError,
    SessionClosed,
)
from klemheist.actors.operation import Steps, operation, shielded
from klemheist.actors.runtime import ExitReason, Future, rest
from klemheist.actors.runtime.interrupts import before_call
from klemheist.actors.session.core import SessionCore
from klemheist.actors.session.status import SessionStatus, Turn
from klemheist.actors.session.telling import told_here
from klemheist.supervisors.core.child import Restart
from klemheist.transports.errors import LinkLost

from .creation import Wishes, created
from .devices import DeviceRecord
from .life import Move
from .outcome import nothing_to_do, quietly_ended
from .session_node import spec_of
from .stats import measured
from .tree import ManagerTree

if TYPE_CHECKING:
    from klemheist.actors.device.port import Port
    from klemheist.actors.session.budget import Budget
    from klemheist.actors.session.program import Program


class ManagerCore(ManagerTree):
    """The sessions of one service: how they are created and ended."""

    # -- creating ----------------------------------------------------------------------------------

    def device(self, url: str, **options: Any) -> Future[Port]:
        """Open a device, or find it open; the future gives its port once it is up.

        Raises:
            SessionClosed: the manager was shut down.
            UnknownScheme: the URL says nothing.
            LinkError: (in the future) it cannot be opened.
        """
        self.check(Move.CREATE)
        return self._devices.open(url, options).map(lambda record: record.port)

    def create(
        self,
        url: str,
        *,
        program: Program | None = None,
        restart: Restart = Restart.PERMANENT,
        exclusive: bool = False,
        wait: float = 0.0,
        budget: Budget | None = None,
        standing: bool = False,
        fallback: bool = False,
        **device: Any,
    ) -> Future[SessionCore]:
        """Create a session: validate, detect, create, track, register, in this order (SES-042).

        Args:
            url: the device.
            program: its setups run first; its teardowns are held.
            restart: `TEMPORARY` faults in a new boot of the device; others recover.
            exclusive: no other session lives on the device while this one does.
            wait: seconds that it waits for others to end, where they are in its way.
            budget: the most that it may hold; None for that of the options.
            standing: start all of the program's threads, and never call it idle.
            fallback: do without capabilities that the device does not tell (SES-099).
            device: how the device is opened, where it is not open yet.

        Raises (in the future):
            SessionClosed: the manager was shut down.
            SessionLimitError: there is no room for one more.
            ArgumentError: two options contradict each other.
            DeviceBusy: the device is taken exclusively, or is to be.
            CapabilityError: the device does not say what it can (SES-098).
            LinkError: the device cannot be opened.
            DeviceError: a setup failed; nothing is left.
        """
        wishes = Wishes(
            program=program,
            restart=restart,
            exclusive=exclusive,
            wait=wait,
            budget=budget or self.options.budget,
            standing=standing,
            fallback=fallback,
        )
        before_call()  # Ctrl-C waits from here on
        return created(self, url, wishes, device)

    def open(self, url: str, options: dict[str, Any]) -> Future[DeviceRecord]:
        """Open a device, or find it open; the future gives what is known of it, once it is up."""
        return self._devices.open(url, options)

    def admit(self, core: SessionCore) -> None:
        """Know a session from its first moment on, so that whatever happens ends it.

        Raises:
            SessionClosed: the manager was shut down meanwhile.
        """
        with self._lock:
            self.check(Move.CREATE)
            self.sessions.add(core)

    def start_node(self, core: SessionCore, record: DeviceRecord) -> Future[Any]:
        """Start a session's node in the tree.

        Raises:
            SessionClosed: the manager was shut down meanwhile.
            LinkLost: the device's own node is not there just now.
        """
        node = self._devices.node(record.port)
        if node is None:
            self.check(Move.CREATE)
            raise LinkLost(f"{record.port.url} is being started anew; try again")
        sessions = node.sessions()
        record.roster[core.session_id] = core  # first: what happens to the device is told from here
        started: Future[Any] = sessions.start_child(spec_of(core), block=False)
        return started

    def is_alone(self, core: SessionCore) -> bool:
        """Whether no other session lives on its device."""
        return self.sessions.on(core.port) == [core]

    def cleaned(self, core: SessionCore, error: ResourceCleanupError | None) -> None:
        """Forget a session whose cleanup is over, but not what failed in it."""
        self.sessions.remove(core, error)

    def gone(self, core: SessionCore) -> None:
        """Start a session no more with its device's node: it has ended."""
        self._devices.strike(core.port, core.session_id)

    def registered(self, resource_type: str) -> None:
        """Count a resource that was registered."""
        measured(self.monitor.record_resource_registration, resource_type)

    def register(self, core: SessionCore) -> None:
        """Count a session as live: it takes calls from now on.

        Raises:
            SessionClosed, SessionFaulted: it or the manager was ended meanwhile.
        """
        with self._lock:
            self.move(Move.CREATE)
            if not core.move(Turn.CREATED):
                raise core.refusal()
            self.sessions.count_creation()
        self.idle.watch()

    # -- ending ------------------------------------------------------------------------------------

    def end(self, core: SessionCore) -> Future[None]:
        """End a session, once; the future fails with `ResourceCleanupError` where cleanups failed.

        Ending is shielded: it goes on in the tree whatever happens to the waiter. In a forked
        process nothing is done, and in a callback of this very end there is nothing to wait for.
        """
        if self.is_inherited or told_here() is core:
            return nothing_to_do()
        ended: Future[None] = Future()

        def tell(_: object) -> None:
            error = self.sessions.failure(core)
            if error is None:
                ended.set(None)
            else:
                ended.set_exception(error)

        core.told.add_callback(tell)
        if core.status is not SessionStatus.ENDED:
            core.move(Turn.END)
            self._end_node(core)
        return ended

    def _end_node(self, core: SessionCore) -> None:
        def ended(_: object = None) -> None:
            self.sessions.remove(core, None)  # where its node could not do it any more
            core.ended()

        node = self._devices.node(core.port)
        if node is None:
            ended()
            return
        ending = node.sessions().terminate_child(core.session_id, block=False)
        ending.add_done_callback(ended)

    def close(self) -> Future[None]:
        """End all sessions, release all devices, and stop the tree; once, and shielded.

        Whoever closes again waits for the same end, and is told of no failure. In a forked process
        nothing is done.

        Raises (in the future):
            ResourceCleanupError: some cleanups failed; everything was ended all the same.
        """
        if self.is_inherited:
            return nothing_to_do()
        with self._lock:
            if self._closing is not None:
                if told_here() is not None:  # in a callback that this end waits for
                    return nothing_to_do()
                return quietly_ended(self._closing)
            self.move(Move.SHUT_DOWN)
            self._closing = Future()
        self.idle.close()
        closing = self._close()
        closing.add_done_callback(partial(_pass_on, self._closing))
        return shielded(self._closing)

    def dispose(self) -> None:
        """Let go of everything at once, without any cleanup: for emergencies (SES-048)."""
        if self.is_inherited:
            return
        with self._lock:
            self.move(Move.DISPOSE)
            if self._closing is None:
                self._closing = Future()
        self.idle.close()
        self.sessions.admission.close(SessionClosed("the manager was closed; make a new one"))
        for core in self.sessions.all():
            core.abandon()
            self.sessions.remove(core, None)
        if self._root is not None:
            self._root.kill()
        self._devices.close()
        self._end_events()
        self._closing.set(None)

    def _end_events(self) -> None:
        server, self._status = self._status, None
        if server is not None:
            server.close()
        self._plug.close()
        self.told.close()
        rest()

    @operation
    def _close(self) -> Steps[None]:
        failed: list[ResourceCleanupError] = []
        self.sessions.admission.close(SessionClosed("the manager was closed; make a new one"))
        for core in reversed(self.sessions.all()):
            try:
                yield self.end(core)
            except ResourceCleanupError as error:
                failed.append(error)
        root = self._root
        if root is not None:
            root.exit(ExitReason.SHUTDOWN)
            yield shielded(root.ended)
        self._devices.close()
        self.move(Move.CLEANED)
        self._end_events()
        if failed:
            count = sum(len(error.exceptions) for error in failed)
            raise ResourceCleanupError(f"{count} cleanups failed in {len(failed)} sessions", failed)


def _pass_on(to: Future[None], done: Future[None]) -> None:
    error = done.exception()
    if error is None:
        to.set(None)
    else:
        to.set_exception(error)
