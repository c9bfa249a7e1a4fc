"""Files under faults: whatever happens, a file is the old one or the new one, and nothing is left.

The link is cut at each message in turn, before the board has it and after; the board's process is
killed; its disk is full; the line damages bytes.
"""

from __future__ import annotations

import contextlib
import random
import threading

import pytest
from boards.mangler import Damage, Mangler
from boards.tcp_board import TcpBoard

import klemheist
from klemheist.actors.files import manifest
from klemheist.errors import DeviceDiskFullError

LARGE = random.Random(11).randbytes(200_000)


class Cutting(TcpBoard):
    """A board whose link is lost at the n-th message that comes from now on."""

    left = -1
    after = False
    """The board gets the message, but not the host its answer."""
    fatal = False
    """The board's process dies with the link, and is started anew."""
    taken = 0
    """Bytes that the board has got."""

    def __init__(self, board):
        self.seen = []
        self.when_dead = lambda: None
        """Called while there is no process; what it returns is kept in `seen`."""
        self.restarting = None
        super().__init__(board)

    def close(self):
        if self.restarting:
            self.restarting.join()
        super().close()

    def cut(self, at, *, after=False, fatal=False):
        self.left, self.after, self.fatal = at, after, fatal

    def _pump(self, client):
        while data := client.read():
            if self.left > 0:
                self.left -= 1
            if self.left == 0 and not self.after:
                self._fail()
                break
            link = self._link
            if link is None:
                break
            link.write(data)
            self.taken += len(data)
            if self.left == 0:
                client.close()  # before the answer can get through
                self._fail()
                break
        client.close()

    def _fail(self):
        self.left = -1
        if self.fatal:
            self.restarting = threading.Thread(target=self._restart)
            self.restarting.start()
        else:
            self.drop()

    def _restart(self):
        self.kill()
        self.seen.append(self.when_dead())
        self.respawn()


@pytest.fixture(scope="module")
def board():
    with Cutting("sim:") as board:
        yield board


@pytest.fixture(scope="module")
def manager(board):  # so that it is closed first
    with klemheist.SessionManager() as manager:
        yield manager


@contextlib.contextmanager
def alone(url):
    """A session on a board of its own, whose manager is closed while the board is still there."""
    with klemheist.SessionManager() as manager, manager.session(url) as session:
        yield session


@pytest.fixture
def session(manager, board):
    with manager.session(board.url) as session:
        session.files.list()
        yield session
        board.cut(-1)
        session.files.remove("/", recursive=True)


def contents(top):
    return {
        path.relative_to(top).as_posix(): path.read_bytes()
        for path in top.rglob("*")
        if path.is_file()
    }


def on_device(session, root):
    found = {}
    for place, _, files in session.files.walk(root):
        for each in files:
            path = f"{place}/{each.name}"
            found[path.removeprefix(f"{root}/")] = session.files.read(path)
    return found


@pytest.fixture
def folder(tmp_path):
    top = tmp_path / "src"
    (top / "pkg").mkdir(parents=True)
    for number in range(6):
        where = top / ("", "pkg")[number % 2]
        (where / f"f{number}").write_bytes(random.Random(number).randbytes(700))
    (top / "large").write_bytes(LARGE[:70_000])
    return top


def test_an_upload_goes_on_from_the_last_piece_that_is_there(session, board):
    """800 KB in 7 pieces; the link is lost after some of them, twice."""
    data = LARGE * 4
    for after in (False, True):
        board.taken = 0
        board.cut(8, after=after)  # free space, then pieces of 120 KB, each in some messages

        session.files.write("/large", data)

        assert board.left == -1
        assert board.taken < len(data) * 1.4
        assert session.files.read("/large") == data
        assert [each.name for each in session.files.list()] == ["large"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 5))
def test_a_write_outlives_the_loss_of_its_link_at_any_message(session, board, at, after):
    session.files.write("/w", b"old")
    board.cut(at, after=after)

    session.files.write("/w", LARGE[:40_000])

    assert session.files.read("/w") == LARGE[:40_000]
    assert [each.name for each in session.files.list()] == ["w"]
    assert session.resources.get_active_resources() == ()


def test_a_device_that_cannot_seek_gets_its_file_from_the_beginning():
    with Cutting("microbit:") as board, alone(board.url) as session:
        session.files.write("m.bin", b"old")
        for at in (30, 60):
            board.cut(at, after=at == 60)

            session.files.write("m.bin", LARGE[:2500])

            assert board.left == -1
            assert session.files.read("m.bin") == LARGE[:2500]
        assert [each.name for each in session.files.list()] == ["m.bin"]


def test_a_read_goes_on_where_it_was(session, board):
    session.files.write("/r", LARGE)
    board.cut(3)

    assert session.files.read("/r") == LARGE
    assert board.left == -1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3, 5, 7])
def test_a_sync_outlives_the_loss_of_its_link_in_any_phase(session, board, folder, at, after):
    (folder / "f0").write_bytes(b"old")
    session.files.sync(folder, "/app")
    for number in range(6):
        where = folder / ("", "pkg")[number % 2]
        (where / f"f{number}").write_bytes(b"new %d" % number * 99)
    (folder / "large").write_bytes(LARGE[-75_000:])
    board.cut(at, after=after)

    done = session.files.sync(folder, "/app")

    assert sorted(done.written) == sorted(contents(folder))
    assert done.unchanged == ()
    assert done.bytes == sum(map(len, contents(folder).values()))
    there = on_device(session, "/app")
    assert manifest.parse(there.pop(manifest.NAME)).keys() == there.keys()
    assert there == contents(folder)
    board.cut(-1)
    assert session.files.sync(folder, "/app").written == ()


def test_a_large_file_of_a_sync_goes_on_where_it_was(session, board, tmp_path):
    """800 KB in 7 pieces; the link is lost at a late one."""
    (tmp_path / "large").write_bytes(LARGE * 4)
    session.files.mkdir("/app")
    board.taken = 0
    board.cut(12)

    session.files.sync(tmp_path, "/app")

    assert board.left == -1
    assert board.taken < 4 * len(LARGE) * 1.4
    assert on_device(session, "/app")["large"] == LARGE * 4


@pytest.mark.parametrize("at", [2, 4])
def test_a_board_that_dies_in_a_sync_gets_it_all_when_it_is_back(session, board, folder, at):
    """`sim:` without a name keeps no files: the sync finds an empty disk, and begins anew."""
    board.cut(at, fatal=True)

    session.files.sync(folder, "/app")

    there = on_device(session, "/app")
    del there[manifest.NAME]
    assert there == contents(folder)


@pytest.mark.parametrize("at", [2, 3])
def test_a_board_killed_before_the_rename_keeps_whole_files(tmp_path, monkeypatch, at):
    """Its disk outlives it: what is there while the board is dead is the old file, whole."""
    monkeypatch.setenv("KLEMHEIST_HOME", str(tmp_path))
    old, new = LARGE[:50_000], LARGE[50_000:]
    with Cutting(f"sim:killed{at}") as board, alone(board.url) as session:
        session.files.write("/f", old)
        session.files.list()  # the board answers before its own disk has what it wrote
        (kept,) = tmp_path.rglob("f")
        board.when_dead = kept.read_bytes
        board.cut(at, fatal=True)

        session.files.write("/f", new)

        assert board.seen == [old]
        assert session.files.read("/f") == new
        assert [each.name for each in session.files.list()] == ["f"]


def test_a_disk_that_is_full_in_mid_write_is_told_and_left_as_it_was(session):
    """The disk does not say what is free, and takes 150,000 bytes."""
    session.files.write("/old", b"old")
    session("import __main__; agent = __main__._k(-1, 'X')")
    session("agent('def YA(p):return -1', 0)")
    session.execute(f"agent({FULL!r}, 0)")
    try:
        with pytest.raises(DeviceDiskFullError, match=r"/old: 200000 bytes are needed, 122880 are"):
            session.files.write("/old", LARGE)
    finally:
        session("agent('del open', 0)")

    assert session.files.read("/old") == b"old"
    assert [each.name for each in session.files.list()] == ["old"]


FULL = """
import builtins
real, taken = builtins.open, [0]
def open(path, mode):
    file = real(path, mode)
    class File:
        def __enter__(self): return self
        def __exit__(self, *_): file.close()
        def seek(self, at): return file.seek(at)
        def readinto(self, room): return file.readinto(room)
        def write(self, data):
            taken[0] += len(data)
            if taken[0] > 150000: raise OSError(51)
            return file.write(data)
    return File()
"""


@pytest.mark.parametrize(("seed", "every"), [(0, 25_000), (1, 25_000), (2, 4_000), (3, 4_000)])
def test_a_line_that_damages_bytes_damages_no_file(folder, seed, every):
    kinds = tuple(Damage)
    with (
        TcpBoard("sim:") as board,
        Mangler(board.host, board.port, seed=seed, every=every, kinds=kinds, active=False) as line,
        alone(line.url) as session,
    ):
        session.files.list()
        line.active = True
        session.files.sync(folder, "/app")
        data = session.files.read("/app/large")
        line.active = False

        assert data == contents(folder)["large"]
        assert line.counts.total() > 0
        there = on_device(session, "/app")
        del there[manifest.NAME]
        assert there == contents(folder)
