"""Telnet as a client speaks it: byte by byte, and to the end of every negotiation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klemheist.transports.errors import LinkAccessDenied, LinkError
from klemheist.transports.login import MAX_TEXT, TelnetLogin, asks
from klemheist.transports.telnet import (
    BINARY,
    DO,
    DONT,
    ECHO,
    IAC,
    SB,
    SE,
    SGA,
    WILL,
    WONT,
    TelnetCodec,
)

NAWS = 31
CUTS = st.lists(st.integers(min_value=1, max_value=9), max_size=30)


def said(*words: int) -> bytes:
    return bytes((IAC, *words))


def binary() -> TelnetCodec:
    """A codec for which eight-bit data was agreed on."""
    codec = TelnetCodec()
    codec.decode(said(WILL, BINARY) + said(DO, BINARY))
    return codec


def feed(codec, raw, sizes):
    data, reply = b"", b""
    for size in [*sizes, len(raw)]:
        taken = codec.decode(raw[:size])
        raw = raw[size:]
        data, reply = data + taken.data, reply + taken.reply
    return data, reply


@given(st.binary(max_size=500), CUTS)
def test_every_byte_passes_both_ways_where_eight_bits_were_agreed_on(data, sizes):
    wrapped = b"".join(TelnetCodec().encode(data))
    assert feed(binary(), wrapped, sizes) == (data, b"")


@given(st.binary(max_size=500).filter(lambda data: b"\xff" not in data), CUTS)
def test_a_server_that_says_nothing_of_telnet_is_told_nothing(data, sizes):
    got, reply = feed(TelnetCodec(), data, sizes)
    assert (got, reply) == (data.replace(b"\r\0", b"\r"), b"")


def test_until_then_a_carriage_return_may_be_followed_by_a_nul():
    codec = TelnetCodec()
    assert codec.decode(b"a\r\0b\r\n\0c\r").data == b"a\rb\r\n\0c\r"
    assert codec.decode(b"\0d\r").data == b"d\r"
    assert codec.decode(said(IAC) + b"\0").data == b"\xff\0"
    assert binary().decode(b"a\r\0b").data == b"a\r\0b"


@given(CUTS)
def test_commands_within_data_are_taken_out(sizes):
    raw = b"a" + said(241) + b"b" + said(SB, NAWS, 0, IAC, IAC, 3) + said(SE) + b"c" + said(IAC)
    assert feed(TelnetCodec(), raw, sizes) == (b"abc\xff", b"")


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ((WILL, ECHO), (DO, ECHO)),
        ((WILL, SGA), (DO, SGA)),
        ((WILL, NAWS), (DONT, NAWS)),
        ((DO, SGA), (WILL, SGA)),
        ((DO, ECHO), (WONT, ECHO)),
        ((DO, NAWS), (WONT, NAWS)),
        ((WONT, ECHO), None),
        ((DONT, ECHO), None),
    ],
)
def test_each_offer_is_answered(told, answer):
    wanted = said(*answer) if answer else b""
    asked = said(DO, BINARY) + said(WILL, BINARY)
    assert TelnetCodec().decode(said(*told)) == (b"", wanted + asked, "")


def test_a_change_is_answered_once_and_can_be_taken_back():
    codec = binary()
    assert codec.decode(said(WILL, ECHO)).reply == said(DO, ECHO)
    assert codec.decode(said(WILL, ECHO)).reply == b""
    assert codec.decode(said(WONT, ECHO)).reply == said(DONT, ECHO)
    assert codec.decode(said(WONT, ECHO)).reply == b""


def test_an_answer_to_what_we_asked_is_not_answered():
    codec = TelnetCodec()
    codec.decode(said(WILL, ECHO))
    assert codec.decode(said(WILL, BINARY) + said(DO, BINARY)).reply == b""
    refused = TelnetCodec()
    refused.decode(said(WILL, ECHO))
    assert refused.decode(said(WONT, BINARY) + said(DONT, BINARY)).reply == b""


@given(st.lists(st.tuples(st.sampled_from((WILL, WONT, DO, DONT)), st.sampled_from((0, 1, 3, 31)))))
def test_two_clients_that_talk_to_each_other_come_to_an_end(opening):
    """The worst peer is one that answers as we do; and whatever it began with."""
    ours, theirs = TelnetCodec(), TelnetCodec()
    words = b"".join(said(*each) for each in opening)
    for _ in range(20):
        words = ours.decode(words).reply
        if not words:
            return
        words = theirs.decode(words).reply
    pytest.fail(f"they still talk: {words!r}")


@given(st.lists(st.binary(max_size=64), max_size=20))
def test_no_bytes_of_a_server_raise(pieces):
    codec = TelnetCodec()
    for piece in pieces:
        codec.decode(piece)


# -- the login -------------------------------------------------------------------------------------

DIALOGUES = {
    "a board": [
        (b"\r\nLogin as: ", b"micro\r\n"),
        (b"micro\r\nPassword: ", b"python\r\n"),
        (b"\r\nLogin succeeded!\r\n>>> ", None),
    ],
    "a Unix": [
        (b"Debian GNU/Linux 12\r\n\r\nlab login: ", b"micro\r\n"),
        (b"Password: ", b"python\r\n"),
        (b"\r\n", b""),
        (b"Last login: ", b""),
        (b"Sat Nov 21 on pts/0\r\n", None),
    ],
    "a password alone": [(b"password:", b"python\r\n"), (b"\r\n>>> ", None)],
    "nothing is asked": [(b"\r\n>>> ", None)],
    "in pieces": [
        (b"Log", b""),
        (b"in as:", b"micro\r\n"),
        (b"Passw", b""),
        (b"ord: ", b"python\r\n"),
        (b"wel", b""),
        (b"come\n", None),
    ],
}


@pytest.mark.parametrize("name", DIALOGUES)
def test_a_login_goes_through(name):
    login = TelnetLogin("telnet://host:23", "micro", "python")
    for told, answer in DIALOGUES[name]:
        assert not login.done
        assert login.take(told) == (answer or b"")
    assert login.done
    assert login.rest.startswith(DIALOGUES[name][-1][0][-4:]) or login.rest


@pytest.mark.parametrize("told", [b"\r\nLogin incorrect\r\n", b"\r\nlogin: ", b"\r\nPassword: "])
def test_a_refused_login_is_told_in_one_line_without_the_password(told):
    login = TelnetLogin("telnet://host:23", "micro", "pythonic")
    login.take(b"login: ")
    login.take(b"Password: ")
    with pytest.raises(LinkAccessDenied, match="refuses the login; correct it, as telnet:") as got:
        login.take(told)
    assert "pythonic" not in str(got.value)


@pytest.mark.parametrize(
    ("user", "password", "prompt", "says"),
    [
        ("", "python", b"login: ", "asks for a user; write telnet://USER:PASSWORD@host"),
        ("micro", "", b"Password: ", "asks for a password; write telnet://USER:PASSWORD@host"),
    ],
)
def test_what_is_missing_is_named(user, password, prompt, says):
    login = TelnetLogin("telnet://host:23", user, password)
    with pytest.raises(LinkAccessDenied, match=says):
        login.take(prompt)


def test_a_server_that_talks_and_never_asks_is_given_up():
    with pytest.raises(LinkError, match="asks for no login"):
        TelnetLogin("telnet://host:23", "micro", "python").take(b"x" * (MAX_TEXT + 1))


@pytest.mark.parametrize(
    ("text", "does"),
    [
        (b"Login as: ", True),
        (b"\r\nhost login: ", True),
        (b"Username: ", True),
        (b"Password: ", True),
        (b"Last login: ", False),
        (b">>> ", False),
        (b"Password: changed\r\n", False),
        (b"", False),
    ],
)
def test_a_prompt_is_known_by_its_words_at_the_end(text, does):
    assert asks(text) is does
