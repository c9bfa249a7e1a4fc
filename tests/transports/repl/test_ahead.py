"""A call that goes ahead of the agent: the right answer, made once, and then the agent's own."""

from __future__ import annotations

import pytest

from klemheist.transports.repl.agent import AGENT_NAMESPACE, Entry
from klemheist.transports.repl.ahead import ahead, goes_ahead
from klemheist.transports.repl.frames import COUNTS, FrameKind
from klemheist.transports.repl.install import arrive
from klemheist.transports.repl.lines import Gone, enter
from klemheist.transports.repl.procedures import applied
from klemheist.transports.repl.values import decode

from .model import ModelBoard, ModelDriver
from .test_mangled import EDITS, At

MAKE = "def make(i,s):\n made.append((i,s))\n if i<0:raise ValueError(s)\n return s*i"
LONG = "x" * 21
DAMAGES = ("dropped", "flipped 1", "before a 2", "before a 3", "before a 4")
WAYS = {"up": range(0, 700, 19), "down": range(0, 400, 9)}
"""Places in what goes to the board, and in what comes from it."""


class Rig:
    """A model board at its prompt, which has just booted and has no agent."""

    def __init__(self, *, count=4711):
        self.made = []
        self.model = ModelBoard(paste="unknown")
        self.model.world["made"] = self.made
        self.model.feed(b"\x04")
        self.driver = ModelDriver(self.model)
        self.driver.run(enter())
        self.boots = self.model.boots
        self.board = self.driver.talk.board
        self.board.boot, self.board.count, self.board.unsent = "boot", count, True

    def ahead(self, *args, source=MAKE):
        assert goes_ahead(self.board, args)
        return self.driver.run(ahead(self.board, source, "make", args))

    def evaluate(self, code, namespace=AGENT_NAMESPACE):
        answer = self.driver.run(applied(self.board, Entry.EVAL, code.encode(), namespace))
        return decode(answer[0].text)


@pytest.mark.parametrize("count", [0, 4711, 65535])
def test_the_agent_that_follows_goes_on_from_there(count):
    rig = Rig(count=count)
    frame, error = rig.ahead(2, "ab")
    assert (frame.kind, frame.text, error) == (FrameKind.VALUE, "'abab'", b"")
    assert rig.board.unsent, "nobody needed the agent"
    assert rig.board.due, "and yet it is to come now"
    rig.driver.run(arrive(rig.board))
    assert not rig.board.due
    assert rig.board.count == (count + 1) % COUNTS, "the agent's first call was not its own"
    assert rig.evaluate("6*7") == 42
    assert rig.made == [(2, "ab")]
    assert rig.evaluate("P") == 0, "the agent keeps no function of a session"
    assert "_a" not in rig.model.names


def test_only_one_goes_ahead_and_none_where_there_is_an_agent():
    rig = Rig()
    rig.ahead(1, "a")
    assert not goes_ahead(rig.board, (1, "a"))
    rig.driver.run(arrive(rig.board))
    assert not goes_ahead(rig.board, (1, "a"))


def test_a_line_beyond_the_credit_waits_for_the_agent():
    rig = Rig()
    assert goes_ahead(rig.board, (1, LONG))
    assert not goes_ahead(rig.board, (1, LONG * 2))


@pytest.mark.parametrize("value", ["0.5", "[1,2]", "(1,0.5)", "{1:2}"])
def test_a_value_that_only_the_agent_can_say_is_held_for_it(value):
    rig = Rig()
    frame, _ = rig.ahead(source=f"def make():\n made.append(1)\n return {value}")
    assert decode(frame.text) == eval(value)
    assert rig.made == [1]
    assert not rig.board.unsent


def test_what_it_raises_is_told_with_its_traceback():
    rig = Rig()
    frame, error = rig.ahead(-1, "no")
    assert (frame.kind, decode(frame.text)) == (FrameKind.RAISED, ("ValueError", "no"))
    assert b"ValueError: no" in error
    assert rig.made == [(-1, "no")]


def test_a_function_that_the_device_does_not_take_is_left_to_the_agent():
    rig = Rig()
    assert rig.ahead(1, source="def make(i):\n return await i") is None
    assert rig.ahead(2, "a")[0].text == "'aa'", "nothing is spoilt"


@pytest.mark.parametrize("edit", DAMAGES)
@pytest.mark.parametrize("args", [(2, "ab"), (-1, "no"), (9, LONG)], ids=["value", "error", "held"])
@pytest.mark.parametrize(("way", "places"), WAYS.items(), ids=WAYS)
def test_any_single_damage_leaves_one_execution_and_the_right_answer(way, places, args, edit):
    hits = 0
    for tried, place in enumerate(places, 1):  # noqa: B007 -- needed behind the loop
        rig, damage = Rig(), At(place, EDITS[edit])
        setattr(rig.driver, way, damage)
        hits += survived(rig, args)
        if not damage.hit:
            break
    assert tried > 10
    assert hits >= tried - 4, "nearly all of them"


def survived(rig, args):
    """Whether the call has been answered, rightly; else it is known that it may not have been."""
    try:
        answer = rig.ahead(*args)
    except Gone:
        assert len(rig.made) <= 1
        assert rig.model.boots > rig.boots
        return False
    if answer is None:
        assert not rig.made
        return False
    i, s = args
    kind = FrameKind.RAISED if i < 0 else FrameKind.VALUE
    assert (answer[0].kind, decode(answer[0].text)) == (kind, ("ValueError", s) if i < 0 else s * i)
    assert rig.made == [args]
    return True


def test_a_board_that_boots_anew_under_the_call_is_gone():
    rig = Rig()
    with pytest.raises(Gone):
        rig.ahead(source="def make():\n raise SystemExit")
    assert rig.model.boots > rig.boots


def test_an_interrupt_while_it_is_defined_is_the_end_of_it():
    rig = Rig()
    frame, error = rig.ahead(source="raise KeyboardInterrupt\ndef make():\n made.append(1)")
    assert frame.kind is FrameKind.UNFINISHED
    assert b"KeyboardInterrupt" in error
    assert rig.made == []
