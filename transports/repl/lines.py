"""One line at a time with a device: the ground that all procedures stand on.

A procedure is a pure generator: it yields steps and gets their replies. It knows no clock, thread
or socket; whoever drives it begins each `Step` and sends its `Reply` back in.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, TypeVar

from . import agent
from .board import Board
from .frames import Frame, FrameKind
from .steps import Do, Reply, Step
from .values import decode

R = TypeVar("R")
Procedure = Generator[Step, Reply, R]

ATTEMPTS: Final = 8
"""How often one line is tried on a damaging link before the device counts as unreachable."""
ACCEPT_WITHIN: Final = 1.0
"""Seconds for `OK`, which firmware sends before it compiles; longer lines get more."""
SLOWEST_BYTES: Final = 2_000.0
"""Bytes a second that the slowest link carries: 19,200 baud."""
ENTER_WITHIN: Final = (0.3, 0.6, 1.2, 2.4)
"""Seconds for the raw prompt, attempt by attempt."""


class Gone(Exception):  # noqa: N818 -- a signal between procedures, never a user's error
    """The agent of this generation is not there any more: the interpreter booted anew."""


class Silent(Exception):  # noqa: N818 -- as above
    """The device does not come to its prompt, or nothing gets through undamaged."""


class Disturbed(Silent):
    """It answers questions, but no whole answer to a call gets through."""


class Full(Silent):
    """Its memory is exhausted: there is no room for the agent, or not even for a question."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the agent says of itself."""

    boot: str
    count: int
    """How many calls it has taken, modulo `COUNTS`."""
    last: int
    """The number of the last of them."""
    kind: FrameKind
    """Of its answer; `UNFINISHED` where there is none."""


def enter() -> Procedure[Reply]:
    """Get to the raw prompt, whatever the device is doing.

    Raises:
        Silent: it never came.
    """
    interrupted = False
    for within in ENTER_WITHIN:
        reply = yield Step(Do.ENTER, within=within)
        interrupted = interrupted or reply.interrupted
        if reply.ended:
            reply.interrupted = interrupted
            return reply
    raise Silent("the raw prompt did not come")


def leave() -> Procedure[None]:
    """End a burst, so that the device is at its prompt again.

    Raises:
        Silent: the prompt never came.
    """
    reply = yield Step(Do.LEAVE, within=ACCEPT_WITHIN)
    if not reply.ended:
        yield from enter()


def step_of(line: bytes, number: int = -1, following: tuple[bytes, ...] = ()) -> Step:
    """Return the step that sends a line; a longer one has more time to be accepted."""
    size = len(line) + sum(map(len, following))
    within = ACCEPT_WITHIN + size / SLOWEST_BYTES
    return Step(Do.EXECUTE, line, number, within, following=following)


def exchange(line: bytes, number: int = -1, *following: bytes) -> Procedure[Reply]:
    """Send one line and come back to the prompt, by force if the reply got lost.

    Args:
        line: the line.
        number: of the frame that the answer holds; -1 for none.
        following: lines that need no look at the answer before; each goes out while the one
            before is executed. The reply is that of all, and holds no frame.
    """
    reply = yield step_of(line, number, following)
    if not reply.ended:
        yield from enter()
    return reply


def status(board: Board) -> Procedure[Status]:
    """Ask the agent where it stands.

    Raises:
        Gone: there is none, or one of another boot.
        Silent: nothing gets through, or there is no room for it.
    """
    strangers = full = 0
    for _ in range(ATTEMPTS if board.boot else 0):
        number, line = board.question()
        reply = yield from exchange(line, number)
        if reply.frame is not None:
            found = _status_in(reply.frame)
            if found.boot != board.boot:
                raise Gone("the agent is another boot's")
            return found
        strangers = strangers + 1 if _is_no_agent(reply.error) else 0
        full += b"MemoryError" in reply.error
        if strangers == 2:  # once may be a damaged question
            break
        if reply.ended:  # perhaps what came was the answer to an earlier line
            yield from enter()
    else:
        if full > ATTEMPTS // 2:
            raise Full("its memory is exhausted: there is no room for a question")
        if board.boot:
            raise Silent(f"{ATTEMPTS} questions for the status stayed without an answer")
    raise Gone("the agent is gone")


def _status_in(frame: Frame) -> Status:
    """Read the text of the agent's own list, a value of its first half."""
    text = decode(frame.text)
    said: tuple[int, int, int, str] = decode(str(text))  # type: ignore[assignment]  # as `k` writes it
    count, last, kind, boot = said
    return Status(boot, count, last, FrameKind(chr(kind)))


def _is_no_agent(error: bytes) -> bool:
    """Return whether a traceback says that there is no agent, or half of one."""
    last = error.rstrip().rpartition(b"\n")[2]
    named = b"'" not in last or b"'%s'" % agent.NAME.encode() in last  # terse ports name nothing
    return last.startswith(b"TypeError") or (last.startswith(b"NameError") and named)


def must(line: bytes, says: bytes, attempts: int = ATTEMPTS) -> Procedure[None]:
    """Run a line of ours that may be run twice, until it has run and said so.

    Args:
        line: without its beginning it must not say it: damage may cut a line in two.
        says: the word that it prints.
        attempts: how often it is tried.

    Raises:
        Silent: it never said so; `Full` where it had no room for the line.
    """
    error = b""
    for _ in range(attempts):
        reply = yield from exchange(line)
        if reply.ended and says in reply.output.split():
            return
        error = reply.error
    raise (Full if b"MemoryError" in error else Silent)(f"the device refuses {line!r}: {error!r}")
