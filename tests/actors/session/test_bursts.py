"""Bursts: calls in quick succession, made by the agent's loop (`transports/repl/burst.py`)."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from klemheist import AsyncSessionManager, DeviceError, DeviceReset, LinkTimeout, SessionManager
from klemheist.actors.device import batch, bursts, device, short
from klemheist.actors.device.call import Call
from klemheist.actors.errors import DeviceMemoryError
from klemheist.actors.session.remote import Namespace
from klemheist.transports.repl import burst
from klemheist.transports.repl.burst import MOST_ENTRIES, SPREAD, burst_line
from klemheist.transports.repl.frames import (
    COUNTS,
    PRIME,
    STRIDE,
    FrameKind,
    find_short,
    frame_check,
    parse,
    short_answer,
)
from klemheist.transports.repl.procedures import evaluated, one_line

HOST = f"exec:{sys.executable} {Path(__file__).parents[2] / 'boards' / 'raw_repl_host.py'}"
BOARDS = pytest.mark.parametrize(
    "url", ["sim:", "microbit:", HOST], ids=["sim", "microbit", "host"]
)
LONG = 30.0
"""Seconds that a busy machine may take for anything at all."""


@pytest.fixture
def unhurried(monkeypatch):
    """On a busy machine a pause is no pause, and a slow answer is none."""
    monkeypatch.setattr(short, "DRIVE_SECONDS", LONG)
    monkeypatch.setattr(bursts, "LONGEST", LONG)
    for module in (bursts, device, short):
        monkeypatch.setattr(module, "PAUSE", LONG)


@contextmanager
def a_session(url):
    with SessionManager() as manager, manager.session(url) as session:
        yield session, manager.device(url)


def in_burst(session, port):
    """Call until a burst is under way; return the task, whose calls it is made of.

    On a micro:bit one boot in some has its free memory in too small pieces for what bursts need.
    """

    @session.task
    def same(x):
        return x

    for _ in range(3):
        for number in range(200):  # the first ones deploy it, and send what bursts need
            assert same(number) == number
            if port.brain.in_burst:
                return same
        with pytest.raises(DeviceReset):
            session("import microbit\nmicrobit.reset()")
    raise AssertionError("no burst in three boots")


# -- the lines, without a board -------------------------------------------------------------------


def test_no_wrong_digit_of_a_line_is_another_call():
    for place in range(20):
        for digit in range(1, 36):
            moved = digit * 36**place * SPREAD % PRIME
            assert min(moved, PRIME - moved) >= MOST_ENTRIES


def test_no_late_line_is_a_call():
    for late in range(1, 9):
        moved = late * STRIDE * SPREAD % PRIME
        assert min(moved, PRIME - moved) >= MOST_ENTRIES


def test_the_devices_products_are_small_integers():
    assert (PRIME - 1) * SPREAD < 2**30
    assert COUNTS * STRIDE < 2**30


@pytest.mark.parametrize("value", [0, 1, -1, 35, 36, 1295, 1296, -(2**63), 2**63 - 1])
def test_a_line_of_one_integer_is_its_value_and_its_proof(value):
    proof, line = burst_line(7, (value,), 12345)
    assert divmod(int(line, 36), PRIME) == (value, proof)
    assert (proof - 12345 * STRIDE) * SPREAD % PRIME == 7


@pytest.mark.parametrize("value", [0, 5, -5, 2**70])
def test_an_answer_is_known_by_its_proof(value):
    text = b"\x1e%x\x1e" % (value * PRIME + 77)
    assert short_answer(text, 77) == value
    assert short_answer(text, 78) is None
    frame, start, end = find_short(b"out\x1e12\x1e" + text + b"put", 77)
    assert (frame.text, start, end) == (str(value), 6 + (start - 6), start + len(text))
    for at in range(1, len(text) - 1):
        for digit in b"0123456789abcdef-B":
            wrong = text[:at] + bytes([digit]) + text[at + 1 :]
            assert wrong == text or find_short(wrong, 77) is None


# -- on the boards --------------------------------------------------------------------------------


@BOARDS
def test_values_come_and_go_as_they_are(url, unhurried):
    with a_session(url) as (session, port):
        same = in_burst(session, port)
        values = [
            0,
            -1,
            2**31,
            -(2**62),
            None,
            True,
            False,
            "a#'b",
            b"\x00\x03",
            (1, (2,)),
            [],
            1.5,
        ]
        for value in values:
            found = same(value)
            assert found == value
            assert type(found) is type(value)
        assert same([1, "x", None]) == [1, "x", None]


@BOARDS
def test_awaited_calls_are_lines_of_bursts_too(url, unhurried):
    async def awaited():
        async with AsyncSessionManager() as manager, manager.session(url) as session:
            same = session.task(source="def same(x): return x")
            port = await manager.device(url)

            async def until_in_burst():
                for number in range(500):
                    assert await same(number) == number
                    if port.brain.in_burst:
                        return
                raise AssertionError("no burst")

            await until_in_burst()
            for value in (-1, 2**31, None, True, "a#'b", (1, (2,)), 1.5):
                assert await same(value) == value
            assert await asyncio.gather(*map(same, range(30))) == list(range(30))
            await until_in_burst()
            assert await session("6 * 7") == 42
            assert not port.brain.in_burst

    asyncio.run(awaited())


@BOARDS
def test_any_number_of_arguments_is_a_line_of_the_burst(url, unhurried):
    with a_session(url) as (session, port):
        in_burst(session, port)

        @session.task
        def count(*args):
            return len(args)

        count()  # deployed: that has ended the burst
        in_burst(session, port)
        for args in ((), (1,), (1, 2), ("x",), (1, "#", None)):
            assert count(*args) == len(args)
            assert port.brain.in_burst


def test_what_is_submitted_in_a_burst_goes_out_together_after_it(unhurried, monkeypatch):
    monkeypatch.setattr(batch, "QUICK", LONG)
    with a_session("sim:") as (session, port):
        same = in_burst(session, port)
        for future in [same.submit(n) for n in range(3)]:  # which shows its pace
            future.get()
        for _ in range(2):
            in_burst(session, port)
            board, before = port.board, port.board.count
            inbox = port.brain._actor_inbox
            assert inbox.hold()
            futures = [same.submit(n) for n in range(100)]
            inbox.let_go()
            assert [future.get() for future in futures] == list(range(100))
            assert board.count == before + 1


@BOARDS
def test_what_a_call_raises_ends_the_burst_and_nothing_else(url, unhurried):
    with a_session(url) as (session, port):

        @session.task
        def divide(a, b):
            print("dividing")
            return a // b

        assert divide(6, 2) == 3
        same = in_burst(session, port)
        with pytest.raises(DeviceError, match="ZeroDivisionError") as caught:
            divide(1, 0)
        assert "in divide" in str(caught.value.traceback)
        assert "BU" not in str(caught.value.traceback)
        assert not port.brain.in_burst
        assert [same(number) for number in range(20)] == list(range(20))


@BOARDS
def test_what_a_call_prints_is_output_and_its_answer_comes_behind(url, unhurried):
    with a_session(url) as (session, port):

        @session.task
        def say(n):
            print("line", n)
            return n

        assert say(1) == 1
        in_burst(session, port)
        heard = []
        port.listen(heard.append)
        assert [say(n) for n in range(5)] == [0, 1, 2, 3, 4]
        assert not any(b"\x1e" in event.data for event in heard)


@BOARDS
def test_a_call_that_takes_longer_becomes_an_ordinary_one(url, unhurried, monkeypatch):
    with a_session(url) as (session, port):
        same = in_burst(session, port)
        monkeypatch.setattr(short, "DRIVE_SECONDS", 0.0)
        assert [same(number) for number in range(30)] == list(range(30))
        monkeypatch.setattr(short, "DRIVE_SECONDS", LONG)
        assert port.board.burst == port.board.boot
        in_burst(session, port)


@BOARDS
def test_whatever_else_is_asked_ends_the_burst_first(url, unhurried):
    with a_session(url) as (session, port):
        in_burst(session, port)
        assert session("6 * 7") == 42
        assert not port.brain.in_burst
        same = in_burst(session, port)
        assert [same.submit(n).get() for n in range(3)] == [0, 1, 2]


@BOARDS
def test_a_burst_ends_soon_after_its_last_call(url, unhurried, monkeypatch):
    with a_session(url) as (session, port):
        in_burst(session, port)
        session("1")
        for module in (bursts, device, short):
            monkeypatch.setattr(module, "PAUSE", 0.02)
        until = time.monotonic() + LONG

        @session.task
        def same(x):
            return x

        while not port.brain.in_burst:
            assert same(1) == 1
            assert time.monotonic() < until
        while port.brain.in_burst:
            assert time.monotonic() < until
            time.sleep(0.005)
        assert session("6 * 7") == 42


def test_a_board_that_waits_for_a_line_sleeps(unhurried):
    """It looks for one only for a moment: then it uses no processor."""
    with a_session("sim:") as (session, port):
        in_burst(session, port)
        before = processor_seconds(port.link.pid)
        time.sleep(0.5)
        assert port.brain.in_burst
        assert processor_seconds(port.link.pid) - before < 0.25


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@BOARDS
def test_a_call_past_its_deadline_is_interrupted_in_a_burst_too(url, unhurried, monkeypatch):
    with a_session(url) as (session, port):

        @session.task
        def forever(x):
            import time

            while x:
                time.sleep(0.001)
            return 1

        assert forever(0) == 1
        same = in_burst(session, port)
        monkeypatch.setattr(short, "DRIVE_SECONDS", 0.003)
        with pytest.raises(LinkTimeout):
            forever.with_options(timeout=0.5)(1)
        assert same(5) == 5


# -- damage: forged, for a link of these boards has none ------------------------------------------


@pytest.fixture
def counting():
    """A session on `sim:` in a burst, with a task that counts how often it ran."""
    with a_session("sim:") as (session, port):

        @session.task
        def tick(x):
            ticks.append(x)  # noqa: F821 -- a name of the session's
            return x

        session.execute("ticks = []")
        assert tick(1) == 1
        in_burst(session, port)
        yield session, port, tick


def damaged_calls(session, port, tick, damages, monkeypatch):
    """Make one call for each damage; each is answered right, and has run once."""
    before = session("len(ticks)")
    for number, damage in enumerate(damages, 1):
        port.board.burst = port.board.boot  # given up after each
        in_burst(session, port)
        with monkeypatch.context() as patch:
            damage(patch)
            assert tick(number) == number
        assert port.board.burst == ""
        assert session("len(ticks)") == before + number


def test_a_damaged_line_is_no_call(unhurried, counting, monkeypatch):
    begin = bursts.BurstLine.begin

    def damage(change):
        def act(patch):
            patch.setattr(bursts.BurstLine, "begin", lambda self: change(begin(self)))

        return act

    changes = [
        lambda line: line[1:],
        lambda line: line[:-2] + b"\n",
        lambda line: line[:2] + line[1:],
        lambda line: b"(" + line,
        lambda line: line[:1] + b"#" + line[1:],
        lambda line: line[:2] + b"\n" + line[2:],
        lambda line: b"\xff" + line,
        lambda line: b"\n",
    ]
    damaged_calls(*counting, [damage(change) for change in changes], monkeypatch)


def test_a_line_that_comes_twice_is_one_call(unhurried, counting, monkeypatch):
    session, port, tick = counting
    begin = bursts.BurstLine.begin
    before = session("len(ticks)")
    in_burst(session, port)
    with monkeypatch.context() as patch:
        patch.setattr(bursts.BurstLine, "begin", lambda self: begin(self) * 2)
        assert tick(1) == 1
    assert tick(2) == 2
    assert session("len(ticks)") == before + 2


def test_a_damaged_answer_is_asked_for_again(unhurried, counting, monkeypatch):
    take = bursts.BurstLine.take
    monkeypatch.setattr(short, "DRIVE_SECONDS", 0.2)

    def damage(change):
        def act(patch):
            patch.setattr(bursts.BurstLine, "take", lambda self, data: take(self, change(data)))

        return act

    changes = [
        lambda data: data[:1] + b"0" + data[2:-2] + b"7\x1e",
        lambda data: data[1:],
        lambda data: data[:-1],
        lambda data: b"\x1eB" + data[1:],
    ]
    damaged_calls(*counting, [damage(change) for change in changes], monkeypatch)


def test_the_count_of_calls_begins_anew_between_two_bursts(unhurried):
    with a_session("sim:") as (session, port):
        same = in_burst(session, port)
        session.execute("import __main__")
        session.execute(f"__main__._k(-1,'S')[0]['Q'] = {COUNTS - 20}")
        port.board.count = COUNTS - 20
        assert [same(number) for number in range(60)] == list(range(60))
        assert port.board.count < 100
        assert port.board.burst == port.board.boot


def test_where_room_is_short_a_deployment_gets_that_of_the_bursts(unhurried, monkeypatch):
    define = Namespace._define
    with a_session("microbit:") as (session, port):
        same = in_burst(session, port)
        session.execute("import gc")
        free = "[gc.collect(), gc.mem_free()][1]"
        before = session(free)
        full = iter([DeviceMemoryError(free=0)])

        def once(self, *args):
            for error in full:
                raise error
            return (yield from define(self, *args))

        monkeypatch.setattr(Namespace, "_define", once)

        @session.task
        def double(x):
            return 2 * x

        assert double(4) == 8
        assert session(free) > before + 800
        assert port.board.burst == ""
        assert [same(number) for number in range(30)] == list(range(30))


def test_where_room_is_short_a_long_argument_gets_that_of_the_bursts(unhurried):
    """Else it was refused or not by how quick the calls before it were: only then there are any."""
    value = [[1, "abcdefgh", ()]] * 25 + ["y" * 70]
    with a_session("microbit:") as (session, port):
        same = in_burst(session, port)
        assert same(value) == value
        assert port.board.burst == ""
        assert [same(number) for number in range(30)] == list(range(30))


def test_a_long_answer_comes_beside_bursts_and_no_call_runs_twice(unhurried):
    with a_session("microbit:") as (session, port):
        same = in_burst(session, port)
        session.execute("calls = 0")
        block = session.task(source="def block():\n global calls\n calls += 1\n return 'x' * 1024")
        for number in range(5):
            assert block() == "x" * 1024
            assert same(number) == number
        assert session("calls") == 5


def test_a_constant_is_never_taken_for_an_integer():
    """`B` marks a constant and is a digit too: of all proofs, two would be mistaken."""
    for value, proof in ((1, 276620), (0, 767273)):
        text = b"\x1eB%x\x1e" % (value * PRIME + PRIME - proof)
        assert short_answer(text, proof) is None
        assert find_short(text, proof)[0].text == str(bool(value))


def test_a_frame_of_another_number_is_not_parsed():
    frame = b"\x1e123456=2,%d,42" % frame_check(FrameKind.VALUE, b"42")
    assert parse(frame, 123456)[0].text == "42"
    assert parse(frame, 123457) == (None, -1)


def test_a_call_whose_own_line_would_not_fit_is_none_of_a_burst(unhurried):
    with a_session("microbit:") as (session, port):
        in_burst(session, port)
        board = port.board
        spared = 0
        for length in range(60):
            plain = ("y" * length, 3000)
            if one_line(board, 0, plain) is None:
                assert bursts.line_of(board, 0, plain, beginning=False) is None
                spared += len(burst_line(0, plain, board.count)[1]) < board.credit
        assert spared, "such a call would fit into a burst"


def test_what_bursts_have_taken_is_given_back_where_they_do_not_work(unhurried, monkeypatch):
    monkeypatch.setattr(burst, "LOOP", (*burst.LOOP, "1/0"))
    with a_session("microbit:") as (session, port):

        @session.task
        def same(x):
            return x

        for number in range(500):
            assert same(number) == number
            if port.board.tried == port.board.boot:
                break
        assert port.board.burst == ""
        for name in ("BU", "BG", "BC", "BX", "BL"):
            look = Call(partial(evaluated, expression=name), "", time.monotonic() + LONG)
            frame, _ = port.submit(look).get(timeout=LONG)
            assert frame.text == "0"


def test_a_thread_that_prints_end_marks_beside_bursts_breaks_none():
    with a_session(HOST) as (session, port):
        seen = []
        forget = port.listen(lambda event: seen.append(event.kind))
        session.thread(
            source="def chat():\n"
            " import time\n"
            " while klemheist_running():\n"
            "  print(chr(4), end='')\n"
            "  time.sleep(0.003)"
        )()
        add = session.task(source="def add(a, b): return a + b")
        for number in range(1500):
            assert add(number, 1) == number + 1
        forget()
        assert set(seen) <= {"output", "thread"}, set(seen)
        assert session.generation == 1
