"""The house is one package: nothing is forgotten, and nothing else is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

import klemheist

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
FOLDERS = {name: Path(path) for name, path in SETUPTOOLS["package-dir"].items()}


def folder_of(package):
    """Where a package's files lie in the checkout."""
    name, tail = package, []
    while name not in FOLDERS:
        name, _, last = name.rpartition(".")
        tail.insert(0, last)
    return FOLDERS[name].joinpath(*tail)


def files_of(package):
    """A package's own files, as the checkout has them."""
    found = (ROOT / folder_of(package)).iterdir()
    return {path.name for path in found if path.is_file() and path.suffix != ".pyc"}


def test_every_folder_with_an_init_is_a_listed_package():
    found = {
        path.parent.relative_to(ROOT)
        for folder in FOLDERS.values()
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert found == {folder_of(package) for package in SETUPTOOLS["packages"]}


def test_all_packages_are_ours_and_no_folder_at_the_top_has_our_name():
    """A folder `klemheist` would shadow the installed package wherever tests are run."""
    assert {name.split(".")[0] for name in SETUPTOOLS["packages"]} == {"klemheist"}
    assert not (ROOT / "klemheist").exists()


def test_the_version_stands_in_one_place_and_in_the_changelog():
    assert PROJECT["project"]["version"] == version("klemheist")
    assert f"## [{version('klemheist')}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_every_console_script_can_be_loaded():
    mine = [each for each in entry_points(group="console_scripts") if each.dist.name == "klemheist"]
    assert {each.name for each in mine} == set(PROJECT["project"]["scripts"])
    assert all(callable(each.load()) for each in mine)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The source distribution, and the wheel that is built from it and nothing else."""
    home = tmp_path_factory.mktemp("dist")
    copy = home / "checkout"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info"))
    source = build(copy, "build_sdist", home)
    with tarfile.open(source) as archive:
        if hasattr(tarfile, "data_filter"):  # from Python 3.11.4 on
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(home)
    wheel = build(home / source.name.removesuffix(".tar.gz"), "build_wheel", home)
    return source, wheel


def build(project, hook, target):
    """Call a hook of the build backend, as every front end does."""
    code = f"import sys; from setuptools import build_meta as b; print(b.{hook}(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, target],
        cwd=project, capture_output=True, text=True, check=False, timeout=25,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return target / done.stdout.splitlines()[-1]


def test_the_wheel_has_one_top_level_name_and_every_file(built):
    _, wheel = built
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        info = next(name for name in names if name.endswith("top_level.txt"))
        assert archive.read(info).split() == [b"klemheist"]
    for package in SETUPTOOLS["packages"]:
        prefix = package.replace(".", "/") + "/"
        packed = {n.removeprefix(prefix) for n in names if n.startswith(prefix)}
        assert files_of(package) <= packed, package


def test_the_source_distribution_has_what_the_wheel_needs_and_no_rubbish(built):
    source, _ = built
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "face/py.typed"} <= names
    assert not [name for name in names if name.startswith((".venv", "build/"))]


def test_the_wheel_works_where_there_is_no_checkout(built, tmp_path):
    """Unpacked beside its dependencies, as an installer would put it, and run in isolation."""
    _, wheel = built
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    libraries = sysconfig.get_path("purelib")
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; sys.path.append({libraries!r})\n"
        "import klemheist\n"
        "print(klemheist.__file__)\n"
        "with klemheist.SessionManager() as m, m.session('sim:') as s: print(s('6 * 7'))"
    )
    python = [sys.executable, "-I", "-S", "-W", "error", "-c", code]
    found = subprocess.run(
        python, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=25
    )

    assert found.stdout.split() == [str(tmp_path / "klemheist" / "__init__.py"), "42"], found.stderr


def test_the_package_says_that_it_is_typed():
    assert Path(klemheist.__file__).with_name("py.typed").exists()
