"""What a sync decides to do: from what both sides have, without a device."""

from __future__ import annotations

import os

import pytest

from klemheist.actors.files import errnos, manifest
from klemheist.actors.files.kit import DIRECTORY_SIZE, checksum
from klemheist.actors.files.local import LocalFile, LocalTree, matches, scan
from klemheist.actors.files.manifest import Entry
from klemheist.actors.files.plan import (
    SyncOptions,
    judge,
    most_needed,
    part_ending,
    plan,
    rooted,
    unfinished,
)
from klemheist.actors.session.files_calls import transfer_name
from klemheist.errors import DeviceIsADirectoryError, DeviceNotADirectoryError, PathError


def tree(tmp_path, files, directories=()):
    """A host's side of these files: path and contents."""
    found = {
        path: LocalFile(tmp_path / path, path, str(checksum(data)), len(data), checksum(data))
        for path, data in files.items()
    }
    return LocalTree(found, frozenset(directories))


def entry(data, time=5):
    return Entry(str(checksum(data)), checksum(data), len(data), time)


def test_a_file_is_unchanged_when_manifest_size_and_time_agree(tmp_path):
    made = plan(tree(tmp_path, {"a": b"1"}), {"a": (1, 5)}, {"a": entry(b"1")}, SyncOptions(), "")

    assert (made.unchanged, made.write, made.suspects, made.changes) == (["a"], [], {}, False)


@pytest.mark.parametrize("there", [(1, 6), (1, 0)], ids=["newer", "no time"])
def test_another_time_makes_a_suspect(tmp_path, there):
    local, known = tree(tmp_path, {"a": b"1"}), {"a": entry(b"1")}

    made = plan(local, {"a": there}, known, SyncOptions(), "")
    assert made.suspects == {"a": (1, checksum(b"1"))}

    judge(made, local, {"a": there}, known, {"a": (1, checksum(b"1"))})
    assert made.unchanged == ["a"]
    assert made.outdated


def test_another_size_is_written_and_another_hash_too(tmp_path):
    local, listing = tree(tmp_path, {"a": b"1", "b": b"2"}), {"a": (2, 5), "b": (1, 5)}

    made = plan(local, listing, {}, SyncOptions(), "")
    judge(made, local, listing, {}, {"b": (1, checksum(b"x"))})

    assert made.write == ["a", "b"]


def test_verify_trusts_nothing(tmp_path):
    known = {"a": entry(b"1")}
    made = plan(tree(tmp_path, {"a": b"1"}), {"a": (1, 5)}, known, SyncOptions(verify=True), "")

    assert list(made.suspects) == ["a"]


DEVICE = {
    "boot.py": (1, 0),
    "old.py": (1, 0),
    "lib": (DIRECTORY_SIZE, 0),
    "lib/x.py": (1, 0),
    "gone": (DIRECTORY_SIZE, 0),
    "gone/deep": (DIRECTORY_SIZE, 0),
    "gone/deep/y": (1, 0),
    manifest.NAME: (9, 0),
}


def test_mirror_removes_what_only_the_device_has_but_what_is_kept(tmp_path):
    made = plan(tree(tmp_path, {}), DEVICE, {}, SyncOptions(mirror=True), "")
    assert made.remove == ["gone/deep/y", "old.py"]
    assert made.remove_directories == ["gone/deep", "gone"]

    made = plan(tree(tmp_path, {}), DEVICE, {}, SyncOptions(mirror=True, keep=("*.py",)), "/app")
    assert made.remove == ["gone/deep/y"]
    assert made.remove_directories == ["gone/deep", "gone"]

    made = plan(tree(tmp_path, {}), DEVICE, {}, SyncOptions(mirror=True), "/app")
    assert "lib" in made.remove_directories
    assert "boot.py" in made.remove


def test_without_mirror_only_unfinished_parts_go(tmp_path):
    made = plan(tree(tmp_path, {}), DEVICE | {"lib/z.k01f2a3~": (3, 0)}, {}, SyncOptions(), "")

    assert made.remove == ["lib/z.k01f2a3~"]
    assert made.remove_directories == []


def test_a_file_in_the_way_of_a_folder_is_told_unless_it_may_go(tmp_path):
    local = tree(tmp_path, {"d/a": b"1"}, ["d"])
    with pytest.raises(DeviceNotADirectoryError, match="/d"):
        plan(local, {"d": (1, 0)}, {}, SyncOptions(), "")
    made = plan(local, {"d": (1, 0)}, {}, SyncOptions(mirror=True), "")
    assert (made.remove, made.make_directories) == (["d"], ["d"])

    with pytest.raises(DeviceIsADirectoryError):
        plan(tree(tmp_path, {"d": b""}), {"d": (DIRECTORY_SIZE, 0)}, {}, SyncOptions(), "")


def test_room_is_needed_for_each_new_file_beside_its_old_one(tmp_path):
    listing = {"a": (50, 0), "b": (80, 0), "old": (30, 0)}
    local = tree(tmp_path, {"a": b"x" * 60, "b": b"y" * 20})
    made = plan(local, listing, {}, SyncOptions(mirror=True), "")

    assert made.write == ["a", "b"]
    assert most_needed(made, {"a": 60, "b": 20}, listing) == 30
    assert most_needed(made, {"a": 60, "b": 200}, listing) == -30 + 60 - 50 + 200


def test_a_manifest_says_what_it_was_told_and_a_damaged_one_nothing():
    entries = {"lib/größe.py": entry(b"1"), "a b": entry(b"22", time=-1)}

    data = manifest.render(entries)

    assert manifest.parse(data) == entries
    assert manifest.parse(b"") == {}
    for at in range(len(data)):
        assert manifest.parse(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]) == {}
        assert manifest.parse(data[:at]) == {}


@pytest.mark.parametrize(
    ("given", "root"), [("/", ""), ("", ""), ("lib", "/lib"), ("/a//b/./", "/a/b")]
)
def test_a_root_is_absolute(given, root):
    assert rooted(given) == root


@pytest.mark.parametrize("given", ["..", "/a/../b", "../x"])
def test_a_root_that_goes_up_is_refused(given):
    with pytest.raises(PathError, match=r"without \.\."):
        rooted(given)


@pytest.mark.parametrize(
    ("path", "patterns", "found"),
    [
        ("a/b/c.py", ("b",), True),
        ("a/b/c.py", ("a/b",), True),
        ("a/b/c.py", ("*.py",), True),
        ("a/b/c.py", ("c",), False),
        (".git/x", (".*",), True),
    ],
)
def test_a_pattern_means_a_name_or_a_path(path, patterns, found):
    assert matches(path, patterns) is found


def test_what_is_ignored_is_not_even_read(tmp_path):
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").write_bytes(b"")
    (tmp_path / ".hidden").symlink_to("/")
    (tmp_path / "a.py").write_bytes(b"")

    assert list(scan(tmp_path, SyncOptions().ignore, -1).files) == ["a.py"]


@pytest.mark.parametrize("target", ["/etc/hostname", "/", "../"])
def test_a_link_that_leads_out_is_refused(tmp_path, target):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "out").symlink_to(target)

    with pytest.raises(PathError, match="leads out of"):
        scan(tmp_path / "in", (), -1)


def test_a_link_in_a_circle_is_refused_and_one_inside_is_followed(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"1")
    (tmp_path / "e").symlink_to("d")
    assert sorted(scan(tmp_path, (), -1).files) == ["d/f", "e/f"]

    (tmp_path / "d" / "up").symlink_to("..")
    with pytest.raises(PathError, match="circle"):
        scan(tmp_path, (), -1)


def test_a_name_that_is_no_text_is_refused(tmp_path):
    os.close(os.open(os.fsencode(tmp_path) + b"/\xff", os.O_CREAT | os.O_WRONLY))

    with pytest.raises(PathError, match="no UTF-8"):
        scan(tmp_path, (), -1)


@pytest.mark.parametrize(
    ("message", "platform", "name"),
    [
        ("[Errno 2] ENOENT", "esp32", "ENOENT"),
        ("2", "rp2", "ENOENT"),
        ("44", "webassembly", "ENOENT"),
        ("[Errno 20] ENOTDIR", "webassembly", "EEXIST"),
        ("ENOSPC", "webassembly", "ENOSPC"),
        ("28", "esp8266", "ENOSPC"),
        ("file not found", "microbit", "ENOENT"),
        ("[Errno 39] Directory not empty: 'x'", "klemheist-host", "ENOTEMPTY"),
        ("something else", "rp2", ""),
    ],
)
def test_a_number_means_what_it_means_on_this_device(message, platform, name):
    assert errnos.name_of(message, platform) == name


def test_a_part_is_known_by_its_name_and_no_other_file_is_one():
    ending = part_ending()
    assert unfinished(f"lib/a.py{ending}") == "lib/a.py"
    assert part_ending() != ending
    for number in (1, 7, 123_456):  # of a file that somebody writes by itself
        assert unfinished(f"lib/a.py.{transfer_name(number)}~") == ""
    for other in ("a.py~", "a.k12345~", "a.k1234567~", "a.kABCDEF~", "a.k123456", "k123456~"):
        assert unfinished(other) == ""
