"""A line that damages bytes: a TCP proxy with a seeded schedule.

    with Mangler(board.host, board.port, seed=7, every=400) as line:
        ...  # a device on line.url
        line.active = False      # a clean line from here on
        assert line.counts[Damage.FLIP] > 0

Each direction has its own schedule, which depends on the seed and the number of bytes alone, not on
how the system cuts them into pieces: a failing seed fails again.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence


class Damage(StrEnum):
    DROP = "drop"
    DOUBLE = "double"
    FLIP = "flip"
    INSERT = "insert"


class Schedule:
    """Pure: bytes in, damaged bytes out; about one of `every` bytes is hit."""

    def __init__(self, seed: object, *, every: int, kinds: Sequence[Damage]) -> None:
        self._random = random.Random(str(seed))
        self._every, self._kinds = every, kinds
        self._left = self._gap()
        self.counts: Counter[Damage] = Counter()

    def __call__(self, data: bytes) -> bytes:
        mangled = bytearray()
        while self._left < len(data):
            mangled += data[: self._left]
            mangled += self._damage(data[self._left])
            data = data[self._left + 1 :]
            self._left = self._gap()
        self._left -= len(data)
        return bytes(mangled + data)

    def _gap(self) -> int:
        return int(self._random.expovariate(1 / self._every))

    def _damage(self, byte: int) -> bytes:
        kind = self._random.choice(self._kinds)
        self.counts[kind] += 1
        match kind:
            case Damage.DROP:
                return b""
            case Damage.DOUBLE:
                return bytes((byte, byte))
            case Damage.FLIP:
                return bytes((byte ^ 1 << self._random.randrange(8),))
            case Damage.INSERT:
                return bytes((byte, self._random.randrange(256)))


class Mangler:
    """The proxy; `active` may be switched at any time."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        seed: int,
        every: int = 1000,
        kinds: Sequence[Damage] = tuple(Damage),
        active: bool = True,
    ) -> None:
        self._target = (host, port)
        self.active = active
        self._up = Schedule((seed, "up"), every=every, kinds=kinds)
        self._down = Schedule((seed, "down"), every=every, kinds=kinds)
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listener.getsockname()[:2]
        self._acceptor = threading.Thread(target=self._accept, daemon=True, name="mangler")
        self._acceptor.start()

    @property
    def url(self) -> str:
        return f"tcp://{self.host}:{self.port}"

    @property
    def counts(self) -> Counter[Damage]:
        """What was done so far, in both directions."""
        return self._up.counts + self._down.counts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the proxy and its connections; the board behind it is not touched."""
        _close(self._listener)
        self._acceptor.join()
        for each in tuple(self._sockets):
            _close(each)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                board = socket.create_connection(self._target, timeout=5)
            except OSError:
                client.close()
                continue
            board.settimeout(None)
            for each in (client, board):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets.add(each)
            self._start(client, board, self._up)
            self._start(board, client, self._down)

    def _start(self, source: socket.socket, sink: socket.socket, schedule: Schedule) -> None:
        threading.Thread(target=self._pump, args=(source, sink, schedule), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, schedule: Schedule) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if mangled := schedule(data) if self.active else data:
                    sink.sendall(mangled)
        for each in (source, sink):
            _close(each)
            self._sockets.discard(each)


def _close(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)  # wakes whoever blocks in it
    each.close()
