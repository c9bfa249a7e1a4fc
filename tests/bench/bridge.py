"""A board behind a pseudo-terminal, for rivals that want a serial port.

    python -m tests.bench.bridge sim:

A process of its own, so that its copying takes nothing of the rivals' interpreter. It prints the
terminal's path and copies bytes until its input ends. What it costs is measured and listed.

One thing it translates: `sim:` refuses raw paste as MicroPython's source has it, with `R`, a zero
and a prompt; both rivals take that prompt for the next answer and give up. Behind the bridge it
refuses as old firmware does, with the banner, which they understand.
"""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import tty
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.channel import BANNER, RawBoard

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSED = b"R\x00>"

ROOT = Path(__file__).parents[2]


@contextmanager
def bridged(url: str) -> Iterator[str]:
    """Run a bridge to a fresh board; yield the path of its terminal."""
    command = [sys.executable, "-m", "tests.bench.bridge", url]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        path = process.stdout.readline().decode().strip()
        if not path:
            raise RuntimeError(f"the bridge to {url} did not start")
        try:
            yield path
        finally:
            process.stdin.close()


def main(url: str) -> None:
    ours, theirs = pty.openpty()  # `theirs` stays open: rivals come and go
    tty.setraw(theirs)
    with RawBoard(url) as board:
        board.bare.enter().leave()
        sys.stdout.write(os.ttyname(theirs) + "\n")
        sys.stdout.flush()
        _copy(ours, board)


def _copy(terminal: int, board: RawBoard) -> None:
    from_board, to_board = board.fds
    poll = select.poll()
    for fd in (terminal, from_board, 0):
        poll.register(fd, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == 0 or not (data := os.read(fd, 65536)):
                return
            if fd == terminal:
                os.write(to_board, data)
            else:
                os.write(terminal, data.replace(REFUSED, BANNER))


if __name__ == "__main__":
    main(sys.argv[1])
