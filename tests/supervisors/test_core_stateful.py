"""The supervisor's mind against a simple model, through histories that hypothesis makes up.

The model is a list of who should be there, with OTP's tables written down once more; it knows
nothing of plans, steps or lanes. One machine drives it, the core alone and a tree of real actors:
each history runs on all three, step by step, and after each step they agree.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from klemheist.actors.runtime import Actor, Exit, ExitReason, rest
from klemheist.supervisors import DynamicSupervisor, Supervisor, SupervisorSpec
from klemheist.supervisors.core import effects as do
from klemheist.supervisors.core import inputs as got
from klemheist.supervisors.core.child import child
from klemheist.supervisors.core.core import Core
from klemheist.supervisors.core.errors import SupervisorError
from klemheist.testing import ManualClock, await_idle

PERIOD = 5.0
REASONS = {
    "normal": ExitReason.NORMAL,
    "shutdown": ExitReason.shutdown("x"),
    "crash": ExitReason.error(RuntimeError("x")),
}


class Failures:
    """How many of the next starts of each child fail."""

    def __init__(self):
        self.left = {}

    def next_start(self, key):
        """Whether this start is to fail."""
        left = self.left.get(key, 0)
        self.left[key] = max(left - 1, 0)
        return left > 0


# -- the model


@dataclass
class Known:
    """A child as the model sees it; `life` changes with each incarnation."""

    restart: str
    significant: bool
    life: int | None = None


class Model:
    """What OTP says (supervision.md 2.2 to 2.6)."""

    def __init__(self, strategy, limit, auto, dynamic):
        self.strategy, self.limit, self.auto, self.dynamic = strategy, limit, auto, dynamic
        self.children: dict[str, Known] = {}
        self.moments, self.lives = [], itertools.count(1)
        self.ended = False
        self.failures = Failures()

    def live(self, known):
        known.life = next(self.lives)

    def add(self, key, restart, significant):
        known = self.children.get(key)
        if known is not None:
            return "already_present" if known.life is None else "already_started"
        if self.failures.next_start(key):
            return "failed_to_start_child"
        self.children[key] = Known(restart, significant)
        self.live(self.children[key])
        return None

    def down(self, key):
        known = self.children[key]
        known.life = None
        if self.dynamic or known.restart == "temporary":
            del self.children[key]

    def exited(self, key, reason, now):
        known = self.children[key]
        again = known.restart == "permanent" or (known.restart == "transient" and reason == "crash")
        if not again:
            self.down(key)
            if known.significant and self._is_enough():
                self.end()
            return
        known.life = None
        self._restart(key, now)

    def _restart(self, key, now):
        self.moments = [m for m in self.moments if m >= now - PERIOD] + [now]
        if len(self.moments) > self.limit:
            self.end()
            return
        keys = list(self.children)
        group = {"one_for_one": [key], "one_for_all": keys, "rest_for_one": keys[keys.index(key) :]}
        group = [key] if self.dynamic else group[self.strategy]
        for other in group:
            self.children[other].life = None
            if other != key and self.children[other].restart == "temporary":
                del self.children[other]
        for other in group:
            if other in self.children and self.failures.next_start(other):
                self._restart(other, now)  # from the one that failed
                return
            if other in self.children:
                self.live(self.children[other])

    def _is_enough(self):
        left = any(known.significant and known.life for known in self.children.values())
        return self.auto == "any_significant" or (self.auto == "all_significant" and not left)

    def end(self):
        self.ended = True
        self.children.clear()

    def restart(self, key):
        if key not in self.children:
            return "not_found"
        if self.children[key].life is not None:
            return "running"
        if self.failures.next_start(key):
            return "failed_to_start_child"
        self.live(self.children[key])
        return None

    def terminate(self, key):
        if key not in self.children:
            return "not_found"
        self.down(key)
        return None

    def delete(self, key):
        if key not in self.children:
            return "not_found"
        if self.children[key].life is not None:
            return "running"
        del self.children[key]
        return None


# -- what is tested: the core alone, and a real tree


class Answer:
    """A reply that the driver below gives."""

    code = "none came"


class PureTree:
    """The core with a driver that obeys at once: a ref is a number."""

    def __init__(self, spec, dynamic):
        self.core = Core(spec, dynamic=dynamic)
        self.failures = Failures()
        self.numbers, self.now, self.down = itertools.count(1), 0.0, False
        self.feed(got.Begin())

    def feed(self, *events):
        events = list(events)
        while events:
            for effect in self.core.step(events.pop(0), self.now):
                events += self._follow(effect)

    def _follow(self, effect):
        match effect:
            case do.Start(spec):
                ref = next(self.numbers)
                if self.failures.next_start(spec.id):
                    return [got.Spawned(spec.id, ref), got.StartFailed(spec.id, ref, OSError())]
                return [got.Spawned(spec.id, ref), got.Started(spec.id, ref)]
            case do.Stop(key, ref) | do.Kill(key, ref):
                return [got.Exited(key, ref, ExitReason.SHUTDOWN)]
            case do.Arm(_, 0, event):
                return [event]
            case do.GiveUp(reason):
                return [got.Shutdown(reason)]
            case do.Reply(to):
                to.code = None
            case do.Refuse(to, error):
                to.code = error.code
            case do.Down():
                self.down = True
        return []

    def ask(self, kind, what):
        answer = Answer()
        self.feed(kind(what, answer))
        return answer.code

    def add(self, spec):
        return self.ask(got.StartChild, spec)

    def restart(self, key):
        return self.ask(got.RestartChild, key)

    def terminate(self, key):
        return self.ask(got.TerminateChild, key)

    def delete(self, key):
        return self.ask(got.DeleteChild, key)

    def exited(self, key, reason):
        self.feed(got.Exited(key, self.core.children[key].ref, REASONS[reason]))

    def advance(self, seconds):
        self.now += seconds

    def ended(self):
        return self.down

    def refs(self):
        return {key: entry.ref for key, entry in self.core.children.items()}

    def close(self):
        self.feed(got.Shutdown(ExitReason.SHUTDOWN))
        assert self.down
        assert not any(entry.alive for entry in self.core.children.values())


class Ends(Actor):
    """Starts unless it is to fail; ends with the reason that it is told."""

    def __init__(self, key, failures):
        super().__init__()
        self.key, self.failures = key, failures

    def on_start(self):
        if self.failures.next_start(self.key):
            raise OSError("it is not to start now")

    def on_receive(self, reason):
        if reason.exception is not None:
            raise reason.exception
        raise Exit(reason)


class RealTree:
    """A tree of real actors, through the public interface."""

    def __init__(self, spec, dynamic):
        self.clock = ManualClock()
        self.failures = Failures()
        flags = {name: getattr(spec, name) for name in ("max_restarts", "period", "auto_shutdown")}
        if dynamic:
            self.ref = DynamicSupervisor.start(**flags, clock=self.clock)
        else:
            self.ref = Supervisor.start(strategy=spec.strategy, **flags, clock=self.clock)

    def _code(self, call, what):
        try:
            call(what, timeout=10)
        except SupervisorError as error:
            return error.code
        return None

    def add(self, spec):
        return self._code(self.ref.start_child, spec)

    def restart(self, key):
        return self._code(self.ref.restart_child, key)

    def terminate(self, key):
        return self._code(self.ref.terminate_child, key)

    def delete(self, key):
        return self._code(self.ref.delete_child, key)

    def exited(self, key, reason):
        ref = self.ref.child(key).ref
        ref.tell(REASONS[reason])
        ref.ended.get(timeout=10)
        await_idle(self.ref)

    def advance(self, seconds):
        self.clock.advance(seconds)

    def ended(self):
        await_idle(self.ref)
        return self.ref.reason is not None

    def refs(self):
        return {info.id: info.ref for info in self.ref.children()}

    def close(self):
        self.ref.shutdown(timeout=10)
        rest()


# -- the histories

keys = st.sampled_from("abcd")


class Histories(RuleBasedStateMachine):
    @initialize(
        strategy=st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
        limit=st.integers(0, 3),
        auto=st.sampled_from(["never", "any_significant", "all_significant"]),
        dynamic=st.booleans(),
    )
    def begin(self, strategy, limit, auto, dynamic):
        strategy = "one_for_one" if dynamic else strategy
        self.auto, self.now = auto, 0.0
        self.model = Model(strategy, limit, auto, dynamic)
        spec = SupervisorSpec(
            strategy=strategy, max_restarts=limit, period=PERIOD, auto_shutdown=auto
        )
        self.trees = [PureTree(spec, dynamic), RealTree(spec, dynamic)]
        self.seen = [{}, {}]

    def teardown(self):
        for tree in getattr(self, "trees", ()):
            tree.close()

    def both(self, what, *args):
        """Do the same to both; what the two answered."""
        return [getattr(tree, what)(*args) for tree in self.trees]

    def is_up(self):
        return hasattr(self, "model") and not self.model.ended

    @precondition(is_up)
    @rule(
        key=keys,
        restart=st.sampled_from(["permanent", "transient", "temporary"]),
        significant=st.booleans(),
    )
    def start_child(self, key, restart, significant):
        significant = significant and self.auto != "never" and restart != "permanent"
        expected = self.model.add(key, restart, significant)
        for tree in self.trees:
            args = (key, tree.failures)
            spec = child(Ends, *args, id=key, restart=restart, significant=significant)
            assert tree.add(spec) == expected

    @precondition(is_up)
    @rule(key=keys, what=st.sampled_from(["restart", "terminate", "delete"]))
    def ask(self, key, what):
        assert self.both(what, key) == [getattr(self.model, what)(key)] * 2

    @precondition(is_up)
    @rule(data=st.data(), reason=st.sampled_from(sorted(REASONS)))
    def a_child_ends(self, data, reason):
        alive = [key for key, known in self.model.children.items() if known.life]
        if alive:
            key = data.draw(st.sampled_from(alive))
            self.model.exited(key, reason, self.now)
            self.both("exited", key, reason)

    @precondition(is_up)
    @rule(key=keys, times=st.integers(1, 2))
    def the_next_starts_fail(self, key, times):
        for each in (self.model, *self.trees):
            each.failures.left[key] = times

    @rule(seconds=st.floats(0.1, 10))
    def time_passes(self, seconds):
        if self.is_up():
            self.now += seconds
            self.both("advance", seconds)

    @invariant()
    def all_agree(self):
        if not hasattr(self, "model"):
            return
        assert self.both("ended") == [self.model.ended] * 2
        if self.model.ended:
            return
        for refs, seen in zip(self.both("refs"), self.seen, strict=True):
            self.agrees(refs, seen)

    def agrees(self, refs, seen):
        """A tree has the children that the model has, and the same incarnations of them."""
        assert list(refs) == list(self.model.children)
        for key, known in self.model.children.items():
            assert (refs[key] is None) == (known.life is None)
            if known.life is not None:  # one life has one ref, and no two share one
                assert seen.setdefault(known.life, refs[key]) is refs[key]
        alive = [ref for ref in refs.values() if ref is not None]
        assert len(set(map(id, alive))) == len(alive)


QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=120, stateful_step_count=30, deadline=None, suppress_health_check=QUIET
)
