"""On a line that damages bytes: no wrong result, no call made twice, and always a way back.

Against the model board, where time is free and a failing seed fails again; `test_boards.py` does
the same with real ones. `made` is a list outside of the board: it outlives soft resets.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from klemheist.transports.repl import agent, once
from klemheist.transports.repl.agent import FIRST_TASK, Entry
from klemheist.transports.repl.attach import PROBES, soft_reset
from klemheist.transports.repl.frames import FrameKind, call_line, status_question
from klemheist.transports.repl.lines import Disturbed, Gone, Silent, status
from klemheist.transports.repl.once import numbered
from klemheist.transports.repl.procedures import applied, executed
from klemheist.transports.repl.values import decode

from .model import ModelBoard, ModelDriver

sys.path.append(str(Path(__file__).parents[2]))
from boards.mangler import Damage, Schedule

MAKE, FAIL = FIRST_TASK, FIRST_TASK + 1
SOURCE = b"""\
def make(i,s):
 made.append((i,s))
 print('out',i)
 return s*(i%3)
def fail(i,s):
 made.append((i,s))
 raise ValueError(s)
"""
CORE_E = next(part for part in agent._CORE if "def e(" in part)
LETTERS = "ab1 #'\"\n\x04\x03\x1e>OK="


class Rig:
    """A model board with two tasks, and what they did."""

    def __init__(self, **options):
        self.made = []
        self.board = ModelBoard(**options)
        self.board.world["made"] = self.made
        self.board.feed(b"\x04")  # a new boot, which knows the world
        self.driver = ModelDriver(self.board)
        self.ready()

    def ready(self, count=4711):
        """Attach on a clean line, and deploy what a new boot has lost."""
        self.driver.up = self.driver.down = bytes
        if not self.driver.attach(count).same_boot:
            run, board = self.driver.run, self.driver.talk.board
            run(applied(board, Entry.EXEC, SOURCE, 1, MAKE, "make"))
            run(executed(board, f"G[{FAIL}]=S[1]['fail']"))
        self.boots = self.board.boots

    def call(self, task, *args):
        return self.driver.run(numbered(self.driver.talk.board, task, *args))


class Once:
    """Changes one place of what passes: the first `old` becomes `new`."""

    def __init__(self, old, new):
        self.old, self.new, self.hit = old, new, False

    def __call__(self, data):
        if self.hit or self.old not in data:
            return data
        self.hit = True
        return data.replace(self.old, self.new, 1)


class At:
    """Changes the byte at one place of all that passes."""

    def __init__(self, at, edit):
        self.left, self.edit, self.hit = at, edit, False

    def __call__(self, data):
        at, self.left = self.left, self.left - len(data)
        if not 0 <= at < len(data):
            return data
        self.hit = True
        return data[:at] + self.edit(data[at : at + 1]) + data[at + 1 :]


EDITS = {
    "dropped": lambda byte: b"",
    "doubled": lambda byte: byte * 2,
    **{f"flipped {bit}": lambda byte, bit=bit: bytes((byte[0] ^ 1 << bit,)) for bit in range(8)},
    **{f"before a {new}": lambda byte, new=new: bytes((new,)) + byte for new in (1, 2, 3, 4)},
    "a return": lambda byte: b"\r",
}


# --- long rounds ---


def answer_of(task, number, text):
    if task == MAKE:
        return FrameKind.VALUE, text * (number % 3)
    return FrameKind.RAISED, ("ValueError", text)


def ask(rig, rnd, number, text):
    """Make one call, in one of the ways there are; return its task and frame."""
    task, board = rnd.choice((MAKE, MAKE, FAIL)), rig.driver.talk.board
    fits = board.paste or len(call_line(task, (number, text), 0)[1]) < board.credit
    if fits and rnd.random() < 0.5:
        return task, rig.call(task, number, text)[0]
    source = f"G[{task}]({number},{text!r})".encode()
    return task, rig.driver.run(applied(board, Entry.EVAL, source, 0))[0]


@pytest.mark.req("SES-119")
@pytest.mark.parametrize("every", [150, 500, 2000])
@pytest.mark.parametrize("paste", ["granted", "denied", "unknown"])
def test_thousands_of_calls_over_a_bad_line(paste, every):
    told = Counter()
    for seed in range(4):
        rnd = random.Random(seed)
        rig = Rig(paste=paste)
        up, down = (
            Schedule((seed, way), every=every, kinds=tuple(Damage)) for way in ("up", "down")
        )
        rig.driver.up, rig.driver.down = up, down
        for number in range(150):
            text = "".join(rnd.choice(LETTERS) for _ in range(rnd.randrange(12)))
            try:
                task, frame = ask(rig, rnd, number, text)
            except (Gone, Silent) as error:
                told[type(error).__name__] += 1
                was_reset = rig.board.boots > rig.boots
                if rig.made.count((number, text)) > 1 or (type(error) is Gone and not was_reset):
                    pytest.fail(f"seed {seed}, call {number}: {rig.made[-2:]}, {error!r}")
                rig.ready(rnd.randrange(65536))
                rig.driver.up, rig.driver.down = up, down
            else:
                told["answers"] += 1
                assert rig.made.count((number, text)) == 1
                assert (frame.kind, decode(frame.text)) == answer_of(task, number, text)
            assert len(rig.made) <= number + 1, "a call that nobody asked for"
        told["damages"] += (up.counts + down.counts).total()
    assert told["damages"] > 10
    assert told["answers"] > 500, told


@pytest.mark.parametrize("edit", EDITS)
def test_any_single_damage_of_a_call_line_leaves_one_execution_with_the_right_argument(edit):
    rig = Rig()
    for place in range(len(call_line(MAKE, (41, "a b"), 0)[1]) + 1):
        rig.made.clear()
        rig.driver.up = At(place, EDITS[edit])
        try:
            frame, _ = rig.call(MAKE, 41, "a b")
        except Gone:
            assert rig.board.boots > rig.boots
            rig.ready()
            assert len(rig.made) <= 1
        else:
            assert (frame.kind, frame.text) == (FrameKind.VALUE, "'a ba b'")
            assert rig.made == [(41, "a b")]
        if rig.board.boots > rig.boots:  # the answer came, and the reset behind it
            with pytest.raises(Gone):
                rig.call(MAKE, 1, "")
            rig.ready()


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize(("task", "kind"), [(MAKE, FrameKind.VALUE), (FAIL, FrameKind.RAISED)])
def test_any_single_damage_of_an_answer_leaves_the_right_one(edit, task, kind):
    rig = Rig()
    place = -1
    while True:
        place += 1
        rig.made.clear()
        rig.driver.down = damage = At(place, EDITS[edit])
        frame, _ = rig.call(task, 41, "ab")
        if not damage.hit:
            break
        assert (frame.kind, decode(frame.text)) == answer_of(task, 41, "ab")
        assert frame.kind is kind
        assert rig.made == [(41, "ab")]
    assert place > 30


@pytest.mark.parametrize("edit", ["dropped", "flipped 1", "before a 3", "before a 4", "before a 2"])
def test_any_single_damage_while_attaching_leaves_a_whole_agent(edit):
    for place in range(3, 5000, 173):
        board = ModelBoard(window=64)
        driver = ModelDriver(board, up=At(place, EDITS[edit]))
        try:
            driver.attach()
        except Silent:
            assert board.boots > 1, place  # the reset took what was there of the agent
            driver.attach()
        for answer in ("42", "[1,F(0x3fe0000000000000),]"):
            source = b"6*7" if answer == "42" else b"[1,0.5]"
            frame, error = driver.run(applied(driver.talk.board, Entry.EVAL, source, 0))
            assert frame.text == answer, (place, error)


@pytest.mark.parametrize("edit", ["dropped", "flipped 1", "before a 3", "before a 4", "before a 2"])
def test_any_single_damage_while_the_second_half_arrives_leaves_the_held_answer(edit):
    for place in range(0, 3000, 97):
        rig = Rig()
        board = rig.driver.talk.board
        rig.driver.run(executed(board, CORE_E))  # this model has threads: it was made whole
        board.whole = False
        rig.driver.up = damage = At(place, EDITS[edit])
        try:
            frame, error = rig.call(MAKE, 5, "0123456789" * 4)
        except Gone:
            assert rig.board.boots > rig.boots
        else:
            assert frame.text == repr("0123456789" * 8), (place, error)
            assert rig.made == [(5, "0123456789" * 4)]
    assert not damage.hit, "the last place is past the end"


# --- single finds ---


def test_a_doubled_end_of_a_line_resets_the_board_after_the_answer_and_the_next_call_knows():
    rig = Rig()
    rig.driver.up = Once(b"\x04", b"\x04\x04")
    assert rig.call(MAKE, 1, "x")[0].text == "'x'"
    assert rig.board.boots > rig.boots
    assert rig.driver.signs, "the driver is told that the board has booted"
    with pytest.raises(Gone):
        rig.call(MAKE, 2, "y")
    assert rig.made == [(1, "x")]


def test_a_board_that_left_raw_mode_comes_back_without_a_reset():
    rig = Rig()
    rig.driver.up = Once(b"_k", b"\x02_k")
    assert rig.call(MAKE, 1, "x")[0].text == "'x'"
    assert rig.made == [(1, "x")]
    assert rig.board.boots == rig.boots


@pytest.mark.parametrize(
    ("whole", "damaged"),
    [
        (b"OK", b"O"), (b"OK", b"K"), (b"OK", b""), (b"\x04>", b"\x04"), (b"\x04\x04", b"\x04"),
        (b"\x04\x04>", b">"), (b"\x04\x04", b"\x04\x04\x04"), (b"\x04\x04>", b""),
        (b"\x1e", b""), (b"=", b"?"), (b"=", b"!"), (b",", b""),
    ],
)  # fmt: skip
def test_lost_and_changed_marks_cost_time_and_nothing_else(whole, damaged):
    rig = Rig()
    rig.driver.down = damage = Once(whole, damaged)
    assert rig.call(MAKE, 1, "x")[0].text == "'x'"
    assert damage.hit
    assert rig.call(MAKE, 2, "y")[0].text == "'yy'"
    assert rig.made == [(1, "x"), (2, "y")]


def test_an_answer_too_many_shifts_no_other():
    """The rest of a line that was cut in two is answered too: all later answers come one late."""
    rig = Rig()
    for number in range(1, 30):
        if number % 7 == 0:
            rig.board.say(b"OK\x04Traceback\r\nSyntaxError\r\n\x04>" * (number // 7))
        assert decode(rig.call(MAKE, number, "x")[0].text) == "x" * (number % 3)
    assert rig.made == [(number, "x") for number in range(1, 30)]


def test_a_late_answer_to_an_earlier_question_is_not_taken_for_a_later_ones():
    """With one number for all, a count from before a call made the next one a repetition."""
    rig = Rig()
    said = []
    rig.driver.down = lambda data: said.append(data) or data
    before = rig.driver.run(status(rig.driver.talk.board))
    late = b"".join(said)
    rig.driver.down = bytes
    rig.call(MAKE, 1, "x")
    rig.driver.down = Once(b"OK", late + b"OK")
    after = rig.driver.run(status(rig.driver.talk.board))
    assert rig.driver.down.hit
    assert after.count == before.count + 1


@pytest.mark.parametrize("damaged", [b"_kx(%d)", b"_k()#%d", b"_k;_k=_k2(%d)"])
def test_a_damaged_question_that_fails_is_no_new_boot(damaged):
    rig = Rig()
    number = status_question(rig.driver.talk.board.asked + 1)[0]
    rig.driver.up = Once(b"_k(%d)" % number, damaged % number)
    assert rig.driver.run(status(rig.driver.talk.board)).kind is not FrameKind.UNFINISHED
    assert rig.driver.up.hit


@pytest.mark.parametrize("terse", [False, True])
def test_a_board_without_an_agent_is_a_new_boot(terse):
    rig = Rig()
    rig.board.names.clear()
    if terse:  # some ports name nothing
        rig.driver.down = lambda data: data.replace(b"'_k' is ", b"")
    with pytest.raises(Gone):
        rig.driver.run(status(rig.driver.talk.board))


def test_half_an_agent_is_a_new_boot():
    rig = Rig()
    rig.board.names["_k"] = b"import gc"
    with pytest.raises(Gone):
        rig.driver.run(status(rig.driver.talk.board))


def test_another_programs_agent_is_another_boot():
    rig = Rig()
    rig.driver.talk.board.boot = "other"
    with pytest.raises(Gone, match="another boot"):
        rig.driver.run(status(rig.driver.talk.board))


def test_calls_that_are_not_ours_are_noticed():
    rig = Rig()
    rig.driver.talk.board.count -= 5
    with pytest.raises(Gone, match="not ours"):
        rig.call(MAKE, 1, "x")
    assert rig.made == []


def test_a_damaged_description_of_the_board_is_not_believed():
    """A misread platform could get `webassembly` asked for raw paste, which wedges it for good."""
    clean, bad = ModelDriver(ModelBoard()), ModelDriver(ModelBoard())
    clean.attach()
    bad.down = Once(sys.platform.encode(), sys.platform.encode()[:-1] + b"?")
    bad.attach()
    assert bad.down.hit
    assert list(bad.firmware) == list(clean.firmware)
    assert bad.board.commands.count(PROBES[0]) == 2


@pytest.mark.parametrize("damaged", [b"*22)", b"*4)", b"*6)", b"*3)", b"*0)", b"*)"])
def test_a_damaged_question_for_the_description_is_asked_again(damaged):
    clean, bad = ModelDriver(ModelBoard()), ModelDriver(ModelBoard())
    clean.attach()
    bad.up = Once(b"*2)", damaged)
    bad.attach()
    assert bad.up.hit
    assert list(bad.firmware) == list(clean.firmware)


def test_a_soft_reset_that_did_not_arrive_is_asked_for_again():
    board = ModelBoard()
    driver = ModelDriver(board)
    driver.attach()
    driver.up = Once(b"\x04", b"")
    driver.run(soft_reset())
    assert board.boots == 2


class Disturbs:
    """Damages the answers to calls, so many times; those to our questions get through."""

    def __init__(self, times):
        self.left = times

    def __call__(self, data):
        if self.left and re.search(rb"\x1e\d", data):
            self.left -= 1
            return re.sub(rb"\x1e\d", b"\x1e", data)
        return data


def test_an_answer_that_is_damaged_dozens_of_times_is_asked_for_as_long_as_the_device_answers():
    rig = Rig()
    rig.driver.down = Disturbs(50)
    assert rig.call(MAKE, 1, "x")[0].text == "'x'"
    assert rig.made == [(1, "x")]


def test_an_answer_that_never_comes_whole_is_not_said_to_be_none(monkeypatch):
    monkeypatch.setattr(once, "MOST_ATTEMPTS", 20)
    rig = Rig()
    rig.driver.down = Disturbs(1000)
    with pytest.raises(Disturbed, match=r"it answers, but .* damaged 20 times"):
        rig.call(MAKE, 1, "x")
    assert rig.made == [(1, "x")]


def test_a_dead_line_is_silent_and_works_when_it_is_back():
    rig = Rig()
    rig.driver.up = lambda data: b""
    with pytest.raises(Silent):
        rig.call(MAKE, 1, "x")
    rig.ready()
    assert rig.made == []
    assert rig.call(MAKE, 1, "x")[0].text == "'x'"
    assert rig.board.boots == rig.boots


@pytest.mark.parametrize("edit", ["dropped", "doubled", "flipped 1", "flipped 4"])
def test_no_damage_of_what_brings_the_agent_in_one_line_gives_anything_a_name(edit):
    """What is torn off a name of ours could be a user's: nobody could take it away again."""
    half = agent.first_half("b00t", 1, 4096)[0]
    lines = [agent.at_once(half), agent.whole(agent.LATER, "x=1", 7), *PROBES]
    for line in lines:
        for place in range(len(line)):
            names = {"print": lambda *_, **__: None}
            torn = line[:place] + EDITS[edit](line[place : place + 1]) + line[place + 1 :]
            with suppress(Exception):
                exec(torn, names)
            assert names.keys() <= {"__builtins__", "print", "_k"}, torn
