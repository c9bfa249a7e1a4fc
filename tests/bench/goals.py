"""The goals of the benchmark, as arithmetic on what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from tests.bench import layers

if TYPE_CHECKING:
    from tests.bench.ours import Results

MS = 1e3
US = 1e6
TIMES = "times"
_OVER_BELAY = {"sim:": 1 / 50, "microbit:": 1 / 20}


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal on one board: at most `limit`."""

    board: str
    text: str
    limit: float
    unit: str
    found: float | None
    """None where it could not be measured."""

    @property
    def is_met(self) -> bool:
        """Whether it was measured and is good enough."""
        return self.found is not None and self.found <= self.limit


def goals(boards: dict[str, Results]) -> list[Goal]:
    """Return all goals with what was found; medians, and ratios of medians of one run."""
    found = []
    for board, results in boards.items():
        found += _call_goals(board, results)
        found += _session_goals(board, results)
        if board == "sim:":
            found += _sim_goals(board, results)
    return found


def _call_goals(board: str, results: Results) -> list[Goal]:
    call = _median(results, "klemheist: call")
    bare = _median(results, "bare link: call")
    belay = _median(results, "Belay: call")
    line = _median(results, layers.LINE)
    return [
        Goal(board, "a task call, over the bare link's", 2.0, TIMES, _ratio(call, bare)),
        Goal(board, "the same, as the fast path is to have it", 0.75, TIMES, _ratio(call, bare)),
        Goal(board, "a task call, over Belay's", _OVER_BELAY[board], TIMES, _ratio(call, belay)),
        Goal(board, "our layers add to a call", 100.0, "µs", _in_us(_minus(call, line))),
        Goal(board, "our layers add to an awaited call", 100.0, "µs", _in_us(_awaited(results))),
    ]


def _sim_goals(board: str, results: Results) -> list[Goal]:
    """50 and 25 times as fast as both rivals; half of what the bare link carries."""
    single = _median(results, "klemheist: 100 single")
    found = [
        Goal(board, f"100 calls {how}, over 100 single ones", 0.4, TIMES, _ratio(many, single))
        for how, many in (
            ("by `map`", _median(results, "klemheist: 100 mapped")),
            ("submitted at once", _median(results, "klemheist: 100 together")),
        )
    ]
    for what, limit in (("new", 0.02), ("new, text", 0.02), ("unchanged", 0.04)):
        ours = _median(results, f"klemheist: sync, {what}")
        for rival in ("Belay", "mpremote"):
            theirs = _median(results, f"{rival}: sync, {what}")
            text = f"a sync of 50 files ({what}), over {rival}'s"
            found.append(Goal(board, text, limit, TIMES, _ratio(ours, theirs)))
    for way, direction in (("up", "to"), ("down", "from")):
        ours, bare = (_median(results, f"{who}: 1 MB {way}") for who in ("klemheist", "bare link"))
        text = f"a file of 1 MB {direction} the device, over what the bare link carries"
        found.append(Goal(board, text, 2.0, TIMES, _ratio(ours, bare)))
    return found


def _session_goals(board: str, results: Results) -> list[Goal]:
    cold = _median(results, "klemheist: cold session")
    reuse = _minus(
        _median(results, "klemheist: execute, reused"), _median(results, "klemheist: execute")
    )
    success = _median(results, "klemheist: recovery")
    backoff = _median(results, "klemheist: backoff")
    start = _median(results, "bare link: board start")
    warm = beyond_round_trips(results, "warm")
    goals = [
        Goal(board, "a warm session, beyond its round trips", 2.0, "ms", _in_ms(warm)),
        Goal(board, "reuse of a session adds", 0.2, "ms", _in_ms(reuse)),
        Goal(
            board,
            "first success after a kill, less the backoff, over the board's own start",
            1.5,
            TIMES,
            _ratio(_minus(success, backoff), start),
        ),
        Goal(
            board,
            "first success after a kill, over the board's own start and the backoff together",
            1.5,
            TIMES,
            _ratio(success, _plus(start, backoff)),
        ),
    ]
    if board == "sim:":
        session = _median(results, "klemheist: warm session")
        goals += [
            Goal(board, "a cold session on an open link, probe included", 10.0, "ms", _in_ms(cold)),
            Goal(board, "a warm session, round trips and all", 1.0, "ms", _in_ms(session)),
            Goal(board, "reuse adds, beyond the call's round trip", 50.0, "µs", _in_us(reuse)),
        ]
    return goals


def beyond_round_trips(results: Results, kind: str) -> float | None:
    """Return what a cold or warm session takes beyond as many trivial execs of the bare link.

    Its own lines are longer than a trivial exec, so this overstates what is ours.
    """
    trips = results.counted.get(f"{kind} round trips")
    trip = _median(results, "bare link: trivial exec")
    if trips is None or trip is None:
        return None
    return _minus(_median(results, f"klemheist: {kind} session"), trips * trip)


def _median(results: Results, name: str) -> float | None:
    sample = results.samples.get(name)
    return None if sample is None else sample.median


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one / other


def _minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _plus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _awaited(results: Results) -> float | None:
    """Return what a call takes longer than the line before it: the median of all such pairs."""
    ours, line = (results.samples.get(name) for name in (layers.AWAITED, layers.AWAITED_LINE))
    if ours is None or line is None:
        return None
    return median(a - b for a, b in zip(ours.seconds, line.seconds, strict=True))


def _in_us(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * US


def _in_ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * MS
