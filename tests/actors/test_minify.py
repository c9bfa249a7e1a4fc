"""Small source means the same, and every line of it leads back to its own."""

from __future__ import annotations

import ast
import importlib.util
import io
import tokenize

import pytest

from klemheist.actors.minify import minify

CORPUS = (
    "argparse",
    "dataclasses",
    "asyncio.tasks",
    "textwrap",
    "string",
    "typing",
    "shlex",
    "ast",
)


def bare(tree):
    """The tree without what minify takes away."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str()))] if not isinstance(
                    node, ast.Module
                ):
                    node.body = [ast.Pass()]
                case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                    node.body = rest
    return Plain().visit(tree)


class Plain(ast.NodeTransformer):
    def visit_AnnAssign(self, node):
        self.generic_visit(node)
        if node.value is None:
            return ast.Pass()
        return ast.Assign(targets=[node.target], value=node.value)


def tokens_by_line(text):
    lines = {}
    for each in tokenize.generate_tokens(io.StringIO(text).readline):
        if each.type in (tokenize.NAME, tokenize.NUMBER):
            lines.setdefault(each.start[0], []).append(each.string)
    return lines


def source_of(module):
    with tokenize.open(importlib.util.find_spec(module).origin) as file:
        text = file.read()
    return text.replace("__doc__", "__dock__")  # else docstrings stay


@pytest.mark.parametrize("module", CORPUS)
def test_the_small_source_of_a_module_has_the_same_tree(module):
    text = source_of(module)
    assert ast.dump(bare(ast.parse(minify(text).text))) == ast.dump(bare(ast.parse(text)))


@pytest.mark.parametrize("module", CORPUS)
def test_every_word_of_a_small_line_stands_on_the_line_it_is_mapped_to(module):
    text = source_of(module)
    small = minify(text)
    assert len(small.line_map) == small.text.count("\n")
    here, there = tokens_by_line(small.text), tokens_by_line(text)
    joined = {n for n, line in enumerate(text.splitlines(), 1) if line.endswith("\\")}
    for line, words in here.items():
        host = small.line_map[line - 1]
        if host not in joined:
            assert set(words) <= {*there.get(host, ()), "pass"}, (line, host)


def test_minifying_twice_changes_nothing_more():
    text = minify(source_of("argparse")).text
    assert minify(text).text == text


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ("def f(a: int, *, b: str = 'x') -> dict[str, int]:\n    return a\n",
         "def f(a,*,b='x'):\n return a\n"),
        ("def f():\n    '''Doc.'''\n", "def f():\n pass\n"),
        ("def f(): 'doc'\n", "def f():pass\n"),
        ("def f(): 'doc'; return 1\n", "def f():'doc';return 1\n"),
        ("x: int = 5\ny: (int)\n", "x=5\npass\n"),
        ("x = '''a\n    b # no comment\n'''\n", "x='''a\n    b # no comment\n'''\n"),
        ("x = f'{a!r:>{w}} # {b}'  # so\n", "x=f'{a!r:>{w}} # {b}'\n"),
        ("x = 1 + \\\n    2\n", "x=1+2\n"),
        ("f(1,  # one\n\n  2)\n", "f(1,\n2)\n"),
        ("if a:\n\n    # why\n    b = 1 .real\nelse:\n    return_ = not 'x' 'y'\n",
         "if a:\n b=1 .real\nelse:\n return_=not 'x' 'y'\n"),
        ("é: int = 'é'; ü: str = 2\n", "é='é';ü=2\n"),
        ("def f():\n    'kept'\nprint(f.__doc__)\n", "def f():\n 'kept'\nprint(f.__doc__)\n"),
        ("", ""),
        ("# only\n", ""),
    ],
)  # fmt: skip
def test_each_rule_on_its_own(text, small):
    assert minify(text).text == small


def test_the_lines_of_a_string_are_counted():
    assert minify("\n\nx = '''\n\n'''\ny = 1\n").line_map == (3, 4, 5, 6)


def test_what_is_no_python_is_a_syntax_error():
    with pytest.raises(SyntaxError):
        minify("def f(:")
