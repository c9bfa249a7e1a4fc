"""`klemheist demo`: the main job on a real board, told as it happens, with a proof at the end."""

from __future__ import annotations

import threading
import time
from argparse import Namespace
from contextlib import nullcontext
from statistics import median
from typing import Any, Final

from klemheist import LinkError, Resource, Session

from .demo_boards import AGENT, Kit, bare, kill, kit, process_of
from .demo_view import Story, tree_shown
from .stay import Stay

CALLS: Final = 100
FILE: Final = "demo.tmp"
RECOVER_WITHIN: Final = 20.0
"""Seconds for a board to be back: the slowest needs two."""


def run(stay: Stay, args: Namespace) -> int:
    """Tell the story; the exit code is 1 where the proof found something left."""
    story = Story(quiet=args.json)
    with tree_shown(stay.manager, story) if args.tree and not args.json else nullcontext():
        _tell(stay, story)
    if args.json:
        print(story.as_json(stay.place))
    else:
        story.table()
    return 0 if story.clean else 1


def _tell(stay: Stay, story: Story) -> None:
    with story.timed("device opened and probed"):
        port = stay.port
    here = port.require()
    story.tell(f"{stay.place} is a {here.platform} with {here.free_memory} bytes free")
    tools = kit(here.platform)
    before = {"names": set(bare(port, "dir()")), "files": set(_files(port))}
    with story.timed("session created, its program set up"):
        session = stay.manager.session(stay.url, program=tools.program).__enter__()
    story.tell(f"session {session.session_id} runs {tools.program!r}: its setup is done")
    try:
        _calls(session, story)
        _background(session, story)
        _hold(session, story)
        _fault(session, tools, story, process_of(port))
    finally:
        with story.timed("session ended, all cleaned up"):
            session.close()
    story.tell("the session has ended: teardown run, thread stopped, file removed, names dropped")
    _prove(story, port, tools, before)


def _calls(session: Session, story: Story) -> None:
    with story.timed("first call, its function deployed"):
        session.program.set(1)
    story.tell("set(1) was sent once, and switched the LED on; from here on it is only called")
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        session.program.lit()
        times.append(time.perf_counter() - began)
    story.took["a call (median)"] = median(times)
    story.tell(f"{CALLS} calls of lit(), {median(times) * 1e6:.0f} µs each")


def _background(session: Session, story: Story) -> None:
    session.program.blink()
    changes, before, until = 0, session.program.lit(), time.monotonic() + 0.5
    while time.monotonic() < until:
        now = session.program.lit()
        changes, before = changes + (now != before), now
    story.tell(f"blink() runs beside the calls: the LED changed {changes} times in half a second")


def _hold(session: Session, story: Story) -> None:
    with story.timed("a file of 2 KB written and proved"):
        session.files.write(FILE, b"klemheist" * 228, temporary=True)
    lamp = Resource("lamp", lambda _: story.tell("a resource of the host was given back"))
    session.resources.register_resource(lamp)
    held = session.resources.get_resource_stats()
    story.tell(
        f"the session holds {held.total_resources} resources (a file among them), "
        f"{held.background_threads} thread and {held.deployed_methods} functions"
    )


def _fault(session: Session, tools: Kit, story: Story, pid: int | None) -> None:
    if pid is None:
        story.tell("this board is no process that could be killed: pull its plug to see the same")
        return
    killer = threading.Timer(0.2, kill, (pid,))
    killer.start()
    try:
        session.execute(tools.wait)
    except LinkError as error:
        began = time.perf_counter()
        fate = "it may have run" if error.maybe_executed else "it was not sent"
        story.tell(f"the board was killed in mid-call: {type(error).__name__}, {fate}")
    else:
        began = time.perf_counter()
    finally:
        killer.join()
    session.program.set(1)
    story.took["first call after the kill"] = time.perf_counter() - began
    story.tell(f"the board is back (boot {session.generation}), the program set up again: set(1)")
    changes, until = 0, time.monotonic() + RECOVER_WITHIN
    before = session.program.lit()
    while not changes and time.monotonic() < until:
        changes += session.program.lit() != before
    story.tell("blink() was started again by itself" if changes else "blink() did not come back")


def _prove(story: Story, port: Any, tools: Kit, before: dict[str, set[str]]) -> None:
    """Look at what is left with a plain raw REPL command that knows nothing of sessions."""
    lit = [bare(port, tools.led)]
    time.sleep(0.15)  # three steps of the thread, if it still ran
    lit.append(bare(port, tools.led))
    names = set(bare(port, "dir()")) - before["names"] - {AGENT}
    story.proof = {
        "LED on": bool(lit[0] or lit[1]),
        "thread runs": lit[0] != lit[1],
        "names left": sorted(names),
        "files left": sorted(set(_files(port)) - before["files"]),
    }
    found = ", ".join(f"{what}: {_plain(left)}" for what, left in story.proof.items())
    story.tell(f"a bare raw REPL finds {found}")


def _files(port: Any) -> list[str]:
    return list(bare(port, "__import__('os').listdir()"))


def _plain(left: Any) -> str:
    return "no" if left is False else "yes" if left is True else ", ".join(left) or "none"
