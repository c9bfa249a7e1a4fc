"""`ls`, `cat`, `cp` and `rm`: `:path` is on the device."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from posixpath import basename

from klemheist import ArgumentError

from .progress import Bar
from .stay import Stay, show


def ls(stay: Stay, args: Namespace) -> int:
    """List directories of the device as mpremote does."""
    for path in args.path:
        for info in stay.session.files.list(remote(path) or "/"):
            print(f"{info.size:12d} {info.name}{'/' if info.is_dir else ''}")
    return 0


def cat(stay: Stay, args: Namespace) -> int:
    """Show files of the device, byte for byte."""
    for path in args.path:
        show(stay.session.files.read(remote(path)))
    return 0


def rm(stay: Stay, args: Namespace) -> int:
    """Remove files of the device."""
    for path in args.path:
        stay.session.files.remove(remote(path))
    return 0


def cp(stay: Stay, args: Namespace) -> int:
    """Copy between here and the device, in either direction or on the device."""
    *sources, target = args.path
    if not sources:
        raise ArgumentError("cp needs a source and a target, as in: cp main.py :")
    if not any(path.startswith(":") for path in args.path):
        raise ArgumentError("cp: nothing is on the device; write its paths with a colon, :main.py")
    inside = len(sources) > 1 or _is_directory(stay, target)
    for source in sources:
        name = basename(remote(source)) if inside else ""
        _put(stay, _joined(target, name), _get(stay, source))
    return 0


def remote(path: str) -> str:
    """Return a path on the device, with or without its colon."""
    return path.removeprefix(":")


def _joined(target: str, name: str) -> str:
    if not name:
        return target
    return target + name if target.endswith(("/", ":")) else f"{target}/{name}"


def _is_directory(stay: Stay, path: str) -> bool:
    if not path.startswith(":"):
        return path.endswith("/") or Path(path).is_dir()
    if path.endswith((":", "/")):
        return True
    files = stay.session.files
    return files.exists(remote(path)) and files.stat(remote(path)).is_dir


def _get(stay: Stay, path: str) -> bytes:
    if not path.startswith(":"):
        return Path(path).read_bytes()
    with Bar(path) as bar:
        return stay.session.files.read(remote(path), on_progress=bar)


def _put(stay: Stay, path: str, data: bytes) -> None:
    if not path.startswith(":"):
        Path(path).write_bytes(data)
        return
    with Bar(path) as bar:
        stay.session.files.write(remote(path), data, on_progress=bar)
