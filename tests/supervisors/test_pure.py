from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klemheist.actors.runtime import Actor, ExitReason
from klemheist.supervisors.core.child import (
    BRUTAL_KILL,
    Backoff,
    ChildSpec,
    Restart,
    check_child_specs,
)
from klemheist.supervisors.core.child import child as child_spec
from klemheist.supervisors.core.errors import InvalidChildSpec, InvalidFlags
from klemheist.supervisors.core.flags import Directive
from klemheist.supervisors.core.intensity import RestartWindow
from klemheist.supervisors.core.policy import must_restart
from klemheist.supervisors.core.strategy import Strategy, affected
from klemheist.supervisors.core.supervisor_spec import SupervisorSpec
from klemheist.supervisors.tree.dynamic import DynamicSupervisor, supervisor
from klemheist.supervisors.tree.supervisor import Supervisor


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [("one_for_one", "b"), ("one_for_all", "abc"), ("rest_for_one", "bc")],
)
def test_whom_a_crash_concerns(strategy, expected):
    assert affected(Strategy(strategy), "abc", "b") == tuple(expected)


@given(st.lists(st.integers(), unique=True, min_size=1), st.data())
def test_strategies_agree_with_their_definition(ids, data):
    failed = data.draw(st.sampled_from(ids))
    rest = affected(Strategy.REST_FOR_ONE, ids, failed)
    assert rest[0] == failed
    assert (*ids[: ids.index(failed)], *rest) == affected(Strategy.ONE_FOR_ALL, ids, failed)


def test_the_window_allows_n_and_gives_up_at_the_next():
    window = RestartWindow(2, 5.0)
    assert [window.add(t) for t in (0, 1, 5)] == [True, True, False]
    assert not RestartWindow(0, 5.0).add(0)


def test_a_restart_on_the_edge_of_the_period_still_counts():
    window = RestartWindow(1, 5.0)
    assert window.add(0)
    assert not window.add(5.0)
    later = RestartWindow(1, 5.0)
    assert later.add(0)
    assert later.add(5.01)


@given(st.integers(0, 5), st.floats(0.1, 10), st.lists(st.floats(0, 5), max_size=40))
def test_the_window_agrees_with_a_model_that_forgets_nothing(limit, period, gaps):
    window, now, moments = RestartWindow(limit, period), 0.0, []
    for gap in gaps:
        now += gap
        moments.append(now)
        recent = sum(moment >= now - period for moment in moments)
        assert window.add(now) == (recent <= limit)
        assert len(window.moments) <= limit + 1


@pytest.mark.parametrize(("count", "period"), [(-1, 5), (1.5, 5), (True, 5), (1, 0), (1, "5")])
def test_impossible_windows_are_refused(count, period):
    with pytest.raises(InvalidFlags):
        RestartWindow(count, period)


def test_backoff_doubles_up_to_its_cap_and_jitter_comes_after_it():
    backoff = Backoff(min=1, max=5, factor=2, jitter=0.5)
    assert [backoff.delay(n, lambda: 0.0) for n in range(4)] == [1, 2, 4, 5]
    assert backoff.delay(9, lambda: 1.0) == 7.5
    assert backoff.delay(10**6, lambda: 0.0) == 5
    assert backoff.steady_after() == 3


@pytest.mark.parametrize(
    "bad",
    [
        *({"min": 2, "max": 1}, {"factor": 0.5}, {"jitter": -1}),
        *({"jitter": "some"}, {"min": None}, {"max": float("nan")}, {"reset_after": "soon"}),
    ],
)
def test_impossible_backoffs_are_refused(bad):
    with pytest.raises(InvalidChildSpec, match="backoff"):
        Backoff(**bad)


@pytest.mark.parametrize(
    ("restart", "expected"),
    [("permanent", [1, 1, 1, 1]), ("transient", [0, 0, 1, 1]), ("temporary", [0, 0, 0, 0])],
)
def test_restart_types_against_exit_reasons(restart, expected):
    reasons = [
        ExitReason.NORMAL,
        ExitReason.shutdown("x"),
        ExitReason.KILLED,
        ExitReason.error(ValueError()),
    ]
    assert [must_restart(Restart(restart), reason) for reason in reasons] == expected


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"id": None}, "missing_id"),
        ({"start": None}, "missing_start"),
        ({"start": "x"}, "invalid_mfa"),
        ({"start": int}, "invalid_mfa"),
        ({"restart": "sometimes"}, "invalid_restart_type"),
        ({"shutdown": -1}, "invalid_shutdown"),
        ({"shutdown": "soon"}, "invalid_shutdown"),
        ({"type": "boss"}, "invalid_child_type"),
        ({"backoff": 3}, "invalid_backoff"),
        ({"start_timeout": "x"}, "invalid_start_timeout"),
        ({"id": []}, "invalid_name"),
        ({"args": 3}, "invalid_mfa"),
        ({"kwargs": 3}, "invalid_mfa"),
        ({"significant": 1}, "invalid_significant"),
        ({"significant": True}, "bad_combination"),
        ({"on_restart_messages": "lose"}, "invalid_on_restart_messages"),
        ({"on_restart_messages": "keep", "start": lambda: None}, "bad_combination"),
        ({"on_error": 3}, "invalid_on_error"),
        ({"on_error": {int: "stop"}}, "invalid_on_error"),
        ({"on_error": {ValueError: "faint"}}, "invalid_on_error"),
        ({"restart": "sometimes", "shutdown": -1}, "invalid_restart_type"),
    ],
)
def test_a_wrong_spec_is_refused_with_otps_code(bad, code):
    with pytest.raises(InvalidChildSpec) as caught:
        ChildSpec(**{"id": "a", "start": Actor, **bad})
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"strategy": "best"}, "invalid_strategy"),
        ({"auto_shutdown": "often"}, "invalid_auto_shutdown"),
        ({"max_children": -1}, "invalid_max_children"),
        ({"extra_arguments": 7}, "invalid_extra_arguments"),
        ({"template": "x"}, "invalid_child_spec"),
        ({"children": 7}, "bad_start_spec"),
        ({"children": ["x"]}, "invalid_child_spec"),
    ],
)
def test_a_wrong_supervisor_spec_is_refused(bad, code):
    with pytest.raises(InvalidChildSpec) as caught:
        SupervisorSpec(**bad)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [Supervisor, DynamicSupervisor])
def test_a_supervisor_takes_only_a_spec_of_its_kind(kind):
    class Mine(kind):
        def init(self, spec):
            return spec

    others = {
        Supervisor: [SupervisorSpec(max_children=1), SupervisorSpec(template=child_spec(Actor))],
        DynamicSupervisor: [
            SupervisorSpec([child_spec(Actor)]),
            SupervisorSpec(strategy="one_for_all"),
        ],
    }
    for spec in others[kind]:
        with pytest.raises(InvalidFlags):
            Mine.start(spec)


def test_the_nearest_class_decides_what_an_error_means():
    spec = child_spec(Actor, on_error={Exception: "stop", LookupError: "resume"})
    assert spec.directive_for(KeyError()) is Directive.RESUME
    assert spec.directive_for(ValueError()) is Directive.STOP
    assert spec.directive_for(SystemExit()) is None
    assert spec.directive_for(None) is None


def test_specs_must_be_specs_and_ids_unique():
    for specs, code in (["x"], "invalid_child_spec"), ([child_spec(Actor)] * 2, None):
        with pytest.raises(InvalidChildSpec) as caught:
            check_child_specs(specs)
        assert caught.value.code == (code or "duplicate_child_name")


def test_defaults_are_otps():
    worker, boss = child_spec(Actor), child_spec(Supervisor)
    assert (worker.id, worker.restart, worker.patience) == ("Actor", Restart.PERMANENT, 5.0)
    assert boss.patience == math.inf
    assert boss.kind == "supervisor"
    assert child_spec(Actor, shutdown=BRUTAL_KILL).patience is BRUTAL_KILL


@pytest.mark.parametrize(
    ("make", "refusal"),
    [
        (lambda: child_spec(object, bogus=1), InvalidChildSpec),
        (lambda: ChildSpec(id="a", start=object, bogus=1), InvalidChildSpec),
        (lambda: supervisor([], id="a", bogus=1), InvalidChildSpec),
        (lambda: Supervisor.start([], bogus=1), InvalidFlags),
        (lambda: DynamicSupervisor.start(bogus=1), InvalidFlags),
    ],
)
def test_an_unknown_key_is_refused_with_otp_s_code_and_what_is_allowed(make, refusal):
    with pytest.raises(refusal, match=r"^bogus=1 is unknown; use .*\w+, \w+") as refused:
        make()
    assert "_spec" not in str(refused.value)
    assert refused.value.value == "bogus"
    assert refused.value.code in ("invalid_child_spec", "bad_flags")
