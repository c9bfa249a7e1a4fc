"""Arguments and results of any length, on boards that take 60 bytes at once and have 9 KB."""

from __future__ import annotations

import pytest

from klemheist import CallCancelled, DeviceError, DeviceMemoryError
from klemheist.transports.repl.agent import Entry
from klemheist.transports.repl.board import DEFAULT_CREDIT
from klemheist.transports.repl.frames import call_line
from klemheist.transports.repl.pieces import built, cut
from klemheist.transports.repl.values import ResultTypeError, decode

SIZES = (1, 39, 41, 80, 200, 500)
MAKERS = {
    "str": lambda size: "ab'#\\" * (size // 5) + "y" * (size % 5),
    "bytes": lambda size: b"y" * size,
    "list": lambda size: list(range(size // 3)),
    "nested": lambda size: [[1, "abcdefgh", ()]] * (size // 20) + ["y" * 70],
    "tuple": lambda size: ("y" * (size // 2), size, None),
    "floats": lambda size: [each + 0.5 for each in range(size // 20)],
}


@pytest.fixture(scope="module", params=["sim:", "microbit:"])
def board(request, manager):
    with manager.session(request.param, fresh=request.param == "microbit:") as session:
        yield session


@pytest.fixture(scope="module")
def echo(board):
    @board.task
    def echo(value, times=1):
        return value

    return echo


# -- without a board ------------------------------------------------------------------------------


def built_here(value):
    """Build a value as the agent does."""
    names = {"B": []}
    for entry, plain in built(value, DEFAULT_CREDIT):
        assert len(call_line(entry, plain, 65535)[1]) < DEFAULT_CREDIT
        if entry == Entry.ADD:
            names["B"].append(plain[0])
        else:
            exec(plain[0], names)
    (found,) = names["B"]
    return found


@pytest.mark.parametrize("kind", [each for each in MAKERS if each != "floats"])
@pytest.mark.parametrize("size", SIZES)
def test_what_is_built_of_lines_is_the_value(kind, size):
    value = MAKERS[kind](size)
    found = built_here(value)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        (),
        [],
        "",
        b"",
        [("x" * 90,)] * 3,
        [[["y" * 61]]],
        [None] * 80,
        (1, ["z" * 100, b"\x00" * 99]),
    ],
)
def test_awkward_values_are_built_too(value):
    assert built_here(value) == value


def test_pieces_are_no_longer_than_a_line_and_no_shorter_than_they_must():
    pieces = cut("'\x00" * 100, DEFAULT_CREDIT)
    assert "".join(pieces) == "'\x00" * 100
    assert len(pieces) < 30


@pytest.mark.parametrize("text", ["'a'+b'b'", "1+2", "[1]+(2,)", "'a'+1", "[]-[]", "'a'*2"])
def test_a_sum_of_anything_but_parts_of_one_value_is_no_result(text):
    with pytest.raises(ResultTypeError):
        decode(text)


def test_a_long_result_comes_as_the_sum_of_its_parts():
    assert decode("'ab'+\"c'\"+'d'") == "abc'd"
    assert decode("[1,F(0x3ff0000000000000)]+[(2,)]") == [1, 1.0, (2,)]


# -- on the boards --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.req("SES-012")
def test_an_argument_comes_and_goes_whatever_its_length(echo, kind, size):
    value = MAKERS[kind](size)
    assert echo(value) == value


@pytest.mark.parametrize("size", SIZES)
def test_by_keyword_too(echo, size):
    assert echo(value="y" * size, times=2) == "y" * size


def test_what_is_called_with_a_long_argument_has_as_much_of_the_stack(board):
    board.execute("def down(n):\n return n and down(n - 1)")

    @board.task
    def deep(value, rest=0):
        return down(1)  # noqa: F821 -- a name of the session's

    assert deep(1) == deep(0.5) == deep("y" * 200) == deep(1, rest=2) == 0


def test_an_error_in_a_call_with_a_long_argument_is_the_codes_own(board, echo):
    @board.task
    def fail(value):
        raise ValueError(len(value))

    with pytest.raises(DeviceError, match="ValueError: 200"):
        fail("y" * 200)
    assert echo("y" * 200) == "y" * 200


def test_what_does_not_fit_is_refused_and_harms_nothing(manager):
    with manager.session("microbit:", fresh=True) as session:
        session.execute("kept = 5")
        task = session.task(source="def size(value):\n return len(value)")
        assert task("y") == 1
        for value in ("y" * 6000, [0] * 3000, [0.5] * 400):
            generation = session.generation
            with pytest.raises(DeviceMemoryError):
                task(value)
            assert session.generation == generation
            assert task("y" * 300) == 300
        assert session("kept") == 5


def test_pieces_of_a_call_that_was_cancelled_are_no_part_of_the_next(manager):
    with manager.session("microbit:", fresh=True) as session:
        task = session.task(source="def same(value):\n return value")
        assert task(0.5) == 0.5
        for length in (200, 300, 400):
            later = task.submit("x" * length)
            later.cancel()
            with pytest.raises(CallCancelled):
                later.get(timeout=30.0)
            assert task("y" * 150) == "y" * 150
