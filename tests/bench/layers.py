"""What our layers add to a call: ours beside the very line that it sends, on the bare link."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING

from klemheist import AsyncSessionManager
from klemheist.transports.repl.agent import FIRST_TASK
from klemheist.transports.repl.frames import call_line
from tests.bench import workload
from tests.bench.channel import borrowed
from tests.bench.timing import WARM_UP, Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist.actors.device.port import Port

LINE = "bare link: the agent's line"
AWAITED = "klemheist: awaited call"
AWAITED_LINE = "bare link: the agent's line, beside awaited calls"


def agent_call(port: Port) -> Callable[[], float]:
    """Return what times the line of the session's first task, written and read by itself."""

    def act() -> float:
        with borrowed(port) as bare:
            number, line = call_line(FIRST_TASK, (workload.QUESTION,), port.board.count)
            began = perf_counter()
            output = bare.exec(line)
            took = perf_counter() - began
        port.board.taken()
        if not output.startswith(b"\x1e%d=" % number) or not output.endswith(b",2"):
            raise RuntimeError(f"{line!r} printed {output!r}")
        return took

    return act


def awaited(url: str, rounds: int) -> dict[str, Sample]:
    """Calls from an event loop, and their lines by themselves, in turn."""
    return asyncio.run(_awaited(url, rounds))


async def _awaited(url: str, rounds: int) -> dict[str, Sample]:
    ours, bare = [], []
    async with AsyncSessionManager() as manager, manager.session(url) as session:
        task = session.task(workload.f)
        for _ in range(2):  # see `ours._calls`
            await task(workload.QUESTION)
        alone = agent_call(await manager.device(url))
        for number in range(rounds + WARM_UP):
            took = alone()
            began = perf_counter()
            await task(workload.QUESTION)
            if number >= WARM_UP:
                ours.append(perf_counter() - began)
                bare.append(took)
    return {AWAITED: Sample(tuple(ours)), AWAITED_LINE: Sample(tuple(bare))}
