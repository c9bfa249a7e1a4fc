"""How many bytes may be on their way to a board: `python -m tests.bench.credit`.

A `microbit:` has a ring of 64 bytes for what arrives, and what does not fit is lost in silence. So
lines of four bytes are written at once, as many as make up a window, to a loop on the board that
answers each with its length. When no more answers come one line more asks whether all were given:
what they do not account for then did not arrive.
"""

from __future__ import annotations

import os
import select
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from klemheist.transports.repl.board import DEFAULT_CREDIT
from tests.bench.channel import RawBoard

if TYPE_CHECKING:
    from collections.abc import Iterator


WINDOWS = (20, 40, 60, 64, 80, 96, 128)
ROUNDS = 60
LINE = b"abc\n"
SILENCE = 0.03
"""Seconds without an answer after which the board is asked whether that is all."""
PATIENCE = 1.0
"""Seconds that it has for this: the machine may be busy, or the byte was lost as well."""
DONE = b"!"
"""What asks it, and what it answers: one byte, which cannot be split."""
PIECE = 24
"""Bytes of the loop's source in one command, which must not be lost itself."""
LOOP = b"""\
from microbit import uart as u
def w():
 while 1:
  if u.any():
   l=u.readline()
   if l==b'q\\n':return
   if l:print(chr(48+len(l)),end='')
   if l and b'!'in l:print(end='!')
"""


@dataclass(frozen=True, slots=True)
class Window:
    """What came of one window, over all its rounds."""

    size: int
    """Bytes that were written at once."""
    sent: int
    lost: int
    """Bytes."""
    answered: int
    seconds: float

    @property
    def each(self) -> float:
        """Seconds for a line that was answered."""
        return self.seconds / max(self.answered, 1)


def measure(rounds: int = ROUNDS) -> Iterator[Window]:
    """Write windows of all sizes to a board of their own."""
    with RawBoard("microbit:") as board:
        bare = board.bare.enter()
        bare.exec(b"a=b''")
        for start in range(0, len(LOOP), PIECE):
            bare.exec(b"a+=%r" % LOOP[start : start + PIECE])
        bare.exec(b"exec(a)")
        for size in WINDOWS:
            bare.ask(b"w()\x04", b"OK")
            yield _window(board.fds, size, rounds)
            bare.ask(b"\nq\n", b"\x04>")


def _window(fds: tuple[int, int], size: int, rounds: int) -> Window:
    read_fd, write_fd = fds
    lines = LINE * (size // len(LINE))
    lost = answered = 0
    seconds = 0.0
    for _ in range(rounds):
        began = perf_counter()
        os.write(write_fd, lines)
        answers, missing = _answers(read_fd, write_fd, len(lines))
        seconds += perf_counter() - began
        lost += missing
        answered += len(answers)
    return Window(size, rounds * len(lines), lost, answered, seconds)


def _answers(read_fd: int, write_fd: int, expected: int) -> tuple[bytes, int]:
    """Return what comes until all bytes are accounted for, and how many never are."""
    seen, asked = b"", False
    while not seen.endswith(DONE) if asked else sum(_lengths(seen)) < expected:
        if select.select([read_fd], [], [], PATIENCE if asked else SILENCE)[0]:
            seen += os.read(read_fd, 4096)
        else:
            expected += os.write(write_fd, DONE)
            asked = True
    return seen, expected - sum(_lengths(seen))


def _lengths(answers: bytes) -> Iterator[int]:
    return (each - ord("0") for each in answers.replace(DONE, b""))


HOW = f"""\
Lines of {len(LINE)} bytes, written at once on the bare link, to a loop on the board that answers
each with its length. Where answers are missing for {SILENCE * 1e3:g} ms the board is asked whether
that was all; this is in the time. Klemheist keeps at most {DEFAULT_CREDIT} bytes in flight to a
board that grants no window of its own.
"""


def render(found: list[Window]) -> list[str]:
    """Return the page's section."""
    return [
        "## Bytes in flight to `microbit:`",
        "",
        "| bytes in flight | a line, answered | bytes lost, of those sent |",
        "|--:|--:|--:|",
        *(
            f"| {each.size} | {each.each * 1e6:.0f} µs | {each.lost:,} of {each.sent:,} |"
            for each in found
        ),
        "",
        HOW,
    ]


if __name__ == "__main__":
    print("\n".join(render(list(measure()))))
