"""Calls of one task that wait together are made together: one line, one frame (DESIGN 3.2).

On the device `BM` makes them one after the other and keeps in `BP` what each gave. Their arguments
are sent by place, all first ones, then all second ones, as its `map` takes them. What breaks off
(an exception, an interruption) ends the batch there; what is in `BP` is then fetched piece by
piece, and nothing runs twice. So it is where one result is none that a literal can say. A container
ends it too, for a later call might change it before it is written; its task is called singly from
then on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile
from typing import Any, Final

from klemheist.actors.errors import DeviceError, DeviceMemoryError
from klemheist.actors.sources import Source
from klemheist.transports.repl.agent import Entry
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.frames import FrameKind
from klemheist.transports.repl.install import complete
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.once import numbered
from klemheist.transports.repl.procedures import evaluated, executed, one_line
from klemheist.transports.repl.values import ResultTypeError, decode

from .answers import value_of
from .remote import Namespace

WhileLive = Callable[[Callable[[Board], Procedure[Any]], Board], Procedure[Any]]

_MADE_TOGETHER: Final = (
    "BP=[]",
    """\
def BM(i,n,*c):
 BP.clear()
 f=G[i];p=BP.append;t=type;I=int;s=0
 for x in map(f,*c)if c else range(n):
  if not c:x=f()
  p(x)
  if t(x)is not I:
   s=1
   if t(x)in K:break
 else:
  if len(BP)<n:raise StopIteration
 return BP if s else repr(BP)""",
    f"G[{int(Entry.MANY)}]=BM",
)
"""StopIteration of a call ends the loop over `map` as its last call does: it is raised again."""
LEAST: Final = 2
"""Bytes of a call in such a line: `1,`."""
_ERRORS: Final = (DeviceError, DeviceMemoryError, ResultTypeError)


class Together:
    """One task of one session, which may be called several times at once.

    Args:
        namespace: the session's.
        source: the task's.
        while_live: begins a procedure, unless the session has come to its end meanwhile.
    """

    def __init__(self, namespace: Namespace, source: Source, while_live: WhileLive) -> None:
        self._namespace = namespace
        self._source = source
        self._while_live = while_live
        self.pace = float("inf")
        """See `device.batch.Task`."""
        self._singly = False
        """Whether its results are containers."""

    def makes(self, namespace: Namespace, source: Source) -> bool:
        """Whether it makes the calls of this very task."""
        return self._namespace is namespace and self._source.hash == source.hash

    def fitting(self, board: Board, calls: Sequence[tuple[Any, ...]]) -> int:
        """Return how many of the calls go out as one line, the task being deployed in this boot."""
        entry = self._namespace.entry_now(board, self._source)
        if self._singly or entry is None:
            return 0
        alike = takewhile(partial(_is_alike, calls[0]), calls)
        count = min(sum(1 for _ in alike), len(calls) if board.paste else board.credit // LEAST)
        while count and one_line(board, Entry.MANY, _by_place(entry, calls[:count])) is None:
            count -= 1
        return count

    def one(self, args: tuple[Any, ...], board: Board) -> Procedure[Any]:
        """Make one call."""
        return self._while_live(partial(self._one, args), board)

    def _one(self, args: tuple[Any, ...], board: Board) -> Procedure[Any]:
        return self._namespace.call(board, self._source, args, {})

    def many(self, board: Board, calls: Sequence[tuple[Any, ...]]) -> Procedure[list[object]]:
        """Make the calls; see `device.batch.Task`."""
        return self._while_live(partial(self._many, calls), board)

    def _many(self, calls: Sequence[tuple[Any, ...]], board: Board) -> Procedure[list[object]]:
        entry = self._namespace.entry_now(board, self._source)
        assert entry is not None, "they were gathered in this turn"
        yield from self._prepare(board)
        answer = yield from numbered(board, Entry.MANY, *_by_place(entry, calls))
        if answer[0].kind is FrameKind.VALUE:
            values = decode(answer[0].text)
            if isinstance(values, str):  # integers alone: written at once, without a walk
                values = decode(values)
            assert isinstance(values, list)
            self._singly = len(values) < len(calls)
            return values
        results = yield from self._kept(board)
        if len(results) < len(calls) and answer[0].kind is not FrameKind.NO_LITERAL:
            try:
                results.append((yield from value_of(board, answer, self._namespace.tracer)))
            except _ERRORS as error:
                results.append(error)
        return results

    def _prepare(self, board: Board) -> Procedure[None]:
        """Send what makes calls together, once a boot."""
        if board.facts.get("calls together") != board.boot:
            yield from complete(board)
            for statement in _MADE_TOGETHER:
                answer = yield from executed(board, statement)
                yield from value_of(board, answer, self._namespace.tracer)
            board.facts["calls together"] = board.boot

    def _kept(self, board: Board) -> Procedure[list[object]]:
        """Fetch what a batch that broke off has done, one by one."""
        answer = yield from evaluated(board, "len(BP)")
        done = yield from value_of(board, answer, self._namespace.tracer)
        assert isinstance(done, int)
        results: list[object] = []
        for index in range(done):
            answer = yield from evaluated(board, f"BP[{index}]")
            try:
                results.append((yield from value_of(board, answer, self._namespace.tracer)))
            except _ERRORS as error:
                results.append(error)
        return results


def _is_alike(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return len(one) == len(other)


def _by_place(entry: int, calls: Sequence[tuple[Any, ...]]) -> tuple[object, ...]:
    """Return what `BM` is called with: all first arguments, then all second ones."""
    return (entry, len(calls), *zip(*calls, strict=True))
