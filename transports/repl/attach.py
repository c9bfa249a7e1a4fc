"""Attaching: to the prompt, to the boot that we know, or to a new one with a new agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .agent import SMALL_HEAP
from .board import DEFAULT_CREDIT, Board
from .frames import FrameKind
from .install import arrive, complete, install
from .lines import ACCEPT_WITHIN, ATTEMPTS, Gone, Procedure, Silent, enter, exchange, status
from .procedures import FREE, evaluated, executed
from .steps import Do, Step

RESET_WITHIN: Final = 3.0
"""Seconds for a soft reset with its `boot.py`."""
RESET_ATTEMPTS: Final = 3
UNLIMITED: Final = 1 << 20
"""The credit of a board that reads whatever comes: the embedded one."""
PROBES: Final = (
    b"print(end=(__import__('sys').platform+' ')*2)",
    b"print(end='%s '%(__import__('sys').implementation,)*2)",
)
"""What a board is asked before anything else; a damaged question leaves no name there. Each answer
is said in one piece: a board that has just started sends each piece by itself, and `print` cuts an
implementation into some thirty. In one line they would be too long."""
EMBEDDED: Final = "webassembly"
"""The platform of the embedded board."""
FACTS: Final = f"{FREE}*2+(1+1e-9==1)"
"""Free bytes, or -1, and whether floats have 32 bits: one int, which the first half can say."""
ROOMY: Final = 16_384
"""Bytes of source that one `exec` takes where the heap is not small."""
_IMPORT_THREADS: Final = "try:import _thread as t\nexcept ImportError:t=None"


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


def attach(
    board: Board,
    *,
    boot: str,
    count: int,
    firmware: dict[str, Firmware],
    fresh: bool = False,
    familiar: bool = False,
    started: bool = False,
) -> Procedure[Attached]:
    """Get to the prompt, find out whether this is the boot we know, and install the agent if not.

    Args:
        board: what is known; updated.
        boot: the random id that a new generation gets.
        count: the random count that its calls begin with.
        firmware: the cache of capabilities by firmware (DESIGN 3.8); updated.
        fresh: soft-reset first (DESIGN 3.7).
        familiar: the firmware is the one we know, for the link has started the same again.
        started: it has done so just now, and nothing was sent since: what is small may go ahead of
            the agent (`ahead.py`).
    """
    reply = yield from enter()
    if fresh:
        yield from soft_reset()
        board.boot = ""
    if board.boot:
        try:
            yield from arrive(board)
            board.count = (yield from status(board)).count
        except Gone:
            pass
        else:
            return Attached(same_boot=True, interrupted=reply.interrupted)
    board.boot = ""
    try:
        if not (familiar and "firmware" in board.facts):
            yield from _probe(board, firmware)
        if familiar and started and board.cramped and not board.facts["threads"]:
            board.will_come(boot, count)
        else:
            board.ahead = ""
            yield from install(board, boot, count)
            yield from _get_to_know(board)
    except BaseException:  # abandoned too: what is half known must not pass for the same boot
        board.boot = ""
        raise
    return Attached(same_boot=False, interrupted=reply.interrupted)


def _probe(board: Board, cache: dict[str, Firmware]) -> Procedure[None]:
    """Learn the capabilities: raw execs, then at most one question for raw paste."""
    text = yield from _identity()
    known = cache.get(text)
    if known is None:
        platform = text.partition(" ")[0]
        embedded = platform == EMBEDDED
        granted = False if embedded else (yield from _ask_paste())
        known = Firmware(text, platform, granted, UNLIMITED if embedded else DEFAULT_CREDIT)
        cache[text] = known
    board.paste, board.credit = known.paste, known.credit
    board.facts["firmware"] = known


def _identity() -> Procedure[str]:
    """Ask until what is said twice is the same.

    An answer that was damaged could hide what must not be asked: nothing but its name tells that
    `webassembly` wedges when it is asked for raw paste.
    """
    for _ in range(ATTEMPTS):
        words: list[bytes] = []
        for probe in PROBES:
            reply = yield from exchange(probe)
            words.append(twice(reply.output.strip()) if reply.ended else b"")
        if words[0] and words[1].endswith(b")"):
            return b" ".join(words).decode("utf-8", "replace")
    raise Silent("the device does not say what it is")


def twice(said: bytes) -> bytes:
    """Return the text that `said` is twice, with a blank between; nothing where it is not.

    Nor where it is four times or six: one damaged digit of the question makes that.
    """
    said += b" "
    once = said[: len(said) // 2]
    return once[:-1] if once * 2 == said and said.find(once, 1) == len(once) else b""


def _ask_paste() -> Procedure[bool]:
    reply = yield Step(Do.ASK_PASTE, within=ACCEPT_WITHIN)
    if not reply.ended:
        yield from enter()
    return reply.ended and reply.granted


def _get_to_know(board: Board) -> Procedure[None]:
    """Learn what differs between boards with one firmware, and send what is to be there early."""
    firmware = board.facts["firmware"]
    if board.facts.get("learned of") != firmware:  # else an earlier generation has said it
        yield from _learn_facts(board)
        board.facts["learned of"] = firmware
    if board.facts["threads"]:  # of the user: one could print into our raw commands
        yield from complete(board)
    if board.cramped and not board.whole:  # once more user code lies around it might not fit
        board.lacking = board.count


def _learn_facts(board: Board) -> Procedure[None]:
    frame, error = yield from evaluated(board, FACTS)
    if frame.kind is not FrameKind.VALUE:
        raise Silent(f"the agent does not work here: {frame.text} {error!r}")
    free, single = divmod(int(frame.text), 2)
    board.single = bool(single)
    board.cramped = 0 < free < SMALL_HEAP
    board.longest = free // 8 if board.cramped else ROOMY
    board.facts.update(free=free, threads=None)
    if not board.cramped:
        yield from has_threads(board)


def has_threads(board: Board) -> Procedure[bool]:
    """Return whether the port has `_thread`, which is then `t` for the agent.

    A small heap has none as a rule: it is asked only where a thread is wanted, for an import that
    fails looks through all of the files.
    """
    known = board.facts.get("threads")
    if known is None:
        known = False
        firmware = board.facts["firmware"]
        if not isinstance(firmware, Firmware) or firmware.platform != EMBEDDED:
            yield from executed(board, _IMPORT_THREADS)
            frame, _ = yield from evaluated(board, "t!=None")
            known = frame.text == "True"
        board.facts["threads"] = known
    return bool(known)


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
