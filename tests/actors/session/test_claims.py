"""The same pin, timer or file is not used by two sessions of one device (SES-017)."""

from __future__ import annotations

import pytest

from klemheist import (
    AlreadyHeld,
    ArgumentError,
    Resource,
    ResourceCleanupError,
    ResourceConflict,
    SessionManager,
    SessionOptions,
)
from tests.ends import crash


@pytest.mark.req("SES-017")
def test_a_pin_that_another_session_holds_is_refused_by_the_holder_s_name(manager, s):
    claim = s.resources.claim("pin", 25)
    with manager.session("sim:") as other:
        with pytest.raises(ResourceConflict) as refused:
            other.resources.claim("Pin", "25")
        assert refused.value.session_id == s.session_id
        assert refused.value.resource_id == claim.resource_id
        assert s.session_id in str(refused.value)
        assert other.resources.get_active_resources() == ()
        other.resources.claim("pin", 26)
        other.resources.claim("timer", 25)


@pytest.mark.req("SES-017")
def test_the_manager_sees_claims_and_conflicts(manager, s):
    events = manager.events()
    s.resources.claim("timer", 0)
    with manager.session("sim:") as other, pytest.raises(ResourceConflict):
        other.resources.claim("timer", 0)
    (claim,) = manager.claims()
    assert (claim.device, claim.kind, claim.name) == ("sim:", "timer", "0")
    assert claim.session_id == s.session_id
    events.close()
    conflicts = [each for each in events if getattr(each, "kind", "") == "conflict"]
    assert [s.session_id in each.text for each in conflicts] == [True]


@pytest.mark.req("SES-017")
@pytest.mark.parametrize("path", ["log.txt", "/log.txt", "/lib/../log.txt", "//log.txt"])
def test_a_file_is_the_same_however_its_path_is_written(manager, s, path):
    s.resources.claim("file", "/log.txt")
    with manager.session("sim:") as other, pytest.raises(ResourceConflict):
        other.resources.claim("file", path)


@pytest.mark.req("SES-017")
def test_a_second_claim_of_the_same_session_is_the_first_one(s):
    s.resources.claim("pin", 1)
    s.resources.claim("pin", 1)
    assert len(s.resources.get_active_resources()) == 1


@pytest.mark.req("SES-017")
def test_what_is_registered_anew_in_its_own_cleanup_has_only_its_new_claims(manager, s):
    def renew(cancel):
        claims = [("pin", 2), ("pin", 3)]
        s.resources.register_resource(Resource("bus", resource_id="mine", claims=claims))

    first = Resource("bus", renew, resource_id="mine", claims=[("pin", 1), ("pin", 2)])
    s.resources.register_resource(first)
    s.resources.cleanup_resources()
    assert [claim.name for claim in manager.claims()] == ["2", "3"]


@pytest.mark.req("SES-017")
def test_a_resource_claims_all_it_needs_or_nothing(manager, s):
    s.resources.register_resource(Resource("bus", resource_id="mine", claims=[("pin", 4)]))
    with manager.session("sim:") as other:
        with pytest.raises(ResourceConflict, match="mine"):
            other.resources.register_resource(Resource("bus", claims=[("pin", 3), ("pin", 4)]))
        other.resources.claim("pin", 3)


@pytest.mark.req("SES-017")
def test_a_claim_is_given_back_with_its_resource(manager, s):
    s.resources.claim("pin", 25)
    assert s.resources.unregister_resource("pin 25")
    assert not s.resources.unregister_resource("pin 25")
    with manager.session("sim:") as other:
        other.resources.claim("pin", 25)
        other.resources.cleanup_resources()
        s.resources.claim("pin", 25)


@pytest.mark.req("SES-017")
def test_a_second_resource_of_an_id_changes_no_claim(manager, s):
    s.resources.register_resource(Resource("x", resource_id="x", claims=[("pin", 1), ("pin", 2)]))
    with pytest.raises(AlreadyHeld):
        s.resources.register_resource(Resource("x", resource_id="x", claims=[("pin", 3)]))
    assert [claim.name for claim in manager.claims()] == ["1", "2"]


@pytest.mark.req("SES-017")
def test_a_claim_is_no_other_resource_that_has_its_id(s):
    assert s.resources.claim("pin", 1) is s.resources.claim("pin", "1")
    s.resources.register_resource(Resource("led", resource_id="pin 2"))
    with pytest.raises(AlreadyHeld, match="pin 2"):
        s.resources.claim("pin", 2)


def _closed(manager, session):
    session.close()


def _ended_by_the_manager(manager, session):
    manager.end_session(session.session_id)


def _failing(manager, session):
    def fails(cancel):
        raise OSError("no")

    session.resources.register_resource(Resource("x", fails, claims=[("pin", 25)]))
    with pytest.raises(ResourceCleanupError):
        session.close()


def _node_crashed_for_good(manager, session):
    for _ in range(4):
        crash(session._core.spawn.actor_ref.handle("session").wait_ready(5.0))
    assert session.logical.done.wait(10.0)


def _disposed(manager, session):
    manager.dispose()


@pytest.mark.req("SES-017")
@pytest.mark.parametrize(
    "end", [_closed, _ended_by_the_manager, _failing, _node_crashed_for_good, _disposed]
)
def test_claims_go_with_their_session_however_it_ends(end):
    with SessionManager() as manager:
        session = manager.create_session("sim:")
        if end is not _failing:
            session.resources.claim("pin", 25)
        end(manager, session)
        assert manager.claims() == ()


@pytest.mark.req("SES-087")
def test_without_tracking_there_are_no_claims():
    with (
        SessionManager(SessionOptions(enable_resource_tracking=False)) as manager,
        manager.session("sim:") as one,
        manager.session("sim:") as two,
    ):
        one.resources.claim("pin", 25)
        two.resources.claim("pin", 25)
        assert manager.claims() == ()


@pytest.mark.parametrize("claim", [("", 1), (None, 1), ("pin", ""), ("pin", None), ("pin", 1.5)])
def test_a_claim_that_names_nothing_is_refused(s, claim):
    with pytest.raises(ArgumentError, match="claim"):
        s.resources.claim(*claim)
    assert s.resources.get_active_resources() == ()
