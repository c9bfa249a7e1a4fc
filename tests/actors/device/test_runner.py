"""The runner's steps, the watch's one timer, suspicion and debts: with a clock moved by hand."""

from __future__ import annotations

import pytest

from klemheist.actors.device.debts import MOST_TRIES, Debt, Debts
from klemheist.actors.device.runner import GRACE, Runner
from klemheist.actors.device.suspicion import HELD_WITHIN, MOST_HELD, Suspicion
from klemheist.actors.device.watch import Watch
from klemheist.actors.runtime.clock import ManualClock
from klemheist.actors.runtime.timers import Timers
from klemheist.transports.repl.board import Board
from klemheist.transports.repl.conversation import Conversation
from klemheist.transports.repl.lines import Silent
from klemheist.transports.repl.marks import BANNER
from klemheist.transports.repl.steps import Do, Step


class Bench:
    """A runner, what it sent, and what its procedure was told."""

    def __init__(self):
        self.talk = Conversation()
        self.sent, self.ended = [], []
        self.runner = Runner(self.talk, lambda step, data: self.sent.append((step.do, data)))

    def start(self, procedure, *, patience=None):
        self.runner.start(procedure, 0.0, lambda *end: self.ended.append(end), patience=patience)

    def hear(self, data, now=0.0):
        for outcome in self.talk.feed(data):
            if outcome.reply is not None:
                self.runner.reply(outcome.reply, now)

    def at_prompt(self):
        self.talk.begin(Step(Do.ENTER))
        self.talk.feed(BANNER + b"\r\n>")
        return self


def one_step(step):
    return (yield step)


def test_a_step_is_given_up_when_its_time_is_up_and_not_before():
    bench = Bench()
    bench.start(one_step(Step(Do.ENTER, within=1.0)))
    bench.runner.expire(0.99)
    assert bench.ended == []
    bench.runner.expire(1.0)
    [(reply, error)] = bench.ended
    assert (reply.ended, error) == (False, None)
    assert not bench.runner.active


def test_once_accepted_a_call_has_all_the_time_that_its_deadline_gives():
    bench = Bench().at_prompt()
    bench.start(one_step(Step(Do.EXECUTE, b"_k(2,1)", number=2, within=1.0)))
    bench.hear(b"OK")
    bench.runner.expire(1.0)
    bench.runner.expire(1_000.0)
    assert bench.runner.active


def test_once_accepted_a_step_of_ours_has_our_patience():
    bench = Bench().at_prompt()
    bench.start(one_step(Step(Do.EXECUTE, b"_k(2,1)", number=2, within=1.0)), patience=3.0)
    bench.hear(b"OK")
    bench.runner.expire(1.0)
    bench.runner.expire(3.9)
    assert bench.runner.active
    bench.runner.expire(4.0)
    assert bench.ended


def test_a_hard_reset_that_never_ends_is_given_up_too():
    bench = Bench()
    bench.start(one_step(Step(Do.HARD_RESET, within=5.0)))
    bench.runner.expire(5.0)
    assert bench.ended
    assert bench.sent == [(Do.HARD_RESET, b"")]


def test_a_lost_prompt_costs_no_more_than_the_grace():
    bench = Bench().at_prompt()
    bench.start(one_step(Step(Do.EXECUTE, b"pass", number=2, within=9.0)))
    bench.hear(b"OK\x04\x04")
    bench.runner.expire(1.0)
    assert bench.runner.active
    bench.runner.expire(1.0 + GRACE)
    assert bench.ended


def test_an_interrupt_at_the_prompt_is_not_sent():
    bench = Bench().at_prompt()
    bench.start(one_step(Step(Do.INTERRUPT, within=1.0)))
    assert bench.sent == []
    assert bench.ended[0][0].ended


def test_what_a_procedure_raises_is_handed_over():
    def fails():
        yield Step(Do.ENTER, within=1.0)
        raise Silent("nothing")

    bench = Bench()
    bench.start(fails())
    bench.hear(BANNER + b"\r\n>")
    assert isinstance(bench.ended[0][1], Silent)


def test_an_abandoned_procedure_is_closed_and_tells_nobody():
    closed = []

    def long():
        try:
            yield Step(Do.ENTER)
        finally:
            closed.append(True)

    bench = Bench()
    bench.start(long())
    bench.runner.abandon()
    bench.hear(BANNER + b"\r\n>")
    assert (closed, bench.ended, bench.runner.active) == ([True], [], False)


# -- the watch -------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def watch(clock, checks) -> tuple[Watch, Timers]:
    timers = Timers(clock)
    made = Watch(timers, lambda: (made.fired(), checks.append(clock.monotonic())))
    return made, timers


def test_the_earliest_moment_that_was_asked_for_counts(clock):
    checks = []
    made, timers = watch(clock, checks)
    for when in (5.0, 2.0, 9.0):
        made.by(when)
    assert len(timers) == 1
    clock.advance(2.0)
    assert checks == [2.0]


def test_a_watch_that_was_not_asked_again_has_no_timer(clock):
    checks = []
    made, timers = watch(clock, checks)
    made.by(1.0)
    clock.advance(10.0)
    assert (checks, len(timers)) == ([1.0], 0)


def test_a_stopped_watch_never_checks(clock):
    checks = []
    made, timers = watch(clock, checks)
    made.by(1.0)
    made.stop()
    clock.advance(10.0)
    assert (checks, len(timers)) == ([], 0)


# -- suspicion -------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", range(len(BANNER) + 1))
def test_the_answer_to_a_suspicion_is_found_however_it_is_cut(cut):
    suspicion = Suspicion()
    suspicion.rise()
    suspicion.hear(b"\r\n" + BANNER[:cut], 0.0)
    suspicion.hear(BANNER[cut:] + b"\r\n>", 0.0)
    assert suspicion.is_confirmed


def test_without_a_suspicion_a_program_may_print_the_banner():
    suspicion = Suspicion()
    assert suspicion.hear(BANNER, 0.0) == BANNER
    assert not suspicion.is_confirmed


def test_a_suspicion_ends_with_its_call():
    suspicion = Suspicion()
    suspicion.rise()
    suspicion.clear()
    assert suspicion.hear(BANNER, 0.0) == BANNER
    assert not suspicion.is_confirmed


@pytest.mark.parametrize("cut", range(7))
def test_the_line_end_before_a_boot_is_its_own_only_where_no_line_of_the_code_is_open(cut):
    for mine, given in ((b"mine\r\n", b"mine\r\n"), (b"mine\r\n\r\n", b"mine\r\n")):
        suspicion = Suspicion()
        said = mine + BOOT
        heard = suspicion.hear(said[:cut], 0.0) + suspicion.hear(said[cut:], 0.0)
        assert heard == given


BOOT = b"\0MicroPython v1.9.2 on 2017-09-01\r\n"


@pytest.mark.parametrize("cut", range(len(BOOT) + 1))
def test_what_reads_like_a_boot_is_held_back_however_it_is_cut(cut):
    suspicion = Suspicion()
    given = suspicion.hear(b"mine\r\n" + BOOT[:cut], 0.0) + suspicion.hear(BOOT[cut:], 0.1)
    assert given.rstrip() == b"mine"
    assert given + suspicion.clear() == b"mine\r\n" + BOOT


def test_what_reads_like_a_boot_is_given_out_after_a_while_if_nothing_else_says_so():
    suspicion = Suspicion()
    assert suspicion.hear(BOOT, 1.0) == b""
    assert suspicion.settle(1.0 + HELD_WITHIN / 2) == b""
    assert suspicion.settle(1.0 + HELD_WITHIN) == BOOT
    assert suspicion.settle(2.0) == suspicion.clear() == b""


def test_what_a_board_says_that_was_asked_is_held_back_until_it_is_known_to_have_booted():
    suspicion = Suspicion()
    suspicion.rise()
    assert suspicion.hear(b"\r\n" + BANNER, 1.0) == b""
    assert suspicion.is_confirmed
    suspicion.believe()
    assert not suspicion.is_confirmed
    assert suspicion.settle(9.0) == b""
    assert suspicion.clear() == b"\r\n" + BANNER


def test_a_program_that_goes_on_behind_a_prompt_of_its_own_is_held_back_once():
    suspicion = Suspicion()
    suspicion.rise()
    assert suspicion.hear(b"more", 1.0) == b""
    assert suspicion.settle(2.0) == b"more"
    assert suspicion.hear(b"and more", 2.1) == b"and more"


def test_no_more_is_held_back_than_a_boot_says():
    long = BOOT + b"x" * MOST_HELD
    assert Suspicion().hear(long, 0.0) == long


# -- debts -----------------------------------------------------------------------------------------


def paying(log, name, error=None):
    def pay(board):
        log.append(name)
        if error is not None:
            raise error
        yield from ()

    return pay


def run(procedure):
    with pytest.raises(StopIteration) as end:
        next(procedure)
    return end.value.value


def test_debts_are_paid_in_reverse_and_those_of_another_boot_are_void():
    debts, log = Debts(), []
    for name, boot in (("file", None), ("pin", "old"), ("thread", "now")):
        debts.add(Debt(name, paying(log, name), boot))
    assert run(debts.pay(Board(boot="now"))) == 2
    assert log == ["thread", "file"]
    assert len(debts) == 0


def test_a_debt_under_which_the_device_fails_stays_owed_but_not_for_ever():
    debts, log = Debts(), []
    debts.add(Debt("bad", paying(log, "bad", Silent("no answer")), None))
    for left in (*(1,) * (MOST_TRIES - 1), 0):
        with pytest.raises(Silent):
            next(debts.pay(Board()))
        assert len(debts) == left
    assert log == ["bad"] * MOST_TRIES


def test_a_debt_that_was_interrupted_by_a_loss_stays_owed():
    debts = Debts()

    def pay(board):
        yield Step(Do.ENTER)

    debts.add(Debt("slow", pay, None))
    procedure = debts.pay(Board())
    next(procedure)
    procedure.close()
    assert debts.labels() == ("slow",)
