"""What is sent for files: both halves say the same, whatever the bytes."""

from __future__ import annotations

import io
import sys
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from klemheist.actors.files import kit
from klemheist.actors.files.kit import Order
from klemheist.actors.session import files_tree
from klemheist.actors.session.files_tree import cut

HARD = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([b"\x01", b"\x02", b"\x03", b"\x04", b"\x10", b"\x10D", b"\x84" * 600]),
    ),
    max_size=12,
).map(b"".join)


@pytest.fixture(scope="module")
def device():
    """The kit as CPython runs it: the same source that the boards get."""
    names = {}
    exec(kit.SOURCE + kit.STREAM_SOURCE, names)
    return names


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("kit") / "file"


@given(HARD)
@example(b"\x04" + b"\x84" * 1000 + b"\x03")
@example(b"x" * 249 + b"\x03" + b"x" * 249 + b"\x03" + b"x" * 250 + b"\x03")
def test_a_stream_holds_no_byte_that_drives_a_repl_and_comes_back_whole(data):
    gaps, body = kit.masked(data)

    assert not {1, 2, 3, 4} & {*gaps, *body}
    at, found = -1, bytearray(body)
    for gap in gaps:
        at += gap - 5
        found[at] ^= 128
    assert found == data


@given(st.binary(max_size=2000))
def test_both_halves_have_the_same_checksum(device, place, data):
    place.write_bytes(data)

    assert device["YV"](str(place), 2000) == (len(data), kit.checksum(data))


@given(st.binary(min_size=1, max_size=1500), st.integers(0), st.integers(1, 255))
def test_a_changed_byte_changes_the_checksum(data, where, change):
    other = bytearray(data)
    other[where % len(data)] ^= change

    assert kit.checksum(bytes(other)) != kit.checksum(data)


def test_blocks_that_change_places_change_the_checksum():
    one, other = b"a" * kit.BLOCK, b"b" * kit.BLOCK

    assert kit.checksum(one + other) != kit.checksum(other + one)


def test_a_batch_may_be_carried_out_again(device, tmp_path):
    place = str(tmp_path)
    orders = [
        Order(f"{place}/gone", 0, kit.REMOVE),
        Order(f"{place}/d", 0, kit.MAKE_DIRECTORY),
        Order(f"{place}/d/a.0~", 0, 3, f"{place}/d/a"),
        Order(f"{place}/d/b.0~", 0, 0, f"{place}/d/b"),
        Order(f"{place}/e", 0, kit.REMOVE_DIRECTORY),
    ]
    (tmp_path / "gone").write_bytes(b"1")
    (tmp_path / "e").mkdir()

    for _ in range(2):
        times = device["YM"](kit.header(orders), b"abc")
        assert times == [int((tmp_path / "d" / each).stat().st_mtime) for each in "ab"]

    found = {path: size for path, size, _ in kit.listing(device["YL"](place))}
    assert found == {"d": kit.DIRECTORY_SIZE, "d/a": 3, "d/b": 0}


def test_the_last_piece_of_a_long_file_may_be_sent_again(device, tmp_path):
    part, whole = f"{tmp_path}/a.0~", f"{tmp_path}/a"
    device["YM"](kit.header([Order(part, 0, 3)]), b"abc")
    last = kit.header([Order(part, 3, 2, whole)])

    assert device["YM"](last, b"de") == device["YM"](last, b"de")

    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"abcde"
    with pytest.raises(OSError, match="other bytes"):
        device["YM"](last, b"xx")


@pytest.mark.parametrize(("there", "act"), [("file", kit.MAKE_DIRECTORY), ("folder", kit.REMOVE)])
def test_an_act_on_the_wrong_kind_is_refused(device, tmp_path, there, act):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()

    with pytest.raises(OSError, match=there):
        device["YM"](kit.header([Order(f"{tmp_path}/{there}", 0, act)]), b"")


@given(st.lists(st.integers(0, 50), max_size=8), st.integers(8, 40))
def test_a_batch_is_cut_without_loss(sizes, most):
    orders = [Order(f"p{n}", 0, size, f"t{n}") for n, size in enumerate(sizes)]
    data = bytes(range(256)) * (sum(sizes) // 256 + 1)
    data = data[: sum(sizes)]

    found = {f"p{n}": b"" for n, _ in enumerate(sizes)}
    named = []
    for some, part in cut(orders, data, most):
        used = 0
        assert len(part) <= most
        for order in some:
            assert order.offset == len(found[order.part])
            found[order.part] += part[used : used + order.size]
            used += order.size
            named += [order.target] if order.target else []
        assert used == len(part)

    assert b"".join(found.values()) == data
    assert named == [each.target for each in orders]


def test_what_is_compressed_fits_a_small_window():
    data = b"klemheist" * 500

    small = kit.deflated(data)
    assert len(small) < 200
    assert zlib.decompress(small, kit.WINDOW_BITS) == data


@pytest.mark.parametrize("size", [3, kit.STREAM_BLOCK + 9000])
def test_a_streamed_batch_is_carried_out_if_it_is_whole(
    device, tmp_path, monkeypatch, capsys, size
):
    data = bytes(range(256)) * (size // 256 + 1)
    head = kit.header([Order(f"{tmp_path}/a.0~", 0, size, f"{tmp_path}/a")])
    body = head + data[:size]
    gaps, masked = kit.masked(body)

    def take(sent, head_size):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gaps + sent)))
        check = zlib.crc32(body, len(head))
        device["YU"](-1000, len(gaps), head_size, len(body), check)
        return capsys.readouterr().out

    assert take(masked[:-1] + b"?", len(head)) == "-1000 0\n"
    assert take(masked, len(head) - 1) == "-1000 0\n"
    assert list(tmp_path.iterdir()) == []

    assert take(masked, len(head)).startswith("-1000 [")
    assert (tmp_path / "a").read_bytes() == data[:size]


@pytest.mark.parametrize(
    "answer", [b"", b"0", b"[1,2", b"[12]", b"[1,'2']", b"[1,2]x", b"\xff[1,2]", b"{1:2}", b"1,2"]
)
def test_an_answer_of_a_batch_that_arrived_damaged_is_no_answer(answer):
    assert files_tree._times(b"[1,2]", 2) == [1, 2]
    assert files_tree._times(answer, 2) is None
