"""Pykka's own tests, on our actors: `python -m tests.pykka_suite`.

The source distribution of the Pykka that is installed here is fetched once, into build/, and never
kept in the repository. Each size of the pool is a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
KEPT = HERE.parents[1] / "build" / "pykka-suite"
WORKERS = (1, 2, 4)
NOT_OURS = "tests/test_threading_actor.py"
"""Tests of Pykka's threads themselves."""


def main() -> int:
    """Run the suite; 0 if it passes on each pool."""
    root = fetched()
    for workers in WORKERS:
        print(f"Pykka {version('pykka')}, its own tests, on a pool of {workers}:", flush=True)
        if code := run(root, workers):
            return code
    return 0


def fetched() -> Path:
    """The unpacked distribution."""
    name = f"pykka-{version('pykka')}"
    if not (KEPT / name / "tests").is_dir():
        KEPT.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download"]
        what = ["--no-deps", "--no-binary", "pykka", "--dest", str(KEPT), name.replace("-", "==")]
        subprocess.run([*pip, *what], check=True)
        with tarfile.open(KEPT / f"{name}.tar.gz") as archive:
            if hasattr(tarfile, "data_filter"):  # from Python 3.11.4 on
                archive.extraction_filter = tarfile.data_filter
            archive.extractall(KEPT)
    return KEPT / name


def run(root: Path, workers: int) -> int:
    """One run; pytest's exit code."""
    env = os.environ | {"KLEMHEIST_WORKERS": str(workers), "PYTHONPATH": str(HERE)}
    options = ["-q", "-p", "pooled_runtime", "-p", "no:cacheprovider", "--timeout", "20"]
    options += ["-W", "ignore::ResourceWarning"]  # the event loops of its own that it leaves open
    command = [sys.executable, "-m", "pytest", *options, "tests", "--ignore", NOT_OURS]
    return subprocess.run(command, cwd=root, env=env, check=False, timeout=300).returncode


if __name__ == "__main__":
    sys.exit(main())
