"""Calls of one task that wait together are made together: one line, one frame (DESIGN 3.2).

On the device `BM` makes them one after the other and keeps in `BP` what each gave. What breaks off
(an exception, an interruption, a result that no literal can say) ends the batch there; what is in
`BP` is then fetched piece by piece, and nothing runs twice. A container ends it too, for a later
call might change it before it is written; its task is called singly from then on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from klemheist.actors.errors import DeviceError, DeviceMemoryError
from klemheist.actors.sources import Source
from klemheist.transports.repl.agent import Entry
from klemheist.transports.repl.conversation import Board
from klemheist.transports.repl.frames import FrameKind
from klemheist.transports.repl.install import complete
from klemheist.transports.repl.lines import Procedure
from klemheist.transports.repl.procedures import evaluated, executed, numbered, one_line
from klemheist.transports.repl.values import ResultTypeError, decode

from .answers import value_of
from .remote import Namespace

_MADE_TOGETHER: Final = (
    "BP=[]",
    """\
def BM(i,a):
 BP.clear()
 f=G[i];p=BP.append
 for x in a:
  x=f(*x)if type(x)is tuple else f(x)
  p(x)
  if type(x)in K:break
 return repr(BP)if set(map(type,BP))==set((int,))else BP""",
    f"G[{int(Entry.MANY)}]=BM",
)
LEAST: Final = 2
"""Bytes of a call in such a line: `1,`."""
_ERRORS: Final = (DeviceError, DeviceMemoryError, ResultTypeError)


class Together:
    """One task of one session, which may be called several times at once."""

    def __init__(self, namespace: Namespace, source: Source) -> None:
        self._namespace = namespace
        self._source = source
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
        count = len(calls) if board.paste else min(len(calls), board.credit // LEAST)
        while count and one_line(board, Entry.MANY, (entry, _flat(calls[:count]))) is None:
            count -= 1
        return count

    def many(self, board: Board, calls: Sequence[tuple[Any, ...]]) -> Procedure[list[object]]:
        """Make the calls; see `device.batch.Task`."""
        entry = self._namespace.entry_now(board, self._source)
        assert entry is not None, "they were gathered in this turn"
        yield from self._prepare(board)
        answer = yield from numbered(board, Entry.MANY, entry, _flat(calls))
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


def _flat(calls: Sequence[tuple[Any, ...]]) -> tuple[object, ...]:
    """Return the calls as they are sent: an only argument stands for itself, if it is no tuple."""
    return tuple(
        call[0] if len(call) == 1 and type(call[0]) is not tuple else call for call in calls
    )
