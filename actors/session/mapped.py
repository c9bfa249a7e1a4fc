"""Calls of one task with many arguments, in blocks: one is on its way while another is waited for.

A block is handed over at once, so that its calls go out together (`together.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from itertools import islice
from typing import Any, Final

from klemheist.actors.device.batch import MOST
from klemheist.actors.runtime.future import Future

BLOCK: Final = MOST
"""Calls that are handed over in one go: as many as one line takes at most."""

Row = tuple[Any, ...]
"""The arguments of one call."""


def mapped(
    start: Callable[[list[Row]], list[Future[Any]]], rows: Iterable[Row]
) -> Generator[Future[Any]]:
    """Yield the futures of all calls in order, to be waited for one by one.

    Closed early, for one has failed or nobody waits any longer, it cancels the others.

    Args:
        start: hands a block of calls over.
        rows: taken as they are needed: no more than two blocks are under way.
    """
    left, waiting = iter(rows), deque[Future[Any]]()
    try:
        while True:
            if len(waiting) <= BLOCK and (block := list(islice(left, BLOCK))):
                waiting.extend(start(block))
            elif waiting:
                yield waiting[0]
                waiting.popleft()
            else:
                return
    finally:
        for future in waiting:
            future.cancel("its results are not wanted any more")
