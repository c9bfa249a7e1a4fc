"""A file written and read: by bare execs, and by `session.files`, which proves what it wrote."""

from __future__ import annotations

from ast import literal_eval
from typing import TYPE_CHECKING

from tests.bench import workload
from tests.bench.channel import borrowed
from tests.bench.timing import Sample, in_turn, timed

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist import Session
    from klemheist.actors.device.port import Port
    from tests.bench.channel import Bare

WRITE_LINE = {"sim:": 4096, "microbit:": 52}
"""Bytes of a bare command that writes: a board without flow control takes 60 in flight."""

READ_BYTES = 256
"""What a bare command reads at once."""

TIDY_EVERY = {"microbit:": 8}
"""After so many bare commands a small board must be told to collect: its parser does not."""

NAME = "bench.bin"


def measure(session: Session, port: Port, size: int, rounds: int) -> dict[str, Sample]:
    """Write and read a file of `size` bytes, bare and ours in turn."""
    data = workload.contents(size)
    lines = commands(data, WRITE_LINE[port.url])
    tidy = TIDY_EVERY.get(port.url, 0)

    def check(read: Callable[[], bytes]) -> None:
        if read() != data:
            raise RuntimeError("the file came back changed")

    def bare(act: Callable[[Bare], None]) -> float:
        with borrowed(port) as lent:
            return timed(lambda: act(lent))

    def ours_read_and_removed() -> float:
        took = timed(lambda: check(lambda: session.files.read(NAME)))
        session.files.remove(NAME)  # there is no room for two
        return took

    return in_turn(
        rounds,
        {
            "bare link: write file": lambda: bare(lambda lent: _write(lent, lines, tidy)),
            "bare link: read file": lambda: bare(lambda lent: check(lambda: _read(lent, tidy))),
            "klemheist: write file": lambda: timed(lambda: session.files.write(NAME, data)),
            "klemheist: read file": ours_read_and_removed,
        },
        warm_up=1,
    )


def commands(data: bytes, room: int) -> list[bytes]:
    """Return the commands that write `data`, each about as long as `room` allows."""
    lines = []
    while data:
        size = min(len(data), room)
        while len(literal := repr(data[:size]).encode()) > room:
            size -= max(1, (len(literal) - room) // 4)
        lines.append(b"_w(%s)" % literal)
        data = data[size:]
    return lines


def _write(bare: Bare, lines: list[bytes], tidy: int) -> None:
    bare.exec(b"_f=open('bench.bin','wb');_w=_f.write")
    for number, line in enumerate(lines):
        bare.exec(line)
        _tidy(bare, number, tidy)
    bare.exec(b"_f.close();del _f,_w")


def _read(bare: Bare, tidy: int) -> bytes:
    bare.exec(b"_f=open('bench.bin','rb');_r=_f.read")
    pieces = [b""]
    while piece := literal_eval(bare.exec(b"print(_r(%d))" % READ_BYTES).decode()):
        pieces.append(piece)
        _tidy(bare, len(pieces), tidy)
    bare.exec(b"_f.close();del _f,_r")
    return b"".join(pieces)


def _tidy(bare: Bare, number: int, every: int) -> None:
    if every and number % every == 0:
        bare.exec(b"import gc;gc.collect()")
