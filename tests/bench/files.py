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

NAME = "bench.bin"


def measure(session: Session, port: Port, size: int, rounds: int) -> dict[str, Sample]:
    """Write and read a file of `size` bytes, bare and ours in turn."""
    data = workload.contents(size)
    lines = commands(data, WRITE_LINE[port.url])

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
            "bare link: write file": lambda: bare(lambda lent: _write(lent, lines)),
            "bare link: read file": lambda: bare(lambda lent: check(lambda: _read(lent))),
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


def _write(bare: Bare, lines: list[bytes]) -> None:
    for line in (b"_f=open('bench.bin','wb');_w=_f.write", *lines, b"_f.close();del _f,_w"):
        bare.exec(line)


def _read(bare: Bare) -> bytes:
    bare.exec(b"_f=open('bench.bin','rb');_r=_f.read")
    answers = iter(lambda: literal_eval(bare.exec(b"print(_r(%d))" % READ_BYTES).decode()), b"")
    data = b"".join(answers)
    bare.exec(b"_f.close();del _f,_r")
    return data
