"""The pure core with a driver that obeys at once, against a model of what OTP says."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from klemheist.actors.runtime import Actor, ExitReason
from klemheist.supervisors.core import effects as do
from klemheist.supervisors.core.child import child
from klemheist.supervisors.core.core import Core
from klemheist.supervisors.core.inputs import Begin, Exited, Retry, Shutdown, Spawned, Started
from klemheist.supervisors.core.strategy import Strategy
from klemheist.supervisors.core.supervisor_spec import SupervisorSpec

CRASH = ExitReason.error(RuntimeError("x"))


class Driver:
    """Carries out effects without actors: a ref is a number."""

    def __init__(self, core):
        self.core, self.now, self.numbers = core, 0.0, itertools.count(1)
        self.down = self.gave_up = None
        self.stopped = []

    def feed(self, event):
        events = [event]
        while events:
            for effect in self.core.step(events.pop(0), self.now):
                match effect:
                    case do.Start(spec):
                        ref = next(self.numbers)
                        events += [Spawned(spec.id, ref), Started(spec.id, ref)]
                    case do.Stop(_, ref) | do.Kill(_, ref):
                        key = next(k for k, e in self.core.children.items() if e.ref == ref)
                        self.stopped.append(key)
                        events.append(Exited(key, ref, ExitReason.SHUTDOWN))
                    case do.Arm(_, 0.0, Retry() as retry):
                        events.append(retry)
                    case do.GiveUp(reason):
                        self.gave_up = reason
                        events.append(Shutdown(reason))
                    case do.Down(reason):
                        self.down = reason

    def refs(self):
        return {key: entry.ref for key, entry in self.core.children.items()}


crashes = st.lists(st.tuples(st.integers(0, 4), st.floats(0, 3)), max_size=20)


@given(st.sampled_from(Strategy), st.integers(1, 5), st.integers(0, 4), crashes)
def test_crashes_renew_exactly_whom_otp_says_until_the_window_is_full(strategy, n, limit, crashes):
    specs = [child(Actor, id=key) for key in range(n)]
    driver = Driver(Core(SupervisorSpec(specs, strategy=strategy, max_restarts=limit)))
    driver.feed(Begin())
    moments = []
    for pick, gap in crashes:
        key = pick % n
        driver.now += gap
        moments.append(driver.now)
        before = driver.refs()
        driver.feed(Exited(key, before[key], CRASH))
        if sum(moment >= driver.now - 5.0 for moment in moments) > limit:
            assert driver.gave_up is driver.down is ExitReason.SHUTDOWN
            assert (
                driver.stopped[-(n - 1) :] == [k for k in reversed(range(n)) if k != key] or n == 1
            )
            assert not any(entry.alive for entry in driver.core.children.values())
            return
        renewed = {k for k, ref in driver.refs().items() if ref != before[k]}
        assert (
            renewed
            == {
                Strategy.ONE_FOR_ONE: {key},
                Strategy.ONE_FOR_ALL: set(range(n)),
                Strategy.REST_FOR_ONE: set(range(key, n)),
            }[strategy]
        )
        assert driver.gave_up is None


@given(st.sampled_from(Strategy), st.permutations(range(4)))
def test_all_children_dying_at_once_leave_all_running_or_the_tree_ended(strategy, order):
    specs = [child(Actor, id=key) for key in range(4)]
    driver = Driver(Core(SupervisorSpec(specs, strategy=strategy)))
    driver.feed(Begin())
    before = driver.refs()
    for key in order:
        driver.feed(Exited(key, before[key], CRASH))
    alive = [entry.alive for entry in driver.core.children.values()]
    if strategy is Strategy.ONE_FOR_ONE:
        assert driver.down is ExitReason.SHUTDOWN
    assert not any(alive) if driver.down else all(alive)


@given(st.integers(0, 5))
def test_a_shutdown_stops_in_reverse_order_and_a_second_one_changes_nothing(n):
    specs = [child(Actor, id=key) for key in range(n)]
    driver = Driver(Core(SupervisorSpec(specs)))
    driver.feed(Begin())
    driver.feed(Shutdown(ExitReason.NORMAL))
    driver.feed(Shutdown(ExitReason.SHUTDOWN))
    assert driver.stopped == list(reversed(range(n)))
    assert driver.down is ExitReason.NORMAL
