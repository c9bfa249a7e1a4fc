"""What is done with a device, as procedures: pure generators that yield steps and get replies.

    def double(board):
        frame = yield from numbered(board, Entry.EVAL, 0, b"21*2")
        return decode(frame.text)

A procedure knows no clock, thread or socket: whoever drives it begins each `Step` and sends its
`Reply` back in. All recovery from damage is here: a *frame* is asked for again, a *call* never
(DESIGN 3.5), and what was not taken by the device is sent once more.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from . import agent
from .agent import AGENT_NAMESPACE, Entry
from .conversation import DEFAULT_CREDIT, Board, Do, Reply, Step
from .frames import Frame, FrameKind, again_line, call_line
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
RESET_WITHIN: Final = 3.0
"""Seconds for a soft reset with its `boot.py`."""
RESET_ATTEMPTS: Final = 3
FIRST_STATEMENT: Final = 100
"""What the first statement of the agent says when it has run; the others count on."""
UNLIMITED: Final = 1 << 20
"""The credit of a board that reads whatever comes: the embedded one."""
PROBE: Final = (b"import sys as _k", b"print(_k.platform,_k.version,_k.implementation)")
"""What a board is asked before anything else; `_k` is the agent's own name, so nothing is left."""


class Gone(Exception):  # noqa: N818 -- a signal between procedures, never a user's error
    """The agent of this generation is not there any more: the interpreter booted anew."""


class Silent(Exception):  # noqa: N818 -- as above
    """The device does not come to its prompt, or nothing gets through undamaged."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the agent says of itself."""

    boot: str
    count: int
    """How many calls it has taken, modulo `COUNTS`."""
    last: int
    """The number of the last of them."""
    finished: bool
    """Whether there is a frame of it."""


@dataclass(frozen=True, slots=True)
class Firmware:
    """What is the same for all boards with one firmware (DESIGN 3.8)."""

    text: str
    platform: str
    paste: bool
    credit: int


@dataclass(frozen=True, slots=True)
class Attached:
    """How attaching went."""

    same_boot: bool
    interrupted: bool = False
    """A running program was stopped to get at the prompt."""


# -- one line ------------------------------------------------------------------------------------


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


def step_of(line: bytes, number: int = -1) -> Step:
    """Return the step that sends a line; a longer one has more time to be accepted."""
    return Step(Do.EXECUTE, line, number, ACCEPT_WITHIN + len(line) / SLOWEST_BYTES)


def exchange(line: bytes, number: int = -1) -> Procedure[Reply]:
    """Send one line and come back to the prompt, by force if the reply got lost."""
    reply = yield step_of(line, number)
    if not reply.ended:
        yield from enter()
    return reply


def status(board: Board) -> Procedure[Status]:
    """Ask the agent where it stands.

    Raises:
        Gone: there is none, or one of another boot.
        Silent: nothing gets through.
    """
    strangers = 0
    for _ in range(ATTEMPTS if board.boot else 0):
        number, line = board.question()
        reply = yield from exchange(line, number)
        if reply.frame is not None:
            found = Status(*decode(reply.frame.text))  # type: ignore[misc]  # the agent's own tuple
            if found.boot != board.boot:
                raise Gone("the agent is another boot's")
            return found
        strangers = strangers + 1 if _is_no_agent(reply.error) else 0
        if strangers == 2:  # once may be a damaged question
            break
        if reply.ended:  # perhaps what came was the answer to an earlier line
            yield from enter()
    else:
        if board.boot:
            raise Silent(f"{ATTEMPTS} questions for the status stayed without an answer")
    raise Gone("the agent is gone")


def _is_no_agent(error: bytes) -> bool:
    """Return whether a traceback says that there is no agent, or half of one."""
    last = error.rstrip().rpartition(b"\n")[2]
    named = b"'" not in last or b"'%s'" % agent.NAME.encode() in last  # terse ports name nothing
    return last.startswith(b"TypeError") or (last.startswith(b"NameError") and named)


# -- one call ------------------------------------------------------------------------------------


def numbered(board: Board, index: int, *plain: object) -> Procedure[tuple[Frame, bytes]]:
    """Make one call whose line fits the device's credit; at most once, whatever the link does.

    Returns:
        The frame, and the traceback where the call raised or was interrupted.

    Raises:
        Gone: the interpreter booted anew; the call may have run.
        Silent: the link carries nothing.
    """
    return (yield from sent(board, *call_line(index, plain, board.count)))


def sent(board: Board, number: int, line: bytes) -> Procedure[tuple[Frame, bytes]]:
    """Make the call of a line that `call_line` made; see `numbered`."""
    reply = yield from exchange(line, number)
    if reply.frame is None:
        reply = yield from _settle(board, number, line, reply)
    board.taken()
    assert reply.frame is not None
    return reply.frame, reply.error


def _settle(board: Board, number: int, line: bytes, reply: Reply) -> Procedure[Reply]:
    """Find out what became of a call whose reply held no whole frame."""
    error = reply.error
    for _ in range(ATTEMPTS):
        found = yield from status(board)
        if found.last != number:
            if found.count != board.count:
                raise Gone("the agent took calls that are not ours")
            reply = yield from exchange(line, number)  # it was never taken
        elif not found.finished:
            return Reply(frame=Frame(number, FrameKind.UNFINISHED, ""), error=error)
        else:
            reply = yield from exchange(again_line(number), number)
        error = reply.error or error
        if reply.frame is not None:
            return Reply(frame=reply.frame, error=error)
    raise Silent(f"no whole frame in {ATTEMPTS} attempts")


def one_line(board: Board, index: int, plain: tuple[object, ...]) -> tuple[int, bytes] | None:
    """Return the call's number and line, if it goes out whole: within the credit, or by paste."""
    number, line = call_line(index, plain, board.count)
    return (number, line) if board.paste or len(line) < board.credit else None


def applied(
    board: Board, index: int, namespace: int, source: bytes
) -> Procedure[tuple[Frame, bytes]]:
    """Apply EVAL or EXEC to a source of any length, in acknowledged pieces where it must be."""
    line = one_line(board, index, (namespace, source))
    if line is not None:
        return (yield from sent(board, *line))
    for piece in source_pieces(board, source):
        frame, error = yield from numbered(board, Entry.ADD, piece)
        if frame.kind is not FrameKind.VALUE:
            return frame, error
    return (yield from numbered(board, Entry.APPLY, int(index), namespace))


def source_pieces(board: Board, source: bytes) -> list[bytes]:
    """Cut a source so that each piece goes out as one line."""
    cut: list[bytes] = []
    start = 0
    while start < len(source):
        size = min(len(source) - start, board.credit)
        while len(call_line(Entry.ADD, (source[start : start + size],), 0)[1]) + 6 >= board.credit:
            size -= 1
        cut.append(source[start : start + size])
        start += size
    return cut


# -- one generation ------------------------------------------------------------------------------


def attach(
    board: Board, *, boot: str, count: int, firmware: dict[str, Firmware], fresh: bool = False
) -> Procedure[Attached]:
    """Get to the prompt, find out whether this is the boot we know, and install the agent if not.

    Args:
        board: what is known; updated.
        boot: the random id that a new generation gets.
        count: the random count that its calls begin with.
        firmware: the cache of capabilities by firmware (DESIGN 3.8); updated.
        fresh: soft-reset first (DESIGN 3.7).
    """
    reply = yield from enter()
    if fresh:
        yield from soft_reset()
        board.boot = ""
    if board.boot:
        try:
            board.count = (yield from status(board)).count
        except Gone:
            pass
        else:
            return Attached(same_boot=True, interrupted=reply.interrupted)
    board.boot = ""
    yield from _probe(board, firmware)
    yield from install(board, boot, count)
    return Attached(same_boot=False, interrupted=reply.interrupted)


def _probe(board: Board, cache: dict[str, Firmware]) -> Procedure[None]:
    """Learn the capabilities: raw execs, then at most one question for raw paste."""
    text = yield from _identity(cache)
    known = cache.get(text)
    if known is None:
        platform = text.partition(" ")[0]
        embedded = platform == "webassembly"
        granted = False if embedded else (yield from _ask_paste())
        known = Firmware(text, platform, granted, UNLIMITED if embedded else DEFAULT_CREDIT)
        cache[text] = known
    board.paste, board.credit = known.paste, known.credit
    board.facts["firmware"] = known


def _identity(cache: dict[str, Firmware]) -> Procedure[str]:
    """Ask until two answers in a row agree, or one is known from before.

    One that was damaged could hide what must not be asked: nothing but its name tells that
    `webassembly` wedges when it is asked for raw paste.
    """
    before = b""
    for _ in range(2 * ATTEMPTS):
        yield from exchange(PROBE[0])
        reply = yield from exchange(PROBE[1])
        text = reply.output.strip()
        known = text.decode("utf-8", "replace")
        if reply.ended and text.endswith(b")") and (text == before or known in cache):
            return known
        before = text
    raise Silent("the device does not say what it is")


def _ask_paste() -> Procedure[bool]:
    reply = yield Step(Do.ASK_PASTE, within=ACCEPT_WITHIN)
    if not reply.ended:
        yield from enter()
    return reply.ended and reply.granted


def install(board: Board, boot: str, count: int) -> Procedure[None]:
    """Send the agent, statement by statement, each proved before it is executed."""
    board.boot = ""
    yield from _must(b"_a={};print(len(_a))", b"0")
    room = agent.LONGEST_STATEMENT * 2 if board.paste else min(board.credit, 4096) - 1
    for index, statement in enumerate(agent.statements(boot, count), FIRST_STATEMENT):
        line = agent.whole(statement, index)
        if len(line) <= room:
            yield from _must(line, b"%d" % index)
            continue
        yield from _prove(statement, room)
        # What assembling has left lying would come to stand between the agent's functions.
        tidy = b"_a['gc'].collect();" if index > FIRST_STATEMENT else b""
        yield from _must(tidy + b"print(exec(_k,_a)or %d)" % index, b"%d" % index)
    yield from _must(b"_k=_a['k'];print(_k==_a['k'])", b"True")
    yield from _must(b"_a=0;del _a;print('_a'in globals())", b"False")
    board.boot, board.count = boot, count
    yield from _learn_facts(board)


def _learn_facts(board: Board) -> Procedure[None]:
    frame, error = yield from numbered(board, Entry.EVAL, AGENT_NAMESPACE, agent.FACTS)
    if frame.kind is not FrameKind.VALUE:
        raise Silent(f"the agent does not work here: {frame.text} {error!r}")
    facts: tuple[bool, bool, int] = decode(frame.text)  # type: ignore[assignment]  # see FACTS
    board.single, threads, free = facts
    board.longest = free // 8 if 0 < free < 64_000 else 16_384
    board.facts.update(threads=threads, free=free)


def _prove(statement: str, room: int) -> Procedure[None]:
    for _ in range(ATTEMPTS):
        for command in agent.pieces(statement, room):
            yield from exchange(command)
        reply = yield from exchange(agent.proof_line())
        if agent.proof(statement) in reply.output:
            return
    raise Silent("the agent does not arrive undamaged")


def _must(line: bytes, says: bytes, attempts: int = ATTEMPTS) -> Procedure[None]:
    """Run a line of ours that may be run twice, until it has run and said so.

    Without its beginning it must not say it: damage may cut a line in two.
    """
    error = b""
    for _ in range(attempts):
        reply = yield from exchange(line)
        if reply.ended and says in reply.output.split():
            return
        error = reply.error
    raise Silent(f"the device refuses {line!r}: {error!r}")


def remove() -> Procedure[None]:
    """Take the agent off the device, if it listens; nothing of ours is left in `__main__`."""
    with suppress(Silent):
        yield from _must(b"_k=0;del _k;print('_k'in globals())", b"False", attempts=2)
        yield from exchange(b"__import__('gc').collect()")


def soft_reset() -> Procedure[None]:
    """Make the interpreter boot anew and come back to the raw prompt.

    Raises:
        Silent: it did not say that it boots.
    """
    for _ in range(RESET_ATTEMPTS):
        reply = yield Step(Do.SOFT_RESET, within=RESET_WITHIN)
        if not reply.ended:
            yield from enter()
        if reply.rebooted:
            return
    raise Silent("the soft reset did not happen")
