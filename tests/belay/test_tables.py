"""The tables here are whole: what they name is there, and nothing of Belay's is missing."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TABLES = sorted(HERE.glob("test_device_*.py"))
ROW = re.compile(r"^\| (?P<theirs>`test_.*?) \| (?P<ours>.*?) \|$", re.MULTILINE)
NAME = re.compile(r"`(test_[\w*]+)`")
DEFINED = re.compile(r"^ *def (test_\w+)", re.MULTILINE)
BELAY = (HERE / "names.txt").read_text(encoding="utf-8").split()
"""Belay's tests of a device: tests/integration, test_device, test_device_sync, test_hash,
test_proxy_object and test_time_sync, of its version 0.30."""


def rows():
    """Belay's names, ours and the file, of each row of each table."""
    for path in TABLES:
        for row in ROW.finditer(path.read_text(encoding="utf-8")):
            yield NAME.findall(row["theirs"]), row["ours"], path


def defined():
    """The names of all our tests, with `*` where a table says so."""
    texts = (path.read_text(encoding="utf-8") for path in HERE.parent.rglob("test_*.py"))
    return {name for text in texts for name in DEFINED.findall(text)}


@pytest.mark.parametrize("name", BELAY)
def test_each_of_belay_s_device_tests_is_in_a_table(name):
    assert any(fnmatchcase(name, each) for theirs, _, _ in rows() for each in theirs)


def test_what_the_tables_say_is_here_is_here():
    there = defined()
    for theirs, ours, path in rows():
        wanted = NAME.findall(ours) or (theirs if ours == "the same names" else [])
        assert wanted, f"{path.name}: {ours}"
        for each in wanted:
            assert any(fnmatchcase(name, each) for name in there), f"{path.name}: {each}"
