"""Devices under test: a port, the actor that drives it, and what it told."""

from __future__ import annotations

import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from klemheist.actors.device.call import Call
from klemheist.actors.device.device import Device
from klemheist.actors.device.facts import DeviceEvent
from klemheist.actors.device.port import Port
from klemheist.actors.device.reopen import Reopening
from klemheist.actors.runtime.timers import TIMERS
from klemheist.actors.session.answers import Place
from klemheist.actors.session.namespace import Numbers
from klemheist.actors.session.remote import Namespace
from klemheist.transports.ports import Finder
from klemheist.transports.registry import create_link
from klemheist.transports.repl import ladder
from klemheist.transports.url import parse_url
from tests.boards.tcp_board import TcpBoard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from klemheist.actors.runtime.future import Future

SECONDS = 15.0
"""How long a test waits for what must come."""
HOST = f"exec:{sys.executable} {Path(__file__).parents[2] / 'boards' / 'raw_repl_host.py'}"
BUSY = "[time.sleep(0.01) for _ in range(1000)]"
"""Ten seconds on the device; `time` is imported by `Rig.up`."""


class Rig:
    """One device without a session: its port, its actor, its events, and calls by name."""

    def __init__(self, url: str, *, firmware: dict[str, Any] | None = None, **options: Any) -> None:
        self.events: list[DeviceEvent] = []
        self._changed = threading.Condition()
        known = [Finder(parse_url(url))] if url.startswith(("usb:", "/")) else []
        links = partial(create_link, url, *known)
        self.port = Port(url, links, {} if firmware is None else firmware)
        self.port.listen(self._heard)
        self._options = {"reopening": Reopening(first=0.02, longest=0.1), **options}
        self._numbers = Numbers()
        self._names: dict[str, Namespace] = {}
        self.ref = Device.start(self.port, **self._options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self.port.brain is not None:
            self.port.brain.release()
            self.port.closed.get(timeout=SECONDS)
        if self.ref.is_alive():
            self.ref.stop()
        TIMERS.rest()

    def again(self) -> None:
        """A new incarnation of the actor, as its supervisor would start it."""
        self.ref.ended.get(timeout=SECONDS)
        self.ref = Device.start(self.port, **self._options)

    def up(self) -> Self:
        self.port.ready.get(timeout=SECONDS)
        self.run("import time")
        return self

    # -- calls

    def submit(
        self, code: str, *, owner: str = "one", timeout: float = SECONDS, **more: Any
    ) -> Future[Any]:
        """Evaluate or execute code in the owner's namespace."""
        namespace = self._names.setdefault(owner, Namespace(self._numbers))

        def procedure(board):
            place = Place("<test>", (1,))
            try:
                compile(code, "<test>", "eval")
            except SyntaxError:
                yield from namespace.ready(board)
                return (yield from namespace._execute(board, code, place))
            return (yield from namespace.evaluate(board, code, place))

        deadline = time.monotonic() + timeout
        return self.port.submit(Call(procedure, owner, deadline, code, **more))

    def run(self, code: str, **more: Any) -> Any:
        return self.submit(code, **more).get(timeout=SECONDS)

    def fails(self, future: Future[Any], kind: type[BaseException]) -> Any:
        with pytest.raises(kind) as caught:
            future.get(timeout=SECONDS)
        return caught.value

    # -- events

    def _heard(self, event: DeviceEvent) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait_for(self, kind: str, *, after: int = 0, count: int = 1) -> DeviceEvent:
        """Wait for the `count`-th event of this kind, behind the first `after` of all events."""

        def found() -> DeviceEvent | None:
            told = [e for e in self.events[after:] if e.kind == kind]
            return told[count - 1] if len(told) >= count else None

        with self._changed:
            assert self._changed.wait_for(found, SECONDS), f"no {kind!r} in {self.events}"
            event = found()
        assert event is not None
        return event

    def told(self, kind: str) -> list[str]:
        return [event.text for event in self.events if event.kind == kind]


@pytest.fixture
def make_rig() -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def make(url: str, **options: Any) -> Rig:
        rigs.append(Rig(url, **options))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture
def quick_rungs(monkeypatch) -> None:
    """The lower rungs of the ladder, which are to fail, take a fifth of their time."""
    monkeypatch.setattr(ladder, "INTERRUPT_WITHIN", 0.06)
    monkeypatch.setattr(ladder, "SOFT_RESET_WITHIN", 0.2)


@pytest.fixture(scope="module")
def shared() -> Iterator[Rig]:
    """One `sim:` for the tests of a module that leave it as it was."""
    with Rig("sim:") as rig:
        yield rig.up()


@pytest.fixture
def board() -> Iterator[TcpBoard]:
    with TcpBoard("sim:") as made:
        yield made


@pytest.fixture
def host_board(tmp_path) -> Iterator[TcpBoard]:
    with TcpBoard(f"{HOST} --root {tmp_path}") as made:
        yield made
