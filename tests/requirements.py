"""Which numbered statements have a passing test: `python -m tests.requirements`.

As a pytest plugin it notes, for each test marked `@pytest.mark.req("SES-012", …)`, how it went; a
run of all tests replaces what was known, a part of them updates it. As a program it prints the
count and what is not shown, and writes it into the table of docs/requirements.md, which is also
where the statements stand.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "requirements.md"
KEY = "klemheist/requirements"
CACHE = ROOT / ".pytest_cache" / "v" / KEY
ROW = re.compile(r"^\| (?P<id>[A-Z]+-\d+) \| (?P<statement>.*?) \| (?P<shown>[^|]*) \|$")

_results = pytest.StashKey[dict[str, dict]]()


# -- the plugin ------------------------------------------------------------------------------------


def pytest_configure(config):
    config.stash[_results] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    ids = sorted({each for mark in item.iter_markers("req") for each in mark.args})
    if ids:
        known = item.config.stash[_results].setdefault(item.nodeid, {"ids": ids, "passed": False})
        if report.when == "call":
            known["passed"] = report.passed
        elif report.failed:
            known["passed"] = False
    return report


def pytest_sessionfinish(session):
    config = session.config
    if getattr(config, "cache", None) is None or not config.stash[_results]:
        return
    everything = config.args == config.getini("testpaths") and not config.option.keyword
    known = {} if everything else config.cache.get(KEY, {})
    config.cache.set(KEY, known | config.stash[_results])


# -- the program -----------------------------------------------------------------------------------


def shown_by(results):
    """From results by test: the tests that show each id, if all that claim it have passed."""
    tests, broken = {}, set()
    for nodeid, result in results.items():
        for each in result["ids"]:
            tests.setdefault(each, set()).add(nodeid.partition("[")[0])
            if not result["passed"]:
                broken.add(each)
    return {each: sorted(names) for each, names in tests.items() if each not in broken}


def rows(text):
    """The statements of the document, by id."""
    found = (ROW.match(line) for line in text.splitlines())
    return {row["id"]: row["statement"] for row in found if row}


def written(text, shown):
    """The document with its last column, and the counts at its head, brought up to date."""

    def row(line):
        found = ROW.match(line)
        return f"| {found['id']} | {found['statement']} | {cell(found['id'])} |" if found else line

    def cell(number):
        names = shown.get(number)
        if not names:
            return ""
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return f"`{names[0]}`{more}"

    statements = rows(text)
    count = f"{len(shown.keys() & statements.keys())} of {len(statements)} statements"
    text = re.sub(r"\d+ of \d+ statements", count, text)
    return "\n".join(row(line) for line in text.splitlines()) + "\n"


def main():
    if not CACHE.exists():
        sys.exit("no results yet: run the tests first")
    shown = shown_by(json.loads(CACHE.read_text("utf-8")))
    text = DOCUMENT.read_text("utf-8")
    statements = rows(text)
    DOCUMENT.write_text(written(text, shown), "utf-8")
    lines = [
        f"{number} has no passing test: {statements[number]}"
        for number in sorted(statements.keys() - shown.keys())
    ]
    lines += [
        f"{number} is no known statement: {', '.join(shown[number])}"
        for number in sorted(shown.keys() - statements.keys())
    ]
    lines.append(f"{len(shown.keys() & statements.keys())} of {len(statements)} are shown")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
