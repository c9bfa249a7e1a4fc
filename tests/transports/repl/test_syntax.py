"""The parser, where another thread disturbs its count of how deep a tree is."""

from __future__ import annotations

import ast
from types import SimpleNamespace

import pytest

from klemheist.actors.minify import minify
from klemheist.actors.sources import check_syntax, is_expression, split_statements
from klemheist.transports.repl import syntax
from klemheist.transports.repl.syntax import TRIES, parsed
from klemheist.transports.repl.values import decode

MISMATCH = "AST constructor recursion depth mismatch (before=39, after=65)"


@pytest.fixture
def disturbed(monkeypatch):
    """Disturb so many calls of the parser from now on; gives those that were made."""

    def disturb(times):
        calls = []

        def parse(*args, **kwargs):
            calls.append(args)
            if len(calls) <= times:
                raise SystemError(MISMATCH)
            return ast.parse(*args, **kwargs)

        monkeypatch.setattr(syntax, "ast", SimpleNamespace(parse=parse))  # pytest parses too
        return calls

    return disturb


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (decode, "{1: [2.5, None]}"),
        (is_expression.__wrapped__, "1 + 1"),
        (check_syntax, "x = 1"),
        (split_statements, "x = 1\ny = 2\n"),
        (minify, "def f():\n    return 1\n"),
    ],
)
def test_a_text_is_parsed_again(disturbed, parse, text):
    expected = parse(text)
    calls = disturbed(1)
    assert parse(text) == expected
    assert len(calls) > 1


def test_it_is_not_tried_for_ever(disturbed):
    calls = disturbed(1000)
    with pytest.raises(SystemError, match="recursion depth"):
        parsed("1")
    assert len(calls) == TRIES


def test_a_text_at_fault_is_told_at_once(disturbed):
    calls = disturbed(0)
    with pytest.raises(SyntaxError):
        parsed("1 +", "eval")
    assert len(calls) == 1
