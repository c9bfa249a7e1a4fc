"""Threads and asyncio see the same names, signatures and words; they differ in how they wait."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import klemheist
from klemheist.actors.session import functions
from klemheist.supervisors.manager import async_manager, manager

ROOT = Path(__file__).parents[2]

TWINS = [
    (klemheist.Session, klemheist.AsyncSession),
    (klemheist.SessionManager, klemheist.AsyncSessionManager),
    (klemheist.ResourceTracker, klemheist.AsyncResourceTracker),
    (klemheist.StandingProgram, klemheist.AsyncStandingProgram),
    (klemheist.Task, klemheist.AsyncTask),
    (klemheist.GeneratorTask, klemheist.AsyncGeneratorTask),
    (klemheist.RemoteGenerator, klemheist.AsyncRemoteGenerator),
    (klemheist.ThreadHandle, klemheist.AsyncThreadHandle),
    (functions.Thread, functions.AsyncThread),
    (functions.SetupCall, functions.AsyncSetupCall),
    (manager.SessionContext, async_manager.AsyncSessionContext),
]


def names(cls):
    return {name for name in dir(cls) if not name.startswith("_")}


@pytest.mark.parametrize("pair", TWINS, ids=lambda pair: pair[0].__name__)
def test_twins_have_the_same_names(pair):
    assert names(pair[0]) == names(pair[1])


@pytest.mark.parametrize("pair", TWINS, ids=lambda pair: pair[0].__name__)
def test_twins_have_the_same_signatures_and_docstrings(pair):
    for name in [*names(pair[0]), "__init__", "__call__"]:
        one, other = (getattr(cls, name, None) for cls in pair)
        if inspect.isfunction(one):
            assert plain(inspect.signature(one)) == plain(inspect.signature(other)), name
            assert inspect.getdoc(one) == inspect.getdoc(other), name


def plain(signature):
    """A signature without the words that tell asyncio's classes."""
    text = re.sub(r"\bAsync(?=[A-Z])|'", "", str(signature))
    return re.sub(r"Awaitable\[T\]", "T", text)


def test_the_core_hands_nothing_to_threads_of_asyncio():
    for room in ("actors", "supervisors", "transports"):
        for path in (ROOT / room).rglob("*.py"):
            used = {
                getattr(node, "attr", getattr(node, "id", None))
                for node in ast.walk(ast.parse(path.read_text("utf-8")))
            }
            assert "to_thread" not in used, path
