"""Klemheist itself, each thing beside the bare link on the same channel, call by call in turn."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Any
from unittest import mock

from klemheist import KlemheistError, SessionManager
from klemheist.supervisors.manager.devices import FIRMWARE
from tests.bench import files, layers, workload
from tests.bench.channel import RawBoard, borrowed, start_seconds, tidy
from tests.bench.cores import settle
from tests.bench.timing import IN_A_ROW, LEAD, Sample, in_turn, quiet_gc, timed

if TYPE_CHECKING:
    from collections.abc import Callable

    from klemheist import Session
    from klemheist.actors.device.facts import DeviceEvent
    from klemheist.actors.device.port import Port
    from klemheist.transports.link import Link
    from tests.bench.plan import Counts

TRIVIAL = b"1"
"""The least that can be executed: a round trip of the link and little else."""
AT_ONCE = 100
BEFORE_TIDYING = 10
"""Bare calls: each leaves what it was parsed to, and the parser of a small heap cannot collect."""


@dataclass(slots=True)
class Results:
    """What was measured on one board; a thing that failed stands in `failed` with its error."""

    samples: dict[str, Sample] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    counted: dict[str, float] = field(default_factory=dict)

    def add(self, more: dict[str, Sample]) -> None:
        """Join the samples of a further round."""
        for name, sample in more.items():
            known = self.samples.get(name)
            self.samples[name] = sample if known is None else known + sample

    def trying(self, name: str, measure: Callable[[], dict[str, Sample]]) -> None:
        """Add what `measure` finds, or say why it found nothing."""
        try:
            self.add(measure())
        except (KlemheistError, OSError, RuntimeError) as error:
            self.fail(name, error)

    def fail(self, name: str, error: Exception) -> None:
        """Keep in one line why something was not measured."""
        lines = str(error).strip().splitlines()
        self.failed[name] = f"{type(error).__name__}: {lines[-1] if lines else ''}"[:160]


def measure_calls(url: str, size: int, counts: Counts, results: Results) -> None:
    """Add one round of calls on one board; `size` is the bytes of its file."""
    with SessionManager() as manager:
        with manager.session(url) as session:
            port = manager.device(url)
            results.trying("call", lambda: _calls(session, port, counts.calls))
            results.trying("together", lambda: _together(session, counts.calls // 40))
            results.trying("reuse", lambda: _reuse(manager, session, url, counts.calls // 2))
            results.trying("warm", lambda: _warm(manager, url, port, counts.sessions, results))
        results.trying("awaited", lambda: layers.awaited(url, counts.calls // 2))
        with manager.session(url) as session:  # a session each: 9 KB is not much
            results.trying("1 KB", lambda: _blocks(session, port, counts.calls // 4, results))
        with manager.session(url) as session:
            results.trying("file", lambda: files.measure(session, port, size, counts.files))
        if url == "sim:":  # the other has no room, and no folders
            with manager.session(url) as session:
                results.trying("1 MB", lambda: files.megabyte(session, port, counts.syncs))
                results.trying("sync", lambda: files.sync(session, counts.syncs))


def measure_boots(url: str, counts: Counts, results: Results) -> None:
    """Add one round of new boards: first sessions, and comebacks."""
    results.trying("cold", lambda: _cold(url, counts.boots, results))
    results.trying("recovery", lambda: _recovery(url, counts.boots))


# -- calls ----------------------------------------------------------------------------------------


def _lent(port: Port, source: bytes, expected: bytes) -> Callable[[], float]:
    made = count()

    def act() -> float:
        if next(made) % BEFORE_TIDYING == 0:
            tidy(port)
        with borrowed(port) as bare:
            return bare.timed(source, expected)

    return act


def _calls(session: Session, port: Port, rounds: int) -> dict[str, Sample]:
    task = session.task(workload.f)
    for _ in range(LEAD + IN_A_ROW):  # a small board's agent is whole then, and it has bursts
        task(workload.QUESTION)
    with borrowed(port) as bare:
        bare.exec(workload.SOURCES[0])
    least = in_turn(rounds // 4, {"bare link: trivial exec": _lent(port, TRIVIAL, b"")})
    return least | in_turn(
        rounds,
        {
            "bare link: call": _lent(port, workload.CALL, workload.CALL_ANSWER),
            layers.LINE: layers.agent_call(port),
            "klemheist: call": lambda: timed(lambda: task(workload.QUESTION)),
        },
        run=IN_A_ROW,
        lead=LEAD,
    )


def _together(session: Session, rounds: int) -> dict[str, Sample]:
    """A hundred calls one by one, by `submit` before the first is awaited, and by `map`."""
    task = session.task(workload.f)
    task(workload.QUESTION)

    def single() -> None:
        for number in range(AT_ONCE):
            task(number)

    def together() -> None:
        for future in [task.submit(number) for number in range(AT_ONCE)]:
            future.get()

    acts = {
        "klemheist: 100 single": single,
        "klemheist: 100 together": together,
        "klemheist: 100 mapped": lambda: task.map(range(AT_ONCE)),
    }
    return in_turn(rounds, {name: lambda act=act: timed(act) for name, act in acts.items()})


def _blocks(session: Session, port: Port, rounds: int, results: Results) -> dict[str, Sample]:
    with borrowed(port) as bare:
        bare.exec(workload.SOURCES[1])
    task = session.task(workload.block)
    alone = {"bare link: 1 KB": _lent(port, workload.FETCH, workload.FETCH_ANSWER)}
    try:
        task()
    except KlemheistError as error:
        results.fail("klemheist: 1 KB", error)
        return in_turn(rounds, alone)
    return in_turn(rounds, alone | {"klemheist: 1 KB": lambda: timed(task)})


def _reuse(manager: SessionManager, session: Session, url: str, rounds: int) -> dict[str, Sample]:
    return in_turn(
        rounds,
        {
            "klemheist: execute": lambda: timed(lambda: session.execute("1")),
            "klemheist: execute, reused": lambda: timed(
                lambda: manager.get_or_create_session(url).execute("1")
            ),
        },
        turning=True,
    )


# -- sessions -------------------------------------------------------------------------------------


def _creation(manager: SessionManager, url: str) -> float:
    began = perf_counter()
    session = manager.create_session(url)
    took = perf_counter() - began
    session.close()
    return took


def _round_trips(link: Any, act: Callable[[], object]) -> int:
    """Count the writes that `act` makes: each is a question, and waits for its answer."""
    with mock.patch.object(link, "write", wraps=link.write) as write:
        act()
    return write.call_count


def _warm(
    manager: SessionManager, url: str, port: Port, rounds: int, results: Results
) -> dict[str, Sample]:
    session: list[Session] = []
    trips = _round_trips(port.link, lambda: session.append(manager.create_session(url)))
    results.counted["warm round trips"] = trips
    session[0].close()
    return in_turn(rounds, {"klemheist: warm session": lambda: _creation(manager, url)})


def _cold(url: str, rounds: int, results: Results) -> dict[str, Sample]:
    results.counted["cold round trips"] = _round_trips_of_first_session(url)
    with quiet_gc():
        return {"klemheist: cold session": Sample(tuple(_first(url) for _ in range(rounds)))}


def _first(url: str) -> float:
    """Time the first session of a manager on a board that runs and of which nothing is known."""
    with RawBoard(url) as board:
        board.bare.enter().leave()
        FIRMWARE.clear()
        with board.handed_over(), SessionManager() as manager:
            return _creation(manager, url)


def _round_trips_of_first_session(url: str) -> int:
    with RawBoard(url) as board:
        board.bare.enter().leave()
        FIRMWARE.clear()
        with board.handed_over() as link, SessionManager() as manager:
            held: list[Session] = []  # one that is let go is ended, which takes one more
            return _round_trips(link, lambda: held.append(manager.create_session(url)))


# -- recovery -------------------------------------------------------------------------------------


class _Backoff:
    """Measures how long a device stays down before it is opened again."""

    def __init__(self) -> None:
        self._down = self.seconds = 0.0

    def __call__(self, event: DeviceEvent) -> None:
        if event.kind == "down":
            self._down = perf_counter()
        elif event.kind == "opening":
            self.seconds += perf_counter() - self._down


def _recovery(url: str, rounds: int) -> dict[str, Sample]:
    """Kill the board's process, then call until a call succeeds; starts and kills in turn."""
    starts, recoveries, waits = [], [], []
    with SessionManager() as manager, manager.session(url) as session:
        task, port = session.task(workload.f), manager.device(url)
        for number in range(rounds + 1):
            settle(_pid(port.link))  # the last comeback may still keep its core busy
            start = start_seconds(url)
            task(workload.QUESTION)
            settle(_pid(port.link))
            recovery, wait = _after_kill(task, port)
            if number:  # the first one warms up
                starts.append(start)
                recoveries.append(recovery)
                waits.append(wait)
    return {
        "bare link: board start": Sample(tuple(starts)),
        "klemheist: recovery": Sample(tuple(recoveries)),
        "klemheist: backoff": Sample(tuple(waits)),
    }


def _after_kill(task: Callable[[int], int], port: Port) -> tuple[float, float]:
    backoff = _Backoff()
    unlisten = port.listen(backoff)
    began = perf_counter()
    os.kill(_pid(port.link), signal.SIGKILL)
    while True:
        try:
            task(workload.QUESTION)
        except KlemheistError:
            continue
        took = perf_counter() - began
        unlisten()
        return took, backoff.seconds


def _pid(link: Link | None) -> int:
    pid = getattr(link, "pid", None)
    assert isinstance(pid, int)
    return pid
