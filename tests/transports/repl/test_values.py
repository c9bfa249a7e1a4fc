"""Values keep type and every bit on their way to a device and back."""

from __future__ import annotations

import ast
import collections
import contextlib
import enum
import io
import math
import struct
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from klemheist.transports.errors import KlemheistError
from klemheist.transports.repl.device_values import DECODER_SOURCE, ENCODER_SOURCE, LITERALS_SOURCE
from klemheist.transports.repl.values import (
    MAX_DEPTH,
    ArgumentError,
    ResultTypeError,
    decode,
    encode,
    encode_arguments,
    is_plain,
)

sys.path.append(str(Path(__file__).parents[2]))
from boards.bare import BareRepl, BareReplError
from boards.tcp_board import TcpBoard

HASHABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.binary(max_size=8)
    | st.floats(),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=4,
)  # fmt: skip
VALUES = st.recursive(
    HASHABLE | st.sets(HASHABLE, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=3)
    ),
    max_leaves=8,
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=12)
    | st.text(st.characters(max_codepoint=127), max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple),
    max_leaves=6,
)  # fmt: skip
SURROGATES = st.text(st.integers(0, sys.maxunicode).map(chr), max_size=6)


def exact(value):
    """A form that tells True from 1, -0.0 from 0.0, and takes every NaN for the same."""
    match value:
        case float():
            return ("float", "nan" if math.isnan(value) else struct.pack("<d", value))
        case complex():
            return ("complex", exact(value.real), exact(value.imag))
        case list() | tuple():
            return (type(value), [exact(item) for item in value])
        case set():
            return (set, sorted(repr(exact(item)) for item in value))
        case dict():
            return (dict, sorted(repr((exact(k), exact(v))) for k, v in value.items()))
    return (type(value), value)


@given(VALUES | SURROGATES | st.complex_numbers())
def test_what_is_sent_is_one_line_of_printable_ascii_and_reads_as_the_same_value(value):
    text = encode(value)
    assert text.isascii()
    assert text.isprintable()
    assert exact(decode(text)) == exact(value)


class Point(NamedTuple):
    x: int
    y: int


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (object(), "object of type object"),
        ([1, {"k": (2, io.BytesIO())}], r"list\[1\]: dict\['k'\]: tuple\[1\]: .* type BytesIO"),
        (Colour.RED, r"type Colour"),
        (Point(1, 2), "Point"),
        (collections.defaultdict(int), "defaultdict"),
        ({bytearray: 1}, "dict key: object of type type"),
        (bytearray(b"x"), "bytearray"),
        (frozenset((1,)), "frozenset"),
    ],
)
def test_what_no_literal_says_is_refused_by_type_and_place(value, words):
    with pytest.raises(ArgumentError, match=words) as caught:
        encode(value)
    assert isinstance(caught.value, KlemheistError)
    assert isinstance(caught.value, TypeError)
    assert "\n" not in str(caught.value)


def test_an_argument_is_named_by_its_number_or_keyword():
    assert encode_arguments((1, "x"), {"pin": 2.0}) == "1,'x',pin=2."
    with pytest.raises(ArgumentError, match=r"^argument 2: list\[0\]: object of type object"):
        encode_arguments((1, [object()]))
    with pytest.raises(ArgumentError, match=r"^argument pin: "):
        encode_arguments((), {"pin": object()})


def test_a_value_that_contains_itself_is_refused():
    value = []
    value.append({"again": value})
    with pytest.raises(ArgumentError, match="contains itself"):
        encode(value)
    assert not is_plain(value[0]["again"])


def test_a_value_that_is_too_deep_is_refused():
    value = 0.5
    for _ in range(MAX_DEPTH):
        value = [value]
    assert decode(encode(value)) == value
    with pytest.raises(ArgumentError, match="deep"):
        encode([value])


def test_one_list_twice_in_a_value_is_no_cycle():
    inner = [1]
    assert decode(encode([inner, inner])) == [[1], [1]]


def test_to_a_single_precision_port_the_nearest_single_travels():
    assert encode(0.1, single=True) == "F(0x3dcccccd)"
    assert encode(-0.0, single=True) == "F(0x80000000)"
    with pytest.raises(ArgumentError, match="1e\\+39 is beyond"):
        encode(1e39, single=True)


def test_a_single_is_decoded_to_the_float_that_equals_it():
    assert decode("f(0x3dcccccd)") == struct.unpack("<f", b"\xcd\xcc\xcc\x3d")[0]
    assert decode("c(0x3f800000,0x80000000)") == 1 - 0j


@pytest.mark.parametrize(
    "text",
    ["", "x", "f()", "F(1", "F('a')", "F(-1)", "f(0x1ffffffff)", "set(1)", "dict([1])", "{**{}}",
     "{[]}", "1+1", "__import__('os')", "[1 2]", "01", "- 5-", "[x for x in ()]", "F(b=1)", "...",
     "(" * 300, "1\n2", "f'{1}'", "lambda: 0", "9" * 5000],
)  # fmt: skip
def test_nothing_but_literals_is_read(text):
    with pytest.raises(ResultTypeError) as caught:
        decode(text)
    assert "\n" not in str(caught.value)


def test_floats_sets_dicts_and_foreign_texts_are_not_plain():
    for value in (1.0, {1}, {1: 2}, "é", Colour.RED, [1, 2.0], 2**63, 1j, object()):
        assert not is_plain(value)


@given(PLAIN)
def test_what_is_made_of_plain_values_is_plain(value):
    assert is_plain(value)


# --- the device's half -----------------------------------------------------------------------


class Host:
    """CPython in the place of a device: the same sources."""

    chunk, single = 0, False

    def __init__(self):
        self._names = {}

    def exec(self, code):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(code, self._names)
        return out.getvalue().encode().replace(b"\n", b"\r\n")


class Board(BareRepl):
    single = False


@pytest.fixture(scope="module", params=["cpython", "sim:", "microbit:"])
def device(request):
    with contextlib.ExitStack() as stack:
        if request.param == "cpython":
            device = Host()
        else:
            board = stack.enter_context(TcpBoard(request.param))
            slow = 30 if request.param == "microbit:" else 0
            device = stack.enter_context(Board(board.host, board.port, chunk=slow))
        for source in (LITERALS_SOURCE, DECODER_SOURCE, ENCODER_SOURCE):
            for statement in top_level(source):
                device.exec(statement)
        device.single = device.exec("print(W[0])").strip() == b"<f"
        yield device


def top_level(source):
    lines = []
    for line in source.splitlines():
        if lines and not line.startswith((" ", "except")):
            yield "\n".join(lines)
            lines = []
        lines.append(line)
    yield "\n".join(lines)


def result(device, text):
    return decode(device.exec(f"print(r({text}))").decode().strip())


def through(device, value):
    return result(device, encode(value, single=device.single))


def test_each_statement_of_the_device_code_is_small():
    sizes = [len(text) for text in (*top_level(DECODER_SOURCE), *top_level(ENCODER_SOURCE))]
    assert max(sizes) < 700


SAMPLES = [
    None, True, False, 0, -1, 2**31, -(2**63), 2**64, 10**40, "", "a'b", 'a"b', "'\"\\", "\n\0\x7f",
    "é\x80\u1234\U0001f600", b"", b"'\"\\\x00\xff", (), (1,), (1, (2, [3, {}])), [], [[]], set(),
    {1}, {(1, 2): {3}}, {"a": None, 2: [b"x"]}, 0.5, -0.0, 2.0, -16777216.0, math.inf, -math.inf,
    math.nan, [0.25, {"f": (1.5,)}], {0.5}, {0.5: 1}, [set(), {}, 0.5, ()], list(range(100)),
]  # fmt: skip


@pytest.mark.parametrize("value", SAMPLES, ids=lambda value: ascii(value)[:30])
def test_a_value_goes_through_a_device_and_back(device, value):
    assert exact(through(device, value)) == exact(value)


def test_lone_surrogates_go_through_a_device(device):
    assert through(device, "\ud800x") == "\ud800x"


def test_a_float_of_the_device_returns_to_it_as_the_same(device):
    for text in ("0.1", "1/3", "3.4e38", "1e-30", "123456.789"):
        value = result(device, text)
        assert exact(through(device, value)) == exact(value)
        assert value == pytest.approx(eval(text), rel=2e-6)


@settings(max_examples=25, deadline=None, database=None)
@given(value=PLAIN)
def test_both_ends_write_the_same_text_for_what_is_plain(device, value):
    assert device.exec(f"print(repr({encode(value)}))").strip() == repr(value).encode()


@settings(max_examples=25, deadline=None, database=None)
@given(value=VALUES)
def test_any_value_goes_through_a_device_of_double_precision(device, value):
    if not device.single:
        assert exact(through(device, value)) == exact(value)


@pytest.mark.parametrize(
    ("text", "name"),
    [("object()", "object"), ("[1,(range(3),)]", "range"), ("frozenset((1,))", "frozenset"),
     ("[0.5,bytearray(b'x')]", "bytearray"), ("{1:len}", "function"), ("N(3)", "N")],
)  # fmt: skip
def test_what_is_no_literal_raises_its_type_name_on_the_device(device, text, name):
    device.exec("class N(int):pass")
    output = device.exec(f"try:\n print(r({text}))\nexcept T as t:\n print('T',t)").decode()
    mark, _, told = output.strip().rpartition(" ")
    assert mark == "T"
    assert name in told.replace("builtin_function_or_method", "function")


def test_a_value_that_contains_itself_is_told_by_the_device(device):
    output = device.exec("a=[]\na.append(a)\ntry:\n r(a)\nexcept T as t:\n print(t)")
    assert output.strip() == b"list over 50 deep"


def test_a_complex_number_goes_through_where_the_port_has_it(device):
    if device.single:
        with pytest.raises(BareReplError, match="complex"):
            through(device, 1j)
    else:
        assert exact(through(device, complex(-0.0, 0.1))) == exact(complex(-0.0, 0.1))


@pytest.mark.parametrize("part", ["[1]", "'a'", "b'a'", "(1,)"])
def test_a_value_may_come_in_very_many_parts(part):
    assert decode("+".join([part] * 2000)) == ast.literal_eval(part) * 2000


@pytest.mark.parametrize("text", ["1+2", "[1]+(1,)", "'a'+b'a'", "{1}+{2}"])
def test_a_sum_is_of_parts_of_one_value(text):
    with pytest.raises(ResultTypeError):
        decode(text)
