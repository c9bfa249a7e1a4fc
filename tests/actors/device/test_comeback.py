"""The way back: losses, boots, resets, crashes of the actor; on boards that live, die and hang."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time

import pytest

from klemheist.actors.device.debts import Debt
from klemheist.actors.device.reopen import Reopening
from klemheist.actors.device.states import DeviceState
from klemheist.transports.errors import DeviceReset, LinkError, LinkLost, LinkTimeout, UnknownScheme
from klemheist.transports.registry import create_link
from klemheist.transports.repl.lines import ACCEPT_WITHIN
from klemheist.transports.repl.procedures import free_memory
from tests.boards.bare import BareRepl

from .conftest import BUSY, SECONDS


def drop_soon(board) -> None:
    threading.Timer(0.05, board.drop).start()


# -- boots -----------------------------------------------------------------------------------------


def test_a_link_that_drops_fails_the_call_in_flight_and_comes_back_with_the_same_boot(
    make_rig, board
):
    rig = make_rig(board.url).up()
    rig.run("runs = [0]")
    before = len(rig.events)
    drop_soon(board)
    error = rig.fails(rig.submit(f"runs.append(1) or {BUSY}"), LinkLost)
    assert error.maybe_executed is True
    assert rig.run("runs") == [0, 1]
    assert rig.port.generation == 1
    assert rig.wait_for("up", after=before).same_boot


def test_an_idempotent_call_is_sent_again_by_itself(make_rig, board):
    rig = make_rig(board.url).up()
    rig.run("runs = []")
    drop_soon(board)
    sleepy = "runs.append(1) or (time.sleep(5) if len(runs) < 2 else len(runs))"
    assert rig.run(sleepy, idempotent=True) == 2


def test_a_board_that_was_started_anew_is_a_new_generation(make_rig, board):
    rig = make_rig(board.url).up()
    boot = rig.port.board.boot
    before = len(rig.events)
    board.kill()
    board.respawn()
    rig.wait_for("up", after=before)
    assert rig.port.generation == 2
    assert rig.port.board.boot != boot


def test_calls_wait_while_the_device_is_away_but_not_past_their_deadline(make_rig, board):
    rig = make_rig(board.url).up()
    board.refuse(True)
    board.drop()
    rig.wait_for("down")
    began = time.monotonic()
    error = rig.fails(rig.submit("1", timeout=0.2), LinkTimeout)
    assert time.monotonic() - began < 0.5
    assert error.maybe_executed is False
    waiting = rig.submit("2")
    board.refuse(False)
    assert waiting.get(timeout=SECONDS) == 2


def test_a_link_is_reopened_again_and_again_with_backoff(make_rig, board):
    rig = make_rig(board.url).up()
    board.refuse(True)
    board.drop()
    for number in range(2, 7):
        rig.wait_for("down", count=number)
    assert rig.port.state is not DeviceState.FAILED
    board.refuse(False)
    assert rig.run("1") == 1


def test_with_a_limit_of_attempts_the_device_fails_and_says_so(make_rig, board):
    rig = make_rig(board.url, reopening=Reopening(first=0.01, attempts=2)).up()
    board.refuse(True)
    board.drop()
    rig.wait_for("failed")
    assert rig.port.state is DeviceState.FAILED
    assert rig.port.counters.reopened == 2
    assert "is failed" in str(rig.fails(rig.submit("1"), LinkLost))


@pytest.mark.parametrize("code", ["raise SystemExit", "import machine; machine.reset()"])
def test_a_board_that_boots_under_a_call_is_a_device_reset(make_rig, host_board, code):
    rig = make_rig(host_board.url).up()
    began = time.monotonic()
    error = rig.fails(rig.submit(code), DeviceReset)
    assert time.monotonic() - began < 2.0
    assert error.maybe_executed is True
    assert rig.run("1") == 1
    assert rig.port.generation == 2


RESETS = {"sim:": "machine.reset()", "microbit:": "microbit.reset()"}


@pytest.mark.parametrize("url", RESETS)
def test_a_reset_under_a_call_is_told_at_once_and_its_words_are_no_output(make_rig, url):
    """On the embedded board it took the second in which a question is accepted."""
    rig, heard = make_rig(url).up(), []
    code = f"print('mine') or __import__({RESETS[url][:-8]!r}).reset()"
    for generation in (2, 3):
        began = time.monotonic()
        rig.fails(rig.submit(code, on_output=heard.append), DeviceReset)
        assert time.monotonic() - began < ACCEPT_WITHIN * 0.8
        assert rig.run("1") == 1
        assert rig.port.generation == generation
    assert b"".join(heard).split() == [b"mine", b"mine"]


def test_what_only_reads_like_a_boot_is_output_before_the_call_has_ended(shared):
    heard = []
    assert shared.run("print('MicroPython v1.27.0') or 1", on_output=heard.append) == 1
    assert b"".join(heard).strip() == b"MicroPython v1.27.0"
    later = shared.submit(f"print('MicroPython v2') or {BUSY}", on_output=heard.append)
    ends = time.monotonic() + 5.0
    while b"v2" not in b"".join(heard) and time.monotonic() < ends:
        time.sleep(0.01)
    assert b"".join(heard).split()[-2:] == [b"MicroPython", b"v2"]
    later.cancel()


def test_a_board_that_boots_while_it_is_idle_is_noticed(make_rig, host_board):
    rig = make_rig(host_board.url).up()
    rig.run("import threading, os, signal, machine")
    rig.run("threading.Timer(0.1, machine.reset).start()")
    rig.wait_for("reset")
    assert rig.run("1") == 1
    assert rig.port.generation == 2


def test_a_program_that_prints_a_friendly_prompt_is_not_taken_for_a_boot(shared):
    assert shared.run("print('\\n>>> ') or time.sleep(0.3) or 'here'") == "here"
    assert shared.run("1") == 1


@pytest.mark.parametrize("url", ["sim:", "microbit:"])
@pytest.mark.parametrize("after", ["'here'", "len('" + 200 * "x" + "')"], ids=["short", "long"])
def test_the_answer_to_our_question_is_nobodys_output(make_rig, url, after):
    rig, heard = make_rig(url).up(), []
    before = len(rig.events)
    rig.run("print('soft reboot') or __import__('time').sleep(0.3)", on_output=heard.append)
    assert rig.run(after, on_output=heard.append) == eval(after)
    assert b"".join(heard).splitlines() == [b"soft reboot"]
    told = [event.kind for event in rig.events[before:]]
    assert not {"output", "recovering", "reset"} & set(told)


def test_a_board_that_hangs_and_comes_alive_goes_on_in_the_same_boot(make_rig):
    rig = make_rig("microbit:")
    rig.port.ready.get(timeout=SECONDS)
    rig.run("n = [0]")
    rig.run("n")  # after it the agent is whole, and the device idle
    pid = rig.port.link.pid
    os.kill(pid, signal.SIGSTOP)
    error = rig.fails(rig.submit("n.append(1)", timeout=0.1), LinkTimeout)
    os.kill(pid, signal.SIGCONT)
    assert error.recovery.get(timeout=SECONDS).same_boot
    assert rig.run("len(n)") in (1, 2)


# -- owed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("respawn", [False, True])
def test_what_is_owed_is_done_when_the_device_is_back_and_before_any_call(make_rig, board, respawn):
    rig = make_rig(board.url).up()
    rig.run("import machine")
    rig.run("machine.Pin(3, machine.Pin.OUT).value(1)")
    board.refuse(True)
    board.drop()
    rig.wait_for("down")
    debts, boot = rig.port.debts, rig.port.board.boot
    debts.add_code("file", "f=open('paid','w');f.close()", boot=None)
    debts.add(Debt("ram", free_memory, boot))
    debts.add_agent_code("agent", "B.append(b'x')", boot=boot)
    call = rig.submit("__import__('os').stat('paid') and 1")
    if respawn:
        board.kill()
        board.respawn()
    board.refuse(False)
    assert call.get(timeout=SECONDS) == 1
    assert len(debts) == 0


def test_a_debt_that_always_breaks_the_device_does_not_keep_it_away(make_rig, board):
    rig = make_rig(board.url).up()
    board.refuse(True)
    board.drop()
    rig.wait_for("down")
    rig.port.debts.add_code("bad", "raise SystemExit", boot=None)
    board.refuse(False)
    assert rig.run("1") == 1
    assert len(rig.port.debts) == 0


# -- attaching -------------------------------------------------------------------------------------


def test_opening_keeps_the_memory_of_the_device(make_rig, board):
    with BareRepl(board.host, board.port) as judge:
        judge.exec("kept = 'yes'")
    rig = make_rig(board.url).up()
    rig.close()
    with BareRepl(board.host, board.port) as judge:
        assert judge.exec("print(kept)").strip() == b"yes"


def test_fresh_asks_for_a_soft_reset(make_rig, board):
    with BareRepl(board.host, board.port) as judge:
        judge.exec("kept = 'yes'")
    rig = make_rig(board.url, fresh=True).up()
    rig.close()
    with BareRepl(board.host, board.port) as judge:
        assert judge.exec("print('kept' in globals())").strip() == b"False"


def test_a_running_program_is_interrupted_and_that_is_an_event(make_rig, host_board):
    with socket.create_connection((host_board.host, host_board.port)) as person:
        person.sendall(b"\r\x03\x02")
        person.sendall(b"import time\r")
        person.sendall(b"while True: time.sleep(0.01)\r\r")
        time.sleep(0.2)  # the program runs when the person leaves
    rig = make_rig(host_board.url).up()
    assert rig.told("interrupted") == ["a running program was stopped"]


@pytest.mark.parametrize("resume", [False, True])
def test_with_resume_app_the_device_s_own_program_is_started_again_at_the_end(
    make_rig, board, resume
):
    with BareRepl(board.host, board.port) as judge:
        judge.exec("kept = 'yes'")
    make_rig(board.url, resume_app=resume).up().close()
    time.sleep(0.2)  # a soft reset starts main.py; it is all that the board can show of it
    with BareRepl(board.host, board.port) as judge:
        assert judge.exec("print('kept' in globals())").strip() == (b"False" if resume else b"True")


def test_at_the_end_no_name_of_ours_is_left_on_the_device(make_rig, host_board):
    names = "print(sorted(globals()))"
    with BareRepl(host_board.host, host_board.port) as judge:
        before = judge.exec(names)
    rig = make_rig(host_board.url).up()
    rig.submit(BUSY)  # released in the middle of a call: it is interrupted first
    time.sleep(0.05)
    rig.close()
    with BareRepl(host_board.host, host_board.port) as judge:
        assert judge.exec(names) == before


def test_what_a_firmware_can_do_is_asked_once(make_rig, host_board):
    firmware = {}
    make_rig(host_board.url, firmware=firmware).up().close()
    [known] = firmware.values()
    assert known.paste
    firmware[known.text] = changed = type(known)(known.text, known.platform, False, known.credit)
    rig = make_rig(host_board.url, firmware=firmware).up()
    assert rig.port.board.facts["firmware"] is changed


# -- the actor crashes -----------------------------------------------------------------------------


def crash():
    raise RuntimeError("forged: a bug of ours")


def test_an_actor_that_crashes_leaves_the_link_open_for_the_next_in_the_same_boot(make_rig):
    rig = make_rig("sim:").up()
    rig.run("kept = 1")
    link = rig.port.link
    running = rig.submit(BUSY)
    rig.ref.actor().post(crash)
    assert rig.fails(running, LinkLost).maybe_executed is True
    rig.again()
    assert rig.run("kept") == 1
    assert rig.port.link is link
    assert rig.port.generation == 1


def test_calls_wait_for_the_actor_that_is_started_anew_but_not_past_their_deadline(make_rig):
    rig = make_rig("sim:").up()
    rig.ref.actor().post(crash)
    error = rig.fails(rig.submit("1", timeout=0.1), LinkTimeout)
    assert error.maybe_executed is False
    waiting = rig.submit("2")
    rig.again()
    assert waiting.get(timeout=SECONDS) == 2


def test_an_actor_that_crashes_while_it_opens_leaves_one_link(make_rig, board):
    rig = make_rig(board.url).up()
    before = len(rig.events)
    board.drop()
    rig.wait_for("opening", after=before)
    rig.ref.actor().post(crash)
    rig.again()
    assert rig.run("1") == 1
    rig.close()
    assert rig.port.link is None


def test_a_listener_that_fails_does_not_harm_the_device(make_rig):
    rig = make_rig("sim:")
    rig.port.listen(lambda event: crash())
    assert rig.up().run("1") == 1


# -- what cannot be opened -------------------------------------------------------------------------


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"tcp://127.0.0.1:{unused_port()}", "refused"),
        ("tcp://no-such-host.invalid:23", "no-such-host.invalid"),
        ("/dev/ttyNOTHERE", "ttyNOTHERE"),
        ("exec:no-such-command", "no-such-command"),
    ],
)
def test_a_device_that_cannot_be_opened_fails_and_its_creator_is_told_in_one_line(
    make_rig, url, words
):
    rig = make_rig(url)
    with pytest.raises(LinkError, match=words) as caught:
        rig.port.ready.get(timeout=SECONDS)
    assert "\n" not in str(caught.value)
    assert rig.port.state is DeviceState.FAILED
    assert rig.told("down") == rig.told("failed") == [str(caught.value)]
    rig.fails(rig.submit("1"), LinkLost)


def test_an_unknown_scheme_is_told_by_the_same_way(make_rig):
    rig = make_rig("nonsense://x")
    with pytest.raises(UnknownScheme):
        rig.port.ready.get(timeout=SECONDS)


def test_releasing_a_device_that_is_being_opened_leaves_nothing_open(make_rig):
    rig = make_rig("microbit:")
    rig.close()
    assert rig.port.state is DeviceState.STOPPED
    assert rig.port.link is None


@pytest.mark.usefixtures("quick_rungs")
def test_a_hard_reset_that_hangs_is_given_up_and_the_device_goes_down(make_rig, monkeypatch):
    monkeypatch.setattr("klemheist.transports.repl.ladder.HARD_RESET_WITHIN", 0.2)
    gate = threading.Event()
    rig = make_rig("sim:").up()

    def slow(url="sim:"):
        gate.wait(SECONDS)
        return create_link(url)

    create, rig.port.create_link = rig.port.create_link, slow
    error = rig.fails(rig.submit("while True: pass", timeout=0.1), LinkTimeout)
    with pytest.raises(LinkLost):
        error.recovery.get(timeout=SECONDS)
    rig.port.create_link = create
    gate.set()
    assert rig.run("1") == 1
