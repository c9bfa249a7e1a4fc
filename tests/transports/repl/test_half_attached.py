"""An attachment that is cut anywhere, as by a lost link: the next one starts over."""

from __future__ import annotations

from klemheist.transports.repl.attach import attach
from tests.transports.repl.live import LinkDriver


def abandoned(driver, after):
    """Begin an attachment to a board that nobody knows, and leave it; whether there was time."""
    board = driver.talk.board
    board.boot = ""
    board.facts.clear()
    procedure = attach(board, boot=f"half{after}", count=1, firmware=driver.firmware)
    try:
        step = next(procedure)
        for _ in range(after):
            step = procedure.send(driver._answer(step))
    except StopIteration:
        return False
    procedure.close()
    return True


def test_what_was_half_installed_is_not_the_same_boot():
    with LinkDriver("sim:") as driver:
        after = 0
        while abandoned(driver, after):
            assert not driver.attach().same_boot, after
            assert {"firmware", "free", "threads"} <= driver.talk.board.facts.keys(), after
            after += 1
        assert after > 3
        assert driver.attach().same_boot
