"""Where sessions are ended: a board behind TCP, a manager, and guests who are busy meanwhile.

The board's `__main__` keeps a tally of what was cleaned up, planted before anybody comes and read
at the end through a separate bare raw REPL, as names and files are.
"""

from __future__ import annotations

import ast
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from klemheist import (
    CapabilityError,
    KlemheistError,
    LinkError,
    Resource,
    SessionManager,
    SessionOptions,
)
from klemheist.actors.device.call import Call
from klemheist.actors.device.states import DeviceState
from klemheist.supervisors.manager.async_manager import AsyncSessionManager
from klemheist.transports.repl.agent import Entry
from klemheist.transports.repl.procedures import evaluated
from klemheist.transports.repl.values import decode
from tests.boards.bare import BareRepl
from tests.boards.tcp_board import TcpBoard

if TYPE_CHECKING:
    import random

    from klemheist import Session
    from klemheist.actors.device.port import Port
    from klemheist.actors.session.core import SessionCore

HOST = Path(__file__).parents[1] / "boards" / "raw_repl_host.py"
SECONDS = 15.0
"""For what must happen at last: the longest way is a board that starts anew."""
OPTIONS = SessionOptions(
    max_concurrent_sessions=20, resource_cleanup_timeout=3.0, thread_grace=1.0, call_timeout=10.0
)
CLEAN = "t = getattr(__import__('__main__'), 'tally', {{}})\nt[{0!r}] = t.get({0!r}, 0) + 1"
UNDO = "getattr(__import__('__main__'), 'tally', {{}}).setdefault({0!r}, 1)"
"""What is owed may have been done already, so it is written to be harmless then."""
LEFTOVERS = (
    "import os; print(repr((sorted(n for n in globals() if n[0] != '_' or n == '_k'), "
    "sorted(os.listdir()), globals().get('tally'))))"
)
TABLES = (  # entries below 0 are those of the files' kit, which stays
    f"[('S',k) for k in S if k]+[('G',k) for k in G if k>=0 and k not in {tuple(map(int, Entry))}]"
)
"""Namespaces and functions on the device: none, where no session lives."""


class Guest:
    """One session and all that it registered, busy on a thread of its own until it ends."""

    def __init__(self, stage: Stage, session: Session, name: str) -> None:
        self.name = name
        self.session: Session | None = session
        self.core: SessionCore = session._core
        self.attachment = session.done
        """Of the first attachment; it may have ended before the session, by a crash."""
        self.shared = session.logical.done
        self.stage = stage
        self.dice = stage.dice
        self.registered: list[str] = []
        self.cleaned: Counter[str] = Counter()
        """How often the cleanup of each resource began."""
        self.done: set[str] = set()
        """Those whose cleanup came to its end."""
        self.boots = stage.boots
        self._leave = threading.Event()
        self._busy: threading.Thread | None = None

    def register(self) -> None:
        """Hold one more resource, which leaves its mark on the device when it is cleaned up."""
        assert self.session is not None
        key = f"{self.name}.{len(self.cleaned)}.{len(self.registered)}"
        execute = self.core.execute

        def clean(cancel: object) -> None:
            self.cleaned[key] += 1
            execute(CLEAN.format(key)).get()
            self.done.add(key)

        thing = Resource(
            "thing",
            clean,
            resource_id=key,
            undo=UNDO.format(key),
            claims=[("thing", key)],
        )
        self.session.resources.register_resource(thing)
        self.registered.append(key)

    def begin(self) -> None:
        """Register some things, then be busy."""
        for _ in range(self.dice.randint(1, 5)):
            self.register()
        self._busy = threading.Thread(target=self._live, name="guest", daemon=True)
        self._busy.start()

    def leave(self) -> None:
        """Do no more, and hold nothing of the session."""
        self._leave.set()
        if self._busy is not None:
            self._busy.join(SECONDS)
            assert not self._busy.is_alive(), f"{self.name}: a call did not come back"
        self.session = None

    def _live(self) -> None:
        acts = [self.register, self._call, self._sleep, self._write, self._start]
        while not self._leave.is_set() and self.core.is_active:
            try:
                self.dice.choice(acts)()
            except CapabilityError:
                raise
            except KlemheistError:
                continue  # it ends, or its device is away; what must hold is judged later

    def _call(self) -> None:
        assert self.session is not None
        task = self.session.task(source="def twice(n):\n return n * 2")
        assert task(self.dice.randrange(1000)) % 2 == 0

    def _sleep(self) -> None:
        assert self.session is not None
        self.session.execute("__import__('time').sleep(0.01)")

    def _write(self) -> None:
        assert self.session is not None
        self.session.files.write(f"{self.name}.tmp", b"x" * 700, temporary=True)

    def _start(self) -> None:
        assert self.session is not None
        if len(self.session.resources.get_active_threads()) < 2:
            self.session.thread(source="def tick():\n while True:\n  yield 0.005")()

    # -- the judge on the host -------------------------------------------------------------------

    def judged(self) -> None:
        """Assert that what it held was cleaned up once, or is reported, and nothing is left."""
        core = self.core
        assert self.shared.wait(SECONDS), f"{self.name} did not end: {core.describe()}"
        assert self.attachment.wait(SECONDS), f"{self.name}: its attachment is not done"
        assert core.done.is_set(), f"{self.name}: its last attachment is not done"
        if self.session is not None:
            assert self.session.done.is_set(), f"{self.name}: its holder's is not done"
        self.leave()
        error = self.stage.failures.get(core.session_id)
        failed = [] if error is None else [str(each) for each in error.exceptions]
        twice = [key for key in self.registered if self.cleaned[key] > 1]
        assert not twice, f"{self.name}: cleaned more than once: {twice}"
        never = [key for key in self.registered if not self.cleaned[key]]
        assert not never, f"{self.name}: never cleaned: {never}; failed: {failed}"
        silent = len([key for key in self.registered if key not in self.done])
        assert len(failed) >= silent, f"{self.name}: {silent} failed, reported: {failed}"
        held = [e for e in core.ledger.entries() if e.state != "owed"]
        assert not held, f"{self.name} still holds {held}"
        assert not core.calls(), f"{self.name}: calls that nobody answers: {core.calls()}"
        claimed = [c for c in self.stage.claims() if c.session_id == core.session_id]
        assert not claimed, f"{self.name} still claims {claimed}"


class Stage:
    """One board and one manager, for some endings."""

    def __init__(self, kind: str, dice: random.Random) -> None:
        self.kind, self.dice = kind, dice
        self.boots = 0
        """How often the board was killed: then it knows of nothing before."""
        self.guests: list[Guest] = []
        self.failures: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._root = tempfile.TemporaryDirectory()
        host = f"exec:{sys.executable} {HOST} --root {self._root.name}"
        self.board = TcpBoard(host if self.kind == "host" else "sim:")
        with BareRepl(self.board.host, self.board.port) as judge:
            judge.exec("tally = {}")
            self._before = ast.literal_eval(judge.exec(LEFTOVERS).decode())
        self.open()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.board.refuse(False)
            if error[0] is None:
                self._device_is_clean()
        finally:
            for guest in self.guests:
                guest.leave()
            self.manager.close()
            try:
                if error[0] is None:
                    self._judged()
            finally:
                self.board.close()
                self._root.cleanup()

    def open(self) -> None:
        """Make a manager: the first, or one after another was closed."""
        self.manager = SessionManager(OPTIONS)
        self.core = self.manager._core
        remember = self.core.sessions.remove

        def remove(core: SessionCore, error: Any) -> None:
            if error is not None:
                self.failures.setdefault(core.session_id, error)
            remember(core, error)

        self.core.sessions.remove = remove  # type: ignore[method-assign]

    def asyncio_manager(self) -> AsyncSessionManager:
        """The same manager, for asyncio."""
        twin = AsyncSessionManager.__new__(AsyncSessionManager)
        twin._core = self.core
        return twin

    @property
    def url(self) -> str:
        return self.board.url

    @property
    def port(self) -> Port:
        return self.manager.device(self.url)

    def claims(self) -> tuple[Any, ...]:
        return self.manager.claims()

    def guest(self, session: Session | None = None) -> Guest:
        """Let a guest in, who is busy from now on."""
        made = session or self._created()
        guest = Guest(self, made, f"g{len(self.guests)}")
        self.guests.append(guest)
        guest.begin()
        return guest

    def _created(self) -> Session:
        """Create a session; the device may be on its way back from what was done to it last."""
        ends = time.monotonic() + SECONDS
        while True:
            try:
                return self.manager.create_session(self.url)
            except LinkError:
                assert time.monotonic() < ends, f"{self.port} does not come back"

    def moment(self) -> None:
        """Wait until some random moment."""
        time.sleep(self.dice.random() * 0.03)

    def kill(self) -> None:
        """The board loses its power."""
        self.boots += 1
        self.board.kill()

    # -- the judges --------------------------------------------------------------------------------

    def tree_is_empty(self) -> None:
        """Assert that no node of a session is in the tree."""
        ends = time.monotonic() + SECONDS
        while nodes := self._nodes():
            assert time.monotonic() < ends, f"still in the tree: {nodes}"
            time.sleep(0.005)

    def _nodes(self) -> list[str]:
        tree = self.manager.snapshot()
        paths = [] if tree is None else [node.path for node in tree.walk()]
        return [path for path in paths if "/sessions/" in path]

    def nothing_owed(self) -> None:
        """Wait until the device is back and has got what was owed to it."""
        ends = time.monotonic() + SECONDS
        for port in self.manager.devices():
            while port.state is not DeviceState.UP or len(port.debts):
                assert time.monotonic() < ends, f"{port}: still owed: {port.debts.labels()}"
                time.sleep(0.005)

    def _device_is_clean(self) -> None:
        """Assert that nothing is owed once the device is back, and its tables are empty."""
        self.nothing_owed()
        if not self.manager.devices():
            return
        port, ends = self.port, time.monotonic() + SECONDS
        tables = TABLES
        if port.board.facts.get("thread helpers") == port.board.boot:
            tables += "+list(AL)" if self.kind == "host" else "+list(H)"
        asked = port.submit(
            Call(lambda board: evaluated(board, tables), "judge", ends, idempotent=True)
        )
        frame, error = asked.get(timeout=SECONDS)
        left = decode(frame.text)
        assert left == [], f"left in the agent's tables: {left} {error!r}"

    def _judged(self) -> None:
        """Assert what the bare raw REPL sees."""
        with BareRepl(self.board.host, self.board.port) as judge:
            names, files, tally = ast.literal_eval(judge.exec(LEFTOVERS).decode())
        left = [name for name in names if name not in self._before[0]]
        left += [name for name in files if name not in self._before[1]]
        assert not left, f"left on the {self.kind} board: {left}; {self._reported()}"
        if self.boots == 0:
            assert tally is not None, f"the {self.kind} board booted anew; {self._reported()}"
            for guest in self.guests:
                counts = {key: tally.get(key, 0) for key in guest.registered}
                wrong = {key: n for key, n in counts.items() if n != 1}
                assert not wrong, (
                    f"{guest.name}: not cleaned exactly once: {wrong}; {self._reported()}"
                )

    def _reported(self) -> str:
        """Return what was reported of each session, for whoever looks for a cause."""
        told = {
            name: [repr(each) for each in error.exceptions] for name, error in self.failures.items()
        }
        return f"reported: {told}"
