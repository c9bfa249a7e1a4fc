"""`session.files` on every kind of board: with raw bytes, with escapes, without directories."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import pytest

import klemheist
from klemheist.actors.session import files_remote
from klemheist.actors.session.files import FileInfo

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


def test_a_transfer_that_is_given_up_leaves_nothing(manager):
    """Giving up goes on in the tree: ask until it is done; pytest's time-out bounds the wait."""
    with manager.session("microbit:") as session:
        before = session.files.list()

        with pytest.raises(RuntimeError, match="enough"):
            session.files.write("r.bin", DATA * 4, on_progress=_enough)

        while session.files.list() != before:
            pass
        assert session.resources.get_active_resources() == ()


def _enough(done, total):
    raise RuntimeError("enough")


def test_a_full_disk_is_told_and_keeps_no_part(manager):
    with manager.session("microbit:") as session:
        before = session.files.list()

        with pytest.raises(klemheist.DeviceError, match=r"big\.bin: "):
            session.files.write("big.bin", b"x" * 16_000)

        assert session.files.list() == before


def test_a_device_without_directories_says_so(manager):
    with manager.session("microbit:") as session, pytest.raises(klemheist.CapabilityError):
        session.files.mkdir("lib")


def test_directories_are_made_listed_and_removed(tree):
    tree.files.mkdir("/lib")
    tree.files.write("/lib/a.py", b"a = 1")

    assert [each.name for each in tree.files.list("/lib/")] == ["a.py"]
    assert FileInfo("lib", tree.files.stat("/lib").size, is_dir=True) in tree.files.list()
    tree.files.remove("/lib/a.py")
    tree.files.remove("/lib")
    assert not tree.files.exists("/lib")


def test_a_damaged_file_is_refused_and_removed(tree, monkeypatch):
    monkeypatch.setattr(files_remote, "checksum", lambda data: -1)
    before = tree.files.list()

    with pytest.raises(klemheist.DeviceError, match="write it again"):
        tree.files.write("d.bin", DATA)

    assert tree.files.list() == before


def test_an_old_file_stays_whole_until_the_new_one_is_proved(tree, monkeypatch):
    tree.files.write("keep.txt", b"old")
    monkeypatch.setattr(files_remote, "checksum", lambda data: -1)

    with pytest.raises(klemheist.DeviceError):
        tree.files.write("keep.txt", DATA)

    assert tree.files.read("keep.txt") == b"old"
    tree.files.remove("keep.txt")


def test_a_long_transfer_lets_other_sessions_have_their_turns(manager):
    with manager.session("microbit:") as copying, manager.session("microbit:") as other:
        turns = []
        copying.files.write(
            "long.bin", DATA * 3, on_progress=lambda *_: turns.append(other("1 + 1"))
        )
        copying.files.remove("long.bin")

    assert turns == [2] * len(turns)
    assert len(turns) > 2


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
