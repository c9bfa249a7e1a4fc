"""Fetching the embedded board's MicroPython: once, by version, its integrity checked."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from klemheist.transports.errors import LinkError

from .node import find_npm

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGE = "@micropython/micropython-webassembly-pyscript"
VERSION = "1.27.0"
SHA512 = "DnXx4EqxgkeaFESrS3uKrL7mLMk4mRTd0mMzaOd3HUSiZUOAE7t11uLnjf3ftF87N2xm4knHnWEKcVK4IYIUDA=="
"""Of the package file, in base64: what makes a cache, a mirror or a proxy trustworthy."""
SIZE = 221_541
"""Its bytes: what a first use of the embedded board downloads."""

_MEMBERS = ("micropython.mjs", "micropython.wasm")
_MIN_SECONDS = 60.0
"""A first fetch on a slow line; a link's ordinary timeout would be too short."""


def cache_folder() -> Path:
    """Return where fetched interpreters are kept."""
    if chosen := os.environ.get("KLEMHEIST_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "klemheist"


def is_fetched() -> bool:
    """Whether the interpreter is in the cache."""
    return (cache_folder() / f"micropython-{VERSION}" / _MEMBERS[0]).exists()


def interpreter_path(node: Path, *, timeout: float = _MIN_SECONDS) -> Path:
    """Return the interpreter's module, fetching the package where it is not there yet.

    Several processes may do this at once: each unpacks aside, the first rename wins.

    Raises:
        LinkError: it could not be fetched, is not what it should be, or could not be stored.
    """
    home = cache_folder() / f"micropython-{VERSION}"
    module = home / _MEMBERS[0]
    if module.exists():
        return module
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=home.parent) as scratch:
            package = _fetch(find_npm(node), node, Path(scratch), max(timeout, _MIN_SECONDS))
            _store(package, Path(scratch) / "unpacked", home)
    except OSError as error:
        if isinstance(error, LinkError):
            raise
        reason = error.strerror or error
        raise LinkError(f"sim: cannot keep MicroPython in {home.parent}: {reason}") from error
    return module


def _fetch(npm: Sequence[str], node: Path, folder: Path, timeout: float) -> Path:
    """Have the npm client download the package file."""
    path = os.pathsep.join((str(node.parent), os.environ.get("PATH", os.defpath)))
    command = [
        *npm,
        "pack",
        f"{PACKAGE}@{VERSION}",
        "--loglevel=error",
        "--pack-destination",
        str(folder),
    ]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command, no shell
            command,
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _unreachable(f"no answer within {timeout:g} s") from error
    except OSError as error:
        raise _unreachable(error.strerror or str(error)) from error
    found = sorted(folder.glob("*.tgz"))
    if done.returncode or not found:
        lines = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise _unreachable(_reason(lines) or f"npm ended with {done.returncode}")
    return found[0]


def _reason(lines: Sequence[str]) -> str:
    """Return npm's own reason of what it wrote: the line that gives one, else its first."""
    said = [line.removeprefix("npm").lstrip().removeprefix("error").strip() for line in lines]
    return next((each for each in said if "reason:" in each), said[0] if said else "")


def _unreachable(reason: str) -> LinkError:
    return LinkError(
        f"sim: could not fetch MicroPython {VERSION} ({reason}); connect once, or copy "
        f"{cache_folder()} from a machine that has it"
    )


def _store(package: Path, unpacked: Path, home: Path) -> None:
    """Check the package file and move its contents into place in one step."""
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if digest != SHA512:
        raise LinkError(
            f"sim: the fetched MicroPython {VERSION} is not the published one; try another network"
        )
    unpacked.mkdir()
    with tarfile.open(package) as archive:
        for name in _MEMBERS:
            source = archive.extractfile(f"package/{name}")
            assert source is not None  # the digest vouches for the contents
            with (unpacked / name).open("wb") as target:
                shutil.copyfileobj(source, target)
    try:
        unpacked.rename(home)
    except OSError:
        if not (home / _MEMBERS[0]).exists():  # else another process was first
            raise
