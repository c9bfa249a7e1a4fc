"""What a notebook shows: facts, escaped, as HTML that a parser takes."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from klemheist import AsyncSessionManager, Resource, SessionManager
from klemheist.actors.notebook import drawing, grid, table

EVIL = '<script>alert("1")</script>&amp;\n\x1b[2J'


class Page(HTMLParser):
    """Reads a page: its tags, its words, and that every tag is closed in order."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words, self._open = set(), [], []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        assert attrs == []
        self.tags.add(tag)
        self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.mark.parametrize(
    ("html", "tags"),
    [
        (table(EVIL, {EVIL: EVIL}), {"table", "caption", "tr", "th", "td"}),
        (grid(EVIL, [EVIL], [[EVIL]]), {"table", "caption", "tr", "th", "td"}),
        (drawing(EVIL), {"pre"}),
    ],
    ids=["table", "grid", "drawing"],
)
def test_what_is_shown_is_text_and_never_html(html, tags):
    page = Page(html)
    assert page.tags == tags
    assert all('<script>alert("1")</script>&amp;' in word for word in page.words)


def test_terminals_and_lines_are_left_alone():
    assert Page(table("x", {"y": EVIL})).words[-1] == '<script>alert("1")</script>&amp; [2J'


def test_a_session_its_resources_its_manager_and_its_tree_are_shown():
    with SessionManager() as manager, manager.session("sim:") as s:
        s.resources.register_resource(Resource(EVIL.strip(), resource_id=EVIL))
        shown = [
            Page(each._repr_html_())
            for each in (s, s.resources.get_resource_stats(), manager, manager.snapshot())
        ]
        words = [" ".join(page.words) for page in shown]
        assert "script" not in set().union(*(page.tags for page in shown))
        for facts in (words[0], words[2]):
            assert s.session_id in facts
            assert "sim:" in facts
            assert "active" in facts
        assert "resource <script>" in words[0]
        assert "total_resources 1" in words[1]
        assert 'resources_by_type 1 <script>alert("1")</script>' in words[1]
        assert "── sessions" in words[3]
    assert "ended" in " ".join(Page(s._repr_html_()).words)


def test_a_manager_that_has_done_nothing_is_shown():
    words = Page(AsyncSessionManager()._repr_html_()).words
    assert words[0].startswith("AsyncSessionManager, ")
