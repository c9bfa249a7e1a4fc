"""WebSocket as a client speaks it: against an independent library, and byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection, Request
from wsproto.frame_protocol import FrameDecoder
from wsproto.handshake import H11Handshake

from klemheist.transports.websocket import (
    FRAME_BYTES,
    MAX_FRAME_BYTES,
    Opcode,
    WebSocketCodec,
    frame,
    new_key,
    refusal,
    request,
)

CUTS = st.lists(st.integers(min_value=1, max_value=50), max_size=20)


def theirs(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = False) -> bytes:
    """A frame of the server, by hand."""
    size = len(payload)
    short = size if size < 126 else 126 if size < 65536 else 127
    head = bytes((opcode | (0x80 if fin else 0), short | (0x80 if masked else 0)))
    if short > 125:
        head += size.to_bytes(2 if short == 126 else 8, "big")
    return head + (bytes(4) if masked else b"") + payload


def cut(raw: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(raw[:size])
        raw = raw[size:]
    return [*pieces, raw]


def unframed(raw: bytes) -> tuple[list[int], bytes]:
    """What the independent library's server makes of our frames."""
    decoder = FrameDecoder(client=False)
    decoder.receive_bytes(raw)
    frames = []
    while found := decoder.process_buffer():
        frames.append(found)
    assert len(decoder.buffer) == 0
    return [each.opcode for each in frames], b"".join(each.payload for each in frames)


@given(st.binary(max_size=5000))
def test_what_we_send_an_independent_server_reads(data):
    pieces = WebSocketCodec().encode(data)
    assert max(map(len, pieces), default=0) <= FRAME_BYTES + 8
    opcodes, payload = unframed(b"".join(pieces))
    assert payload == data
    assert set(opcodes) <= {Opcode.TEXT}


def test_each_frame_has_a_mask_of_its_own():
    codec = WebSocketCodec()
    assert len({codec.encode(b"abc")[0] for _ in range(20)}) == 20


@given(st.lists(st.binary(max_size=300), max_size=6), CUTS, st.booleans())
def test_data_comes_whole_however_it_was_framed_and_cut(payloads, sizes, as_message):
    last = len(payloads) - 1
    raw = b""
    for number, payload in enumerate(payloads):
        opcode = Opcode.CONTINUATION if as_message and number else Opcode.TEXT
        raw += theirs(opcode, payload, fin=not as_message or number == last)
        raw += theirs(Opcode.PONG, b"unasked")
    codec = WebSocketCodec()
    taken = [codec.decode(piece) for piece in cut(raw, sizes)]
    assert b"".join(each.data for each in taken) == b"".join(payloads)
    assert not any(each.reply or each.ended for each in taken)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, MAX_FRAME_BYTES])
def test_every_way_to_write_a_length_is_read(size):
    codec = WebSocketCodec()
    raw = theirs(Opcode.BINARY, b"x" * size)
    assert codec.decode(raw[:-1] if size else b"").data == b""
    assert len(codec.decode(raw[-1:] if size else raw).data) == size


def test_a_half_character_in_a_text_frame_is_data():
    codec = WebSocketCodec()
    taken = codec.decode(theirs(Opcode.TEXT, b"\xc3") + theirs(Opcode.TEXT, b"\xa4\xff"))
    assert taken == (b"\xc3\xa4\xff", b"", "")


def test_a_ping_is_answered_with_its_own_payload_between_fragments():
    codec = WebSocketCodec()
    taken = codec.decode(
        theirs(Opcode.TEXT, b"a", fin=False)
        + theirs(Opcode.PING, b"?")
        + theirs(Opcode.CONTINUATION, b"b")
    )
    assert taken.data == b"ab"
    assert unframed(taken.reply) == ([Opcode.PONG], b"?")


def test_a_close_is_answered_and_nothing_comes_after_it():
    codec = WebSocketCodec()
    taken = codec.decode(
        theirs(Opcode.TEXT, b"a") + theirs(Opcode.CLOSE, b"\x03\xe8") + theirs(Opcode.TEXT, b"b")
    )
    assert taken.data == b"a"
    assert unframed(taken.reply) == ([Opcode.CLOSE], b"\x03\xe8")
    assert taken.ended == "its server ended the WebSocket"
    assert codec.decode(theirs(Opcode.TEXT, b"c")) == (b"", b"", "")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (theirs(Opcode.TEXT, b"x", masked=True), "a masked frame"),
        (b"\xf1\x00", "reserved bits"),
        (b"\x83\x00", "unknown opcode 3"),
        (b"\x09\x00", "a control frame that is long or cut"),
        (b"\x89\x7e\x00\x80", "a control frame that is long or cut"),
        (theirs(Opcode.CONTINUATION, b"x"), "a message within a message, or the rest of none"),
        (theirs(Opcode.TEXT, b"x", fin=False) * 2, "a message within a message"),
        (b"\x82\x7f" + b"\xff" * 8, "a frame of 18446744073709551615 bytes"),
    ],
)
def test_a_server_that_breaks_the_protocol_is_left_with_the_reason(raw, says):
    taken = WebSocketCodec().decode(raw)
    assert says in taken.ended
    assert unframed(taken.reply) == ([Opcode.CLOSE], b"\x03\xea")


@given(st.lists(st.binary(max_size=64), max_size=20))
def test_no_bytes_of_a_server_raise(pieces):
    codec = WebSocketCodec()
    for piece in pieces:
        codec.decode(piece)


def test_the_handshake_is_agreed_with_an_independent_server():
    key = new_key()
    server = H11Handshake(ConnectionType.SERVER)
    server.receive_data(request("host:8266", key))
    (event,) = server.events()
    assert isinstance(event, Request)
    assert (event.host, event.target) == ("host:8266", "/")
    head, _, rest = server.send(AcceptConnection()).partition(b"\r\n\r\n")
    assert (refusal(head, key), rest) == ("", b"")
    assert refusal(head, new_key()) == "what answers there did not read the WebSocket key"


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"SSH-2.0-OpenSSH_9.2", "speaks no HTTP"),
        (b"", "speaks no HTTP"),
        (b"\xff\xfe\x00", "speaks no HTTP"),
        (b"HTTP/1.0 200 OK\r\nServer: x", "is no WebSocket (HTTP 200 OK)"),
        (b"HTTP/1.1 404 Not Found", "is no WebSocket (HTTP 404 Not Found)"),
        (b"HTTP/1.1 101 Switching Protocols\r\nnothing", "did not read the WebSocket key"),
    ],
)
def test_an_answer_that_is_no_upgrade_is_named(head, says):
    assert says in refusal(head, "key")


def test_a_frame_is_that_of_the_standards_example():
    """RFC 6455, 5.7: a masked text message of "Hello"."""
    told = frame(Opcode.TEXT, b"Hello", bytes.fromhex("37fa213d"))
    assert told == bytes.fromhex("818537fa213d7f9f4d5158")
