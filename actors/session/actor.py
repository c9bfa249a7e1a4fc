"""The Session actor: takes messages, watches its device, brings the session back after faults."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from klemheist.actors.device.facts import DeviceEvent
from klemheist.actors.errors import SessionError
from klemheist.actors.messages import (
    Call,
    DeviceDown,
    DeviceUp,
    EndSession,
    Execute,
    GetStatus,
    Interrupt,
)
from klemheist.actors.operation import copy_to
from klemheist.actors.runtime.actor import LATER, Actor
from klemheist.actors.runtime.exits import ExitReason
from klemheist.actors.runtime.future import Future
from klemheist.transports.errors import LinkError

from .core import SessionCore
from .status import SessionStatus, Turn


class SessionActor(Actor):
    """One incarnation of a session; what it is stands in its `SessionCore`."""

    inline: ClassVar[bool] = True

    core: SessionCore
    """Given by the session's node before it starts."""

    # -- life --------------------------------------------------------------------------------------

    def on_restart(self, reason: ExitReason, attempt: int) -> None:  # noqa: ARG002 -- a hook
        """A crash of this actor is a new attachment of the same session."""
        self.core.report.warning("session restarted after {}", reason)
        self.core.attach()
        if self.core.status is SessionStatus.RECOVERING and not self.core.port.is_away:
            self.core.recover().add_done_callback(partial(self.post, self._recovered))

    def on_start(self) -> None:
        """Watch the device."""
        self.core.actor = self

    def _actor_released(self) -> None:
        if self.core.actor is self:
            self.core.actor = None

    # -- messages ----------------------------------------------------------------------------------

    def on_receive(self, message: Any) -> Any:
        """Take a message; calls are answered when the device has answered."""
        core = self.core
        match message:
            case Execute(code=code, timeout=timeout):
                return self._later(core.execute(code, timeout=timeout))
            case Call(name=name, args=args, kwargs=kwargs, timeout=timeout):
                source = core.tasks.get(name)
                if source is None:
                    known = ", ".join(core.tasks) or "none"
                    raise SessionError(f"no task {name!r} in this session; it has: {known}")
                return self._later(core.call(source, args, kwargs, timeout=timeout))
            case Interrupt():
                core.interrupt()
            case EndSession():
                return self._later(core.end())
            case GetStatus():
                return core.describe()
            case DeviceDown(reason=reason):
                self._down(reason)
            case DeviceUp() as up:
                self._up(up)
            case _:
                return super().on_receive(message)
        return None

    def _later(self, future: Future[Any]) -> Any:
        reply = self._actor_answering
        if reply is None:
            future.add_done_callback(self._unasked)
        else:
            copy_to(reply, future)
        return LATER

    def _unasked(self, future: Future[Any]) -> None:
        error = future.exception()
        if error is not None:
            self.core.report.warning("a message failed, and nobody asked for its answer: {}", error)

    # -- the device --------------------------------------------------------------------------------

    def heard(self, event: DeviceEvent) -> None:
        """Take an event, on the device's turn: only pass it on."""
        if event.kind in ("down", "reset", "recovering"):
            self.post(self.on_receive, DeviceDown(event.text))
        elif event.kind == "failed":
            self.post(self._fault, event.text)
        elif event.kind == "up":
            self.post(self.on_receive, DeviceUp(event.generation, event.same_boot))

    def _down(self, reason: str) -> None:
        if self.core.move(Turn.DOWN):
            self.core.report.info("device is away: {}", reason)

    def _up(self, up: DeviceUp) -> None:
        if up.same_boot:
            self.core.move(Turn.UP)
        elif not self.core.recovers:
            self._fault("the device booted anew, and this session is not to be restarted")
        else:
            self.core.recover().add_done_callback(partial(self.post, self._recovered))

    def _recovered(self, recovery: Future[Any]) -> None:
        error = recovery.exception()
        if error is None:
            self.core.move(Turn.UP)
        elif not isinstance(error, LinkError | SessionError):  # those are told by another event
            self._fault(f"its setup failed in the new boot: {error}")

    def _fault(self, why: str) -> None:
        if self.core.move(Turn.FAULT):
            self.core.fault = why
            self.core.report.error("session faulted: {}", why)
            self.core.end()
