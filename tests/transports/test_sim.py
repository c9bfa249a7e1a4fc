"""The embedded board behaves as firmware on a serial port does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from klemheist.transports import LinkBusy, LinkError, create_link
from klemheist.transports.sim import board_folder, interpreter, node
from tests.transports.conformance import (
    RAW_BANNER,
    BoardPeer,
    Inbox,
    Opened,
    board_pid,
    enter_raw,
    run,
)

SOFT_REBOOT = b"MPY: soft reboot\r\n" + RAW_BANNER


@pytest.fixture(scope="module")
def shared():
    """One board for the tests that leave it in the raw REPL."""
    with Opened(BoardPeer("sim:")) as opened:
        enter_raw(opened.link, opened.inbox)
        yield opened


@pytest.fixture
def board(shared):
    """A board whose RAM and files are fresh."""
    shared.link.write(b"import machine; machine.reset()\x04")
    shared.inbox.take(b">>> ")
    enter_raw(shared.link, shared.inbox)
    run(shared.link, shared.inbox, "import os\nfor n in os.listdir(): os.remove(n)\ndel os")
    yield shared
    shared.inbox.data.clear()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KLEMHEIST_HOME", str(tmp_path))
    return tmp_path


def value(opened: Opened, expression: str) -> object:
    output, error = run(opened.link, opened.inbox, f"print(repr({expression}))")
    assert error == b"", error
    return eval(output)


def test_a_fresh_board_is_empty(board):
    assert value(board, "__import__('os').listdir()") == []
    assert value(board, "__import__('os').listdir('/')") == []
    assert set(value(board, "dir()")) <= {"__name__", "__file__", "machine", "n", "os"}


def test_ctrl_c_before_the_first_prompt_leaves_nothing_of_the_start_behind():
    """What warms the interpreter up was broken off in the middle, with its names in `__main__`."""
    with Opened(BoardPeer("sim:")) as opened:
        opened.link.write(b"\x03" * 40)
        enter_raw(opened.link, opened.inbox)
        assert set(value(opened, "dir()")) <= {"__name__", "__file__", "machine"}


def test_an_empty_command_resets_softly_and_stays_raw(board):
    run(board.link, board.inbox, "x = 1\nopen('kept', 'w').write('yes')")
    board.link.write(b"\x04")
    assert board.inbox.take(RAW_BANNER) == b"OK\r\n" + SOFT_REBOOT
    assert b"NameError" in run(board.link, board.inbox, "x")[1]
    assert value(board, "open('kept').read()") == "yes"


@pytest.mark.parametrize("code", ["raise SystemExit", "import machine; machine.soft_reset()"])
def test_a_system_exit_resets_softly(board, code):
    board.link.write(code.encode() + b"\x04")
    assert board.inbox.take(RAW_BANNER) == b"OK\x04\x04" + SOFT_REBOOT


def test_a_soft_reset_of_the_friendly_prompt_comes_back_friendly(board):
    board.link.write(b"\x02")
    board.inbox.take(b">>> ")
    board.link.write(b"\x04")
    assert b"soft reboot\r\n\r\nMicroPython v1.27" in board.inbox.take(b">>> ")
    enter_raw(board.link, board.inbox)


def test_pins_outlive_a_soft_reset_and_not_a_hard_one(board):
    run(
        board.link,
        board.inbox,
        "from machine import Pin\nPin(25, Pin.OUT).on()\nPin('LED', Pin.OUT)",
    )
    board.link.write(b"\x04")
    board.inbox.take(RAW_BANNER)
    assert value(board, "__import__('machine').Pin.state()") == {25: (1, 1), "LED": (1, 0)}
    board.link.write(b"import machine; machine.reset()\x04")
    assert b"soft reboot" not in board.inbox.take(b">>> ")
    enter_raw(board.link, board.inbox)
    assert value(board, "__import__('machine').Pin.state()") == {}


def test_raw_paste_is_understood_and_refused(board):
    board.link.write(b"\x05A\x01")
    assert board.inbox.take(b">") == b"R\x00>"
    assert value(board, "1") == 1


@pytest.mark.parametrize(
    "code",
    [
        "print('on')\nwhile True: print('x')",
        "import time\nprint('on')\nwhile True: time.ticks_ms()",
        "import time\nprint('on')\ntime.sleep(20)",
        "import time\nprint('on')\ntime.sleep_ms(20000)",
        "print('on')\ninput()",
        "import sys\nprint('on')\nsys.stdin.read(1)",
    ],
)
def test_code_that_touches_the_host_can_be_interrupted(board, code):
    board.link.write(code.encode() + b"\x04")
    board.inbox.take(b"on\n")
    board.link.interrupt()
    assert b"KeyboardInterrupt" in board.inbox.take(b"\x04>")
    assert value(board, "2") == 2


@pytest.mark.parametrize("milliseconds", [0, 400])
def test_output_before_an_endless_loop_is_seen(milliseconds):
    """Also `OK` itself: without it the code would count as not executed.

    Of a young board, and of one that has a watcher to send what lies there.
    """
    for code, seen in ((b"while True: pass", b"OK"), (b"print('.')\nwhile True: pass", b"OK.\n")):
        with Opened(BoardPeer("sim:")) as opened:
            enter_raw(opened.link, opened.inbox)
            run(opened.link, opened.inbox, f"import time\ntime.sleep_ms({milliseconds})")
            run(opened.link, opened.inbox, "1")
            opened.link.write(code + b"\x04")
            opened.inbox.take(seen)


def test_what_is_typed_is_run_and_seen_before_an_endless_loop():
    with Opened(BoardPeer("sim:")) as opened:
        opened.inbox.take(b">>> ")
        opened.link.write(b"print('.', end='') or [0 for _ in iter(int, 1)]\r")
        opened.inbox.take(b"]\r\n.")


def test_bytes_sent_ahead_of_a_running_program_are_its_input(board):
    board.link.write(b"print(input())\x04typed\rprint(2)\x04")
    assert b"typed" in board.inbox.take(b"\x04>")
    assert board.inbox.take(b"\x04>") == b"OK2\n\x04\x04>"


def test_a_periodic_timer_fires_while_the_board_idles(board):
    run(
        board.link,
        board.inbox,
        "from machine import Timer\nt = Timer()\n"
        "t.init(period=2, callback=lambda t: print('tick'))",
    )
    for _ in range(3):
        board.inbox.take(b"tick\n")
    assert b"1" in run(board.link, board.inbox, "print(Timer.active()); t.deinit()")[0]
    assert value(board, "Timer.active()") == 0


def test_a_one_shot_timer_fires_once_in_running_code(board):
    code = (
        "from machine import Timer\nimport time\nseen = []\n"
        "Timer(mode=Timer.ONE_SHOT, period=1, callback=seen.append)\ntime.sleep_ms(20)"
    )
    assert run(board.link, board.inbox, code)[1] == b""
    assert value(board, "(len(seen), Timer.active())") == (1, 0)


def test_large_input_and_output_pass_whole(board):
    text = "0123456789abcdef" * 20_000
    run(board.link, board.inbox, f"s = '{text}'")
    output, _ = run(board.link, board.inbox, "print(s)")
    assert output == text.encode() + b"\n"


def test_a_named_board_keeps_its_files(home):
    code = (
        "import os\nos.mkdir('lib')\nopen('lib/a.py', 'w').write('x = 5')\n"
        "open('b', 'wb').write(bytes(range(256)))\nopen('c', 'w').close()\n"
        "os.rename('c', 'd')\nopen('e', 'w').close()\nos.remove('e')\n"
        "os.chdir('lib')\nos.mkdir('old')\nopen('old/f', 'w').close()\nos.rename('old', '../new')\n"
        "open('g', 'w').close()\nos.remove('g')\nos.chdir('/')"
    )
    with Opened(BoardPeer("sim:kept")) as opened:
        enter_raw(opened.link, opened.inbox)
        assert run(opened.link, opened.inbox, code) == (b"", b"")
        os.kill(board_pid(opened.link), signal.SIGKILL)
    with Opened(BoardPeer("sim:kept")) as opened:
        enter_raw(opened.link, opened.inbox)
        assert value(opened, "sorted(__import__('os').listdir())") == ["b", "d", "lib", "new"]
        assert value(opened, "open('b', 'rb').read()") == bytes(range(256))
        assert value(opened, "__import__('lib.a').a.x") == 5
    names = sorted(path.name for path in board_folder("kept").rglob("*"))
    assert names == ["a.py", "b", "d", "f", "lib", "new"]


def test_what_says_that_a_file_is_there_says_it_when_the_disk_has_it(home):
    """Code that is killed while it runs on: a file that it was still writing is not kept."""
    code = (
        "import os\nopen('gone', 'w').close()\nos.remove('gone')\n"
        "f = open('half', 'w')\nf.write('half')\nf.flush()\n"
        "with open('whole', 'w') as g: g.write('whole')\n"
        "print('done')\nwhile True: pass\x04"
    )
    with Opened(BoardPeer("sim:told")) as opened:
        enter_raw(opened.link, opened.inbox)
        opened.link.write(code.encode())
        opened.inbox.take(b"done")
        os.kill(board_pid(opened.link), signal.SIGKILL)
    (kept,) = board_folder("told").iterdir()
    assert kept.read_text() == "whole"


ERRNO_OF = "def errno_of(act):\n try: act()\n except OSError as e: return e.errno\nimport os\n"
"""What the tests below run first: numbers are the embedded board's own."""


@pytest.mark.parametrize("url", ["sim:", "sim:long"])
def test_a_name_is_refused_from_the_length_on_that_listings_cut(home, url):
    with Opened(BoardPeer(url)) as opened:
        enter_raw(opened.link, opened.inbox)
        code = (
            f"{ERRNO_OF}open('x' * 255, 'w').close()\nos.rename('x' * 255, 'é' * 127)\n"
            "told = [errno_of(lambda: open('y' * 256, 'w')), errno_of(lambda: os.mkdir('é' * 128)),"
            " errno_of(lambda: os.rename('é' * 127, 'z' * 256))]"
        )
        assert run(opened.link, opened.inbox, code) == (b"", b"")
        assert value(opened, "told") == [37, 37, 37]  # ENAMETOOLONG
        assert value(opened, "os.listdir()") == ["é" * 127]


def test_a_path_that_its_disk_cannot_take_is_refused(home):
    """The board's folder is part of it there."""
    with Opened(BoardPeer("sim:deep")) as opened:
        enter_raw(opened.link, opened.inbox)
        code = (
            f"{ERRNO_OF}def down():\n"
            " while True:\n  os.mkdir('d' * 250); os.chdir('d' * 250)\n"
            "told = errno_of(down)\n"
        )
        assert run(opened.link, opened.inbox, code) == (b"", b"")
        assert value(opened, "told") == 37
        assert value(opened, "errno_of(lambda: open('f', 'w').write('1'))") is None
        assert value(opened, "os.listdir()") == ["f"]


def test_what_the_disk_refuses_is_an_error_of_the_board_until_it_is_taken(home):
    with Opened(BoardPeer("sim:refused")) as opened:
        enter_raw(opened.link, opened.inbox)
        obstacle = board_folder("refused") / ".klemheist-part"
        obstacle.mkdir()
        code = f"{ERRNO_OF}with open('a', 'w') as f: f.write('kept')"
        assert run(opened.link, opened.inbox, code) == (b"", b"")
        assert value(opened, "errno_of(lambda: os.rename('a', 'b'))") == 29  # EIO
        assert value(opened, "errno_of(lambda: open('b', 'w'))") == 29
        assert value(opened, "errno_of(lambda: os.mkdir('c'))") == 29
        assert value(opened, "open('a').read()") == "kept"
        obstacle.rmdir()
        assert value(opened, "errno_of(lambda: os.rename('a', 'b'))") is None
        os.kill(board_pid(opened.link), signal.SIGKILL)
    (kept,) = board_folder("refused").iterdir()
    assert (kept.name, kept.read_text()) == ("b", "kept")


def test_what_is_refused_may_be_removed(home):
    with Opened(BoardPeer("sim:room")) as opened:
        enter_raw(opened.link, opened.inbox)
        (board_folder("room") / ".klemheist-part").mkdir()
        code = f"{ERRNO_OF}with open('a', 'w') as f: f.write('lost')"
        assert run(opened.link, opened.inbox, code) == (b"", b"")
        assert value(opened, "errno_of(lambda: os.remove('a'))") is None
        assert value(opened, "errno_of(lambda: os.mkdir('c'))") is None


def test_what_lies_in_its_folder_and_is_no_file_of_the_boards_is_left_alone(home):
    folder = board_folder("odd")
    (folder / "dev").mkdir(parents=True)
    (folder / "dangling").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "fifo")
    (folder / "a").write_text("1")
    with Opened(BoardPeer("sim:odd")) as opened:
        enter_raw(opened.link, opened.inbox)
        assert value(opened, "__import__('os').listdir()") == ["a"]


def test_a_named_board_runs_once_at_a_time(home):
    with Opened(BoardPeer("sim:one")), pytest.raises(LinkBusy, match="sim:one is running already"):
        create_link("sim:one").open(Inbox())


def test_the_heap_is_as_the_url_says():
    totals = []
    for heap in ("64k", "8m"):
        with Opened(BoardPeer(f"sim:?heap={heap}")) as opened:
            enter_raw(opened.link, opened.inbox)
            info, _ = run(opened.link, opened.inbox, "import micropython; micropython.mem_info()")
            totals.append(int(info.partition(b"total: ")[2].partition(b",")[0]))
    assert totals[0] < 128 * 1024
    assert totals[1] > 7 * 1024 * 1024


def test_without_node_the_error_names_the_extra(monkeypatch):
    monkeypatch.setattr(node, "_in_wheel", lambda _: None)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(LinkError, match=r'pip install "klemheist\[sim\]"'):
        create_link("sim:").open(Inbox())


def test_without_network_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("KLEMHEIST_CACHE", str(tmp_path / "cache"))
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(LinkError, match="connect once") as raised:
        create_link("sim:").open(Inbox())
    assert "\n" not in str(raised.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_several_processes_may_fetch_at_once(tmp_path):
    code = (
        "from klemheist.transports.sim import find_node, interpreter_path; "
        "print(interpreter_path(find_node()))"
    )
    environment = {**os.environ, "KLEMHEIST_CACHE": str(tmp_path)}
    fetchers = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    found = {fetcher.communicate()[0] for fetcher in fetchers}
    assert [fetcher.returncode for fetcher in fetchers] == [0, 0, 0]
    assert len(found) == 1
    (home,) = tmp_path.iterdir()
    assert sorted(path.name for path in home.iterdir()) == ["micropython.mjs", "micropython.wasm"]


def test_the_size_that_is_told_is_that_of_the_package(tmp_path):
    found = node.find_node()
    package = interpreter._fetch(node.find_npm(found), found, tmp_path, timeout=60.0)
    assert package.stat().st_size == interpreter.SIZE


def test_a_package_that_is_not_the_published_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(interpreter, "cache_folder", lambda: tmp_path)
    package = tmp_path / "x.tgz"
    package.write_bytes(b"forged")
    with pytest.raises(LinkError, match="not the published one"):
        interpreter._store(package, tmp_path / "unpacked", tmp_path / "home")
    assert not (tmp_path / "home").exists()
