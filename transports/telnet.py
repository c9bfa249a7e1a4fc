"""The client's side of Telnet (RFC 854, 855, 856), pure: bytes in, bytes out; no socket, no clock.

It speaks when it is spoken to: what serves a REPL on a bare port would take an unasked command for
input, and the one that asks to go without go-ahead holds a Ctrl-C.
"""

from __future__ import annotations

from enum import Enum, auto

from klemheist.transports.codec import Taken

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
BINARY, ECHO, SGA = 0, 1, 3

THEIRS = frozenset({BINARY, ECHO, SGA})
"""What the server may do."""
OURS = frozenset({BINARY, SGA})
"""What we are willing to do."""

_CR, _NUL = 13, 0
_CR_NUL = b"\r\0"


class _At(Enum):
    DATA = auto()
    CR = auto()
    COMMAND = auto()
    OPTION = auto()
    BLOCK = auto()
    BLOCK_COMMAND = auto()


class TelnetCodec:
    """One connection. Eight-bit data both ways is agreed on as soon as the server negotiates.

    A carriage return is sent as it is, without the NUL of the standard: servers before a REPL hand
    on what they get.
    """

    def __init__(self) -> None:
        self._at = _At.DATA
        self._verb = 0
        self._on: dict[int, set[int]] = {WILL: set(), DO: set()}  # their side, our side
        self._asked: set[tuple[int, int]] = set()
        self._over: set[tuple[int, int]] = set()
        self._negotiates = False

    def encode(self, data: bytes) -> list[bytes]:
        """Return `data` with its bytes 255 doubled, in one piece."""
        return [bytes(data).replace(b"\xff", b"\xff\xff")] if data else []

    def decode(self, raw: bytes) -> Taken:
        """Take bytes of the server: the data in them, and what is to be answered."""
        if self._at is _At.DATA and IAC not in raw and (self._is_binary or _CR not in raw):
            return Taken(raw)
        data, reply = bytearray(), bytearray()
        for byte in raw:
            self._step(byte, data, reply)
        return Taken(bytes(data), bytes(reply))

    @property
    def _is_binary(self) -> bool:
        return BINARY in self._on[WILL]

    def _step(self, byte: int, data: bytearray, reply: bytearray) -> None:
        match self._at:
            case _At.DATA | _At.CR:
                self._plain(byte, data)
            case _At.COMMAND:
                self._command(byte, data)
            case _At.OPTION:
                self._at = _At.DATA
                self._negotiate(self._verb, byte, reply)
            case _At.BLOCK:
                self._at = _At.BLOCK_COMMAND if byte == IAC else _At.BLOCK
            case _At.BLOCK_COMMAND:
                self._at = _At.DATA if byte == SE else _At.BLOCK

    def _plain(self, byte: int, data: bytearray) -> None:
        after_cr, self._at = self._at is _At.CR, _At.DATA
        if byte == IAC:
            self._at = _At.COMMAND
        elif not (after_cr and byte == _NUL):
            data.append(byte)
            if byte == _CR and not self._is_binary:
                self._at = _At.CR

    def _command(self, byte: int, data: bytearray) -> None:
        self._at = _At.DATA
        if byte == IAC:
            data.append(byte)
        elif byte in {WILL, WONT, DO, DONT}:
            self._at, self._verb = _At.OPTION, byte
        elif byte == SB:
            self._at = _At.BLOCK

    def _negotiate(self, verb: int, option: int, reply: bytearray) -> None:
        """Answer each change once (RFC 854, 3.b); what was taken back once is not agreed on again.

        The standard alone lets two sides switch an option on and off for ever (RFC 1143).
        """
        yes, no, side, willing = (
            (DO, DONT, WILL, THEIRS) if verb in {WILL, WONT} else (WILL, WONT, DO, OURS)
        )
        on, asked = self._on[side], (yes, option) in self._asked
        self._asked.discard((yes, option))
        if verb == side and option in willing and (side, option) not in self._over:
            if option not in on and not asked:
                reply += bytes((IAC, yes, option))
            on.add(option)
        elif verb == side:
            reply += bytes((IAC, no, option))
        elif option in on:
            on.discard(option)
            self._over.add((side, option))
            reply += bytes((IAC, no, option))
        self._ask_for_binary(reply)

    def _ask_for_binary(self, reply: bytearray) -> None:
        if self._negotiates:
            return
        self._negotiates = True
        for yes, side in ((DO, WILL), (WILL, DO)):
            if BINARY not in self._on[side]:
                self._asked.add((yes, BINARY))
                reply += bytes((IAC, yes, BINARY))
