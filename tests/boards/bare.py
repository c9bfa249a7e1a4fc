"""The judge: a raw REPL client over a socket that shares no code with Klemheist.

    with BareRepl(host, port) as repl:
        assert repl.exec("print(sorted(globals()))") == b"..."

It resets nothing: it interrupts what runs, enters raw mode, and reads what a session left behind.
"""

from __future__ import annotations

import socket
import time
from typing import Self


class BareReplError(Exception):
    """The code raised on the board (its traceback is the text), or the board did not answer."""


class BareRepl:
    """One connection in raw mode; `chunk` bytes at a time for boards with a small receive ring."""

    def __init__(self, host: str, port: int, *, timeout: float = 10.0, chunk: int = 0) -> None:
        self._chunk, self._timeout, self._seen = chunk, timeout, b""
        self._socket = socket.create_connection((host, port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            # Ctrl-B first: from raw mode it leads to an empty line, where Ctrl-A is understood.
            self._socket.sendall(b"\r\x03\x02\x01")
            self._until(b"raw REPL; CTRL-B to exit")
            self._until(b">")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def exec(self, code: str | bytes) -> bytes:
        """Run code and return its output; a traceback raises."""
        data = code.encode() if isinstance(code, str) else code
        step = self._chunk or len(data)
        for start in range(0, len(data), step):
            self._socket.sendall(data[start : start + step])
            if self._chunk:
                time.sleep(0.01)  # the board's ring has no flow control: time is all there is
        self._socket.sendall(b"\x04")
        self._until(b"OK")
        output = self._until(b"\x04")
        error = self._until(b"\x04")
        self._until(b">")
        if error:
            raise BareReplError(error.decode(errors="replace"))
        return output

    def _until(self, end: bytes) -> bytes:
        deadline = time.monotonic() + self._timeout
        while end not in self._seen:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                raise BareReplError(f"no {end!r} in {self._seen!r}") from None
            if not data:
                raise BareReplError(f"closed by the board after {self._seen!r}")
            self._seen += data
        before, _, self._seen = self._seen.partition(end)
        return before
