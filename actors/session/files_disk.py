"""How a board's files are reached: asked once a boot, with what is sent there for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from klemheist.actors.files import kit
from klemheist.transports.repl.agent import gather, split
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.lines import Procedure, enter, exchange
from klemheist.transports.repl.procedures import evaluated, executed
from klemheist.transports.repl.steps import Do, Step

from .answers import Tracer, value_of

PRIME: Final = 65521
BLOCK: Final = 128
"""Bytes that the device reads at once while it computes a checksum."""

_HELPERS: Final = (
    f"""\
def YV(g):
 c=0
 while 1:
  b=g.read({BLOCK})
  if not b:return c
  c=(c*257+int.from_bytes(b,'little'))%{PRIME}""",
    "import os\nYF={}",
)
"""YF: the open files by number. YV tells the checksum of what is left to read. All else is an
expression: the smallest board has no room for more functions."""

ROOMY: Final = 1000
"""Bytes: a board that takes longer pieces need not save memory for its answers."""
_RENAMES: Final = "hasattr(__import__('os'),'rename')"
_FACTS: Final = "YP()"
PROBE_SECONDS: Final = 1.0
STREAM_CREDIT: Final = 65536
"""Bytes that a device must take in flight before its standard input is used."""
SHORT: Final = 1024
"""Bytes of a piece on a line that damages some: longer ones would never arrive whole."""
LONGEST_KIT: Final = 4096
BATCH: Final = -1
INFLATE: Final = -2
"""Entries of the kit in the function table: tasks have those from 0 on."""
_UNSURE: Final = bytes([5, 6, 8, 11, 12, *range(14, 32), 127, 128, 160, 195, 255])
"""Bytes that some parser or line might not carry unescaped, in a command of less than 60."""


@dataclass(frozen=True, slots=True)
class Disk:
    """How this board's files are reached, asked once a boot."""

    raw: bool
    """Bytes of a piece may travel as they are."""
    renames: bool
    """It can rename, and has directories."""
    piece: int
    """Bytes that one call carries there at most, by what the board's memory takes."""
    answer: int
    """Bytes that one call brings back at most: the device holds them four times, escaped."""
    streams: bool = False
    """Bytes may go through standard input and output of running code, past the parser."""
    inflates: bool = False
    """It can decompress."""
    mpy: int = -1
    """What its interpreter says of the `.mpy` files that it loads; -1 for none."""


def disk(board: Board) -> Procedure[Disk]:
    """Return how files are reached, sending the helpers where they are not there yet."""
    known = board.facts.get("disk")
    if isinstance(known, tuple) and known[0] == board.boot:
        return known[1]  # type: ignore[no-any-return]  # the pair that is put there below
    reply = yield from exchange(b"print(sum(b'%s'))" % _UNSURE)
    raw = reply.output.strip() == b"%d" % sum(_UNSURE)
    renames = bool((yield from _evaluated(board, _RENAMES)))
    for statement in _HELPERS if not renames else gather(split(kit.SOURCE), most=_most(board)):
        yield from execute(board, statement)
    piece = board.longest // 4
    found = Disk(raw, renames, piece, piece if piece > ROOMY else piece // 2)
    if renames:
        found = yield from _completed(board, found)
    board.facts["disk"] = (board.boot, found)
    return found


def _completed(board: Board, found: Disk) -> Procedure[Disk]:
    """Send what of the kit this device can use besides."""
    streams, inflates, mpy = _facts((yield from _evaluated(board, _FACTS)))
    if streams := streams and board.credit >= STREAM_CREDIT:
        step = Step(Do.EXECUTE, kit.SAY_EVERY_BYTE, within=PROBE_SECONDS, raw=len(kit.EVERY_BYTE))
        reply = yield step
        streams = reply.ended and reply.raw == kit.EVERY_BYTE
        if not reply.ended:
            yield from enter()
    table = f"G[{BATCH}]=YM"
    for wanted, source in ((streams, kit.STREAM_SOURCE), (inflates, kit.INFLATE_SOURCE)):
        for statement in gather(split(source), most=_most(board)) if wanted else ():
            yield from execute(board, statement)
    yield from execute(board, f"{table};G[{INFLATE}]=YI" if inflates else table)
    return replace(found, streams=streams, inflates=inflates, mpy=mpy)


def _facts(found: object) -> tuple[bool, bool, int]:
    assert isinstance(found, tuple)
    return bool(found[0]), bool(found[1]), int(found[2])


def _most(board: Board) -> int:
    return min(board.longest, LONGEST_KIT)


def forget_streams(board: Board) -> None:
    """Take the safe way from now on in this boot: the line damages what runs past its checks."""
    known = board.facts.get("disk")
    if isinstance(known, tuple):
        short = {"piece": min(known[1].piece, SHORT), "answer": min(known[1].answer, SHORT // 2)}
        board.facts["disk"] = (known[0], replace(known[1], streams=False, **short))


def execute(board: Board, source: str) -> Procedure[None]:
    """Execute statements in the agent's namespace."""
    answer = yield from executed(board, source)
    yield from value_of(board, answer, Tracer())


def _evaluated(board: Board, expression: str) -> Procedure[object]:
    answer = yield from evaluated(board, expression)
    return (yield from value_of(board, answer, Tracer()))


def asked(board: Board, expression: str) -> Procedure[object]:
    """Evaluate an expression over the helpers and `os`."""
    yield from disk(board)
    answer = yield from evaluated(board, expression)
    return (yield from value_of(board, answer, Tracer()))
