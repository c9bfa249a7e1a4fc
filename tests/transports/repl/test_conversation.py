"""One step at a time: what is output, what is the reply, and what only looks like either."""

from __future__ import annotations

import pytest

from klemheist.transports.repl.conversation import Conversation
from klemheist.transports.repl.frames import MARK, FrameKind, frame_check
from klemheist.transports.repl.steps import Do, Outcome, Step

LINE, NUMBER = b"_k(77,8)", 77


def wire(text, kind=FrameKind.VALUE):
    return MARK + b"%d%s%d,%d,%s" % (
        *(NUMBER, kind.encode(), len(text), frame_check(kind, text), text),
    )


@pytest.fixture
def talk():
    """At the prompt."""
    talk = Conversation()
    talk.begin(Step(Do.ENTER))
    talk.feed(b"raw REPL; CTRL-B to exit\r\n>")
    assert talk.at_prompt
    return talk


def sorted_out(outcomes):
    """All output, and the reply if it came."""
    replies = [outcome.reply for outcome in outcomes if outcome.reply]
    return b"".join(outcome.output for outcome in outcomes), replies[0] if replies else None


def called(talk, said, *, singly):
    talk.begin(Step(Do.EXECUTE, LINE, NUMBER))
    pieces = [bytes((byte,)) for byte in said] if singly else [said]
    outcomes = [outcome for piece in pieces for outcome in talk.feed(piece)]
    return sorted_out(outcomes + talk.settle())


@pytest.mark.parametrize("singly", [False, True])
@pytest.mark.parametrize(
    ("said", "output"),
    [
        (b"OK" + wire(b"5") + b"\x04\x04>", b""),
        (b"OKhello\r\n" + wire(b"5") + b"\x04\x04>", b"hello\r\n"),
        (b"late\r\nOK" + wire(b"5") + b"\x04\x04>", b"late\r\n"),
        (b"OK" + wire(b"5") + b"late\r\n\x04\x04>", b"late\r\n"),
        (b"OK" + wire(b"5") + b"\x04one\r\n\x04two\r\n>", b"one\r\ntwo\r\n"),
        (b"OK" + wire(b"5") + b"\x04\x04>late\r\n", b"late\r\n"),
        (b"OK\x1e\x1e7\x1e776=" + wire(b"5") + b"\x04\x04>", b"\x1e\x1e7\x1e776="),
        (b"OKa\x04b" + wire(b"5") + b"\x04\x04>", b"a\x04b"),
    ],
)
def test_a_frame_and_all_output_around_it_however_it_arrives(talk, said, output, singly):
    seen, reply = called(talk, said, singly=singly)
    assert reply.ended
    assert reply.accepted
    assert (reply.frame.text, reply.error) == ("5", b"")
    assert sorted(seen) == sorted(output)
    if b"a\x04b" not in said:
        assert seen == output


@pytest.mark.parametrize("singly", [False, True])
def test_a_traceback_comes_with_the_frame_that_tells_of_it(talk, singly):
    said = b"OK" + wire(b"('E','')", FrameKind.RAISED) + b"\x04Traceback\r\nE: \r\n\x04>"
    seen, reply = called(talk, said, singly=singly)
    assert (seen, reply.frame.kind, reply.error) == (b"", "!", b"Traceback\r\nE: \r\n")


def test_a_thread_that_prints_as_a_call_ends_does_not_hold_its_reply_back(talk):
    """A real find: with output right behind the prompt the reply waited for its time to be up."""
    talk.begin(Step(Do.EXECUTE, LINE, NUMBER))
    output, reply = sorted_out(talk.feed(b"OK" + wire(b"5") + b"\x04\x04>tick\r\n"))
    assert reply.frame.text == "5"
    assert output == b"tick\r\n"


def test_output_that_begins_with_the_frames_mark_is_not_held_back(talk):
    talk.begin(Step(Do.EXECUTE, LINE, NUMBER))
    assert talk.feed(b"OK\x1eTthread 5\x1f") == [Outcome(output=b"\x1eTthread 5\x1f")]


def test_a_lost_prompt_leaves_the_call_nearly_ended_with_its_frame(talk):
    talk.begin(Step(Do.EXECUTE, LINE, NUMBER))
    assert talk.feed(b"OK" + wire(b"5") + b"\x04\x04") == []
    assert talk.settle() == []
    assert talk.nearly_ended
    assert talk.give_up().frame.text == "5"
    assert not talk.busy


@pytest.mark.parametrize("singly", [False, True])
def test_attaching_tells_that_it_stopped_a_program_and_drops_its_text(singly):
    talk = Conversation()
    talk.begin(Step(Do.ENTER))
    said = b"working\r\nKeyboardInterrupt: \r\n>>> \r\nraw REPL; CTRL-B to exit\r\n>"
    pieces = [bytes((byte,)) for byte in said] if singly else [said]
    output, reply = sorted_out([outcome for piece in pieces for outcome in talk.feed(piece)])
    assert reply.ended
    assert reply.interrupted
    assert output == b""


def test_an_interrupted_program_is_told_though_the_prompt_came_too_late(talk):
    talk.begin(Step(Do.ENTER))
    talk.feed(b"Keyboard")
    talk.feed(b"Interrupt: \r\n")
    assert talk.give_up().interrupted


def test_what_nobody_asked_for_is_output_and_a_boot_is_a_sign(talk):
    outcomes = talk.feed(b"tick\r\nMPY: soft reboot\r\n")
    assert sorted_out(outcomes)[0] == b"tick\r\nMPY: soft reboot\r\n"
    assert outcomes[-1] == Outcome(sign=True)


def test_a_boot_amid_a_call_stands_in_its_reply(talk):
    _, reply = called(
        talk, b"OK\x04\x04MPY: soft reboot\r\nraw REPL; CTRL-B to exit\r\n>", singly=False
    )
    assert reply.rebooted
    assert reply.frame is None


def test_a_soft_reset_without_a_known_prompt_enters_first():
    talk = Conversation()
    sent = talk.begin(Step(Do.SOFT_RESET))
    assert sent == b"\r\x03\x01\x04"
    said = b"raw REPL; CTRL-B to exit\r\n>OK\r\nsoft reboot\r\nraw REPL; CTRL-B to exit\r\n>"
    _, reply = sorted_out(talk.feed(said))
    assert reply.ended
    assert reply.rebooted


def test_an_interrupt_joins_the_step_under_way(talk):
    talk.begin(Step(Do.EXECUTE, LINE, NUMBER))
    talk.feed(b"OK")
    assert talk.begin(Step(Do.INTERRUPT)) == b"\x03"
    _, reply = sorted_out(talk.feed(b"\x04Traceback\r\nKeyboardInterrupt: \r\n\x04>"))
    assert b"KeyboardInterrupt" in reply.error


def test_a_traceback_without_end_is_kept_only_in_part(talk):
    talk.begin(Step(Do.EXECUTE, b"pass"))
    talk.feed(b"OK\x04")
    for _ in range(100):
        talk.feed(b"x" * 1000)
    _, reply = sorted_out(talk.feed(b"\x04>"))
    assert len(reply.error) < 20_000


@pytest.mark.parametrize("seen", [b"", b"\x04", b"\x04\x04", b"\x04text\x04more"])
@pytest.mark.parametrize("do", list(Do))
def test_whatever_a_thread_prints_into_a_burst_any_step_may_follow(talk, seen, do):
    """Its end marks look like the end of the burst, which then comes behind them."""
    talk.begin_line(b"first\n")
    talk.feed(b"OK")
    talk.end_line()
    assert talk.listening
    talk.feed(seen)
    assert talk.begin(Step(do, b"print(1)" if do is Do.EXECUTE else b"", within=1.0))
    if do is not Do.EXECUTE:
        return
    outcomes = talk.feed(b"\x04\x04>")
    assert [outcome.write for outcome in outcomes if outcome.write] == [b"print(1)\x04"]
    assert sorted_out(talk.feed(b"OK1\r\n\x04\x04>"))[1].output == b"1\r\n"
