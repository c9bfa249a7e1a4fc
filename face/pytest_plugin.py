"""A pytest plugin: tests on devices, with a clean session for each.

    def test_the_led(session):
        session("from machine import Pin; led = Pin(2, Pin.OUT)")
        assert session("led.value()") == 0

The device is `sim:`, the embedded board, or what `--device URL` or `KLEMHEIST_DEVICE` names. One
manager serves the whole run; what a test leaves on the device is gone when its session ends.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from klemheist import Session, SessionManager

DEFAULT = "sim:"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--device`."""
    parser.getgroup("klemheist").addoption(
        "--device",
        metavar="URL",
        default=os.environ.get("KLEMHEIST_DEVICE", DEFAULT),
        help="the device that tests run on (default: KLEMHEIST_DEVICE, else sim:)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> None:
    """Show a failure where the test's own code is; `--full-trace` shows our frames too."""
    for entry in call.excinfo.traceback if call.excinfo is not None else ():
        names = entry.frame.f_globals
        if str(names.get("__name__")).startswith("klemheist."):
            names["__tracebackhide__"] = True  # pytest looks there, too


@pytest.fixture(scope="session")
def klemheist_manager() -> Iterator[SessionManager]:
    """The run's session manager."""
    from klemheist import SessionManager  # noqa: PLC0415 -- a run without devices pays nothing

    with SessionManager() as manager:
        yield manager


@pytest.fixture
def device(request: pytest.FixtureRequest) -> str:
    """The URL of the device under test; override it to name one in a module or folder."""
    return str(request.config.getoption("--device"))


@pytest.fixture
def session(klemheist_manager: SessionManager, device: str) -> Iterator[Session]:
    """A session of its own for each test; its cleanup errors fail the test."""
    with klemheist_manager.session(device) as opened:
        yield opened
