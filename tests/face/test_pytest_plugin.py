"""The plugin in a pytest of its own, as its users have it."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest


def run(folder, text, *options, **environment):
    (folder / "test_it.py").write_text(textwrap.dedent(text), "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "klemheist.pytest_plugin", *options]
    command += ["-p", "no:cacheprovider", f"--rootdir={folder}", str(folder)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=25, cwd=folder
    ).stdout


RUN = """
    import pytest
    from klemheist import Resource

    def test_one(session):
        session("x = 1")
        assert session("x") == 1

    def test_two(session, device, klemheist_manager):
        assert device == EXPECTED
        assert session.device.url == EXPECTED
        assert not session("'x' in globals()")
        assert klemheist_manager.get_session_stats().active_session_count == 1

    def refuse(_):
        raise OSError("stuck")

    def test_three(session):
        session.resources.register_resource(Resource("valve", refuse))

    class TestOther:
        @pytest.fixture
        def device(self):
            return "sim:other"

        def test_four(self, session):
            assert session.device.url == "sim:other"

    class TestNone:
        @pytest.fixture
        def device(self):
            return "/dev/ttyNONE"

        def test_five(self, session):
            pass
    """


@pytest.mark.parametrize("url", ["sim:", "sim:named"])
def test_each_test_has_a_clean_session_on_the_device_that_was_chosen(tmp_path, url):
    """By option or, for a class here, by fixture; a cleanup that fails is that test's error."""
    options = () if url == "sim:" else ("--device", url)

    output = run(tmp_path, RUN.replace("EXPECTED", repr(url)), *options)

    assert "4 passed, 2 errors" in output, output
    assert "ERROR test_it.py::test_three" in output
    assert "ResourceCleanupError: 1 of 1 cleanups failed" in output
    assert "ERROR test_it.py::TestNone::test_five" in output
    assert "LinkError: /dev/ttyNONE: no such port" in output


FAILING = """
    def test_it(session):
        @session.task
        def half(x):
            return 1 / x
        half(0)
    """


@pytest.mark.parametrize("full", [False, True])
def test_a_failure_is_shown_at_the_line_of_the_test(tmp_path, full):
    shown = run(tmp_path, FAILING, *(["--full-trace"] if full else []))
    assert ">       half(0)" in shown
    assert "return 1 / x\nE       ZeroDivisionError" in shown
    assert ("def _raise" in shown) is full
