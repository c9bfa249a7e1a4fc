"""The ways in which a session can end: each takes a stage, and ends sessions on it."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
import warnings
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from klemheist import EndSession, KlemheistError, SessionError
from tests.ends import crash

from .stage import SECONDS, Guest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .stage import Stage


class BodyError(Exception):
    """What the body of a user raises."""


def ended(guest: Guest) -> None:
    """End a session; what failed in its cleanup is judged later."""
    assert guest.session is not None
    with suppress(KlemheistError):
        guest.session.close()


def closed(stage: Stage) -> None:
    guest = stage.guest()
    stage.moment()
    ended(guest)


def ended_by_id(stage: Stage) -> None:
    guest = stage.guest()
    stage.moment()
    stage.manager.end_session(guest.core.session_id)


def told_to_end(stage: Stage) -> None:
    guest = stage.guest()
    stage.moment()
    assert guest.session is not None
    guest.session.ref.tell(EndSession())


def left(stage: Stage) -> None:
    with stage.manager.session(stage.url) as session:
        stage.guest(session)
        stage.moment()


def body_raised(stage: Stage) -> None:
    with suppress(BodyError), stage.manager.session(stage.url) as session:
        stage.guest(session)
        stage.moment()
        raise BodyError


def operation_raised(stage: Stage) -> None:
    def work(session: Any) -> None:
        stage.guest(session)
        stage.moment()
        raise BodyError

    with suppress(BodyError):
        stage.manager.execute_in_session(stage.url, work)


def closed_by_many(stage: Stage) -> None:
    guest = stage.guest()
    stage.moment()
    threads = [threading.Thread(target=ended, args=(guest,)) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(SECONDS)


def _in_a_task(stage: Stage, end: Callable[[asyncio.Task[None]], object]) -> None:
    """A task of asyncio with a session; `end` ends it at some moment of its life."""
    manager = stage.asyncio_manager()

    async def live() -> None:
        async with manager.session(stage.url) as session:
            stage.guest(_twin(stage, session))
            while True:
                await session.execute("1 + 1")

    async def main() -> None:
        task = asyncio.create_task(live())
        end(task)
        with suppress(asyncio.CancelledError, TimeoutError, KlemheistError):
            await asyncio.wait_for(task, SECONDS)

    asyncio.run(main())


def _twin(stage: Stage, session: Any) -> Any:
    return stage.manager._session(session._core)


def task_cancelled(stage: Stage) -> None:
    delay = stage.dice.random() * 0.04  # also while it is being created
    _in_a_task(stage, lambda task: task.get_loop().call_later(delay, task.cancel))


def task_timed_out(stage: Stage) -> None:
    manager, delay = stage.asyncio_manager(), stage.dice.random() * 0.04

    async def live() -> None:
        async with asyncio.timeout(delay), manager.session(stage.url) as session:
            stage.guest(_twin(stage, session))
            await asyncio.sleep(SECONDS)

    with suppress(TimeoutError):
        asyncio.run(live())


def creation_timed_out(stage: Stage) -> None:
    with suppress(KlemheistError):
        guest = stage.guest(
            stage.manager.create_session(stage.url, timeout=stage.dice.random() * 0.003)
        )
        ended(guest)


def idle_for_too_long(stage: Stage) -> None:
    guest = stage.guest()
    stage.moment()
    guest._leave.set()
    core = guest.core
    core.options = replace(core.options, default_session_timeout=0.01)
    ends = time.monotonic() + SECONDS
    while core.is_active and time.monotonic() < ends:  # a call of the guest may still run
        stage.core.idle.look()
        time.sleep(0.002)


def forgotten(stage: Stage) -> None:
    guest = stage.guest()
    stage.moment()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        guest.leave()
        gc.collect()


def manager_closed(stage: Stage) -> None:
    for _ in range(stage.dice.randint(1, 3)):
        stage.guest()
    stage.nothing_owed()
    stage.moment()
    with suppress(KlemheistError):
        stage.manager.close()
    _judge_all(stage)
    stage.open()


def session_crashed(stage: Stage) -> None:
    """Its actor crashes again and again, until the tree gives it up."""
    guest = stage.guest()
    stage.moment()
    _crash(guest, "session", times=4)


def tracker_crashed(stage: Stage) -> None:
    """A tracker crashes, before or during the cleanup."""
    guest = stage.guest()
    stage.moment()
    name = stage.dice.choice(["resources", "threads", "deployments"])
    crasher = threading.Thread(target=_crash, args=(guest, name), kwargs={"times": 1})
    crasher.start()
    ended(guest)
    crasher.join(SECONDS)


def node_crashed(stage: Stage) -> None:
    """The session's node crashes; the next incarnation ends it."""
    guest = stage.guest()
    stage.moment()
    node: Any = guest.core.spawn
    with suppress(KlemheistError):
        crash(node.actor_ref)
    ended(guest)


def device_actor_crashed(stage: Stage) -> None:
    guest = stage.guest()
    stage.moment()
    brain: Any = stage.port.brain
    crasher = threading.Thread(target=crash, args=(brain.actor_ref,))
    crasher.start()
    if stage.dice.random() < 0.5:
        stage.moment()
    ended(guest)
    crasher.join(SECONDS)


def _crash(guest: Guest, name: str, *, times: int) -> None:
    node: Any = guest.core.spawn
    for _ in range(times):
        try:
            ref = node.actor_ref.handle(name).wait_ready(2.0)
            crash(ref)
        except (KlemheistError, AttributeError):  # it has ended, or was never needed
            return


def cable_pulled(stage: Stage) -> None:
    """The session ends while its device is away; what is owed is done when it is back."""
    guest = stage.guest()
    stage.moment()
    stage.board.refuse(True)
    stage.board.drop()
    if stage.dice.random() < 0.5:
        stage.moment()
    ended(guest)
    stage.board.refuse(False)


def cable_shaken(stage: Stage) -> None:
    """The link is lost and back in the middle of the end."""
    guest = stage.guest()
    stage.moment()
    dropper = threading.Timer(stage.dice.random() * 0.02, stage.board.drop)
    dropper.start()
    ended(guest)
    dropper.join(SECONDS)


def board_killed(stage: Stage) -> None:
    """The board dies under the session, which is ended meanwhile, and comes back after it."""
    guest = stage.guest()
    stage.moment()
    stage.kill()
    if stage.dice.random() < 0.5:
        stage.moment()
    ended(guest)
    stage.board.respawn()


def board_rebooted(stage: Stage) -> None:
    """The board boots anew by itself while the session ends."""
    guest = stage.guest()
    stage.moment()
    stage.boots += 1
    assert guest.session is not None
    with suppress(SessionError):
        guest.session.submit("raise SystemExit")
    ended(guest)


CHILD = """
import sys
import klemheist
from tests.endings.stage import CLEAN
manager = klemheist.SessionManager()
session = manager.create_session(sys.argv[1])
def register(key):
    clean = lambda _: session.execute(CLEAN.format(key))
    session.resources.register_resource(klemheist.Resource("thing", clean, resource_id=key))
for key in sys.argv[2:]:
    register(key)
session.files.write("child.tmp", b"x" * 700, temporary=True)
session.thread(source="def tick():\\n while True:\\n  yield 0.005")()
session.submit("__import__('time').sleep(0.02)")
"""


def process_exited(stage: Stage) -> None:
    """A process ends without a word to its manager, which cleans up all the same."""
    stage.nothing_owed()
    stage.manager.close()
    _judge_all(stage)
    keys = [f"child{len(stage.guests)}.{number}" for number in range(3)]
    command = [sys.executable, "-W", "ignore", "-c", CHILD, stage.url, *keys]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    stage.open()
    child = _Gone(stage, keys)
    stage.guests.append(child)


class _Gone(Guest):
    """A session of a process that is gone: the board's tally tells of it."""

    def __init__(self, stage: Stage, keys: list[str]) -> None:
        self.name, self.registered = "the process", keys
        self.stage = stage

    def leave(self) -> None:
        """It has."""

    def judged(self) -> None:
        """Only the board can."""


def _judge_all(stage: Stage) -> None:
    for guest in stage.guests:
        guest.judged()


WAYS: tuple[Callable[[Stage], None], ...] = (
    closed,
    ended_by_id,
    told_to_end,
    left,
    body_raised,
    operation_raised,
    closed_by_many,
    task_cancelled,
    task_timed_out,
    creation_timed_out,
    idle_for_too_long,
    forgotten,
    manager_closed,
    session_crashed,
    tracker_crashed,
    node_crashed,
    device_actor_crashed,
    cable_pulled,
    cable_shaken,
    board_killed,
    board_rebooted,
    process_exited,
)
"""Every ending that issue 4 names, and some that it does not."""
