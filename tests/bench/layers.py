"""What our layers add to a call: ours beside the very line that it sends, on the bare link."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING

from klemheist import AsyncSessionManager
from klemheist.transports.repl.agent import FIRST_TASK
from klemheist.transports.repl.burst import ENTER, LEAVE, burst_line
from klemheist.transports.repl.frames import MARK, short_answer
from tests.bench import workload
from tests.bench.channel import borrowed
from tests.bench.timing import IN_A_ROW, LEAD, WARM_UP, Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist.actors.device.port import Port
    from tests.bench.channel import Bare

LINE = "bare link: the agent's line"
AWAITED = "klemheist: awaited call"
AWAITED_LINE = "bare link: the agent's line, beside awaited calls"


def agent_call(port: Port) -> Callable[[], float]:
    """Return what times the line of the session's first task, written and read by itself.

    It is the second line of a burst, which is begun and ended for it. The board must be ready for
    bursts.
    """

    def act() -> float:
        with borrowed(port) as bare:
            bare.ask(ENTER + b"\x04", b"OK")
            _line(port, bare)
            took = _line(port, bare)
            bare.ask(LEAVE, b"\x04>")
        return took

    return act


def _line(port: Port, bare: Bare) -> float:
    proof, line = burst_line(FIRST_TASK, (workload.QUESTION,), port.board.count)
    began = perf_counter()
    answer = bare.ask(line, MARK)
    if len(answer) == 1:  # it is the first of two
        answer += bare.until(MARK)
    took = perf_counter() - began
    port.board.taken()
    if short_answer(answer, proof) != workload.ANSWER:
        raise RuntimeError(f"{line!r} printed {answer!r}")
    return took


def awaited(url: str, rounds: int) -> dict[str, Sample]:
    """Calls from an event loop, and their lines by themselves, row by row in turn."""
    return asyncio.run(_awaited(url, rounds))


async def _awaited(url: str, rounds: int) -> dict[str, Sample]:
    ours: list[float] = []
    bare: list[float] = []
    async with AsyncSessionManager() as manager, manager.session(url) as session:
        task = session.task(workload.f)
        for _ in range(LEAD + IN_A_ROW):  # see `ours._calls`; it has bursts then
            await task(workload.QUESTION)
        alone = agent_call(await manager.device(url))
        for number in range(rounds // IN_A_ROW + WARM_UP):
            lines = [alone() for _ in range(LEAD + IN_A_ROW)]
            row = []
            for _ in range(LEAD + IN_A_ROW):
                began = perf_counter()
                await task(workload.QUESTION)
                row.append(perf_counter() - began)
            if number >= WARM_UP:
                ours += row[LEAD:]
                bare += lines[LEAD:]
    return {AWAITED: Sample(tuple(ours)), AWAITED_LINE: Sample(tuple(bare))}
