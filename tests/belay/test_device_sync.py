"""Belay's own tests of sync, hashes and source, anew for our surface.

| Belay | here |
|---|---|
| `test_sync_device_belay_hf*`, `test_sync_local_belay_hf` | `test_a_hash_of_the_device_is_that_of_the_host` |
| `test_sync_device_belay_hfs` | `test_several_files_are_hashed_in_one_turn` |
| `test_sync_device_belay_mkdirs` | `test_folders_are_made_and_those_that_are_there_let_be` |
| `test_sync_device_belay_fs_does_not_exist` | `test_a_mirror_to_a_folder_that_is_not_there` |
| `test_device_sync_empty_remote` | `test_sync_to_an_empty_device` |
| `test_device_sync_partial_remote` | `test_sync_to_a_device_that_has_a_part` |
| `test_discover_files_dirs_dir` | `test_discover_a_folder` |
| `test_discover_files_dirs_dir_ignore*` | `test_discover_without_what_is_ignored` |
| `test_discover_files_dirs_empty` | `test_discover_an_empty_folder` |
| `test_discover_files_dirs_single_file` | `test_one_file_is_written_not_synced` |
| `test_preprocess_keep_none_*` | `test_what_is_kept_unless_it_is_said` |
| `test_preprocess_keep_list`, `test_preprocess_keep_str` | `test_a_pattern_or_several` |
| `test_preprocess_keep_bool_*` | `test_nothing_is_kept_by_an_empty_list`: no switch of two meanings |
| `test_preprocess_keep_invalid_dtype` | `test_patterns_that_are_no_text_are_refused` |
| `test_preprocess_ignore_none` | `test_what_is_ignored_unless_it_is_said` |
| `test_preprocess_ignore_list`, `test_preprocess_ignore_str` | `test_a_pattern_or_several` |
| `test_preprocess_ignore_invalid_dtype` | `test_patterns_that_are_no_text_are_refused` |
| `test_preprocess_src_file_default_*` | `test_a_file_is_sent_as_it_is` |
| `test_preprocess_src_file_cross_mpy_*` | `test_a_source_becomes_an_mpy_beside_it` |
| `test_generate_dst_dirs` | `test_the_folders_below_the_target` |
"""

# ruff: noqa: E501 -- a table
from __future__ import annotations

import pytest

from klemheist import (
    ArgumentError,
    CapabilityError,
    HostFileNotFoundError,
    HostNotADirectoryError,
    SessionManager,
)
from klemheist.actors.files import kit
from klemheist.actors.files.local import scan
from klemheist.actors.files.plan import IGNORED, KEPT_AT_ROOT, SyncOptions

FILES = {
    "alpha.py": b"def alpha():\n    pass",
    "bar.txt": b"bar contents",
    "foo.txt": b"foo contents",
    "folder1/file1.txt": b"file1 contents",
    "folder1/folder1_1/file1_1.txt": b"file1_1 contents",
}


@pytest.fixture
def folder(tmp_path):
    for path, data in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    return tmp_path


@pytest.fixture
def clean(s):
    yield s
    s.files.remove("/", recursive=True)


def options(**given):
    others = {"mirror": False, "keep": None, "ignore": None, "verify": False, "mpy": False}
    return SyncOptions.of(**(others | given))


def on_device(session, root):
    found = {}
    for place, _, files in session.files.walk(root):
        for each in files:
            path = f"{place}/{each.name}"
            found[path.removeprefix(f"{root}/")] = session.files.read(path)
    return {path: data for path, data in found.items() if path in FILES}


def test_a_hash_of_the_device_is_that_of_the_host(clean, tmp_path):
    """What the device hashes is the same, so nothing is sent; a byte more, and it is sent."""
    (tmp_path / "test_file").write_bytes(b"foobar")
    clean.files.write("/test_file", b"foobar")
    assert clean.files.sync(tmp_path, "/", verify=True).written == ()
    clean.files.write("/test_file", b"fooba!")
    assert clean.files.sync(tmp_path, "/", verify=True).written == ("test_file",)


def test_several_files_are_hashed_in_one_turn(tmp_path):
    names = {}
    exec(kit.SOURCE, names)
    for data in (b"fooba", b"foobar"):
        (tmp_path / "file").write_bytes(data)
        assert names["YV"](str(tmp_path / "file"), 2000) == (len(data), kit.checksum(data))
    assert kit.checksum(b"fooba") != kit.checksum(b"foobar")


def test_folders_are_made_and_those_that_are_there_let_be(clean):
    for path in ("/foo1", "/foo1/foo2", "/bar1", "/bar1/bar2", "/foo1"):
        clean.files.mkdir(path, exist_ok=True)
    clean.files.mkdir("/bar1/bar2/deep", parents=True)
    assert all(clean.files.stat(each).is_dir for each in ("/foo1/foo2", "/bar1/bar2/deep"))


def test_a_mirror_to_a_folder_that_is_not_there(clean, tmp_path):
    assert clean.files.sync(tmp_path, "/does_not_exist", mirror=True).removed == ()


def test_sync_to_an_empty_device(clean, folder):
    assert sorted(clean.files.sync(folder, "/app").written) == sorted(FILES)
    assert on_device(clean, "/app") == FILES


def test_sync_to_a_device_that_has_a_part(clean, folder):
    clean.files.sync(folder, "/app")
    changed = ["folder1/file1.txt", "folder1/folder1_1/file1_1.txt"]
    for path in changed:
        clean.files.write(f"/app/{path}", b"other")
    assert sorted(clean.files.sync(folder, "/app").written) == changed
    assert on_device(clean, "/app") == FILES


def test_a_board_without_folders_says_so_and_takes_files(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a" * 30)
    with SessionManager() as manager, manager.session("microbit:") as session:
        with pytest.raises(CapabilityError, match="no directories; write its files one by one"):
            session.files.sync(tmp_path, "/")
        session.files.write("a.txt", b"a" * 30)
        assert session.files.read("a.txt") == b"a" * 30


def test_discover_a_folder(folder):
    found = scan(folder, (), -1)
    assert sorted(found.files) == sorted(FILES)
    assert found.directories == {"folder1", "folder1/folder1_1"}


@pytest.mark.parametrize("ignore", [["*.txt", "folder1"], ["*.txt", "folder1/"]], ids=repr)
def test_discover_without_what_is_ignored(folder, ignore):
    assert sorted(scan(folder, options(ignore=["*.py"]).ignore, -1).files) == sorted(FILES)[1:]
    found = scan(folder, options(ignore=ignore).ignore, -1)
    assert [*found.files] == ["alpha.py"]
    assert found.directories == frozenset()


def test_discover_an_empty_folder(tmp_path):
    found = scan(tmp_path, (), -1)
    assert (found.files, found.directories) == ({}, frozenset())


def test_one_file_is_written_not_synced(clean, folder):
    """Belay's `sync` takes a file too; ours says which method does."""
    with pytest.raises(HostNotADirectoryError, match=r"foo\.txt is no folder; .*files\.write"):
        clean.files.sync(folder / "foo.txt", "/")
    with pytest.raises(HostFileNotFoundError, match="nosuch: there is no such folder on the host"):
        clean.files.sync(folder / "nosuch", "/")
    assert issubclass(HostNotADirectoryError, NotADirectoryError)
    assert issubclass(HostFileNotFoundError, FileNotFoundError)
    clean.files.write("/foo.txt", (folder / "foo.txt").read_bytes())
    assert clean.files.read("/foo.txt") == FILES["foo.txt"]


def test_what_is_kept_unless_it_is_said():
    assert options().kept("") == KEPT_AT_ROOT == ("boot.py", "webrepl_cfg.py", "lib")
    assert options().kept("/foo") == ()


def test_a_pattern_or_several():
    for name, found in (("keep", lambda it: it.kept("")), ("ignore", lambda it: it.ignore)):
        assert found(options(**{name: ["foo", "bar"]})) == ("foo", "bar")
        assert found(options(**{name: "foo"})) == ("foo",)


def test_nothing_is_kept_by_an_empty_list():
    assert options(keep=[]).kept("") == ()


@pytest.mark.parametrize("option", ["keep", "ignore"])
@pytest.mark.parametrize("wrong", [3.14, True, [1], {"a": 1}.values()], ids=repr)
def test_patterns_that_are_no_text_are_refused(s, tmp_path, option, wrong):
    with pytest.raises(ArgumentError, match=rf"{option}=.*: give a pattern, or a list"):
        s.files.sync(tmp_path, "/", **{option: wrong})


def test_what_is_ignored_unless_it_is_said():
    assert options().ignore == IGNORED == ("__pycache__", "*.pyc", ".*")


def test_a_file_is_sent_as_it_is(clean, folder):
    clean.files.sync(folder, "/app")
    assert clean.files.read("/app/alpha.py") == FILES["alpha.py"]
    assert clean.files.read("/app/bar.txt") == FILES["bar.txt"]


def test_a_source_becomes_an_mpy_beside_it(clean, folder):
    clean.files.sync(folder, "/app", mpy=True)
    assert clean.files.read("/app/alpha.mpy").startswith(b"M\x06")
    assert not clean.files.exists("/app/alpha.py")


def test_the_folders_below_the_target(clean, folder):
    clean.files.sync(folder, "/foo/bar")
    assert clean.files.stat("/foo/bar/folder1/folder1_1").is_dir
