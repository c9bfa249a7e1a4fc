"""A file written and read: by bare execs, and by `session.files`, which proves what it wrote.

A megabyte there and back beside what the bare link carries at all, and a folder synchronised.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import threading
from ast import literal_eval
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import workload
from tests.bench.channel import borrowed
from tests.bench.timing import Sample, in_turn, timed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


# -- a megabyte ------------------------------------------------------------------------------------

MEGABYTE = 1 << 20


def megabyte(session: Session, port: Port, rounds: int) -> dict[str, Sample]:
    """Carry a megabyte in both directions: the bare link without a file, ours with all of it.

    The bare link's raw REPL has one way in, a command: it is given one that is a comment, so that
    nothing is compiled or kept. How fast running code takes bytes from its standard input in one
    go, unchecked, is measured as well: no command can be as fast. Its way out is one print of text
    that lies in memory.
    """
    data = workload.contents(MEGABYTE)
    plain = bytes(byte | 16 for byte in data)  # none that drives a REPL
    read = b"import sys;_n=len(sys.stdin.buffer.read(%d))" % MEGABYTE

    def bare(act: Callable[[Bare], None]) -> float:
        with borrowed(port) as lent:
            return timed(lambda: act(lent))

    def fetch() -> None:
        if session.files.read(NAME) != data:
            raise RuntimeError("the file came back changed")

    return in_turn(
        rounds,
        {
            "bare link: 1 MB up": lambda: bare(lambda lent: _stream(lent, b"#" + plain)),
            "bare link: 1 MB up, by stdin": lambda: bare(lambda lent: _stream(lent, read, plain)),
            "bare link: 1 MB down": lambda: bare(
                lambda lent: _taken(lent.exec(b"print('x'*%d)" % MEGABYTE))
            ),
            "klemheist: 1 MB up": lambda: timed(lambda: session.files.write(NAME, data)),
            "klemheist: 1 MB down": lambda: timed(fetch),
        },
        warm_up=2,
    )


def _stream(bare: Bare, source: bytes, data: bytes = b"") -> None:
    """Run code that may read `data`; a pipe holds 64 KB of both."""
    writer = threading.Thread(target=lambda: _write_whole(bare._write_fd, source + b"\x04" + data))
    writer.start()
    bare.until(b"\x04>")
    writer.join()


def _write_whole(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _taken(output: bytes) -> None:
    if len(output) != MEGABYTE:
        raise RuntimeError(f"{len(output)} bytes came")


# -- a folder --------------------------------------------------------------------------------------

FILES = 50
FILE_SIZE = 1024


@contextmanager
def folder(kind: str) -> Iterator[Path]:
    """Make a folder of 50 files of 1 KB, of random bytes or of text."""
    with tempfile.TemporaryDirectory() as top:
        for number in range(FILES):
            data = workload.contents(FILE_SIZE * (number + 1))[-FILE_SIZE:]
            if kind == "text":
                data = (b"value_%d = %d  # a line\n" % (number, number) * FILE_SIZE)[:FILE_SIZE]
            (Path(top) / f"file{number}.dat").write_bytes(data)
        yield Path(top)


_places = itertools.count()


def sync(session: Session, rounds: int) -> dict[str, Sample]:
    """Synchronise a folder that is not there, and one that has not changed."""
    with folder("random") as noise, folder("text") as text:

        def cold(top: Path) -> float:
            place = f"/bench{next(_places)}"
            took = timed(lambda: _all(session.files.sync(top, place).written))
            session.files.remove(place, recursive=True)
            return took

        session.files.sync(noise, "/bench")
        found = in_turn(
            rounds,
            {
                "klemheist: sync, new": lambda: cold(noise),
                "klemheist: sync, new, text": lambda: cold(text),
                "klemheist: sync, unchanged": lambda: timed(
                    lambda: _all(session.files.sync(noise, "/bench").unchanged)
                ),
            },
            warm_up=2,
        )
        session.files.remove("/bench", recursive=True)
        return found


def _all(paths: tuple[str, ...]) -> None:
    if len(paths) != FILES:
        raise RuntimeError(f"{len(paths)} files")
