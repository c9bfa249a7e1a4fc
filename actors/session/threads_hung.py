"""Steps that do not come back: one keeps the whole device, and with it what is still to be cleaned.

A step is a call like any other: left alone it is interrupted at its deadline (`call_timeout`).
Where its thread is to end it has the thread's grace. Then it gets Ctrl-C; where that is of no use
it is given up, which leads up the ladder to a reset, if that harms nobody else (DESIGN 4, Threads).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from klemheist.actors.operation import Steps, operation
from klemheist.actors.runtime.clock import SYSTEM_CLOCK
from klemheist.actors.runtime.future import Future
from klemheist.actors.runtime.timers import TIMERS
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.ladder import INTERRUPT_WITHIN, INTERRUPTS
from klemheist.transports.repl.lines import Procedure

from .status import SessionStatus

if TYPE_CHECKING:
    from .core import SessionCore
    from .threads import ThreadRecord


RESET_WITHIN: Final = 5.0
"""Seconds for a device to boot anew because a thread does not stop."""


@operation
def step_back(
    core: SessionCore, records: Sequence[ThreadRecord], grace: float, ends: float
) -> Steps[None]:
    """Wait for the step of one of these threads that the device is at, and then see to its end.

    Where none is under way there is nothing to wait for. The future never fails.

    Args:
        core: the session's.
        records: its threads that are to end.
        grace: seconds for the step to end by itself.
        ends: monotonic seconds from which on nobody waits for a reset.
    """
    for record in records:
        step = record.step
        if step is None or not core.port.is_at(step):
            continue
        yield _settled(step, grace)
        tries = 0
        while core.port.is_at(step) and tries < INTERRUPTS:
            if not tries:
                core.report.warning("a step of thread {} goes on: interrupted", record.name)
            tries += 1
            core.port.break_off(step)
            yield _settled(step, INTERRUPT_WITHIN)
        if core.port.is_at(step):
            record.is_stuck = not may_reset(core)
            if not record.is_stuck:
                core.report.warning("thread {} did not stop: the device is reset", record.name)
                step.cancel("its thread did not stop")
                now = SYSTEM_CLOCK.monotonic()
                ends = min(ends, now + RESET_WITHIN)
                yield _settled(core.cleanup_call(_nothing, ends), ends - now)
        return


def may_reset(core: SessionCore) -> bool:
    """Whether a thread that does not stop may cost the device its memory."""
    return core.status is SessionStatus.ENDING and (core.force or core.is_alone())


def _nothing(_: Board) -> Procedure[None]:
    """What is done as soon as the device is up again."""
    yield from ()


def _settled(step: Future[Any], within: float) -> Future[None]:
    """Return a future that is resolved when the step is, or when its time is up."""
    settled: Future[None] = Future()
    timer = TIMERS.call_later(within, settled.set, None)

    def ended(_: Future[Any]) -> None:
        timer.cancel()
        settled.set(None)

    step.add_done_callback(ended)
    return settled
