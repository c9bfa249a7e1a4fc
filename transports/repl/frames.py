"""Numbered calls and result frames: how a call is told to the device and its answer known.

A call is one line, `_k(NUMBER,INDEX,ARGUMENTS…)`. The number is a checksum over the arguments as
the device has parsed them, keyed by how many calls it has taken. So in one comparison the device
knows that the line arrived undamaged and is new, or that it is the last one again, which it answers
without running it (DESIGN 3.5, 3.6). The answer is one frame:

    byte 30, NUMBER, kind, length, ",", check, ",", text

The number is the frame's sentinel; length and check, which covers the kind too, tell that it is
whole. Everything else that arrives is output of the user's code, whatever it looks like.

The agent's state is asked for with a number below zero, a new one each time: an answer that comes
late, after another question, is never taken for that one's.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple

PRIME: Final = 999_979
"""A checksum is the bytes, as one little-endian number, modulo this prime.

On the smallest board 24 bits cost 10 % of a call, these 20 hardly any. No power of 256 is near a
small number: any change of two bytes less than 32 places apart is noticed, of others all but one
in a million. Modulo 65521, where 256 * 256 is 15, one inserted byte once made a wrong value pass.
"""
STRIDE: Final = 8191
"""Spreads the count over the checksum."""
COUNTS: Final = 65536
QUESTIONS: Final = 9000
"""Questions for the status are numbered -1000 to -9999: no number is the beginning of another."""
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
    HELD = "~"
    """It returned something that the agent's first half cannot say; it is held for the second."""
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


def call_number(index: int, arguments: bytes, count: int) -> int:
    """Return the number of the call of this entry, the `count`-th that the device takes.

    Its lowest bit is the count's, so that two calls in a row never share a number.
    """
    return (checksum(arguments) + count * STRIDE + index) % PRIME * 2 + count % 2 + 2


def frame_check(kind: FrameKind, body: bytes) -> int:
    """Return a frame's check: one flipped bit of its kind changes it as well as one of its text."""
    return checksum(body) + ord(kind)


def call_line(index: int, plain: tuple[object, ...], count: int) -> tuple[int, bytes]:
    """Return a call's number and its line.

    No end of the line is a command of its own, should damage cut it in two (a byte 3 or 4 amid
    it): the last parenthesis stays open, or a quote does. For that `#` must not stand in strings,
    since it would make a comment of them.

    Args:
        index: the device's function table entry.
        plain: arguments for which `values.is_plain` holds.
        count: how many calls this generation has taken, modulo `COUNTS`.
    """
    number = call_number(index, repr(plain).encode(), count)
    inner = arguments_of(plain)
    return number, b"_k(%d,%d%s%s)" % (number, index, b"," if inner else b"", inner)


def arguments_of(plain: tuple[object, ...]) -> bytes:
    """Return what stands between the parentheses of a call: short, and without `#`."""
    inner = repr(plain).encode()
    inner = inner[1:-2] if len(plain) == 1 else inner[1:-1]
    if b"'" in inner or b'"' in inner:
        return inner.replace(b"#", b"\\x23")
    return inner.replace(b", ", b",")  # no string: blanks are only separators


def again_line(number: int) -> bytes:
    """Return the line that asks for the last frame once more."""
    return b"_k(%d)" % number


def status_question(asked: int) -> tuple[int, bytes]:
    """Return the number and the line of the question for the status that follows `asked` others."""
    number = -1000 - asked % QUESTIONS
    return number, again_line(number)


_SHORT: Final = re.compile(rb"\x1e(B?)(-?[0-9a-f]+)\x1e")
_CONSTANTS: Final = ("False", "True", "None")
_CONSTANT: Final = ord("B")
"""What marks a constant; it is a digit too."""
_HEX: Final = b"B-0123456789abcdef"


def short_answer(text: bytes, proof: int) -> int | None:
    """Return the integer that `text`, which ends with a mark, says as a short answer; else None."""
    try:
        value, proved = divmod(int(text[1:-1], 16), PRIME)
    except ValueError:
        return None
    return value if proved == proof and text[0] == 30 and text[1] != _CONSTANT else None


def find_short(text: bytes, proof: int) -> tuple[Frame, int, int] | None:
    """Find the short answer of a call in what may be output too: as a frame, its start and end."""
    at = 0
    while (found := _SHORT.search(text, at)) is not None:
        constant = bool(found[1])
        value, proved = divmod(int(found[2], 16), PRIME)
        if proved == (PRIME - proof if constant else proof) and (not constant or 0 <= value < 3):
            said = _CONSTANTS[value] if constant else str(value)
            return Frame(proof, FrameKind.VALUE, said), *found.span()
        at = found.end() - 1  # its last mark may be another's first
    return None


def begun(text: bytes) -> int:
    """Return how many of the last bytes may be the beginning of a short answer."""
    at = text.rfind(MARK)
    return 0 if at < 0 or text[at + 1 :].strip(_HEX) else len(text) - at


class FrameScanner:
    """Finds the frame of one expected call in text that arrives in pieces.

    What is certainly not part of the frame is returned at once. From the mark of a damaged frame on
    everything is held back, and dropped in the end: the frame is asked for again then. What a
    thread had printed into the midst of it is returned when the whole frame is known.
    """

    __slots__ = ("_broken", "_held", "_number", "_sentinel", "_short", "damaged", "frame")

    def __init__(self) -> None:
        self.damaged = False
        """Whether what began as the frame cannot be it."""
        self.frame: Frame | None = None
        self._held = b""
        self._number = -1
        self._sentinel = b""
        self._short = False
        self._broken = (-1, b"")  # the last damaged frame: its number, and all that was held

    def expect(self, number: int, *, short: bool = False) -> None:
        """Begin to look for the frame of this call, or for its short answer in a burst."""
        self._number = number
        self._short = short
        self._sentinel = MARK + b"%d" % number
        self._held = b""
        self.damaged = False
        self.frame = None

    def feed(self, text: bytes) -> bytes:
        """Take text; return what of it is output."""
        if self.frame is not None:
            return text
        held = self._held + text if self._held else text
        if self._short and (found := find_short(held, self._number)) is not None:
            self.frame, start, end = found
            self._held = b""
            return held[:start] + held[end:]
        first = at = self._find(held, 0)
        while at >= 0:
            frame, size = parse(held[at:], self._number)
            if frame is not None:
                self.frame, self._held = frame, b""
                return held[:first] + self._mended(held[at : at + size]) + held[at + size :]
            self.damaged = size < 0
            if not self.damaged:
                break
            at = self._find(held, at + 1)
        keep = len(held) - first if first >= 0 else _cut(held, self._sentinel)
        if self._short:
            keep = max(keep, begun(held))
        self._held = held[len(held) - keep :]
        return held[: len(held) - keep]

    def may_begin(self, data: bytes) -> bool:
        """Return whether `data` begins as the frame does, or is the beginning of its beginning."""
        return self._sentinel.startswith(data[: len(self._sentinel)])

    def whole(self, data: bytes) -> Frame | None:
        """Return the frame that `data` is, all of it, before any text was fed."""
        if self._held or not data.startswith(self._sentinel):
            return None
        frame, size = parse(data, self._number)
        return frame if size == len(data) else None

    def flush(self) -> bytes:
        """End the search: return held output; half a frame is a damaged one."""
        held, self._held = self._held, b""
        if self._find(held, 0) != 0 and not (self._short and held[:1] == MARK):
            return held
        self.damaged, self._broken = True, (self._number, held)
        return b""

    def _find(self, held: bytes, start: int) -> int:
        """Return where the sentinel stands, not merely the beginning of a longer number's."""
        at = held.find(self._sentinel, start)
        while at >= 0 and held[at + len(self._sentinel) :][:1].isdigit():
            at = held.find(self._sentinel, at + 1)
        return at

    def _mended(self, whole: bytes) -> bytes:
        number, broken = self._broken
        return inserted(broken, whole) if number == self._number else b""


def inserted(broken: bytes, whole: bytes) -> bytes:
    """Return what was put in one place into `whole` and made `broken` of it; else nothing."""
    extra = len(broken) - len(whole)
    if extra <= 0:
        return b""
    same = next((at for at, byte in enumerate(whole) if broken[at] != byte), len(whole))
    return broken[same : same + extra] if broken[same + extra :] == whole[same:] else b""


def parse(data: bytes, number: int) -> tuple[Frame | None, int]:
    """Parse the frame of that number at the beginning of `data`.

    Returns:
        The frame and its size; or None and 0 while more is needed, None and -1 when it is damaged.
    """
    header, _, rest = data[:LONGEST_HEADER].partition(b",")
    check, comma, _ = rest.partition(b",")
    if not comma:
        return None, -1 if len(data) >= LONGEST_HEADER else 0
    start = len(header) + len(check) + 2
    beginning = MARK + b"%d" % number
    if not header.startswith(beginning):
        return None, -1
    prefix = len(beginning)
    kind, length = _KINDS.get(header[prefix : prefix + 1]), header[prefix + 1 :]
    if kind is None or not length.isdigit() or not check.isdigit():  # int() takes blanks and signs
        return None, -1
    size = int(length)
    body = data[start : start + size]
    if len(body) < size:
        return None, 0
    if frame_check(kind, body) != int(check):
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
