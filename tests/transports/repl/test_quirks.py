"""Each quirk of the REPL that an implementer must handle, and the test that shows we do.

The left side is a line of the protocol's facts; the right side names tests of this folder.
"""

from __future__ import annotations

from pathlib import Path

import pytest

QUIRKS = {
    "Ctrl-A when already raw gives the banner again": "test_attaching_again_finds_the_same_boot",
    "line ends may be \\r\\r\\n": "test_the_prompt_is_found_whatever_line_ends",
    "sys.ps1 is the user's: never wait for >>>": "test_the_prompt_is_found_whatever_line_ends",
    "boot.py prints between the reboot and the banner": "test_every_ports_words_for_a_soft_reset",
    "the words of a soft reset differ": "test_every_ports_words_for_a_soft_reset",
    "OK never means compiled": "test_a_recording_is_understood_as_when_it_was_made",
    "an empty command is a soft reset": "test_an_empty_command_is_refused",
    "a doubled byte 4 is one, too": "test_a_doubled_end_of_a_line_resets_the_board",
    "bytes 1 to 4 in a source are control": "test_a_control_byte_in_a_source_is_refused",
    "and arrive when escaped": "test_a_source_of_any_bytes_arrives",
    "no flow control: small rings lose bytes": "test_a_board_that_denies_raw_paste_gets_its_source",
    "output may look like marks": "test_output_of_any_bytes_never_hides_the_result",
    "two end marks and a prompt are no proof": "test_whatever_output_looks_like_the_prompt",
    "raw paste may be denied or unknown": "test_a_device_without_raw_paste_is_understood",
    "the first credit is two windows": "test_a_paste_sends_no_more_than_its_credit",
    "windows differ": "test_any_window_carries_any_source",
    "a paste that is stopped must be answered": "test_a_device_that_stops_a_paste",
    "a syntax error amid a paste": "test_a_syntax_error_in_a_paste_stops_it",
    "Ctrl-C while pasting has no Traceback line": "test_ctrl_c_during_a_paste",
    "async output lands anywhere": "test_the_probe_finds_its_answer_behind_and_between",
    "from real threads, too": "test_a_printing_thread_spoils_no_result",
    "webassembly wedges when probed": "test_a_damaged_description_of_the_board_is_not_believed",
    "except: swallows Ctrl-C": "test_the_ladder_interrupts_a_loop_that_swallows_ctrl_c",
    "Ctrl-C ends a command with a normal frame": "test_an_interrupt_joins_the_step_under_way",
    "SystemExit resets, or does nothing": "test_a_system_exit_ends_the_call_without_a_result",
    "a reset shows as soft reboot in the text": "test_a_boot_amid_a_call_stands_in_its_reply",
    "micro:bit begins with a NUL": "test_no_byte_of_output_is_lost_or_doubled",
    "a program runs when we attach": "test_attaching_interrupts_a_running_program_and_says_so",
    "raw mode may be left": "test_a_board_that_left_raw_mode_comes_back_without_a_reset",
    "output is not always UTF-8": "test_cuts_change_nothing",
}


@pytest.mark.parametrize(("quirk", "name"), list(QUIRKS.items()), ids=str)
def test_a_quirk_has_its_test(quirk, name):
    folder = Path(__file__).parent
    tests = "".join(path.read_text(encoding="utf-8") for path in folder.glob("test_*.py"))
    assert f"def {name}" in tests or f"    def {name.removeprefix('test_')}" in tests, quirk
