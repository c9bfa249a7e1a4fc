"""`klemheist.toml`."""

from __future__ import annotations

import pytest

import klemheist
from klemheist import config


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    return tmp_path


def write(folder, text):
    (folder / config.FILE).write_text(text, encoding="utf-8")


def test_without_a_file_there_are_the_defaults(folder):
    assert config.load(folder).options == klemheist.SessionOptions()


def test_the_file_is_found_from_below(folder):
    write(folder, '[devices]\npico = "/dev/ttyACM7"\n[session]\ncall_timeout = 3\n')

    found = config.load(folder / "deep" / "deeper")

    assert found.url("pico") == "/dev/ttyACM7"
    assert found.options.call_timeout == 3


def test_a_budget_is_a_table(folder):
    write(folder, "[session.budget]\nmemory = 8000\nthreads = 1\n")

    assert config.load(folder).options.budget == klemheist.Budget(memory=8000, threads=1)


def test_a_url_needs_no_name(monkeypatch):
    monkeypatch.delenv(config.VARIABLE, raising=False)

    assert config.Config().url("tcp://h:1") == "tcp://h:1"
    assert config.Config().url(None) == "sim:"


def test_the_environment_names_the_device(monkeypatch):
    monkeypatch.setenv(config.VARIABLE, "pico")

    assert config.Config({"pico": "microbit:"}).url(None) == "microbit:"
    assert config.Config({"pico": "microbit:"}).url("sim:x") == "sim:x"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[device]\n", "'device'"),
        ("[devices]\npico = 3\n", r"devices\.pico"),
        ('devices = "x"\n', r"\[devices\]"),
        ("[session]\ncal_timeout = 1\n", r"session\.cal_timeout"),
        ('[session]\ncall_timeout = "1"\n', r"session\.call_timeout"),
        ("[devices\n", r"klemheist\.toml"),
        ("[session]\ncall_timeout = -1\n", "call_timeout=-1"),
        ("[session]\nmax_concurrent_sessions = 1.5\n", "a whole number"),
        ("[session]\nbudget = 3\n", r"\[session\.budget\]"),
        ("[session.budget]\nmemori = 3\n", r"session\.budget\.memori"),
        ('[session.budget]\nmemory = "3"\n', r"session\.budget\.memory"),
        ("[session.budget]\nmemory = -3\n", "memory=-3"),
    ],
)
def test_what_means_nothing_is_named_with_its_file(folder, text, named):
    write(folder, text)

    with pytest.raises(klemheist.ArgumentError, match=named) as caught:
        config.load(folder)
    assert str(folder / config.FILE) in str(caught.value)
