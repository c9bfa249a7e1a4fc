"""What a session costs: `python -m tests.bench.sessions`.

Bytes of the host's memory for one idle session, one tracked resource and one cached method, and
the CPU that opening and closing one takes: on `sim:` boards, and on links in memory that answer at
once.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from statistics import median
from time import process_time
from typing import TYPE_CHECKING, Any

from klemheist import Resource, SessionManager, SessionOptions
from tests.bench.limits import Line, data, main, table
from tests.bench.memory_link import MemoryLink, memory_links

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from klemheist import Session

SESSION_GOAL = 4096
RESOURCE_GOAL = 250
METHOD_GOAL = 500
"""Bytes of each, the strings of the caller excluded."""
CPU_GOAL = 1.0
"""Milliseconds of CPU to open and close one."""
BOARDS, ON_BOARDS = 10, 1_000
LINKS, ON_LINKS = 100, 10_000
THINGS = 5_000
"""Resources, and methods, of which the cost of one is computed."""
IN_A_ROUND = 50
NOT_OURS = ("<stdin>", "<string>", "*/tests/transports/repl/model.py", "*/tests/bench/*")


def traced(make: Callable[[], object]) -> int:
    """Return the bytes that what `make` makes keeps, without those of the fake boards."""
    filters = [tracemalloc.Filter(inclusive=False, filename_pattern=name) for name in NOT_OURS]
    gc.collect()
    tracemalloc.start()
    try:
        kept = make()
        gc.collect()
        snapshot = tracemalloc.take_snapshot().filter_traces(filters)
        del kept
        return sum(trace.size for trace in snapshot.traces)
    finally:
        tracemalloc.stop()


def things(manager: SessionManager, url: str, count: int) -> tuple[float, float]:
    """Return the bytes of a tracked resource, and of a cached method."""
    session = manager.create_session(url)
    keys = [f"thing {number}" for number in range(count)]
    tracker = session.resources

    def register() -> None:
        for key in keys:
            tracker.register_resource(Resource("thing", resource_id=key))

    def deploy() -> None:
        for key in keys:
            tracker.register_deployed_method(key, key)

    found = traced(register) / count, traced(deploy) / count
    session.close()
    return found


def idle(manager: SessionManager, urls: list[str], count: int) -> float:
    """Return the bytes of one of `count` idle sessions, spread over the devices.

    Each device has had a session before: what is made once, for all of them, is nobody's.
    """
    for url in urls:
        manager.create_session(url).close()
    sessions: list[Session] = []

    def create() -> list[Session]:
        sessions.extend(manager.create_session(urls[n % len(urls)]) for n in range(count))
        return sessions

    size = traced(create) / count
    for session in sessions:
        session.close()
    return size


def cpu(manager: SessionManager, url: str, rounds: int) -> float:
    """Return the milliseconds of CPU, of all threads of ours, to open and close a session."""
    gc.collect()
    return median(_cpu(manager, url) for _ in range(rounds + 1))


def _cpu(manager: SessionManager, url: str) -> float:
    began, spent = process_time(), MemoryLink.spent
    for _ in range(IN_A_ROUND):
        manager.create_session(url).close()
    return (process_time() - began - (MemoryLink.spent - spent)) / IN_A_ROUND * 1e3


def lines(scale: float = 1.0) -> Iterator[Line]:
    """Measure everything; `scale` makes it smaller and quicker."""
    options = SessionOptions(max_concurrent_sessions=ON_LINKS + LINKS)
    boards, on_boards = max(1, int(BOARDS * scale)), max(200, int(ON_BOARDS * scale))
    with SessionManager(options) as manager:
        urls = [f"sim:bench{number}" for number in range(boards)]
        for url in urls:
            manager.device(url)
        what = f"{on_boards:,} idle sessions on {boards} `sim:`, each"
        yield Line(what, idle(manager, urls, on_boards), "bytes", SESSION_GOAL)
        yield Line(
            "open and close a session on `sim:`", cpu(manager, urls[0], 5), "ms of CPU", CPU_GOAL
        )
    links, on_links = max(1, int(LINKS * scale)), max(100, int(ON_LINKS * scale))
    with memory_links() as made, SessionManager(options) as manager:
        urls = [f"tcp://memory:{number + 1}" for number in range(links)]
        for url in urls:
            manager.device(url)
        for link in made:
            link.recorded = True
        what = f"{on_links:,} idle sessions on {links} links in memory, each"
        yield Line(what, idle(manager, urls, on_links), "bytes", SESSION_GOAL)
        count = max(200, int(THINGS * scale))
        resource, method = things(manager, urls[0], count)
        yield Line("a tracked resource", resource, "bytes", RESOURCE_GOAL)
        yield Line("a cached method", method, "bytes", METHOD_GOAL)
        took = cpu(manager, urls[0], max(3, int(40 * scale)))
        yield Line("open and close a session on such a link", took, "ms of CPU", CPU_GOAL)
        for link in made:
            link.recorded = False


HOW = """\
Bytes are what Python's own count (`tracemalloc`) finds more when they are there: a session with its
actors, its node in the tree and the user's handle; a resource and a method without the caller's
strings. The links in memory answer each call at once, from a record; what the answers take, and
keep, is not counted. CPU is that of all threads of the process.
"""


def render(found: list[Line]) -> list[str]:
    """Return the page's section."""
    return [
        "## Sessions, in bytes and CPU",
        "",
        *table(found),
        "",
        HOW,
    ]


def as_data(found: list[Line]) -> dict[str, Any]:
    """Return all figures, for `--json`."""
    return {"sessions": data(found)}


if __name__ == "__main__":
    sys.exit(main(__doc__, lines))
