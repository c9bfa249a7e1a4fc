"""Many connections and many calls in a row: none fails, none is wrong, no memory goes.

    python -m tests.faults.endurance --connections 200 --calls 20000

A connection is a board that has just booted, a manager and a session. Eight calls are made one
by one, then eight are submitted at once, and so on. The device is asked for its free memory
after a tenth of the calls, when the agent has all its parts, and after all of them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

from klemheist import KlemheistError, SessionManager

AT_ONCE = 8
LOST = 300
"""Bytes of the device's memory that may be gone after all calls: no heap is twice the same."""


@dataclass(slots=True)
class Endured:
    """What came of it."""

    connections: int = 0
    calls: int = 0
    failed: list[str] = field(default_factory=list)
    wrong: int = 0
    lost_bytes: int = 0
    """Free memory of the device after a tenth of the calls, less that after all."""

    @property
    def faults(self) -> list[str]:
        """What is not as it must be, each in a few words."""
        found = [f"failed: {error}" for error in self.failed[:5]]
        if self.wrong:
            found.append(f"{self.wrong} answers were wrong")
        if self.lost_bytes > LOST:
            found.append(f"{self.lost_bytes} bytes were lost, at most {LOST} may be")
        return found

    def line(self, board: str) -> str:
        return (
            f"{board}: {self.connections} connections, {self.calls} calls, "
            f"{len(self.failed)} failed, {self.wrong} wrong; {self.lost_bytes} bytes of the "
            "device's memory went with the calls"
        )


def mixed(a, b):
    return a * 31 + b


def answer(number: int) -> int:
    return number * 31 + 1


def endure(board: str, connections: int, calls: int) -> Endured:
    """Connect again and again, then call again and again."""
    found = Endured()
    for number in range(connections):
        found.connections += 1
        try:
            with SessionManager() as manager, manager.session(board) as session:
                found.wrong += session.task(mixed)(number, 1) != answer(number)
        except KlemheistError as error:
            found.failed.append(repr(error))
    with SessionManager() as manager, manager.session(board) as session:
        _calls(found, session, calls // 10)
        _until_whole(session, manager.device(board).board)
        before = _free(session)
        _calls(found, session, calls - calls // 10)
        found.lost_bytes = before - _free(session)
    return found


def _calls(found: Endured, session, calls: int) -> None:
    task = session.task(mixed)
    found.calls += calls
    number = 0
    while number < calls:
        try:
            if number % (2 * AT_ONCE) < AT_ONCE:
                found.wrong += task(number, 1) != answer(number)
                number += 1
            else:
                at_once = range(number, number := number + AT_ONCE)
                futures = [task.submit(each, 1) for each in at_once]
                answers = [future.get() for future in futures]
                found.wrong += answers != [answer(each) for each in at_once]
        except KlemheistError as error:
            found.failed.append(repr(error))


def _until_whole(session, board) -> None:
    """Call in quick succession until the agent has what bursts of calls need, or cannot have it."""
    task = session.task(mixed)
    for number in range(1000):
        if board.tried == board.boot:
            return
        assert task(number, 1) == answer(number)
    raise AssertionError("a thousand calls in a row are no burst")


def _free(session) -> int:
    session("import gc; gc.collect()")
    return int(session("gc.mem_free()"))


def main() -> int:
    """Run it, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.endurance", description=__doc__)
    parser.add_argument("--board", action="append", help="which, once or more (both)")
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--calls", type=int, default=20_000)
    options = parser.parse_args()
    bad = False
    for board in options.board or ["microbit:", "sim:"]:
        found = endure(board, options.connections, options.calls)
        print(found.line(board), *found.faults, sep="\n", flush=True)
        bad = bad or bool(found.faults)
    return bad


if __name__ == "__main__":
    raise SystemExit(main())
