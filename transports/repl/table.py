"""The raw REPL as one table: every state, every token, every legal move.

Everything that decides where the protocol stands lives here. A token is what the lexer in
`machine.py` found in the device's bytes, or what our own side was asked to do. A pair that is not
in the table cannot happen: asked for by us it raises `IllegalMove`; the device's tokens are only
looked for where the table knows them, all other bytes are text.

`python -m klemheist.transports.repl.table` prints it as docs/topics/repl-states.md, which a test
keeps true.

Source: MicroPython's shared/runtime/pyexec.c and its document reference/repl.rst.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class State(Enum):
    """Where the conversation stands, as far as the bytes tell."""

    __hash__ = object.__hash__  # Enum's own is a function in Python, run for each byte mark

    LOST = auto()
    """Nothing is known: before the first prompt, and after anything that broke the order."""
    ENTERING = auto()
    """Ctrl-C and Ctrl-A are sent; the raw banner is awaited."""
    GREETED = auto()
    """The banner was seen; its `>` is awaited."""
    IDLE = auto()
    """At the raw prompt; the device waits for a command."""
    SENT = auto()
    """A command is sent; its `OK` is awaited. Nothing has run yet."""
    RUNNING = auto()
    """`OK` was seen: what comes is the output of the command."""
    FAILING = auto()
    """The first end mark was seen: what comes is the traceback, if any."""
    ENDING = auto()
    """The second end mark was seen: the prompt is awaited."""
    LISTENING = auto()
    """A burst: the agent's loop waits for the line of a call (`burst.py`)."""
    ASKED = auto()
    """Raw paste was asked for; the answer is awaited."""
    WINDOW = auto()
    """Raw paste was granted; two bytes of window size are awaited."""
    PASTING = auto()
    """The source is being sent within the window's credit."""
    PASTED = auto()
    """All of the source is sent; the device's end mark acknowledges it."""
    REFUSED = auto()
    """Raw paste is understood and not supported; the prompt is awaited."""
    BOOTING = auto()
    """A soft reset was asked for; its text is awaited."""
    BOOTED = auto()
    """`soft reboot` was seen; the raw banner is awaited."""


class Token(Enum):
    """What moves the machine."""

    __hash__ = object.__hash__  # see State

    ENTER = auto()  # ours: attach, interrupting what runs
    EXECUTE = auto()  # ours: one raw command
    ASK = auto()  # ours: probe for raw paste
    RESET = auto()  # ours: soft reset
    ANSWERED = auto()  # ours: a call of a burst has its answer
    CALL = auto()  # ours: the next line of a burst, or the one that ends it
    FORGET = auto()  # ours: the link is new, or the order is broken
    BANNER = auto()  # raw REPL; CTRL-B to exit
    PROMPT = auto()  # >
    OK = auto()
    END = auto()  # byte 4
    GRANTED = auto()  # R and byte 1
    DENIED = auto()  # R and byte 0
    SIZE = auto()  # the two bytes of the window
    REBOOT = auto()  # soft reboot
    FINISHED = auto()  # ours: the last byte of a paste is written
    LEFT = auto()  # the friendly prompt where the raw one is due
    ASIDE = auto()  # the answer to what the prompt was asked under the command before


OURS: Final = frozenset(
    {
        Token.ENTER,
        Token.EXECUTE,
        Token.ASK,
        Token.RESET,
        Token.FORGET,
        Token.FINISHED,
        Token.ANSWERED,
        Token.CALL,
    }
)
"""The tokens that stand for our own acts; all others are found in the device's bytes."""

S, T = State, Token

MOVES: Final[dict[tuple[State, Token], State]] = {
    **{(state, T.FORGET): S.LOST for state in State},
    **{(state, T.ENTER): S.ENTERING for state in State},
    (S.ENTERING, T.BANNER): S.GREETED,
    (S.GREETED, T.PROMPT): S.IDLE,
    (S.IDLE, T.EXECUTE): S.SENT,
    (S.SENT, T.OK): S.RUNNING,
    (S.RUNNING, T.ANSWERED): S.LISTENING,
    (S.LISTENING, T.CALL): S.RUNNING,
    (S.LISTENING, T.END): S.FAILING,  # it has ended by itself
    (S.RUNNING, T.END): S.FAILING,
    (S.FAILING, T.END): S.ENDING,
    (S.ENDING, T.PROMPT): S.IDLE,
    (S.ENDING, T.LEFT): S.IDLE,  # at a prompt, but not ours: the board has booted
    (S.IDLE, T.ASK): S.ASKED,
    (S.ASKED, T.GRANTED): S.WINDOW,
    (S.ASKED, T.DENIED): S.REFUSED,
    (S.ASKED, T.BANNER): S.REFUSED,  # firmware from before raw paste takes Ctrl-E as nothing
    (S.REFUSED, T.PROMPT): S.IDLE,
    (S.WINDOW, T.SIZE): S.PASTING,
    (S.PASTING, T.END): S.RUNNING,  # the device stopped us: a syntax error, or no memory
    (S.PASTING, T.FINISHED): S.PASTED,
    (S.PASTED, T.END): S.RUNNING,
    (S.IDLE, T.RESET): S.BOOTING,
    (S.BOOTING, T.REBOOT): S.BOOTED,
    (S.BOOTED, T.BANNER): S.GREETED,
    **{(state, T.ASIDE): state for state in (S.IDLE, S.SENT, S.ASKED, S.BOOTING)},
}


class IllegalMove(RuntimeError):  # noqa: N818 -- a bug of ours, never the device's
    """We asked for something that this state does not allow."""


def move(state: State, token: Token) -> State:
    """Return the state after `token`.

    Raises:
        IllegalMove: the pair is not in the table.
    """
    try:
        return MOVES[state, token]
    except KeyError:
        raise IllegalMove(f"{token.name} is not allowed while {state.name}") from None


def diagram() -> str:
    """Return the table as a Mermaid state diagram, our own acts marked with `!`.

    The moves that every state has (`ENTER`, `FORGET`) stand beside it, in `page`.
    """
    lines = ["stateDiagram-v2", "    [*] --> LOST"]
    for (state, token), after in MOVES.items():
        if token not in _EVERYWHERE:
            act = "!" if token in OURS else ""
            lines.append(f"    {state.name} --> {after.name}: {act}{token.name}")
    return "\n".join(lines)


def page() -> str:
    """Return docs/topics/repl-states.md."""
    return _PAGE.format(diagram=diagram())


_EVERYWHERE: Final = frozenset({Token.ENTER, Token.FORGET})
_PAGE: Final = """\
# The raw REPL's states

Generated from the table in `transports/repl/table.py`; edit that, then run
`python -m klemheist.transports.repl.table > docs/topics/repl-states.md`.

An arrow with `!` is an act of ours, every other a mark found in the device's bytes. From every
state `!ENTER` (Ctrl-C and Ctrl-A) leads to `ENTERING`, and `!FORGET` (a new link, or the order is
broken) to `LOST`; any other pair raises `IllegalMove`.

```mermaid
{diagram}
```
"""

if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 -- its output is the page
