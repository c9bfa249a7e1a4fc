"""Numbered calls and result frames: how a call is told to the device and its answer known.

A call is one line, `_k(NUMBER,INDEX,ARGUMENTS…)`. The number is a checksum over the arguments as
the device has parsed them, keyed by how many calls it has taken, so that in one comparison the
device knows that the line arrived undamaged, that it is new, or that it is the last one again, which
it answers without running it (DESIGN 3.5, 3.6). The answer is one frame:

    byte 30, NUMBER, kind, length, ",", checksum, ",", text

The number is the frame's sentinel, length and checksum tell that it is whole. Everything else that
arrives is output of the user's code, whatever it looks like.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple

PRIME: Final = 65521
"""The largest prime below 2**16: a checksum is the bytes, as one little-endian number, modulo it."""
STRIDE: Final = 8191
"""Spreads the count over the checksum; 65535 * 8191 still is a small integer on 32-bit boards."""
COUNTS: Final = 65536
STATUS: Final = 0
"""The number of the question for the status, which is always answered."""
MARK: Final = b"\x1e"
LONGEST_HEADER: Final = 32


class FrameKind(StrEnum):
    """What a frame says about its call."""

    VALUE = "="
    """It returned; the text is its value."""
    RAISED = "!"
    """It raised; the text is the pair of the exception's type name and message."""
    NO_LITERAL = "#"
    """It returned something that no literal can say; the text is the type's name."""
    UNFINISHED = "?"
    """It was started and did not come to an end: interrupted, or out of memory."""


_KINDS: Final = {kind.value.encode(): kind for kind in FrameKind}


class Frame(NamedTuple):
    """One whole, verified frame."""

    number: int
    kind: FrameKind
    text: str


def checksum(data: bytes) -> int:
    """Return the checksum that both ends compute."""
    return int.from_bytes(data, "little") % PRIME


def call_number(arguments: bytes, count: int) -> int:
    """Return the number of the call with these arguments, the `count`-th the device takes.

    Its lowest bit is the count's, so that two calls in a row never share a number.
    """
    return (checksum(arguments) + count * STRIDE) % PRIME * 2 + count % 2 + 2


def call_line(index: int, plain: tuple[object, ...], count: int) -> tuple[int, bytes]:
    """Return a call's number and its line.

    Args:
        index: the device's function table entry.
        plain: arguments for which `values.is_plain` holds.
        count: how many calls this generation has taken, modulo `COUNTS`.
    """
    arguments = repr((int(index), *plain)).encode()  # int: an IntEnum prints its name
    number = call_number(arguments, count)
    inner = arguments[1:-2] if not plain else arguments[1:-1]
    return number, b"_k(%d,%s)" % (number, inner.replace(b", ", b",") if _tight(inner) else inner)


def again_line(number: int) -> bytes:
    """Return the line that asks for the last frame once more."""
    return b"_k(%d)" % number


STATUS_LINE: Final = b"_k()"


def _tight(inner: bytes) -> bool:
    """Return whether blanks may go: they are only separators where no string stands."""
    return b"'" not in inner and b'"' not in inner


class FrameScanner:
    """Finds the frame of one expected call in text that arrives in pieces.

    What is certainly not part of the frame is returned at once; a damaged frame is dropped and
    remembered as `damaged`, because then the frame is asked for again.
    """

    __slots__ = ("_held", "_number", "_sentinel", "damaged", "frame")

    def __init__(self) -> None:
        self._held = b""
        self.damaged = b""
        self.frame: Frame | None = None
        self._number = -1
        self._sentinel = b""

    def expect(self, number: int) -> None:
        """Begin to look for the frame of this call."""
        self._number = number
        self._sentinel = MARK + b"%d" % number
        self._held = self.damaged = b""
        self.frame = None

    def feed(self, text: bytes) -> bytes:
        """Take text; return what of it is output."""
        if self.frame is not None:
            return text
        held = self._held + text if self._held else text
        at = held.find(self._sentinel)
        if at < 0:
            keep = _cut(held, self._sentinel)
            self._held = held[len(held) - keep :] if keep else b""
            return held[: len(held) - keep] if keep else held
        frame, end = parse(held[at:], self._number)
        if frame is not None:
            self.frame, self._held = frame, b""
            return held[:at] + held[at + end :]
        self._held = held[at:]
        if end < 0:  # cannot become a frame: look behind its mark
            self.damaged, self._held = self._held, b""
        return held[:at]

    def whole(self, data: bytes) -> Frame | None:
        """Return the frame that `data` is, all of it, before any text was fed."""
        if self._held or self.damaged or not data.startswith(self._sentinel):
            return None
        frame, size = parse(data, self._number)
        return frame if size == len(data) else None

    def flush(self) -> bytes:
        """End the search: return held output; what began as a frame becomes `damaged`."""
        held, self._held = self._held, b""
        if held.startswith(self._sentinel):
            self.damaged = held
            return b""
        return held


def parse(data: bytes, number: int) -> tuple[Frame | None, int]:
    """Parse a frame at the beginning of `data`.

    Returns:
        The frame and its size; or None and 0 while more is needed, None and -1 when it is damaged.
    """
    header, first, rest = data[:LONGEST_HEADER].partition(b",")
    check, second, _ = rest.partition(b",")
    if not second:
        return None, -1 if len(data) >= LONGEST_HEADER else 0
    start = len(header) + len(check) + 2
    prefix = len(MARK) + len(b"%d" % number)
    try:
        kind = _KINDS[header[prefix : prefix + 1]]
        size, expected = int(header[prefix + 1 :]), int(check)
    except (KeyError, ValueError):
        return None, -1
    body = data[start : start + size]
    if len(body) < size:
        return None, 0
    if checksum(body) != expected:
        return None, -1
    return Frame(number, kind, body.decode("utf-8", "surrogateescape")), start + size


def _cut(data: bytes, mark: bytes) -> int:
    """Return how many of the last bytes may be the beginning of `mark`."""
    at = data.rfind(MARK, len(data) - len(mark) + 1 if len(data) >= len(mark) else 0)
    return len(data) - at if at >= 0 and mark.startswith(data[at:]) else 0


_EVENT: Final = re.compile(rb"\x1eT([^\x1f]*)\x1f")
LONGEST_EVENT: Final = 300


class EventFilter:
    """Takes the agent's own events (a thread has ended) out of output that arrives in pieces."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, list[str]]:
        """Return what is output, and the texts of the events in it."""
        if not self._held and MARK not in data:
            return data, []
        data, self._held = self._held + data, b""
        events = [found.decode("utf-8", "replace") for found in _EVENT.findall(data)]
        data = _EVENT.sub(b"", data)
        at = data.rfind(MARK)
        if at >= 0 and len(data) - at < LONGEST_EVENT and data[at + 1 : at + 2] in (b"", b"T"):
            data, self._held = data[:at], data[at:]
        return data, events
