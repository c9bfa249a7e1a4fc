"""`session.executor_context` and `session.device_context`: narrow views to hand on."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from klemheist.actors.device.facts import Capabilities
from klemheist.transports.repl.values import ArgumentError

from .tracker import TrackerView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from klemheist.actors.done import Done

    from .core import SessionCore


class ExecutorContext:
    """What an executor needs of its session (SES-025, SES-064 to SES-067)."""

    def __init__(self, core: SessionCore) -> None:
        self._core = core
        self._numbers = itertools.count(1)
        self.resource_tracker = TrackerView(core)
        """The session's tracker."""

    @property
    def session_id(self) -> str:
        """The session's id."""
        return self._core.session_id

    def is_method_deployed(self, signature: str, code_hash: str) -> bool:
        """Whether this very code is deployed under this signature."""
        return self.resource_tracker.is_method_deployed(signature, code_hash)

    def register_method_deployment(self, signature: str, code_hash: str) -> None:
        """Record a deployment."""
        self.resource_tracker.register_deployed_method(signature, code_hash)

    def allocate_thread_id(self, method: str) -> str:
        """Return an id for a thread, unique in the session.

        Raises:
            SessionClosed: the session has ended.
        """
        self._core.require()
        return f"{method}-{next(self._numbers)}"


class DeviceContext:
    """The device, as one of its sessions sees it (SES-026, SES-078 to SES-081)."""

    def __init__(self, core: SessionCore) -> None:
        self._core = core

    @property
    def session_id(self) -> str:
        """The session's id."""
        return self._core.session_id

    @property
    def url(self) -> str:
        """The device's normalised URL: its key."""
        return self._core.port.url

    @property
    def status(self) -> str:
        """Where the device stands: up, down, recovering, …."""
        return self._core.port.state.value

    @property
    def done(self) -> Done:
        """Closed when the device itself is closed, or has failed for good (DONE-008)."""
        return self._core.port.done

    @property
    def generation(self) -> int:
        """Which boot of its interpreter this is, counted from 1."""
        return self._core.port.generation

    @property
    def capabilities(self) -> Capabilities | None:
        """What it can do; None before it was detected."""
        return self._core.capabilities

    def get_protocol_capabilities(self) -> dict[str, Any]:
        """Return how the link to it is used."""
        board = self._core.port.board
        return {"raw_paste": board.paste, "credit": board.credit, "longest_source": board.longest}

    def get_device_info(self) -> dict[str, Any]:
        """Return what it says of itself."""
        found = self._core.port.require()
        return {"url": self.url, "platform": found.platform, "firmware": found.firmware}

    def register_protocol_metrics(self, metrics: Mapping[str, float]) -> None:
        """Add numbers of your own about how the device is talked to (SES-081).

        They add up over all sessions of the device; `get_protocol_metrics` has them, and those of
        Klemheist. Without `SessionOptions.enable_session_metrics` nothing is kept (SES-097).

        Args:
            metrics: name -> what is added to it, such as `{"retries": 1}`.

        Raises:
            ArgumentError: a value is no number, or the name is one of Klemheist's own.
        """
        own = asdict(self._core.port.counters)
        for name, value in metrics.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ArgumentError(f"metric {name}={value!r}: give a number")
            if name in own:
                raise ArgumentError(f"metric {name} is counted by Klemheist; use another name")
        if self._core.options.enable_session_metrics:
            self._core.port.metrics.update(metrics)

    def get_protocol_metrics(self) -> dict[str, float]:
        """Return what was counted on this device: by Klemheist, and by `register_…`."""
        port = self._core.port
        return {**asdict(port.counters), **port.metrics}
