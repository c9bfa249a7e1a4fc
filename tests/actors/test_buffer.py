"""The one buffer, against a model of it that keeps lists and never forgets anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klemheist.actors.buffer import Buffer, Kind, Overflow, Put

TAKE = "take"


class Model:
    """What a buffer should do, in the slowest and plainest way."""

    def __init__(self, capacity, kind, overflow, most):
        self.capacity, self.kind, self.overflow, self.most = capacity, kind, overflow, most
        self.cells = []  # ("item", x) or ("gap", n)
        self.dropped = self.replaced = 0

    def items(self):
        return [value for what, value in self.cells if what == "item"]

    def put(self, item):
        if self.kind == "latest":
            self.replaced += len(self.cells)
            self.cells = []
        elif len(self.items()) == self.capacity:
            outcome = self.make_room()
            if outcome is not Put.TAKEN:
                return outcome
        self.cells.append(("item", item))
        return Put.TAKEN

    def make_room(self):
        if self.overflow == "resize" and self.capacity < self.most:
            self.capacity = min(2 * self.capacity, self.most)
            return Put.TAKEN
        if self.overflow == "drop_oldest":
            place = next(i for i, (what, _) in enumerate(self.cells) if what == "item")
            del self.cells[place]
            self.gap(place)
            return Put.TAKEN
        if self.overflow == "drop_new":
            self.gap(len(self.cells))
            return Put.DROPPED
        return Put.WOULD_BLOCK if self.overflow == "block" else Put.FULL

    def gap(self, place):
        self.dropped += 1
        if place and self.cells[place - 1][0] == "gap":
            self.cells[place - 1] = ("gap", self.cells[place - 1][1] + 1)
        else:
            self.cells.insert(place, ("gap", 1))

    def take(self, marked):
        while self.cells:
            what, value = self.cells.pop(0)
            if what == "item":
                return value
            if marked:
                return f"{value} dropped"
        return None


@given(
    steps=st.lists(st.one_of(st.integers(), st.just(TAKE)), max_size=60),
    capacity=st.integers(1, 5),
    kind=st.sampled_from(list(Kind)),
    overflow=st.sampled_from(list(Overflow)),
    more=st.integers(0, 12),
    marked=st.booleans(),
)
@pytest.mark.req("CONV-039", "CONV-042", "CONV-043", "CONV-044", "CONV-046")
def test_it_does_what_the_model_does(steps, capacity, kind, overflow, more, marked):
    most = capacity + more
    mark = (lambda count: f"{count} dropped") if marked else None
    buffer = Buffer(capacity, kind=kind, overflow=overflow, max_capacity=most, mark=mark)
    model, peak = Model(capacity, kind, overflow, most), 0
    for step in steps:
        if step == TAKE:
            expected = model.take(marked)
            if expected is None:
                assert not buffer.ready
                with pytest.raises(LookupError):
                    buffer.take()
            else:
                assert buffer.ready
                assert buffer.take() == expected
        else:
            assert buffer.put(step) is model.put(step)
        peak = max(peak, len(model.items()))
        assert len(buffer) == len(model.items())
        found = buffer.statistics()
        assert (found.peak, found.dropped, found.replaced) == (peak, model.dropped, model.replaced)
    assert buffer.clear() == model.items()
    assert not buffer.ready


@pytest.mark.req("CONV-044")
def test_it_grows_by_doubling_but_never_past_its_maximum():
    buffer = Buffer(3, overflow="resize", max_capacity=5)

    outcomes = [buffer.put(n) for n in range(6)]

    assert outcomes == [Put.TAKEN] * 5 + [Put.FULL]
    assert buffer.capacity == 5
    assert [buffer.take() for _ in range(5)] == [0, 1, 2, 3, 4]


@pytest.mark.req("CONV-040")
def test_the_latest_alone_is_kept_and_taking_it_empties_the_buffer():
    buffer = Buffer(8, kind="latest", overflow="block")

    assert [buffer.put(n) for n in range(3)] == [Put.TAKEN] * 3
    assert (buffer.take(), buffer.ready, buffer.replaced) == (2, False, 2)


def test_each_place_where_new_items_were_dropped_has_its_mark():
    buffer = Buffer(2, overflow="drop_new", mark=lambda count: f"-{count}")
    for item in "abcd":
        buffer.put(item)
    assert buffer.take() == "a"
    for item in "ef":
        buffer.put(item)

    assert [buffer.take() for _ in range(4)] == ["b", "-2", "e", "-1"]
    assert not buffer.ready


@pytest.mark.req("CONV-045")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"capacity": 0}, "capacity=0"),
        ({"kind": "lifo"}, "use one of fifo, latest"),
        ({"overflow": "explode"}, "use one of block, drop_new"),
        ({"capacity": 4, "max_capacity": 3}, "below the capacity"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(options, said):
    with pytest.raises(ValueError, match=said) as caught:
        Buffer(**options)
    assert "\n" not in str(caught.value)
