"""A public base class leaves its users the names that they would choose."""

from __future__ import annotations

import pykka
import pytest

from klemheist.actors.runtime import Actor


def private_names():
    names = set(vars(Actor)) | set(vars(Actor.start().actor()))
    return {name for name in names if name.startswith("_") and name[1] != "_"}


@pytest.fixture(autouse=True)
def stopped():
    yield
    pykka.ActorRegistry.stop_all()


def test_an_actor_s_own_private_names_begin_with_actor_or_are_pykka_s():
    pykka_s = {name for name in dir(pykka.Actor) if name.startswith("_")}
    ours = private_names() - pykka_s

    assert {name for name in ours if not name.startswith("_actor")} == set()
