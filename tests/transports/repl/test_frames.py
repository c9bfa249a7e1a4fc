"""Frames are found in any output, however it is cut, and never believed when damaged."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klemheist.transports.repl.frames import (
    COUNTS,
    MARK,
    PRIME,
    QUESTIONS,
    EventFilter,
    Frame,
    FrameKind,
    FrameScanner,
    again_line,
    call_line,
    call_number,
    checksum,
    frame_check,
    inserted,
    parse,
    status_question,
)

NUMBERS = st.integers(2, 2 * PRIME + 1)
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="\x04\x1e"), max_size=30
)  # the agent writes literals: both stand there as escapes
KINDS = st.sampled_from(FrameKind)
PLAIN = st.lists(st.integers(-99, 99) | st.text("ab '\"#\\\n\x04", max_size=9), max_size=4)


def wire(number, kind, text):
    body = text.encode()
    head = b"%d%s%d,%d," % (number, kind.encode(), len(body), frame_check(kind, body))
    return MARK + head + body


def cut(data, places):
    places = sorted({place % (len(data) + 1) for place in places})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def scan(number, pieces):
    scanner = FrameScanner()
    scanner.expect(number)
    output = b"".join(scanner.feed(piece) for piece in pieces)
    return scanner, output + scanner.flush()


def edits(data):
    """Every deletion, doubling and flip of one bit of one byte."""
    for at, byte in enumerate(data):
        yield data[:at] + data[at + 1 :]
        yield data[: at + 1] + data[at:]
        for bit in range(8):
            yield data[:at] + bytes((byte ^ 1 << bit,)) + data[at + 1 :]


# --- the scanner ---


@given(NUMBERS, KINDS, TEXTS, st.binary(max_size=40), st.binary(max_size=40), st.data())
def test_a_frame_is_found_in_any_output_however_it_is_cut(number, kind, text, before, after, data):
    before = before.replace(MARK + b"%d" % number, b"")
    whole = before + wire(number, kind, text) + after
    pieces = cut(whole, data.draw(st.lists(st.integers(0, 200), max_size=5)))
    scanner, output = scan(number, pieces)
    assert scanner.frame == Frame(number, kind, text)
    assert output == before + after


@given(NUMBERS, st.lists(st.sampled_from([b"\x1e", b"1", b"7", b"=", b"x", b","]), max_size=30))
def test_marks_in_output_stay_output_one_byte_at_a_time(number, parts):
    output = b"".join(parts).replace(MARK + b"%d" % number, b"")
    whole = output + wire(number, FrameKind.VALUE, "5")
    scanner, seen = scan(number, [whole[i : i + 1] for i in range(len(whole))])
    assert (scanner.frame, seen) == (Frame(number, FrameKind.VALUE, "5"), output)


@given(NUMBERS, NUMBERS, TEXTS)
def test_the_frame_of_another_call_is_not_taken(number, other, text):
    foreign = wire(other, FrameKind.VALUE, text)
    scanner, output = scan(number, [foreign])
    if other != number:
        assert scanner.frame is None
        assert output == foreign


def test_a_longer_number_that_begins_like_ours_is_another_calls():
    scanner, output = scan(12, [wire(123, FrameKind.VALUE, "1") + wire(12, FrameKind.VALUE, "2")])
    assert scanner.frame == Frame(12, FrameKind.VALUE, "2")
    assert output == wire(123, FrameKind.VALUE, "1")


@pytest.mark.parametrize("kind", FrameKind)
@pytest.mark.parametrize("text", ["", "0", "-7", "'ab'", "('ValueError', '')", "[1,F(0x3ff8)]"])
def test_a_frame_with_any_single_damage_is_never_taken_for_another_answer(kind, text):
    frame = wire(4711, kind, text)
    for damaged in edits(frame):
        scanner, _ = scan(4711, [damaged])
        assert scanner.frame in (None, Frame(4711, kind, text)), damaged


def test_an_inserted_byte_near_the_end_is_noticed():
    """A real find: modulo 65521, where 256 * 256 is 15, this text had the whole one's checksum."""
    whole = wire(99, FrameKind.RAISED, "('ValueError', '')")
    damaged = whole[:-3] + b"E" + whole[-3:]
    scanner, _ = scan(99, [damaged])
    assert scanner.frame is None
    assert scanner.damaged


def test_a_flipped_kind_is_noticed():
    """A real find: one bit makes "unfinished" of "value", and "no literal" of "raised"."""
    whole = wire(99, FrameKind.VALUE, "")
    assert parse(whole.replace(b"=", b"?"), 99) == (None, -1)


@given(st.binary(min_size=1, max_size=60), st.integers(0, 59), st.integers(1, 31), st.data())
def test_two_changed_bytes_near_each_other_change_the_checksum(data, at, apart, draw):
    data = bytearray(data.ljust(at + apart + 1, b" "))
    before = checksum(data)
    old = data[at], data[at + apart]
    data[at] = draw.draw(st.integers(0, 255).filter(lambda byte: byte != old[0]))
    data[at + apart] = draw.draw(st.integers(0, 255))
    assert checksum(data) != before


def test_what_stands_behind_a_damaged_mark_is_held_back_and_dropped():
    scanner, output = scan(7, [b"a\n" + wire(7, FrameKind.VALUE, "12").replace(b"12", b"13"), b"b"])
    assert scanner.damaged
    assert output == b"a\n"


def test_half_a_frame_counts_as_damaged():
    scanner, output = scan(7, [wire(7, FrameKind.VALUE, "'long'")[:-3]])
    assert scanner.damaged
    assert output == b""


@given(NUMBERS, TEXTS, st.binary(max_size=20).map(lambda data: data + b"\r\n"), st.data())
def test_what_a_thread_prints_into_a_frame_is_output_once_the_whole_frame_is_known(
    number, text, line, data
):
    whole = wire(number, FrameKind.VALUE, text)
    sentinel = len(MARK + b"%d" % number) + 1
    at = data.draw(st.integers(sentinel, len(whole) - 1)) if len(whole) > sentinel else sentinel
    scanner, output = scan(number, [whole[:at] + line + whole[at:]])
    if scanner.frame is None:
        assert output == b""
        scanner.expect(number)
        output = scanner.feed(whole)
    assert scanner.frame == Frame(number, FrameKind.VALUE, text)
    assert sorted(output) == sorted(line)


def test_an_insertion_is_told_from_other_damage():
    assert inserted(b"abXYcd", b"abcd") == b"XY"
    assert inserted(b"abXYc!", b"abcd") == b""
    assert inserted(b"abc", b"abcd") == b""


def test_a_huge_length_in_a_damaged_header_is_waited_for_only_until_the_end_of_the_command():
    scanner, output = scan(7, [b"\x1e7=99999999,5,'x'", b" more"])
    assert scanner.damaged
    assert output == b""


# --- the agent's events ---


@given(
    st.lists(st.tuples(st.booleans(), st.text("abc \n", max_size=10)), max_size=6),
    st.lists(st.integers(0, 100), max_size=6),
)
def test_events_are_taken_out_of_output_however_it_is_cut(parts, places):
    data = b"".join(
        b"\x1eT%s\x1f" % t.encode() if is_event else t.encode() for is_event, t in parts
    )
    events_filter, output, events = EventFilter(), b"", []
    for piece in cut(data, places):
        text, found = events_filter.feed(piece)
        output += text
        events += found
    assert events == [text for is_event, text in parts if is_event]
    assert output == "".join(text for is_event, text in parts if not is_event).encode()


def test_a_mark_that_begins_no_event_is_output_at_once():
    assert EventFilter().feed(b"a\x1e7") == (b"a\x1e7", [])


def test_an_event_that_never_ends_is_output_in_the_end():
    events_filter = EventFilter()
    assert events_filter.feed(b"\x1eT") == (b"", [])
    text, _ = events_filter.feed(b"x" * 400)
    assert text == b"\x1eT" + b"x" * 400


# --- call lines ---


@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(0, COUNTS - 1))
def test_two_calls_in_a_row_never_share_a_number(first, second, count):
    assert call_number(8, first, count) != call_number(8, second, (count + 1) % COUNTS)


@given(st.binary(max_size=40), st.integers(0, COUNTS - 1))
def test_a_number_is_positive_and_a_small_integer_on_32_bit_boards(arguments, count):
    assert 2 <= call_number(8, arguments, count) < 1 << 30


@given(PLAIN, st.integers(0, 200), st.integers(0, COUNTS - 1))
def test_a_call_line_says_what_the_device_is_to_check(plain, index, count):
    number, line = call_line(index, tuple(plain), count)
    assert b"\x04" not in line
    taken = eval(line, {"_k": lambda *given: given})
    assert taken == (number, index, *plain)
    assert number == call_number(index, repr(taken[2:]).encode(), count)


@given(PLAIN)
def test_no_end_of_a_call_line_is_a_command(plain):
    """Damage that becomes a byte 3 or 4 leaves the line's end as a command of its own."""
    _, line = call_line(8, tuple(plain), 1)
    for start in range(3, len(line)):  # before, it is an unknown `k`, or a tuple of literals
        with contextlib.suppress(SyntaxError, ValueError):
            compile(line[start:], "<stdin>", "exec")
            pytest.fail(f"{line[start:]!r} would run")


def test_a_comment_in_a_source_cannot_hide_the_end_of_its_line():
    """`f() # x` is a command that an unlucky byte 4 before it would start, unchecked."""
    _, line = call_line(1, (2, b"f() # x"), 1)
    assert b"#" not in line
    assert b"f() # x" in eval(line, {"_k": lambda *given: given})


def test_questions_for_the_status_never_begin_like_one_another():
    numbers = [status_question(asked)[0] for asked in range(QUESTIONS)]
    assert len(set(numbers)) == QUESTIONS
    assert {len(str(number)) for number in numbers} == {5}
    assert all(number < 0 for number in numbers)
    assert status_question(QUESTIONS) == status_question(0)


def test_the_question_for_a_frame_again_names_it():
    assert again_line(77) == b"_k(77)"
