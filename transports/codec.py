"""What wraps and unwraps the bytes of a connection; pure: no socket and no clock."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Taken(NamedTuple):
    """What a codec made of bytes that came."""

    data: bytes
    """The device's."""
    reply: bytes = b""
    """What the protocol wants to be sent back, wrapped already."""
    ended: str = ""
    """Why nothing more comes; empty while the stream goes on."""


class Codec(Protocol):
    """Wraps and unwraps the bytes of one connection; pure."""

    def encode(self, data: bytes) -> list[bytes]:
        """Wrap; an interrupt may be sent between any two of the pieces."""

    def decode(self, raw: bytes) -> Taken:
        """Unwrap what came, however it was cut."""
