"""Cases of other projects' suites under their own names: the list is committed, and complete."""

from __future__ import annotations

import ast
import re


def function_name(case):
    """The name of the test function that shows a case."""
    return "test_" + re.sub(r"\W+", "_", case.replace("'", "").lower()).strip("_")


def listed(folder):
    """The cases that `names.txt` lists, as function names; its comments begin with #."""
    lines = (folder / "names.txt").read_text("utf-8").splitlines()
    return sorted(function_name(line) for line in lines if line and not line.startswith("#"))


def present(folder):
    """The test functions of a folder, except those that look at the list."""
    return sorted(
        node.name
        for path in folder.glob("test_*.py")
        if path.name != "test_names.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )
