"""The protocol on three real boards: `sim:`, `microbit:`, and CPython with threads."""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

import pytest

from klemheist.transports.repl import agent
from klemheist.transports.repl.agent import FIRST_TASK, Entry
from klemheist.transports.repl.attach import attach
from klemheist.transports.repl.frames import FrameKind, call_line
from klemheist.transports.repl.install import complete, remove
from klemheist.transports.repl.ladder import Rung, ladder
from klemheist.transports.repl.lines import Gone, Silent, status
from klemheist.transports.repl.procedures import free_memory
from klemheist.transports.repl.steps import Do, Step
from klemheist.transports.repl.values import decode

from .live import LinkDriver
from .test_mangled import EDITS, At

sys.path.append(str(Path(__file__).parents[2]))
from boards.bare import BareRepl
from boards.mangler import Damage, Mangler
from boards.tcp_board import TcpBoard

TESTS = Path(__file__).parents[2]
THREADED = f"exec:{sys.executable} {TESTS / 'boards/raw_repl_host.py'}"
URLS = {"sim": "sim:", "microbit": "microbit:", "threaded": THREADED}
TASK = b"def add(a,b):\n n.append(a)\n return a+b"
HURRY = 0.1
LOOKALIKES = ("\x04", "\x04\x04", "OK", ">", "\x04>", "\x1e", "\x1e12=1,1,1", "R\x01", "\n>>> ")
TWICE = b"m=set()\ndef twice(x):\n if x in m:1/0\n m.add(x)\n return x+x"


@pytest.fixture(scope="module", params=URLS)
def shared(request):
    """One board of each kind, with a task `add`, which counts its calls in `n`."""
    with LinkDriver(URLS[request.param], hurry=HURRY) as driver:
        yield driver


@pytest.fixture
def driver(shared):
    ready(shared)
    return shared


def ready(driver):
    """Attach on a clean line, and deploy what a new boot has lost."""
    driver.up = bytes
    if not driver.attach().same_boot:
        driver.deploy(FIRST_TASK, "add", b"n=[]\n" + TASK)


@pytest.fixture
def threaded():
    with LinkDriver(THREADED) as driver:
        driver.attach()
        yield driver


def value(driver, namespace, source):
    frame, error = driver.apply(Entry.EVAL, namespace, source)
    assert frame.kind is FrameKind.VALUE, error
    return decode(frame.text)


# --- the agent ---


@pytest.mark.parametrize("count", [0, 65535])
def test_no_statement_of_the_agent_is_too_long_for_the_smallest_board(count):
    sizes = [
        len(part.encode()) for part in [*agent.first_half("0" * 16, count), *agent.second_half()]
    ]
    assert max(sizes) < agent.LONGEST_STATEMENT


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_the_agent_leaves_main_as_it_found_it(url):
    names = "print(sorted(globals()) if 'gc' in globals() else sorted(globals()))"
    with TcpBoard(url) as board:
        chunk = 16 if url == "microbit:" else 0
        with BareRepl(board.host, board.port, chunk=chunk) as repl:
            repl.exec("import gc;mine=1")  # a user's own `gc` is to stay, too
            before = repl.exec(names)
        with LinkDriver(board.url) as driver:
            driver.attach()
            assert value(driver, 1, b"6*7") == 42
            during = driver.bare(b"print('_k'in globals(),'_a'in globals())")
            driver.run(remove())
        with BareRepl(board.host, board.port, chunk=chunk) as repl:
            assert during.split() == [b"True", b"False"]
            assert repl.exec(names) == before


def test_an_answer_beyond_the_first_half_is_held_for_the_second_and_the_call_runs_once():
    with LinkDriver("sim:") as driver:
        driver.attach()
        driver.deploy(FIRST_TASK, "tell", b"n=[]\ndef tell(x):\n n.append(x)\n return [x,0.5]")
        assert not driver.talk.board.whole
        assert decode(driver.call(FIRST_TASK, 7)[0].text) == [7, 0.5]
        assert driver.talk.board.whole
        assert value(driver, 1, b"n") == [7]
        during = driver.bare(b"print('_k'in globals(),'_a'in globals())")
        assert during.split() == [b"True", b"False"]


def test_an_answer_that_the_first_half_fails_to_write_is_written_by_the_second():
    with LinkDriver("sim:") as driver:
        driver.attach()
        driver.deploy(FIRST_TASK, "tell", b"n=[]\ndef tell(x):\n n.append(x)\n return x")
        broken = b"a=e\\ndef e(n,j,v):\\n if n>0:raise MemoryError\\n a(n,j,v)"
        driver.bare(b"_k(-1,'X')('%s',0)" % broken)
        assert driver.call(FIRST_TASK, 7)[0].text == "7"
        assert value(driver, 1, b"n") == [7]
        assert driver.talk.board.whole


def test_where_the_second_half_does_not_fit_the_call_has_a_memory_error_and_others_go_on():
    with LinkDriver("sim:") as driver:
        driver.attach()
        driver.talk.board.cramped = True
        little = b"class gc:\\n collect=lambda:0\\n mem_free=lambda:5000"
        driver.bare(b"_k(-1,'X')('%s',0)" % little)  # it says that so much is free
        frame, _ = driver.apply(Entry.EVAL, 0, b"[1]")
        assert (frame.kind, decode(frame.text)[0]) == (FrameKind.RAISED, "MemoryError")
        assert value(driver, 0, b"6*7") == 42
        assert driver.bare(b"print('_a'in globals())").strip() == b"False"


def test_a_small_heap_is_due_the_whole_agent_in_each_boot():
    with LinkDriver("microbit:") as driver:
        for _ in range(2):
            assert not driver.attach(fresh=True).same_boot
            assert not driver.talk.board.due
            assert value(driver, 0, b"6*7") == 42
            assert driver.talk.board.due
            assert driver.run(complete(driver.talk.board))
            assert not driver.talk.board.due
            assert value(driver, 0, b"[1,0.5]") == [1, 0.5]


def test_two_thousand_calls_cost_the_smallest_board_no_memory():
    with LinkDriver("microbit:") as driver:
        driver.attach()
        driver.deploy(FIRST_TASK, "add", b"def add(a,b):return a+b")
        for number in range(50):
            driver.call(FIRST_TASK, number, 1)
        before = driver.run(free_memory(driver.talk.board))
        for number in range(2000):
            assert driver.call(FIRST_TASK, number, 1)[0].text == str(number + 1)
        assert driver.run(free_memory(driver.talk.board)) >= before - 64  # the count's own digits


# --- calls ---


def test_a_call_a_value_a_traceback_and_a_result_without_literal(driver):
    assert driver.call(FIRST_TASK, 2, 3)[0].text == "5"
    frame, error = driver.apply(Entry.EVAL, 1, b"1/0")
    assert (frame.kind, decode(frame.text)[0]) == (FrameKind.RAISED, "ZeroDivisionError")
    assert b"ZeroDivisionError" in error
    assert driver.apply(Entry.EVAL, 1, b"add")[0].kind is FrameKind.NO_LITERAL


def test_a_source_of_any_bytes_arrives(driver):
    """Bytes 1 to 4, the frames' own mark, comments and all quotes."""
    text = "\x01\x02\x03\x04\x1e#'\"\\\r\n\x00\x7f ;)"
    assert value(driver, 1, ascii(text).encode()) == text
    assert value(driver, 1, b"len(%s)" % ascii(text * 9).encode()) == len(text) * 9


def test_output_of_any_bytes_never_hides_the_result(driver):
    for text in LOOKALIKES:
        frame, error = driver.apply(Entry.EVAL, 1, b"print(%s)or 7" % ascii(text).encode())
        assert (frame.kind, frame.text) == (FrameKind.VALUE, "7"), error


def test_a_system_exit_ends_the_call_without_a_result_or_the_boot(driver):
    """Bare metal resets, old firmware does nothing, and no board makes a success of it."""
    if "webassembly" in driver.talk.board.facts["firmware"].text:
        return  # there the process ends, which the links' suite shows
    try:
        frame, _ = driver.apply(Entry.EXEC, 1, b"raise SystemExit")
    except Gone:
        ready(driver)
    else:
        assert frame.kind is FrameKind.UNFINISHED


@pytest.mark.req("SES-119")
@pytest.mark.parametrize("edit", ["dropped", "doubled", "flipped 0", "flipped 2", "flipped 6"])
def test_any_single_damage_of_a_call_line_runs_it_once_with_its_own_arguments(driver, edit):
    for place in range(len(call_line(FIRST_TASK, (41, 2), 0)[1]) + 1):
        value(driver, 1, b"n.clear()")
        driver.up = At(place, EDITS[edit])
        try:
            frame, _ = driver.call(FIRST_TASK, 41, 2)
            driver.up = bytes
            assert frame.text == "43"
            assert value(driver, 1, b"n") == [41]
        except Gone:
            ready(driver)
            assert value(driver, 1, b"n") == [], "no reset, no Gone"


@pytest.mark.parametrize("url", ["sim:", THREADED], ids=["sim", "threaded"])
def test_calls_over_a_line_that_damages_both_ways_are_right_or_refused(url):
    rnd = random.Random(7)
    with TcpBoard(url) as board, Mangler(board.host, board.port, seed=7, every=400) as line:
        line.active = False
        right = 0
        with LinkDriver(line.url, hurry=HURRY) as driver:
            for number in range(300):
                if not line.active:
                    if not driver.attach(count=rnd.randrange(65536)).same_boot:
                        driver.deploy(FIRST_TASK, "twice", TWICE)
                    line.active = True
                try:
                    frame, error = driver.call(FIRST_TASK, f"t{number}")
                except (Gone, Silent):
                    line.active = False
                else:
                    assert frame.text == repr(f"t{number}" * 2), error
                    right += 1
            line.active = False
            driver.attach()
        assert sum(line.counts[kind] for kind in Damage) > 20
        assert right > 250


# --- attaching, resets, the ladder ---


def test_a_first_attachment_takes_five_round_trips_and_one_to_a_known_firmware_two(monkeypatch):
    """The prompt, what it is (in two), the agent, and what differs from board to board."""
    with LinkDriver("sim:") as driver:
        asked, answer, board = [], driver._answer, driver.talk.board
        monkeypatch.setattr(driver, "_answer", lambda step: asked.append(step) or answer(step))
        driver.attach()
        assert len(asked) == 5
        board.boot = ""
        driver.run(attach(board, boot="b", count=1, firmware=driver.firmware, familiar=True))
        assert len(asked) == 5 + 2


def test_attaching_again_finds_the_same_boot_and_all_that_lives_there(driver):
    value(driver, 1, b"n.append(77)")
    again = driver.attach()
    assert again.same_boot
    assert value(driver, 1, b"77 in n") is True


def test_attaching_interrupts_a_running_program_and_says_so():
    with LinkDriver("microbit:") as driver:
        driver.run(attach(driver.talk.board, boot="b", count=1, firmware={}))
        driver.link.write(b"\x02")
        driver.listen(b">>> ")
        driver.link.write(b"while 1:pass\r\r")
        driver.listen(b"... ")
        assert driver.attach().interrupted


def test_a_fresh_attachment_is_a_new_boot():
    with LinkDriver("microbit:") as driver:
        driver.attach()
        driver.apply(Entry.EXEC, 1, b"here=1")
        assert not driver.attach(fresh=True).same_boot
        frame, error = driver.apply(Entry.EVAL, 1, b"here")
        assert frame.kind is FrameKind.RAISED, "its namespace is gone"
        assert b"NameError" in error


def test_the_ladder_interrupts_a_loop_that_swallows_ctrl_c():
    with LinkDriver(THREADED) as driver:
        driver.attach()
        _, line = call_line(
            Entry.EXEC,
            (b"i=0\nwhile i<2:\n try:\n  while 1:pass\n except:i+=1", 0),
            driver.talk.board.count,
        )
        reply = driver._answer(Step(Do.EXECUTE, line, -1, 0.2))
        assert not reply.ended
        again = lambda: attach(  # noqa: E731
            driver.talk.board, boot="again", count=1, firmware=driver.firmware
        )
        found = driver.run(ladder(driver.talk.board, again, hard=0))
        assert found.rung in (Rung.INTERRUPT, Rung.SOFT_RESET)
        assert value(driver, 0, b"6*7") == 42


# --- raw paste, on the board that has it ---


def test_a_long_source_goes_by_raw_paste_within_the_window(threaded):
    assert threaded.talk.board.paste
    source = b"[%s]" % b",".join(b"%d" % number for number in range(500))
    sent = []
    threaded.up = lambda data: sent.append(len(data)) or data
    assert value(threaded, 0, source) == list(range(500))
    assert max(sent) <= 129, "a window and the end mark"


def test_a_syntax_error_in_a_paste_stops_it_and_the_next_command_works(threaded):
    source = b"x = 1\n" + b"def f(:\n" + b"y = 2\n" * 100
    reply = threaded._answer(Step(Do.EXECUTE, source, within=5.0))
    assert reply.ended
    assert b"SyntaxError" in reply.error
    assert threaded.bare(b"print('y'in globals())").strip() == b"False"


def test_ctrl_c_during_a_paste_gives_the_prompt_back(threaded):
    threaded.up = At(200, lambda byte: b"\x03" + byte)
    reply = threaded._answer(Step(Do.EXECUTE, b"x = 1\n" * 100, within=2.0))
    threaded.up = bytes
    assert b"KeyboardInterrupt" in reply.error
    assert threaded.attach().same_boot


@pytest.mark.parametrize("window", [16, 33, 256])
def test_any_window_carries_any_source(window):
    with LinkDriver(f"{THREADED} --window {window}") as driver:
        driver.attach()
        for size in (59, 60, window * 2 - 20, window * 4, 2000):
            text = b"x" * size
            assert value(driver, 0, b"len('%s')" % text) == size


def test_a_board_that_denies_raw_paste_gets_its_source_in_acknowledged_pieces():
    with LinkDriver(f"{THREADED} --no-raw-paste --ring 64") as driver:
        driver.attach()
        assert not driver.talk.board.paste
        assert value(driver, 0, b"len('%s')" % (b"x" * 700)) == 700


# --- a thread that prints whenever it likes ---

PRINTER = b"""\
import _thread,time
go=[1]
def printer():
 i=0
 while go:
  print('[%d]'%i)
  i+=1
  time.sleep(0.001)
 print('[end %d]'%i)
_thread.start_new_thread(printer,())
"""


@pytest.mark.parametrize("size", [1, 60, 900])
def test_a_printing_thread_spoils_no_result_and_no_line_of_it_is_lost(threaded, size):
    threaded.apply(Entry.EXEC, 0, PRINTER)
    for number in range(100):
        assert value(threaded, 0, b"'%d'+'x'*%d" % (number, size)) == f"{number}" + "x" * size
    value(threaded, 0, b"go.clear()")
    threaded.listen(b"[end ")
    lines = [int(found) for found in re.findall(rb"\[(\d+)\]", threaded.output)]
    last = int(re.search(rb"\[end (\d+)\]", threaded.output)[1])
    assert lines == list(range(last)), "every line once and in order"


def test_a_status_is_answered_while_a_thread_prints(threaded):
    threaded.apply(Entry.EXEC, 0, PRINTER)
    for _ in range(20):
        assert threaded.run(status(threaded.talk.board)).boot == "boot1"
    value(threaded, 0, b"go.clear()")
