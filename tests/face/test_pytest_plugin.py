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


def test_each_test_has_a_clean_session_on_one_device(tmp_path):
    output = run(
        tmp_path,
        """
        def test_one(session):
            session("x = 1")
            assert session("x") == 1

        def test_two(session, device, klemheist_manager):
            assert device == "sim:"
            assert not session("'x' in globals()")
            assert klemheist_manager.get_session_stats().active_session_count == 1
        """,
    )
    assert "2 passed" in output, output


def test_what_cannot_be_cleaned_up_fails_the_test(tmp_path):
    output = run(
        tmp_path,
        """
        from klemheist import Resource

        def refuse(_):
            raise OSError("stuck")

        def test_one(session):
            session.resources.register_resource(Resource("valve", refuse))
        """,
    )
    assert "1 passed, 1 error" in output, output
    assert "ResourceCleanupError" in output


@pytest.mark.parametrize("how", ["option", "fixture"])
def test_the_device_is_chosen_by_option_or_by_fixture(tmp_path, how):
    text = """
        import pytest

        @pytest.fixture
        def device():
            return "sim:other"
        """
    text = (
        (text if how == "fixture" else "")
        + """
        def test_one(session):
            assert session.device.url == "sim:other"
        """
    )
    options = ("--device", "sim:other") if how == "option" else ()
    output = run(tmp_path, text, *options)
    assert "1 passed" in output, output


def test_a_device_that_is_not_there_is_one_clear_error(tmp_path):
    output = run(tmp_path, "def test_one(session): pass\n", "--device", "/dev/ttyNONE")
    assert "1 error" in output, output
    assert "/dev/ttyNONE" in output
