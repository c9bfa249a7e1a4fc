"""What notebooks show of an object: its facts as an HTML table, every word of them escaped. Pure.

>>> table("a <session>", {"status": "active"})
'<table><caption>a &lt;session&gt;</caption><tr><th>status</th><td>active</td></tr></table>'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from klemheist.transports.identity import printable


def table(caption: str, facts: Mapping[str, object]) -> str:
    """Return facts as a table: a row for each, its name first.

    Args:
        caption: stands above it.
        facts: what to show by name, as `str` writes it.
    """
    rows = [_row(_cell("th", name), _cell("td", value)) for name, value in facts.items()]
    return _table(caption, rows)


def grid(caption: str, heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return things of a kind as a table: a row for each, under the names of the columns."""
    head = _row(*(_cell("th", name) for name in heads))
    return _table(caption, [head, *(_row(*(_cell("td", each) for each in row)) for row in rows)])


def drawing(text: str) -> str:
    """Return a drawing made of characters as it is."""
    return f"<pre>{escape(text)}</pre>"


def _table(caption: str, rows: Iterable[str]) -> str:
    return f"<table>{_cell('caption', caption)}{''.join(rows)}</table>"


def _row(*cells: str) -> str:
    return f"<tr>{''.join(cells)}</tr>"


def _cell(tag: str, value: object) -> str:
    return f"<{tag}>{escape(printable(str(value)))}</{tag}>"
