"""What real boards said means the same whole, byte by byte, and however it is cut."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from klemheist.transports.repl.machine import Kind, ReplMachine
from klemheist.transports.repl.marks import INTERRUPT

from .test_machine import SIGNS, joined

FOLDER = Path(__file__).with_name("recordings")
TEXTS = (Kind.TEXT, Kind.ERROR_TEXT)


def whole(said):
    yield said


def single_bytes(said):
    for byte in said:
        yield bytes((byte,))


def random_cuts(seed):
    generator = random.Random(seed)

    def cut(said):
        while said:
            size = generator.randint(1, 30)
            yield said[:size]
            said = said[size:]

    return cut


def replay(recording, cut):
    """Yield each act with its events."""
    machine = ReplMachine()
    for act in recording:
        method = getattr(machine, act["act"], lambda: INTERRUPT)
        method(*filter(None, [act["source"].encode()]))
        said = act["said"].encode("latin-1")
        yield act, [event for piece in cut(said) if piece for event in machine.feed(piece)]


@pytest.fixture(params=["sim", "microbit"])
def recording(request):
    return json.loads((FOLDER / f"{request.param}.json").read_text(encoding="utf-8"))


def test_a_recording_is_understood_as_when_it_was_made(recording):
    for act, events in replay(recording, whole):
        signs = [event.kind.name for event in events if event.kind not in TEXTS]
        assert list(dict.fromkeys(signs)) == list(dict.fromkeys(act["kinds"])), act


@pytest.mark.parametrize("cut", [single_bytes, *map(random_cuts, range(20))])
def test_cuts_change_nothing(recording, cut):
    at_once = [list(joined(events)) for _, events in replay(recording, whole)]
    in_pieces = list(replay(recording, cut))
    assert [list(joined(events)) for _, events in in_pieces] == at_once
    for act, events in in_pieces:
        signs = {event.kind.name for event in events if event.kind in SIGNS}
        assert signs == {name for name in act["kinds"] if name in ("REBOOT", "FRIENDLY")}


def test_no_byte_of_output_is_lost_or_doubled(recording):
    """But for the marks, all that was said is in the events."""
    for act, events in replay(recording, single_bytes):
        text = b"".join(event.data for event in events if event.kind in TEXTS)
        said = act["said"].encode("latin-1")
        for mark in (b"raw REPL; CTRL-B to exit", b"OK", b"\x04", b">", b"soft reboot"):
            said, text = said.replace(mark, b""), text.replace(mark, b"")
        assert text == said, act
