"""The source of a task is found, freed of our decorator, and refused where it cannot run."""

from __future__ import annotations

import functools
import inspect

import pytest

from klemheist.actors.sources import (
    CodeSyntaxError,
    SourceUnavailable,
    body_source,
    check_syntax,
    is_expression,
    sources_from_text,
    split_statements,
    task_source,
)
from klemheist.transports.errors import KlemheistError


class ours:  # noqa: N801 - it stands for a session
    @staticmethod
    def task(function=None, **_):
        return function or (lambda inner: inner)

    thread = setup = teardown = task


def other(function):
    return function


task = ours.task


@ours.task
def add(a: int, b: int = 2) -> int:
    """Add."""
    # how
    return a + b


@other
@task(timeout=1.0, idempotent=True)
@other
def decorated():
    return """a
    b"""


class Program:
    @ours.thread(
        restart=True,
    )
    def blink(pin, *rest, state=0, **more):
        text = """one
two"""
        while True:
            yield text

    @ours.setup
    def init(pin):
        """Set up."""
        led = pin

        def inner():
            return led


def test_our_decorator_docstring_and_annotations_are_not_sent():
    source = task_source(add)
    assert source.text == "def add(a,b=2):\n return a+b\n"
    assert (source.name, source.parameters, source.is_generator) == ("add", ("a", "b"), False)


def test_lines_are_mapped_to_the_file_of_the_host():
    source = task_source(add)
    lines = inspect.getsource(inspect.getmodule(add)).splitlines()
    assert source.filename == __file__
    assert [lines[number - 1].strip() for number in source.line_map] == [
        "def add(a: int, b: int = 2) -> int:",
        "return a + b",
    ]


def test_decorators_of_others_run_on_the_device():
    assert task_source(decorated).text == (
        '@other\n@other\ndef decorated():\n return"""a\n    b"""\n'.replace("return", "return ")
    )


def test_a_method_loses_its_indent_and_its_strings_keep_theirs():
    source = task_source(Program.blink)
    assert source.text == (
        'def blink(pin,*rest,state=0,**more):\n text="""one\ntwo"""\n while True:\n  yield text\n'
    )
    assert source.is_generator
    assert source.parameters == ("pin", "rest", "state", "more")
    file = inspect.getsource(inspect.getmodule(add)).splitlines()
    assert "def blink" in file[source.line_map[0] - 1]
    assert "yield text" in file[source.line_map[-1] - 1]


def test_a_body_stands_at_top_level():
    source = body_source(Program.init)
    assert source.text == "led=pin\ndef inner():\n return led\n"
    assert source.parameters == ("pin",)


def test_a_body_on_the_line_of_its_def():
    @ours.setup
    def init(): a = 1; b = 2  # noqa: E702  # fmt: skip

    assert body_source(init).text == "a=1;b=2\n"


def returns():
    return 1


def yields():
    yield


@pytest.mark.parametrize("function", [returns, yields])
def test_a_body_cannot_return_or_yield(function):
    with pytest.raises(SourceUnavailable, match=function.__name__[:-1]):
        body_source(function)


def test_the_hash_follows_the_code_and_not_its_comments():
    (one,) = sources_from_text("def f():\n    return 1  # a\n")
    (same,) = sources_from_text("def f():\n  return 1\n")
    (changed,) = sources_from_text("def f():\n  return 2\n")
    assert one.hash == same.hash != changed.hash
    assert len(one.hash) == 16


def test_a_wrapped_function_is_found():
    @functools.wraps(add)
    def wrapper(*args):
        return add(*args)

    assert task_source(wrapper).name == "add"


def local_free():
    outside = 1

    def uses():
        return outside

    return uses


def local_nonlocal():
    count = 0

    def uses():
        nonlocal count
        count += 1

    return uses


async def coroutine():
    pass


def without_source():
    names = {}
    exec("def hidden(): pass", names)
    return names["hidden"]


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda: 1, "lambda"),
        (local_free(), "outside"),
        (local_nonlocal(), "nonlocal count"),
        (coroutine, "coroutine"),
        (without_source(), r's\.task\(source="def'),
        (len, r's\.task\(source="def'),
        (Program, r's\.task\(source="def'),
    ],
)
@pytest.mark.parametrize("taken", [task_source, body_source])
def test_what_cannot_run_on_a_device_is_refused_by_name(function, names, taken):
    with pytest.raises(SourceUnavailable, match=names) as caught:
        taken(function)
    assert "\n" not in str(caught.value)


def test_a_local_function_may_name_itself():
    def down(n):
        return down(n - 1) if n else 0

    assert task_source(down).text == "def down(n):\n return down(n-1)if n else 0\n".replace(
        ")if", ")if"
    )


@pytest.mark.parametrize("text", ["", "x = 1", "def f(): pass\nf()", "async def f(): pass"])
def test_a_text_of_tasks_defines_functions_and_does_nothing_else(text):
    with pytest.raises(SourceUnavailable):
        sources_from_text(text)


def test_a_text_of_several_functions():
    first, second = sources_from_text("@task\ndef a(): pass\n\n\ndef b(x):\n  yield x\n")
    assert (first.text, second.text) == ("def a():pass\n", "def b(x):\n yield x\n")
    assert (first.line_map, second.line_map) == ((2,), (5, 6))


def test_statements_are_cut_apart_with_their_lines():
    text = (
        "# c\nimport x; y = 'é'; z = 2\n@dec\n@two(1)\ndef f():\n  '''é'''\n  return 1 # r\n\nf()\n"
    )
    statements = split_statements(text)
    assert [(each.first_line, each.text) for each in statements] == [
        (2, "import x"),
        (2, "y = 'é'"),
        (2, "z = 2"),
        (3, "@dec\n@two(1)\ndef f():\n  '''é'''\n  return 1"),
        (9, "f()"),
    ]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("6 * 7", True),
        (" f(1)\n", True),
        ("x = 1", False),
        ("", False),
        ("a\nb", False),
        ("\0", False),
    ],
)
def test_expressions_are_told_from_statements(code, expected):
    assert is_expression(code) is expected


@pytest.mark.parametrize("code", ["def f(:", "x = 'a", "a b", "  x", "x = 1\0"])
def test_a_syntax_error_is_one_line_and_ours(code):
    with pytest.raises(CodeSyntaxError) as caught:
        check_syntax(code, filename="blink.py")
    assert isinstance(caught.value, KlemheistError)
    assert isinstance(caught.value, SyntaxError)
    assert "\n" not in str(caught.value)
    assert "blink.py, line 1" in str(caught.value)


@pytest.mark.parametrize("code", ["", "@micropython.viper\ndef f(): pass", "await x", "return 1"])
def test_what_only_the_device_can_judge_is_left_to_it(code):
    check_syntax(code)
