"""The client's side of WebSocket (RFC 6455), pure: bytes in, bytes out; no socket and no clock.

WebREPL sends the bytes of the REPL in text frames, cut anywhere, so that a frame may end in the
middle of a character and hold what is no UTF-8. Libraries refuse such frames, as the standard
says; here a payload is bytes.
"""

from __future__ import annotations

import base64
import hashlib
import os
from enum import IntEnum
from typing import TYPE_CHECKING

from klemheist.transports.codec import Taken

if TYPE_CHECKING:
    from collections.abc import Callable

FRAME_BYTES = 1024
"""Of payload in a frame of ours: a board has little room, and an interrupt overtakes the rest."""

MAX_FRAME_BYTES = 1024 * 1024
"""Of payload in a frame of theirs; a board sends less than a hundredth of it."""

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_FIN, _RESERVED, _OPCODE, _MASKED, _LENGTH = 0x80, 0x70, 0x0F, 0x80, 0x7F
_TWO_BYTES, _EIGHT_BYTES = 126, 127
_PROTOCOL_ERROR = (1002).to_bytes(2, "big")


class Opcode(IntEnum):
    """What a frame is; from `CLOSE` on it is about the connection and carries no data."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class BadFrame(ValueError):  # noqa: N818 - a reason, which never leaves this module as an error
    """The server breaks the protocol; the text says how."""


def new_key() -> str:
    """Return a random key for one handshake."""
    return base64.b64encode(os.urandom(16)).decode()


def request(authority: str, key: str) -> bytes:
    """Return the request for an upgrade; `authority` is `host:port`.

    The names are written as MicroPython's server compares them: letter by letter.
    """
    lines = (
        "GET / HTTP/1.1",
        f"Host: {authority}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    )
    return "\r\n".join((*lines, "", "")).encode()


def refusal(head: bytes, key: str) -> str:
    """Say why the answer to `request` is no upgrade; empty where it is one."""
    status, *lines = head.decode("latin-1").split("\r\n")
    version, _, code = status.partition(" ")
    if not version.startswith("HTTP/"):
        return "what answers there speaks no HTTP"
    if not code.startswith("101"):
        return f"what answers there is no WebSocket (HTTP {code[:40].strip()})"
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
    }
    digest = hashlib.sha1((key + _MAGIC).encode(), usedforsecurity=False).digest()
    if headers.get("sec-websocket-accept") != base64.b64encode(digest).decode():
        return "what answers there did not read the WebSocket key"
    return ""


def frame(opcode: Opcode, payload: bytes, mask: bytes) -> bytes:
    """Return one whole frame, masked, as every frame of a client; under 64 KiB."""
    size = len(payload)
    head = bytes((_FIN | opcode, _MASKED | min(size, _TWO_BYTES)))
    if size >= _TWO_BYTES:
        head += size.to_bytes(2, "big")
    pad = (mask * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")
    return head + mask + masked.to_bytes(size, "big")


class WebSocketCodec:
    """One connection after its handshake.

    Args:
        mask: gives four fresh bytes for each frame.
    """

    def __init__(self, mask: Callable[[], bytes] = lambda: os.urandom(4)) -> None:
        self._mask = mask
        self._buffer = bytearray()
        self._in_message = self._ended = False

    def encode(self, data: bytes) -> list[bytes]:
        """Return the frames that carry `data`; what may overtake may stand between any two."""
        return [
            frame(Opcode.TEXT, data[at : at + FRAME_BYTES], self._mask())
            for at in range(0, len(data), FRAME_BYTES)
        ]

    def decode(self, raw: bytes) -> Taken:
        """Take bytes of the server; after the end of the stream, nothing more."""
        data, reply, why = bytearray(), b"", ""
        self._buffer += raw
        try:
            while not self._ended and (found := self._next()) is not None:
                opcode, payload = found
                if opcode < Opcode.CLOSE:
                    data += payload
                elif opcode is Opcode.PING:
                    reply += frame(Opcode.PONG, payload, self._mask())
                elif opcode is Opcode.CLOSE:
                    self._ended, why = True, "its server ended the WebSocket"
                    reply += frame(Opcode.CLOSE, payload, self._mask())
        except BadFrame as error:
            self._ended, why = True, f"its server breaks the WebSocket protocol ({error})"
            reply += frame(Opcode.CLOSE, _PROTOCOL_ERROR, self._mask())
        if self._ended:
            self._buffer.clear()
        return Taken(bytes(data), reply, why)

    def _next(self) -> tuple[Opcode, bytes] | None:
        """Take one whole frame out of the buffer; None where it is not all there."""
        if len(self._buffer) < 2:
            return None
        opcode, size = self._checked(self._buffer[0], self._buffer[1])
        start = 2
        if size >= _TWO_BYTES:
            start += 2 if size == _TWO_BYTES else 8
            if len(self._buffer) < start:
                return None
            size = int.from_bytes(self._buffer[2:start], "big")
            if size > MAX_FRAME_BYTES:
                raise BadFrame(f"a frame of {size} bytes")
        if len(self._buffer) < start + size:
            return None
        if opcode < Opcode.CLOSE:
            self._in_message = not self._buffer[0] & _FIN
        payload = bytes(self._buffer[start : start + size])
        del self._buffer[: start + size]
        return opcode, payload

    def _checked(self, first: int, second: int) -> tuple[Opcode, int]:
        try:
            opcode = Opcode(first & _OPCODE)
        except ValueError as error:
            raise BadFrame(f"unknown opcode {first & _OPCODE}") from error
        size = second & _LENGTH
        if first & _RESERVED:
            raise BadFrame("reserved bits")
        if second & _MASKED:
            raise BadFrame("a masked frame")
        if opcode >= Opcode.CLOSE and (size >= _TWO_BYTES or not first & _FIN):
            raise BadFrame("a control frame that is long or cut")
        if opcode < Opcode.CLOSE and self._in_message is not (opcode is Opcode.CONTINUATION):
            raise BadFrame("a message within a message, or the rest of none")
        return opcode, size
