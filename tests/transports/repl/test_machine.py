"""The machine against a model of the device: it never loses its way for good, nor any text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from klemheist.transports.repl.machine import Event, Kind, ReplMachine
from klemheist.transports.repl.marks import ANSWER
from klemheist.transports.repl.table import State

from .model import ModelBoard

SIGNS = (Kind.REBOOT, Kind.FRIENDLY)
LINE = st.text("abc xyz", max_size=12)
UNSOLICITED = st.lists(LINE, max_size=2).map(lambda lines: "".join(f"{x}\r\n" for x in lines))


def joined(events):
    """Pieces of the same kind of text are one; signs stand wherever their last byte came."""
    for kind, group in itertools.groupby(
        (event for event in events if event.kind not in SIGNS), key=lambda event: event.kind
    ):
        if kind in (Kind.TEXT, Kind.ERROR_TEXT):
            yield Event(kind, b"".join(event.data for event in group))
        else:
            yield from group


class MachineAndModel(RuleBasedStateMachine):
    """Commands and unsolicited text in any order, cut in any way."""

    @initialize(paste=st.sampled_from(["granted", "denied", "unknown"]), random=st.randoms())
    def begin(self, paste, random):
        self.board = ModelBoard(paste=paste, window=8)
        self.machine = ReplMachine()
        self.random = random
        self.paste = paste
        self.listen(self.board.said())
        self.enter()

    def listen(self, said):
        events = []
        while said:
            size = self.random.randint(1, 9)
            piece, said = said[:size], said[size:]
            for event in self.machine.feed(piece):
                events.append(event)
                if event.kind is Kind.WRITE:
                    said += self.board.feed(event.data)
        return events

    def tell(self, data):
        return list(joined(self.listen(self.board.said() + self.board.feed(data))))

    def enter(self):
        events = self.tell(self.machine.enter())
        assert events[-1].kind is Kind.READY

    @rule(text=LINE, before=UNSOLICITED)
    def a_command_gives_its_output(self, text, before):
        self.board.say(before.encode())
        events = self.tell(self.machine.execute(b"print(%r)" % text))
        kinds = [event.kind for event in events if event.kind is not Kind.TEXT]
        assert kinds == [Kind.ACCEPTED, Kind.ENDED]
        assert b"".join(event.data for event in events) == f"{before}{text}\r\n".encode()

    @rule(text=LINE, before=UNSOLICITED)
    def a_paste_gives_its_output_or_says_that_it_cannot(self, text, before):
        self.board.say(before.encode())
        events = self.tell(self.machine.paste(b"print(%r)" % (text + 20 * "long")))
        kinds = [event.kind for event in events if event.kind not in (Kind.TEXT, Kind.WRITE)]
        texts = b"".join(event.data for event in events if event.kind is Kind.TEXT)
        if self.paste == "granted":
            assert kinds == [Kind.ACCEPTED, Kind.ENDED]
            assert texts == f"{before}{text}{20 * 'long'}\r\n".encode()
        else:
            assert kinds == [Kind.PASTE]
            assert texts.startswith(before.encode())

    @rule(name=st.sampled_from(["ValueError", "KeyboardInterrupt", "MemoryError"]))
    def a_traceback_is_told_from_output(self, name):
        events = self.tell(self.machine.execute(b"print(1)\nraise %s('why')" % name.encode()))
        assert [kind for kind, _ in events] == [
            *(Kind.ACCEPTED, Kind.TEXT, Kind.ERROR_TEXT, Kind.ENDED)
        ]
        assert events[2].data.endswith(b"%s: why\r\n" % name.encode())

    @rule(data=st.binary(max_size=20).map(lambda data: data.replace(b"\x04", b"")))
    def any_other_bytes_are_output_as_they_are(self, data):
        events = self.tell(self.machine.execute(b"say(%r)" % data))
        assert b"".join(event.data for event in events if event.kind is Kind.TEXT) == data
        assert events[-1].kind is Kind.ENDED

    @rule(data=st.lists(st.sampled_from([b"\x04", b">", b"OK", b"x", b"R\x01"])).map(b"".join))
    def whatever_output_looks_like_the_prompt_is_found_again(self, data):
        said = self.board.feed(self.machine.execute(b"say(%r)" % data))
        self.listen(said)
        if self.machine.state is not State.IDLE:
            self.machine.forget()
        self.enter()

    @rule()
    def a_soft_reset_is_seen(self):
        boots = self.board.boots
        events = self.listen(self.board.feed(self.machine.soft_reset()))
        assert Kind.REBOOT in [event.kind for event in events]
        assert events[-1].kind is Kind.READY
        assert self.board.boots == boots + 1

    @rule()
    def a_system_exit_is_a_sign(self):
        events = self.listen(self.board.feed(self.machine.execute(b"raise SystemExit")))
        assert Kind.REBOOT in [event.kind for event in events]
        self.enter()

    @rule(text=UNSOLICITED)
    def unsolicited_text_arrives_once(self, text):
        self.board.say(text.encode())
        events = self.listen(self.board.said())
        assert b"".join(event.data for event in events) == text.encode()
        assert all(event.kind is Kind.TEXT for event in events)

    @rule(garbage=st.binary(max_size=20))
    def garbage_sent_to_the_device_is_survived(self, garbage):
        self.listen(self.board.feed(garbage))
        self.machine.forget()
        self.listen(self.board.feed(b"\x03"))
        self.enter()

    @rule(garbage=st.binary(max_size=20), forgotten=st.booleans())
    def garbage_from_the_device_is_survived(self, garbage, forgotten):
        self.listen(garbage)
        if forgotten:
            self.machine.forget()
        self.enter()

    @invariant()
    def it_stands_at_the_prompt(self):
        assert self.machine.state is State.IDLE


TestMachineAndModel = MachineAndModel.TestCase
TestMachineAndModel.settings = settings(max_examples=80, stateful_step_count=20, deadline=None)


# --- what the machine refuses to send ---


@pytest.mark.parametrize("source", [b"", b" ", b"\r\n\t"])
def test_an_empty_command_is_refused_because_it_is_a_soft_reset(source):
    machine = ReplMachine()
    with pytest.raises(ValueError, match="soft reset"):
        machine.execute(source)
    with pytest.raises(ValueError, match="soft reset"):
        machine.paste(source)


@pytest.mark.parametrize("byte", [b"\x01", b"\x02", b"\x03", b"\x04"])
def test_a_control_byte_in_a_source_is_refused(byte):
    with pytest.raises(ValueError, match="bytes 1 to 4"):
        ReplMachine().execute(b"x = '" + byte + b"'")


# --- what it makes of single quirks ---


def at_prompt():
    machine = ReplMachine()
    machine.enter()
    machine.feed(b"raw REPL; CTRL-B to exit\r\n>")
    return machine


def kinds(events):
    return [event.kind for event in events]


@pytest.mark.parametrize("ends", [b"\r\n", b"\r\r\n", b"\n", b"\r\nboot.py says hello\r\n"])
def test_the_prompt_is_found_whatever_line_ends_a_terminal_makes(ends):
    machine = ReplMachine()
    machine.enter()
    events = machine.feed(b"$ " + ends + b"raw REPL; CTRL-B to exit" + ends + b">")
    assert events[-1].kind is Kind.READY


def test_a_command_that_awaits_its_ok_takes_late_output_as_text():
    machine = at_prompt()
    machine.execute(b"pass")
    assert machine.feed(b"late\r\nOK\x04\x04>") == [
        *(Event(Kind.TEXT, b"late\r\n"), Event(Kind.ACCEPTED), Event(Kind.ENDED))
    ]


def test_a_paste_sends_no_more_than_its_credit():
    machine = at_prompt()
    machine.paste(b"x" * 40)
    first = machine.feed(b"R\x01\x10\x00")
    assert first == [Event(Kind.WRITE, b"x" * 16)]
    assert machine.feed(b"thread\x01") == [
        *(Event(Kind.TEXT, b"thread"), Event(Kind.WRITE, b"x" * 16))
    ]
    assert machine.feed(b"\x01") == [Event(Kind.WRITE, b"x" * 8 + b"\x04")]
    assert kinds(machine.feed(b"\x04out\x04\x04>")) == [Kind.ACCEPTED, Kind.TEXT, Kind.ENDED]


def test_a_device_that_stops_a_paste_gets_its_answer_and_no_more_source():
    machine = at_prompt()
    machine.paste(b"x" * 40)
    machine.feed(b"R\x01\x10\x00")
    assert machine.feed(b"\x04")[0] == Event(Kind.WRITE, b"\x04")
    assert kinds(machine.feed(b"\x04SyntaxError\x04>")) == [Kind.ERROR_TEXT, Kind.ENDED]


@pytest.mark.parametrize("answer", [b"R\x00>", b"raw REPL; CTRL-B to exit\r\n>"])
def test_a_device_without_raw_paste_is_understood(answer):
    machine = at_prompt()
    machine.ask_paste()
    assert machine.feed(answer)[-1] == Event(Kind.PASTE, b"")
    assert machine.state is State.IDLE


def test_the_probe_finds_its_answer_behind_and_between_other_output():
    machine = at_prompt()
    machine.ask_paste()
    events = machine.feed(b"tick R\r\nR\x01\x80\x00tock\x01") + machine.feed(b"\x04\x04\x04>")
    assert [event for event in events if event.kind is Kind.PASTE] == [Event(Kind.PASTE, b"1")]
    assert b"".join(e.data for e in events if e.kind is Kind.TEXT) == b"tick R\r\ntock"
    assert machine.state is State.IDLE


@pytest.mark.parametrize("text", [b"MPY: soft reboot", b"PYB: soft reboot", b"soft reboot"])
def test_every_ports_words_for_a_soft_reset_are_known(text):
    machine = at_prompt()
    machine.soft_reset()
    events = machine.feed(b"OK\r\n" + text + b"\r\nboot.py\r\nraw REPL; CTRL-B to exit\r\n>")
    assert [kind for kind in kinds(events) if kind is not Kind.TEXT] == [Kind.REBOOT, Kind.READY]


@pytest.mark.parametrize("sign", [b"MPY: soft reboot\r\n", b"\r\n>>> "])
def test_signs_of_a_boot_are_seen_though_every_byte_comes_alone(sign):
    machine = at_prompt()
    events = [event for byte in sign for event in machine.feed(bytes((byte,)))]
    assert len([kind for kind in kinds(events) if kind in SIGNS]) == 1


def following():
    machine = ReplMachine()
    machine.enter()
    machine.feed(b"raw REPL; CTRL-B to exit\r\n>")
    assert machine.execute(b"a", (b"b", b"c")) == b"a\x04"
    return machine


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_what_follows_is_sent_with_the_ok_of_what_was_before_and_ends_as_one(size):
    machine, said = following(), b"OK1\x04\x04>OK2\x04\x04>OK3\x04\x04>"
    events = [
        each for at in range(0, len(said), size) for each in machine.feed(said[at : at + size])
    ]
    assert [each.data for each in events if each.kind is Kind.WRITE] == [b"b\x04", b"c\x04"]
    assert b"".join(each.data for each in events if each.kind is Kind.TEXT) == b"123"
    assert [each.kind for each in events].count(Kind.ENDED) == 1
    assert events[-1].kind is Kind.ENDED
    assert machine.state is State.IDLE


def test_cut_short_what_was_not_sent_is_never_sent():
    machine = following()
    machine.feed(b"OK")  # now `b` is on its way
    machine.cut_short()
    events = machine.feed(b"\x04\x04>OK\x04\x04>")
    assert [each.kind for each in events] == [Kind.ACCEPTED, Kind.ENDED]


def test_what_follows_is_checked_before_anything_is_sent():
    machine = ReplMachine()
    with pytest.raises(ValueError, match="bytes 1 to 4"):
        machine.execute(b"a", (b"\x04",))


# --- end marks that a thread prints amid a paste ---


def pasting():
    machine = at_prompt()
    machine.paste(b"x" * 40)
    machine.feed(b"R\x01\x10\x00")
    return machine


@pytest.mark.parametrize("text", [b"\x04>OK\r\n", b"tick\x04\r\n", b"\x04\x04>"])
def test_an_end_mark_with_something_behind_it_does_not_stop_a_paste(text):
    """The board says nothing between its own and ours."""
    machine = pasting()
    events = machine.feed(text + b"\x01")
    assert [each for each in joined(events) if each.kind is not Kind.TEXT] == [
        Event(Kind.WRITE, b"x" * 16)
    ]
    assert machine.state is State.PASTING


@pytest.mark.parametrize("behind", [b"", b"\x04", b"\x04Traceback"])
def test_an_end_mark_that_may_be_the_board_s_stops_a_paste(behind):
    machine = pasting()
    assert Event(Kind.WRITE, b"\x04") in machine.feed(b"\x04" + behind)
    assert machine.state in (State.RUNNING, State.FAILING)


# --- a board that boots behind the end of a command ---

BOOTED = b'\r\nMicroPython v1.27.0\r\nType "help()"\r\n'


@pytest.mark.parametrize("cut", range(1, len(BOOTED) + 5))
def test_the_friendly_prompt_in_place_of_ours_says_that_raw_mode_was_left(cut):
    machine = at_prompt()
    machine.execute(b"a")
    said = BOOTED + b">>> "
    events = machine.feed(b"OK\x04\x04" + said[:cut])
    if Event(Kind.ENDED) in events:  # what comes shows that this was not it
        machine.execute(b"b")
    events += machine.feed(said[cut:])
    assert kinds(events)[-1] is Kind.LEFT


def test_each_byte_of_the_friendly_prompt_may_come_by_itself():
    machine = at_prompt()
    machine.execute(b"a")
    events = [event for byte in b"OK\x04\x04\r\n>>> " for event in machine.feed(bytes((byte,)))]
    assert kinds(events)[-1] is Kind.LEFT


@pytest.mark.parametrize("line", [b"tick\n", b"tick\r\n", b"\n>> ", b">>> "])
def test_what_a_thread_prints_before_our_prompt_does_not_hide_it(line):
    machine = at_prompt()
    machine.execute(b"a")
    kinds_found = kinds(machine.feed(b"OK\x04\x04" + line + b">"))
    assert Kind.ENDED in kinds_found
    assert Kind.LEFT not in kinds_found
    machine.execute(b"b")
    assert Kind.LEFT not in kinds(machine.feed(b"OK>> \x04\x04>"))


def test_a_prompt_that_was_asked_for_is_not_taken_for_the_rest_of_another():
    machine = at_prompt()
    machine.execute(b"a")
    machine.feed(b"OK\x04\x04\r\n>")
    machine.enter()
    assert Kind.LEFT not in kinds(machine.feed(b">> \r\n" + ANSWER))
    assert machine.state is State.IDLE


# --- a question under a command, and its answer behind it ---


def asked(times=1):
    """A machine at its prompt, which was asked under the command before."""
    machine = at_prompt()
    machine.execute(b"a")
    machine.feed(b"OKMPY: soft reboot\r\n")
    for _ in range(times):
        assert machine.ask() == b"\x01"
    assert machine.feed(b"\x04\x04>") == [Event(Kind.ENDED)]
    return machine


NEXT = {
    "a command": (lambda machine: machine.execute(b"b"), b"OK", [Kind.ACCEPTED]),
    "a paste": (lambda machine: machine.paste(b"b"), b"R\x01\x10\x00", [Kind.WRITE]),
    "a soft reset": (ReplMachine.soft_reset, b"soft reboot", [Kind.REBOOT]),
}


@pytest.mark.parametrize(("act", "said", "found"), NEXT.values(), ids=NEXT)
@pytest.mark.parametrize("cut", range(len(ANSWER) + 1))
def test_the_answer_to_a_question_is_no_output_whatever_was_sent_after_it(cut, act, said, found):
    machine = asked()
    assert machine.feed(ANSWER[:cut]) == []
    act(machine)
    events = [event for byte in ANSWER[cut:] + said for event in machine.feed(bytes((byte,)))]
    assert kinds(events) == found


def test_nor_is_it_where_the_prompt_is_asked_for_meanwhile():
    machine = asked()
    machine.enter()
    assert kinds(machine.feed(ANSWER * 2)) == [Kind.TEXT, Kind.READY]
    assert machine.state is State.IDLE


def test_each_question_has_one_answer_and_the_same_words_behind_it_are_output():
    machine = asked(2)
    assert machine.feed(ANSWER * 2) == []
    assert machine.feed(ANSWER) == [Event(Kind.TEXT, ANSWER)]


def test_what_only_begins_as_an_answer_is_output_and_so_is_what_a_thread_prints_before_it():
    machine = asked()
    machine.execute(b"b")
    events = machine.feed(b"tick raw RE") + machine.feed(b"PL; no\r\n") + machine.feed(ANSWER)
    assert list(joined(events)) == [Event(Kind.TEXT, b"tick raw REPL; no\r\n")]


def test_a_question_that_a_program_has_read_is_answered_no_more():
    machine = asked()
    machine.execute(b"b")
    assert machine.feed(b"OK\x04\x04>") == [Event(Kind.ACCEPTED), Event(Kind.ENDED)]
    assert machine.feed(ANSWER) == [Event(Kind.TEXT, ANSWER)]


def test_a_board_that_has_booted_answers_amid_the_text():
    machine = at_prompt()
    machine.execute(b"a")
    machine.feed(b"OKMPY: soft reboot\r\n>>> ")
    machine.ask()
    assert machine.feed(b"\r\n" + ANSWER) == [Event(Kind.TEXT, b"\r\n" + ANSWER)]
