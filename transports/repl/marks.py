"""The marks of the raw REPL, and which of them each state of the conversation looks for."""

from __future__ import annotations

from typing import Final

from .table import State, Token

BANNER: Final = b"raw REPL; CTRL-B to exit"
REBOOT: Final = b"soft reboot"
FRIENDLY: Final = b"\n>>> "
END: Final = b"\x04"
INTERRUPT: Final = b"\x03"
QUESTION: Final = b"\x01"
ANSWER: Final = BANNER + b"\r\n>"
"""What the raw prompt says to a question."""
ENTER: Final = b"\r\x03\x01"
ASK_PASTE: Final = b"\x05A\x01"
KEPT_TAIL: Final = len(BANNER)

MARKS: Final[dict[State, tuple[tuple[bytes, Token], ...]]] = {
    State.ENTERING: ((BANNER, Token.BANNER),),
    State.GREETED: ((b">", Token.PROMPT),),
    State.SENT: ((b"OK", Token.OK),),
    State.RUNNING: ((END, Token.END),),
    State.LISTENING: ((END, Token.END),),
    State.FAILING: ((END, Token.END),),
    State.ENDING: ((b">", Token.PROMPT), (FRIENDLY, Token.LEFT)),
    State.ASKED: ((b"R\x01", Token.GRANTED), (b"R\x00", Token.DENIED), (BANNER, Token.BANNER)),
    State.REFUSED: ((b">", Token.PROMPT),),
    State.PASTING: ((END, Token.END),),
    State.PASTED: ((END, Token.END),),
    State.BOOTING: ((REBOOT, Token.REBOOT),),
    State.BOOTED: ((BANNER, Token.BANNER),),
}
"""The marks that each state looks for; a state without marks takes all bytes as text."""


MARKS_ASKED: Final[dict[State, tuple[tuple[bytes, Token], ...]]] = {
    state: ((ANSWER, Token.ASIDE), *(each for each in MARKS.get(state, ()) if each[0] != BANNER))
    for state in (State.IDLE, State.SENT, State.ASKED, State.BOOTING)
}
"""The same while a question is open: it is answered before anything that was sent after it."""


def stops(behind: bytes) -> bool:
    """Return whether an end mark amid a paste stops it, by the two bytes behind it.

    The board says nothing more before we have answered, unless Ctrl-C broke the paste off: then the
    mark of its output follows, and a traceback. Where anything else does, a thread has printed it.
    """
    return behind[:1] in (b"", END) and behind != END + b">"


def before_end(data: bytes) -> int:
    """Return how many bytes stand before the first end mark; all, where there is none."""
    at = data.find(END)
    return len(data) if at < 0 else at


def cut_mark(data: bytes, marks: tuple[tuple[bytes, Token], ...]) -> int:
    """Return how many of the last bytes may be the beginning of a mark."""
    longest = 0
    for mark, _ in marks:
        for size in range(min(len(mark) - 1, len(data)), longest, -1):
            if data.endswith(mark[:size]):
                longest = size
                break
    return longest
