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
    "Actor.start": pykka.Actor.start,
    "Actor._handle_receive": pykka.Actor._handle_receive,
    "ActorRef.__init__": pykka.ActorRef.__init__,
    "ActorRef.proxy": pykka.ActorRef.proxy,
    "ActorRegistry.unregister": pykka.ActorRegistry.unregister,
    "Envelope.__init__": Envelope.__init__,
    "Future.__init__": pykka.Future.__init__,
    "Future.get": pykka.Future.get,
    "Future.join": pykka.Future.join,
    "_ActorStop": messages._ActorStop,
}
KNOWN = {
    "Actor.start": "66af7378f2846f8d",
    "Actor._handle_receive": "967a6d15283137ad",
    "ActorRef.__init__": "6a92ead5964885c8",
    "ActorRef.proxy": "26cdb8a0de0813a1",
    "ActorRegistry.unregister": "fb47f150b660afdc",
    "Envelope.__init__": "b16483def4beef00",
    "Future.__init__": "3227bbd1e023310d",
    "Future.get": "8bf6e86a5a0fc2f9",
    "Future.join": "a14a784fd75378fc",
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
