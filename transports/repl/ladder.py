"""The way back to a device that went wrong: one rung after the other (DESIGN 3.3).

Interrupt and resynchronise; soft reset; hard reset, where the link offers one. Each rung has a
budget of seconds. The driver tells each step as an event, so that everybody can watch the climb.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .attach import Attached
from .board import Board
from .install import arrive
from .lines import Gone, Procedure, Silent, status
from .steps import Do, Step

INTERRUPTS: Final = 3
"""A loop with a bare `except:` swallows one Ctrl-C for each pass."""
INTERRUPT_WITHIN: Final = 0.3
SOFT_RESET_WITHIN: Final = 1.0
HARD_RESET_WITHIN: Final = 20.0
"""The board's own start, on a busy machine."""


class Rung(StrEnum):
    """What brought the device back."""

    INTERRUPT = "interrupt"
    SOFT_RESET = "soft reset"
    HARD_RESET = "hard reset"


@dataclass(frozen=True, slots=True)
class Recovered:
    """The rung that worked."""

    rung: Rung
    same_boot: bool


def ladder(
    board: Board, attach: Callable[[], Procedure[Attached]], *, hard: int
) -> Procedure[Recovered]:
    """Climb until the device answers again.

    Args:
        board: what is known of the device.
        attach: makes the procedure that installs the agent on a new boot.
        hard: how many hard resets the link offers.

    Raises:
        Silent: no rung worked; the device is to be taken as down.
    """
    rungs = [(Rung.INTERRUPT, _interrupt(board)), (Rung.SOFT_RESET, _reset(Do.SOFT_RESET))]
    rungs += [(Rung.HARD_RESET, _reset(Do.HARD_RESET))] * min(hard, 1)
    for rung, climb in rungs:
        try:
            if (yield from climb):
                return Recovered(rung, same_boot=True)
            attached = yield from attach()
        except Silent:
            continue
        return Recovered(rung, same_boot=attached.same_boot)
    raise Silent(
        "it answers neither an interrupt nor a reset; see that MicroPython runs there, at this "
        "speed, and that nobody else has its port"
    )


def _interrupt(board: Board) -> Procedure[bool]:
    """Return whether the device answers in the same boot; False where it booted anew."""
    for _ in range(INTERRUPTS):
        reply = yield Step(Do.INTERRUPT, within=INTERRUPT_WITHIN)
        if reply.ended:
            break
    else:
        reply = yield Step(Do.ENTER, within=INTERRUPT_WITHIN)
        if not reply.ended:
            raise Silent("it does not listen to Ctrl-C")
    try:
        yield from arrive(board)
        board.count = (yield from status(board)).count
    except Gone:
        return False
    return True


def _reset(do: Do) -> Procedure[bool]:
    within = SOFT_RESET_WITHIN if do is Do.SOFT_RESET else HARD_RESET_WITHIN
    reply = yield Step(do, within=within)
    if not reply.ended:
        raise Silent(f"{do.name.lower()} brought nothing")
    return False
