"""The part on endurance: what a board takes at once, and what the page says of it."""

from __future__ import annotations

from tests.bench import credit, endurance
from tests.bench.limits import Line


def test_a_micro_bit_loses_nothing_within_the_credit():
    """How much it loses beyond is the machine's: the page says what it was."""
    lost = {each.size: each.lost for each in credit.measure(5)}
    assert (lost[20], lost[40], lost[60]) == (0, 0, 0)


def test_the_page_says_what_failed_and_what_each_window_lost():
    found = endurance.Endurance(
        [Line("calls, failed", 1, "", 0), Line("memory", 300, "bytes", 300)],
        [credit.Window(80, 8000, 600, answered=1850, seconds=0.37)],
    )
    page = endurance.render(found)
    assert "| calls, failed | 1  | 0  | **missed** |" in page
    assert "| memory | 300 bytes | 300 bytes | met |" in page
    assert "| 80 | 200 µs | 600 of 8,000 |" in page
