"""What a function can be called with, compared with what Python itself says of it."""

from __future__ import annotations

import ast
import inspect
import itertools

import pytest

from klemheist import ArgumentError
from klemheist.actors.arity import Arity
from klemheist.actors.sources import sources_from_text

HEADS = [
    "",
    "a",
    "a, b=1",
    "a=1, b=2",
    "*rest",
    "a, *rest",
    "**more",
    "a, b=0, *rest, **more",
    "*, key",
    "a, *, key, other=1",
    "a, *rest, key",
    "a, /, b",
]
CALLS = [
    (args, dict.fromkeys(names, 0))
    for args in ((), (1,), (1, 2), (1, 2, 3))
    for count in range(3)
    for names in itertools.combinations(("a", "b", "key", "x"), count)
]


@pytest.mark.parametrize("head", HEADS)
def test_a_call_that_python_refuses_is_refused_and_no_other(head):
    names = {}
    exec(f"def f({head}): pass", names)
    arity = Arity.of(ast.parse(f"def f({head}): pass").body[0].args)
    for args, kwargs in CALLS:
        try:
            inspect.signature(names["f"]).bind(*args, **kwargs)
        except TypeError:
            if "/" in head and "a" in kwargs:
                continue  # MicroPython takes it by name all the same: left to the device
            with pytest.raises(ArgumentError):
                arity.check("f", args, kwargs)
        else:
            arity.check("f", args, kwargs)


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((), {}, "f: missing: a, key; nothing was sent"),
        ((1, 2, 3), {"key": 1}, "f: 3 arguments are given, it takes 2; nothing was sent"),
        ((1,), {"a": 1, "key": 1}, "f: given twice: a; nothing was sent"),
        ((1,), {"kee": 1, "key": 1}, "f: unknown: kee; nothing was sent"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(args, kwargs, said):
    arity = Arity.of(ast.parse("def f(a, b=0, *, key): pass").body[0].args)
    with pytest.raises(ArgumentError) as failed:
        arity.check("f", args, kwargs)
    assert str(failed.value) == said


def test_what_a_decorator_on_the_device_makes_of_it_is_left_to_the_device():
    (decorated,) = sources_from_text("@other\ndef f(a): pass")
    decorated.arity.check("f", (1, 2), {"x": 3})
