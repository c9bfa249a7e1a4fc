"""Fails when Pykka changes what `bridge.py` stands on (DESIGN 8.24): then read its diff."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap

import pykka
import pytest
from pykka import messages
from pykka._envelope import Envelope

USED = {
    "Actor.__init__": pykka.Actor.__init__,
    "Actor._actor_loop": pykka.Actor._actor_loop,
    "Actor._actor_loop_running": pykka.Actor._actor_loop_running,
    "Actor._actor_loop_setup": pykka.Actor._actor_loop_setup,
    "Actor._actor_loop_teardown": pykka.Actor._actor_loop_teardown,
    "Actor._handle_receive": pykka.Actor._handle_receive,
    "Actor._stop": pykka.Actor._stop,
    "Actor.start": pykka.Actor.start,
    "ActorRef.__init__": pykka.ActorRef.__init__,
    "ActorRef.proxy": pykka.ActorRef.proxy,
    "ActorRegistry.get_all": pykka.ActorRegistry.get_all,
    "ActorRegistry.register": pykka.ActorRegistry.register,
    "ActorRegistry.unregister": pykka.ActorRegistry.unregister,
    "Envelope.__init__": Envelope.__init__,
    "Future.__init__": pykka.Future.__init__,
    "Future.get": pykka.Future.get,
    "Future.join": pykka.Future.join,
    "ThreadingActor._start_actor_loop": pykka.ThreadingActor._start_actor_loop,
    "_ActorStop": messages._ActorStop,
}
KNOWN = {
    "Actor.__init__": "30dc8d513ce7a717",
    "Actor._actor_loop": "04bc3128e64daebe",
    "Actor._actor_loop_running": "e6988bfb650b6451",
    "Actor._actor_loop_setup": "ec89c48adb540275",
    "Actor._actor_loop_teardown": "82434e883f013cd4",
    "Actor._handle_receive": "967a6d15283137ad",
    "Actor._stop": "6a24fe656e008dc7",
    "Actor.start": "66af7378f2846f8d",
    "ActorRef.__init__": "6a92ead5964885c8",
    "ActorRef.proxy": "26cdb8a0de0813a1",
    "ActorRegistry.get_all": "bda3ad27acdcf3a0",
    "ActorRegistry.register": "970db44be6a7f1fe",
    "ActorRegistry.unregister": "fb47f150b660afdc",
    "Envelope.__init__": "b16483def4beef00",
    "Future.__init__": "3227bbd1e023310d",
    "Future.get": "8bf6e86a5a0fc2f9",
    "Future.join": "a14a784fd75378fc",
    "ThreadingActor._start_actor_loop": "60ee6edc53a4760a",
    "_ActorStop": "c5b523f90f77bfdd",
}


def fingerprint(thing):
    tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            del node.body[0]
            node.body = node.body or [ast.Pass()]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16]


def test_pykka_is_the_minor_version_that_we_know():
    from importlib.metadata import version

    assert version("pykka").startswith("4.5.")


@pytest.mark.parametrize("name", USED)
def test_what_we_use_of_pykka_has_not_changed(name):
    assert fingerprint(USED[name]) == KNOWN[name]
