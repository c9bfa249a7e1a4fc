"""Belay and mpremote, as their users use them, on a pseudo-terminal bridge to a fresh board."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench import files, workload
from tests.bench.bridge import bridged
from tests.bench.channel import Bare
from tests.bench.timing import Sample, in_turn, timed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.ours import Results
    from tests.bench.plan import Counts

ATTEMPTS = 8
"""Connections before a rival counts as failed: input that `microbit:` loses makes some fail."""

NAME = "bench.bin"


def measure(url: str, size: int, counts: Counts, results: Results) -> None:
    """Add one round: the bridge by itself, then each rival on a board of its own."""
    with bridged(url) as path:
        results.add(_through_bridge(path, counts.calls // 4))
    for rival in (_Belay, _Mpremote):
        for _ in range(ATTEMPTS):  # each on a fresh board: a failed attempt may hold its port
            with bridged(url) as path:
                if _measure_rival(rival(path, url), size, counts, results):
                    break


def _through_bridge(path: str, rounds: int) -> dict[str, Sample]:
    port = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        bare = Bare(port, port).enter()
        bare.exec(workload.SOURCES[0])
        act = {"bridge: call": lambda: bare.timed(workload.CALL, workload.CALL_ANSWER)}
        return in_turn(rounds, act)
    finally:
        os.close(port)


def _measure_rival(rival: Rival, size: int, counts: Counts, results: Results) -> bool:
    name, n = rival.name, counts.rival_calls
    data = workload.contents(size)

    def step(what: str, rounds: int, act: Callable[[], object], warm_up: int = 0) -> None:
        key = f"{name}: {what}"
        try:
            results.add(in_turn(rounds, {key: lambda: timed(act)}, warm_up=warm_up))
        except Exception as error:  # noqa: BLE001 - a rival's failures are of any type
            results.fail(key, error)

    with contextlib.redirect_stdout(io.StringIO()):
        if not _connected(rival, results):
            return False
        step("call", n, lambda: _same(rival.call(), workload.ANSWER), 2)
        step("1 KB", n // 2, lambda: _same(rival.fetch(), workload.BLOCK), 1)
        step("write file", 1, lambda: rival.write(data))
        if f"{name}: write file" in results.samples:
            step("read file", 1, lambda: _same(rival.read(), data))
        if rival.url == "sim:":
            _sync(rival, step)
        with contextlib.suppress(Exception):
            rival.close()
    return True


def _sync(rival: Rival, step: Callable[..., None]) -> None:
    """Synchronise the folders of the benchmark; the second time nothing has changed."""
    with files.folder("random") as noise, files.folder("text") as text:
        step("sync, new", 1, lambda: rival.sync(noise, "/noise"))
        step("sync, unchanged", 2, lambda: rival.check(noise, "/noise"))
        step("sync, new, text", 1, lambda: rival.sync(text, "/text"))


def _connected(rival: Rival, results: Results) -> bool:
    """Connect, and count the attempts and those that failed."""
    tried, failed = f"{rival.name} connections", f"{rival.name} failed connections"
    results.counted[tried] = results.counted.get(tried, 0) + 1
    try:
        took = timed(rival.connect)
    except Exception as error:  # noqa: BLE001 - as above
        results.counted[failed] = results.counted.get(failed, 0) + 1
        results.fail(f"{rival.name}: connect", error)
        return False
    results.add({f"{rival.name}: connect": Sample((took,))})
    return True


def _same(found: object, expected: object) -> None:
    if found != expected:
        raise RuntimeError(f"wrong: {found!r:.60}")


class Rival:
    """What is measured of each, named alike."""

    name = ""

    def __init__(self, path: str, url: str) -> None:
        self.path = path
        self.url = url
        self._device: Any = None

    def connect(self) -> None:
        raise NotImplementedError

    def call(self) -> object:
        raise NotImplementedError

    def fetch(self) -> object:
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        raise NotImplementedError

    def read(self) -> bytes:
        raise NotImplementedError

    def sync(self, folder: Path, place: str) -> None:
        """Put a folder there that is not there yet."""
        raise NotImplementedError

    def check(self, folder: Path, place: str) -> None:
        """Put it there again, when nothing has changed."""
        raise NotImplementedError

    def close(self) -> None:
        self._device.close()


class _Belay(Rival):
    name = "Belay"

    def connect(self) -> None:
        import belay

        # Without `startup` it imports Pin, PWM and Timer of `machine`, which boards may not have.
        self._device = belay.Device(self.path, startup="")
        self._tasks = [self._device.task(each) for each in (workload.f, workload.block)]

    def call(self) -> object:
        return self._tasks[0](workload.QUESTION)

    def fetch(self) -> object:
        return self._tasks[1]()

    def write(self, data: bytes) -> None:
        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).write_bytes(data)
            self._device._board.fs_put(file.name, NAME)

    def read(self) -> bytes:
        with tempfile.NamedTemporaryFile() as file:
            self._device._board.fs_get(NAME, file.name)
            return Path(file.name).read_bytes()

    def sync(self, folder: Path, place: str) -> None:
        self._device.sync(folder, place, minify=False)

    check = sync


class _Mpremote(Rival):
    name = "mpremote"

    def connect(self) -> None:
        from mpremote.transport_serial import SerialTransport

        self._device = SerialTransport(self.path)
        self._device.enter_raw_repl()
        for source in workload.SOURCES:
            self._device.exec(source)

    def call(self) -> object:
        return int(self._device.exec(workload.CALL))

    def fetch(self) -> object:
        return self._device.exec(workload.FETCH).decode().strip()

    def write(self, data: bytes) -> None:
        self._device.fs_writefile(NAME, data)

    def read(self) -> bytes:
        return bytes(self._device.fs_readfile(NAME))

    def sync(self, folder: Path, place: str) -> None:
        """What its `cp -r` does at the least."""
        self._device.fs_mkdir(place)
        for each in sorted(folder.iterdir()):
            self._device.fs_writefile(f"{place}/{each.name}", each.read_bytes())

    def check(self, folder: Path, place: str) -> None:
        """As above: it asks for the hash of each file."""
        for each in sorted(folder.iterdir()):
            found = self._device.fs_hashfile(f"{place}/{each.name}", "sha256")
            _same(found, sha256(each.read_bytes()).digest())

    def close(self) -> None:
        self._device.exit_raw_repl()
        super().close()
