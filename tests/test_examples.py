"""The examples run, and the documents show them as they are."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

BLOCK = re.compile(r"(?:<!-- (\S+) -->\n)?```python\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def run(path, folder):
    command = [sys.executable, "-W", "error", str(path)]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=20
    )


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory):
    """All examples that are asked for, two at a time: each takes most of its time to start."""
    wanted = {item.callspec.params["path"] for item in request.session.items if _runs(item)}
    with ThreadPoolExecutor(2) as pool:
        yield {
            path: pool.submit(run, path, tmp_path_factory.mktemp(path.stem))
            for path in sorted(wanted)
        }


def _runs(item):
    return item.originalname == "test_every_example_runs_by_itself_and_complains_of_nothing"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.req("SES-019", "SES-063", "SES-082", "SES-089", "SES-124", "SES-125")
def test_every_example_runs_by_itself_and_complains_of_nothing(path, runs):
    done = runs[path].result()
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_every_code_block_of_a_document_is_part_of_an_example(path):
    for name, block in BLOCK.findall(path.read_text("utf-8")):
        assert name, f"say which example this is from, as <!-- examples/x.py -->:\n{block}"
        source = (ROOT / name).read_text("utf-8")
        assert block_lines(block) in pieces(source, len(block_lines(block))), (
            f"not in {name}:\n{block}"
        )


def block_lines(text):
    """The lines that say something; the formatter decides how many are empty between them."""
    return [line for line in text.splitlines() if line.strip()]


def pieces(source, length):
    """All pieces of so many lines of a source, moved to the left margin."""
    lines = block_lines(source)
    for start in range(len(lines) - length + 1):
        yield textwrap.dedent("\n".join(lines[start : start + length])).splitlines()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_every_link_of_a_document_leads_somewhere(path):
    targets = LINK.findall(path.read_text("utf-8"))
    assert [each for each in targets if not (path.parent / each).exists()] == []


def test_the_reference_says_what_the_docstrings_say():
    """After a change of a public docstring or signature: `make docs`."""
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    for path, text in generate["pages"]().items():
        assert path.read_text("utf-8") == text, "run make docs"
