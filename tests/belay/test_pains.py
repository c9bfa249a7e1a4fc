"""What users of MicroPython tools suffer from, and the test that shows it does not happen here.

The numbers are those of the list of 25 pains that the project began with.

| | pain | test |
|---|---|---|
| 1 | could not enter the raw REPL | `test_a_board_that_talks_and_swallows_ctrl_c_is_entered` |
| 1 | the same, and nothing helps: what to do is told | \
`test_without_such_an_adapter_the_board_is_down_and_tried_again` |
| 2 | the board resets whenever its port is opened or closed | \
`test_opening_and_closing_reset_nothing_and_what_the_url_asks_wins` |
| 3 | state vanishes between commands | `test_state_outlives_the_connection` |
| 4 | state of the previous user is left | `test_nothing_is_left_of_an_earlier_user` |
| 5 | the program runs on after Ctrl-C or close | `test_a_call_that_is_given_up_does_not_go_on` |
| 6 | threads of the device cannot be stopped | `test_a_thread_ends_with_its_session` |
| 6 | one that does not stop | \
`test_a_thread_that_does_not_stop_is_ended_by_a_reset_where_that_is_allowed` |
| 7 | printing threads damage the protocol | `test_a_thread_that_prints_between_calls_is_no_fault` |
| 7 | two of them, during calls | `test_two_threads_that_print_during_calls_damage_nothing` |
| 8 | the soft reset locks up while core 1 runs | needs hardware |
| 9 | timers outlive their user | `test_a_device_timer_is_stopped_on_the_device_without_user_code` |
| 10 | hangs for ever | `test_no_call_waits_for_ever` |
| 11 | a lost link ends all | \
`test_a_link_that_drops_fails_the_call_in_flight_and_comes_back_with_the_same_boot` |
| 12 | the port has another name when it is back | \
`test_a_device_is_found_again_after_its_port_was_renamed` |
| 13 | a replay runs things twice | `test_a_command_that_loses_the_link_runs_once` |
| 14 | a soft reset wipes state silently | `test_system_exit_is_a_reset_and_says_so` |
| 15 | main.py does not run again | \
`test_with_resume_app_the_device_s_own_program_is_started_again_at_the_end` |
| 16 | Ctrl-C is swallowed | `test_an_interrupt_that_is_swallowed_does_not_end_the_session` |
| 17 | "device is busy or does not respond" | `test_a_call_that_waits_says_for_whom_and_what_runs` |
| 18 | slow uploads | `test_an_upload_costs_few_messages` |
| 19 | an unchanged tree costs seconds | `test_an_unchanged_folder_costs_one_round_trip` |
| 20 | bytes are dropped without flow control | `test_a_board_that_keeps_few_bytes_loses_none` |
| 21 | raw paste is announced and broken | \
`test_a_port_whose_raw_paste_is_broken_is_not_asked_for_it` |
| 22 | MemoryError | `test_an_exhausted_memory_is_an_error_with_the_free_bytes` |
| 23 | files of zero bytes after a transfer that died | \
`test_a_board_killed_before_the_rename_keeps_whole_files` |
| 24 | the port is busy, and nobody says by whom | `test_a_busy_port_names_its_holder` |
| 25 | WebREPL: a reset kills it | `test_a_soft_reset_ends_webrepl_and_the_session_goes_on` |
"""

from __future__ import annotations

import random
import re
import socket
from pathlib import Path
from unittest import mock

import pytest

from klemheist import LinkTimeout, SessionManager
from tests.actors.session.conftest import HOST
from tests.boards.tcp_board import TcpBoard

ROW = re.compile(r"^\| (\d+) \| .*? \| (?:`(test_\w+)`|needs hardware) \|$", re.MULTILINE)
DEFINED = re.compile(r"^ *def (test_\w+)", re.MULTILINE)
TALKS = (
    b"def talk():\r for _ in range(2):\r  try:\r   while True: print('>>> raw REPL', end=' ')\r"
    b"  except KeyboardInterrupt: pass\r\r\r"
)


def test_every_pain_has_its_test_and_every_test_is_there():
    rows = ROW.findall(__doc__)
    texts = (each.read_text(encoding="utf-8") for each in Path(__file__).parents[1].rglob("*.py"))
    defined = {name for text in texts for name in DEFINED.findall(text)}

    assert {int(number) for number, _ in rows} == {*range(1, 26)}
    assert {name for _, name in rows if name} <= defined


def test_a_board_that_talks_and_swallows_ctrl_c_is_entered():
    """Its own program prints without end, prompts too, and catches the first interrupts."""
    with TcpBoard(HOST) as board:
        with socket.create_connection((board.host, board.port)) as person:
            person.sendall(b"\r\x03\x02")
            person.sendall(TALKS + b"talk()\r")
            heard = b""
            while heard.count(b"REPL >>> raw REPL") < 3:
                heard += person.recv(1000)
        with SessionManager() as manager, manager.session(board.url) as session:
            assert session("6 * 7") == 42


def test_a_call_that_waits_says_for_whom_and_what_runs(host, boards):
    """Thonny: "device is busy or does not respond", and nothing more."""
    with boards.session(HOST) as other:
        running = other.submit("import time\nprint('begun')\ntime.sleep(20)", timeout=15)
        with pytest.raises(
            LinkTimeout, match=r"waited for exec:.* \(up\) at .* was not sent"
        ) as failed:
            host.execute("1", timeout=0.3)
        assert not failed.value.maybe_executed
        assert host.device.status == "up"
        running.cancel("enough")
    assert host("1 + 1") == 2


def test_an_upload_costs_few_messages(manager):
    """mpremote and Belay: one exec, and a prompt waited for, for each 256 bytes."""
    data = random.Random(5).randbytes(100_000)
    with manager.session("sim:") as session:
        session.files.list()
        link = manager.device("sim:").link
        with mock.patch.object(link, "write", wraps=link.write) as write:
            session.files.write("upload.bin", data)
        assert session.files.read("upload.bin") == data
        session.files.remove("upload.bin")
    assert write.call_count <= 8  # Belay's and mpremote's way: 391


@pytest.mark.parametrize("options", ["--ring 256", "--window 32"])
def test_a_board_that_keeps_few_bytes_loses_none(tmp_path, options):
    """rshell, Thonny: a file has holes where the board's small buffer was full."""
    data = random.Random(6).randbytes(20_000)
    url = f"{HOST} {options} --root {tmp_path}"
    with SessionManager() as manager, manager.session(url) as session:
        session.files.write(f"{tmp_path}/upload.bin", data)
        assert session.files.read(f"{tmp_path}/upload.bin") == data
        assert session(repr("x" * 3000)) == "x" * 3000
