"""`session.files` on every kind of board: with raw bytes, with escapes, without directories."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import pytest

import klemheist
from klemheist.actors.session import files_remote
from klemheist.actors.session.files import FileInfo, FileOperation
from klemheist.errors import (
    DeviceDiskFullError,
    DeviceFileError,
    DeviceFileExistsError,
    DeviceFileNotFoundError,
    DeviceIsADirectoryError,
    DeviceNotADirectoryError,
)

HOST = Path(__file__).parents[1] / "boards" / "raw_repl_host.py"
DATA = random.Random(7).randbytes(3000)


@pytest.fixture(scope="module")
def manager():
    with klemheist.SessionManager() as manager:
        yield manager


@pytest.fixture(scope="module", params=["sim:", "microbit:", "host"])
def url(request, tmp_path_factory):
    """The device: one with a disk, one without directories, one whose parser takes ASCII only."""
    if request.param != "host":
        return request.param
    return f"exec:{sys.executable} {HOST} --root {tmp_path_factory.mktemp('disk')}"


@pytest.fixture
def session(manager, url):
    with manager.session(url) as session:
        yield session


@pytest.fixture
def tree(manager):
    with manager.session("sim:") as session:
        yield session


@pytest.mark.parametrize(
    "data", [b"", b"x", bytes(range(256)), DATA], ids=["none", "one", "all", "3K"]
)
def test_what_is_written_is_read_back(session, data):
    session.files.write("t.bin", data)

    assert session.files.read("t.bin") == data
    assert session.files.stat("t.bin") == FileInfo("t.bin", len(data), is_dir=False)
    session.files.remove("t.bin")
    assert not session.files.exists("t.bin")


def test_a_missing_file_is_a_file_not_found_error(session):
    with pytest.raises(FileNotFoundError, match=r"nix\.bin: no such file") as caught:
        session.files.read("nix.bin")
    assert isinstance(caught.value, klemheist.DeviceError)


@pytest.mark.req("SES-077")
def test_a_temporary_file_goes_with_its_session(manager, session, url):
    with manager.session(url) as other:
        other.files.write("t.tmp", b"gone soon", temporary=True)
        assert session.files.exists("t.tmp")

    assert not session.files.exists("t.tmp")


def test_progress_is_told_on_the_callers_thread_and_ends_with_all(session):
    told = []

    session.files.write("p.bin", DATA, on_progress=lambda *each: told.append(each))
    session.files.read("p.bin", on_progress=lambda *each: told.append(each))

    assert told[-1] == (len(DATA), len(DATA))
    assert told.count((len(DATA), len(DATA))) >= 2
    session.files.remove("p.bin")


@pytest.mark.parametrize(("place", "data"), [("microbit:", DATA * 4), ("sim:", DATA * 400)])
def test_a_transfer_that_is_given_up_leaves_nothing(manager, place, data):
    """Giving up goes on in the tree: ask until it is done; pytest's time-out bounds the wait."""
    with manager.session(place) as session:
        before = session.files.list()

        with pytest.raises(RuntimeError, match="enough"):
            session.files.write("r.bin", data, on_progress=_enough)

        while session.files.list() != before:
            pass
        assert session.resources.get_active_resources() == ()


def _enough(done, total):
    raise RuntimeError("enough")


def test_a_full_disk_is_told_and_keeps_no_part(manager):
    with manager.session("microbit:") as session:
        before = session.files.list()

        with pytest.raises(DeviceDiskFullError, match=r"16000 bytes are needed, 1\d{4} are free"):
            session.files.write("big.bin", b"x" * 16_000)

        assert session.files.list() == before


def test_a_file_too_long_for_a_flat_disk_does_not_take_the_old_one_away(manager):
    """There it is written in its place, and nothing says what is free."""
    with manager.session("microbit:") as session:
        before = session.files.list()
        session.files.write("keep", DATA)

        for length in (16_000, 60_000):
            with pytest.raises(
                DeviceDiskFullError, match=rf"{length} .* needed, 1\d{{4}} are free"
            ):
                session.files.write("keep", bytes(length))

        assert session.files.read("keep") == DATA
        session.files.write("keep", DATA * 2)
        assert session.files.read("keep") == DATA * 2
        session.files.remove("keep")
        assert session.files.list() == before
        assert session.resources.get_active_resources() == ()


def test_a_name_too_long_for_a_flat_disk_is_told(manager):
    with manager.session("microbit:") as session:
        before = session.files.list()

        with pytest.raises(DeviceFileError, match=r"y{300}: .* no file of this name; give"):
            session.files.write("y" * 300, b"x")

        assert session.files.list() == before


@pytest.mark.parametrize("place", ["sim:", "sim:names"])
def test_a_name_is_as_long_as_the_disk_takes_it_and_one_too_long_is_told(
    manager, place, tmp_path, monkeypatch
):
    monkeypatch.setenv("KLEMHEIST_HOME", str(tmp_path))
    with manager.session(place) as session:
        before = session.files.list()
        for name in ("x" * 255, "é" * 127):
            session.files.write(name, DATA)
            assert session.files.read(name) == DATA
            session.files.remove(name)

        with pytest.raises(DeviceFileError, match=r"y{256}: the name is too long") as caught:
            session.files.write("y" * 256, DATA)

        assert caught.value.code == "ENAMETOOLONG"
        assert session.files.list() == before


USES = [
    lambda files, path: files.read(path),
    lambda files, path: files.write(path, b"x"),
    lambda files, path: files.list(path),
    lambda files, path: files.walk(path),
    lambda files, path: files.stat(path),
    lambda files, path: files.exists(path),
    lambda files, path: files.remove(path),
    lambda files, path: files.remove(path, recursive=True),
    lambda files, path: files.rename(path, "b"),
    lambda files, path: files.rename("a", path),
    lambda files, path: files.mkdir(path),
    lambda files, path: files.mkdir(path, parents=True, exist_ok=True),
    lambda files, path: files.sync(Path(__file__).parent, path),
    lambda files, path: files.get_state(path),
]


@pytest.mark.parametrize("use", USES)
def test_what_is_no_path_is_told_by_every_operation(session, use):
    before = session.files.list()

    for path, told in (("", "give a name, or '/'"), ("a\0b", "zero byte"), (5, "as text")):
        with pytest.raises(klemheist.ArgumentError, match=f"no path on the device; .*{told}"):
            use(session.files, path)

    assert session.files.list() == before


@pytest.mark.parametrize("path", [".", "..", "/"])
def test_a_directory_is_not_written(session, path):
    before = session.files.list()

    with pytest.raises(DeviceIsADirectoryError, match=r": it is a directory$") as caught:
        session.files.write(path, b"x", temporary=True)

    assert "give the path of a file" in caught.value.advice
    assert session.files.list() == before
    assert session.resources.get_active_resources() == ()


@pytest.mark.parametrize(
    "act",
    [
        lambda files: files.mkdir("lib"),
        lambda files: files.mkdir("lib/a", parents=True, exist_ok=True),
        lambda files: files.rename("a", "b"),
        lambda files: files.sync(Path(__file__).parent, "/"),
    ],
    ids=["mkdir", "parents", "rename", "sync"],
)
def test_what_a_flat_device_cannot_do_is_said_in_one_line(manager, act):
    with manager.session("microbit:") as session:
        before = session.files.list()

        with pytest.raises(klemheist.CapabilityError, match=r"^[^\n]*this device[^\n]*;[^\n]*$"):
            act(session.files)

        assert session.files.list() == before


def test_a_flat_device_has_one_directory_to_walk(manager):
    with manager.session("microbit:") as session:
        session.files.write("w.txt", b"1")

        assert session.files.walk() == [("/", [], session.files.list())]
        session.files.remove("w.txt", recursive=True)
        assert not session.files.exists("w.txt")


def test_directories_are_made_listed_and_removed(tree):
    tree.files.mkdir("/lib")
    tree.files.write("/lib/a.py", b"a = 1")

    assert [each.name for each in tree.files.list("/lib/")] == ["a.py"]
    assert FileInfo("lib", tree.files.stat("/lib").size, is_dir=True) in tree.files.list()
    tree.files.remove("/lib/a.py")
    tree.files.remove("/lib")
    assert not tree.files.exists("/lib")


LOSSY = """
def open(path, mode):
    class File:
        def __init__(self): self.file = __builtins_open__(path, mode)
        def __enter__(self): return self
        def __exit__(self, *_): self.file.close()
        def seek(self, at): return self.file.seek(at)
        def readinto(self, room): return self.file.readinto(room)
        def write(self, data): return self.file.write(bytes(data)[:-1] + b"?")
    return File()
"""


@pytest.fixture
def lossy(tree):
    """A disk whose last byte of each write comes back changed, for the agent alone."""
    tree.files.list()
    tree("import __main__, builtins; agent = __main__._k(-1, 'X')")
    tree("agent('import builtins;__builtins_open__=builtins.open', 0)")
    tree.execute(f"agent({LOSSY!r}, 0)")
    yield tree
    tree("agent('del open', 0)")


def test_a_damaged_file_is_refused_and_removed(lossy):
    before = lossy.files.list()

    with pytest.raises(klemheist.errors.DeviceFileError, match=r"d\.bin.*: it keeps other bytes"):
        lossy.files.write("d.bin", DATA)

    assert lossy.files.list() == before


def test_a_damaged_file_is_refused_where_files_cannot_seek(manager, monkeypatch):
    monkeypatch.setattr(files_remote, "checksum", lambda data: -1)
    with manager.session("microbit:") as session:
        before = session.files.list()

        with pytest.raises(klemheist.errors.DeviceFileError, match="write it again"):
            session.files.write("d.bin", DATA)

        assert session.files.list() == before


def test_an_old_file_stays_whole_until_the_new_one_is_proved(lossy):
    lossy("agent('open_ = open\\ndel open', 0)")
    lossy.files.write("keep.txt", b"old")
    lossy("agent('open = open_', 0)")

    with pytest.raises(klemheist.DeviceError):
        lossy.files.write("keep.txt", DATA)

    assert lossy.files.read("keep.txt") == b"old"
    lossy.files.remove("keep.txt")


def test_a_long_transfer_lets_other_sessions_have_their_turns(manager):
    with manager.session("microbit:") as copying, manager.session("microbit:") as other:
        turns = []
        copying.files.write(
            "long.bin", DATA * 3, on_progress=lambda *_: turns.append(other("1 + 1"))
        )
        copying.files.remove("long.bin")

    assert turns == [2] * len(turns)
    assert len(turns) > 2


@pytest.fixture(params=["sim:", "host"])
def rich(manager, request, tmp_path):
    """A session on a device with directories: the embedded one, and one with other errnos."""
    url = "sim:" if request.param == "sim:" else f"exec:{sys.executable} {HOST} --root {tmp_path}"
    with manager.session(url) as session:
        session.top = "/t" if request.param == "sim:" else f"{tmp_path}/t"
        yield session
        if session.files.exists(session.top):
            session.files.remove(session.top, recursive=True)


@pytest.mark.parametrize("rich", ["host"], indirect=True)
def test_a_name_of_which_nothing_can_be_told_is_listed_with_the_others(rich):
    """Such as a link to nothing: the folder is listed, walked and removed all the same."""
    files, top = rich.files, rich.top
    files.mkdir(top)
    files.write(f"{top}/whole", b"12")
    for name in ("one", "two"):
        Path(top, name).symlink_to("nowhere")

    names = [("one", -1), ("two", -1), ("whole", 2)]
    assert [(each.name, each.size) for each in files.list(top)] == names
    assert [(each.name, each.size) for each in files.walk(top)[0][2]] == names
    with pytest.raises(DeviceFileNotFoundError, match=f"^OSError: {top}/one: no such file"):
        files.stat(f"{top}/one")
    files.remove(f"{top}/one")
    files.remove(top, recursive=True)
    assert not Path(top).exists()


def test_parents_are_made_and_what_is_there_is_let_be(rich):
    rich.files.mkdir(f"{rich.top}/a/b", parents=True)
    rich.files.mkdir(f"{rich.top}/a/b", parents=True, exist_ok=True)
    with pytest.raises(DeviceFileExistsError, match=f"{rich.top}/a: it is there already"):
        rich.files.mkdir(f"{rich.top}/a")
    with pytest.raises(DeviceFileExistsError):
        rich.files.mkdir(f"{rich.top}/a", parents=True)

    rich.files.write(f"{rich.top}/file", b"")
    with pytest.raises(DeviceFileExistsError):
        rich.files.mkdir(f"{rich.top}/file", exist_ok=True)
    assert rich.files.stat(f"{rich.top}/file").size == 0


def test_a_tree_is_walked_as_os_walk_does_and_removed_as_a_whole(rich):
    rich.files.mkdir(f"{rich.top}/b", parents=True)
    rich.files.mkdir(f"{rich.top}/a")
    for path in (f"{rich.top}/z", f"{rich.top}/a/2", f"{rich.top}/a/1"):
        rich.files.write(path, b"abc")

    found = rich.files.walk(rich.top)

    assert [(place, names, [each.name for each in files]) for place, names, files in found] == [
        (rich.top, ["a", "b"], ["z"]),
        (f"{rich.top}/a", [], ["1", "2"]),
        (f"{rich.top}/b", [], []),
    ]
    assert {each.size for _, _, files in found for each in files} == {3}
    rich.files.remove(rich.top, recursive=True)
    assert not rich.files.exists(rich.top)


def test_a_file_is_renamed_and_replaces_another(rich):
    rich.files.mkdir(rich.top)
    rich.files.write(f"{rich.top}/a", b"new")
    rich.files.write(f"{rich.top}/b", b"old")

    rich.files.rename(f"{rich.top}/a", f"{rich.top}/b")

    assert rich.files.read(f"{rich.top}/b") == b"new"
    assert not rich.files.exists(f"{rich.top}/a")


def test_errors_are_those_of_the_device_by_its_own_numbers(rich):
    rich.files.mkdir(rich.top)
    rich.files.write(f"{rich.top}/a", b"1")
    with pytest.raises(DeviceIsADirectoryError):
        rich.files.read(rich.top)
    with pytest.raises(DeviceNotADirectoryError):
        rich.files.write(f"{rich.top}/a/b", b"1")
    with pytest.raises(DeviceFileError, match="not empty") as caught:
        rich.files.remove(rich.top)
    assert caught.value.code == "ENOTEMPTY"
    with pytest.raises(DeviceFileNotFoundError):
        rich.files.remove(f"{rich.top}/nix")
    with pytest.raises(DeviceFileNotFoundError):
        rich.files.rename(f"{rich.top}/nix", f"{rich.top}/b")
    with pytest.raises(DeviceFileNotFoundError):
        rich.files.remove("/nix", recursive=True)


def test_a_file_larger_than_the_free_space_is_refused_before_it_is_sent(tree):
    tree.files.list()
    tree("import os; real = os.statvfs")
    tree("os.statvfs = lambda path: (512, 512, 100, 4, 4, 0, 0, 0, 0, 255)")
    before = tree.files.list()
    try:
        with pytest.raises(DeviceDiskFullError, match="3000 bytes are needed, 2048 are free") as no:
            tree.files.write("full.bin", DATA)
    finally:
        tree("os.statvfs = real")

    assert (no.value.needed, no.value.free) == (3000, 2048)
    assert tree.files.list() == before
    assert tree.resources.get_active_resources() == ()


@pytest.mark.req("SES-074")
def test_every_operation_is_recorded(tree):
    tree.files.write("rec.bin", DATA)
    tree.files.read("rec.bin")
    tree.files.remove("rec.bin")
    with pytest.raises(DeviceFileNotFoundError):
        tree.files.read("rec.bin")
    mine = FileOperation(kind="mine", path="/", size=7)
    tree.file_system_context.register_file_operation(mine)

    *kept, last = tree.files.operations
    assert [(each.kind, each.path, each.size) for each in kept] == [
        ("write", "rec.bin", 3000),
        ("read", "rec.bin", 3000),
        ("remove", "rec.bin", 0),
        ("read", "rec.bin", 0),
    ]
    assert [bool(each.error) for each in kept] == [False, False, False, True]
    assert last is mine


def test_names_beyond_ascii_are_taken(rich):
    rich.files.mkdir(rich.top)
    rich.files.write(f"{rich.top}/größe 'n\".txt", b"1")

    assert [each.name for each in rich.files.list(rich.top)] == ["größe 'n\".txt"]
    assert rich.files.read(f"{rich.top}/größe 'n\".txt") == b"1"


@pytest.mark.req("SES-027")
def test_the_file_context_carries_the_sessions_id(tree):
    assert tree.file_system_context.session_id == tree.session_id


def test_asyncio_has_the_same_files():
    async def main():
        async with klemheist.AsyncSessionManager() as manager, manager.session("sim:") as session:
            told = []
            await session.files.write("a.bin", DATA, on_progress=lambda *each: told.append(each))
            assert await session.files.read("a.bin") == DATA
            assert [each.name for each in await session.files.list()] == ["a.bin"]
            await session.files.remove("a.bin")
            assert not await session.files.exists("a.bin")
            return told[-1]

    assert asyncio.run(main()) == (len(DATA), len(DATA))
